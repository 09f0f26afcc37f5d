//! What at least two of the services use. Nothing here decides policy.

pub mod api;
pub mod audit;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod entropy;
pub mod folder;
pub mod http;
pub mod identity;
pub mod keystore;
pub mod pfx;
pub mod pkcs12;
pub mod process;
pub mod telemetry;
pub mod upkeep;
pub mod x509;
