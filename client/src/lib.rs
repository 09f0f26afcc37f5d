//! The typed REST client: the only way one of our processes talks to another.
//!
//! Calls block; services make them on threads of their own.

mod ca;
mod courier;
mod endpoint;
mod kra;
mod ocsp;

pub use ca::CertificateFilter;
pub use courier::Courier;
pub use endpoint::{Credential, Endpoint, Error, Tagged, credential_from_pem};
