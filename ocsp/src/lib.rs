//! The OCSP responder: answers status questions, holds no CA key.
//!
//! It follows the CA's status journal ([`feed`]), keeps every status in memory ([`statuses`]) and
//! signs with a delegated key of its own ([`signer`]).

pub mod answer;
pub mod config;
pub mod create;
pub mod feed;
pub mod http;
pub mod issuer;
pub mod question;
pub mod responder;
pub mod roster;
pub mod service;
pub mod signer;
pub mod statuses;
pub mod store;

pub use config::Config;
pub use responder::Responder;
pub use service::Ocsp;
