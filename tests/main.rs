//! The behaviour of Chancery, as stories told with real processes and foreign tools.
#![cfg(test)]

mod arrangements;
mod authorities;
mod commands;
mod conventions;
mod crls;
mod crmf;
mod decisions;
mod enrolment;
mod fuzz;
mod jobs;
mod keys;
mod layers;
mod lifecycle;
mod lint;
mod mass_revocation;
mod ocsp;
mod openapi;
mod owners;
mod profiles;
mod publication;
mod refusals;
mod renewal;
mod renewals;
mod restart;
mod revocation;
mod roles;
mod start;
mod store;
