//! The certificate authority: profiles, requests, approval, issuance, revocation, CRLs.
//!
//! Three rings: [`http`] (async: extract, one verb, shape the answer) → [`authority`] (the verbs) →
//! nouns ([`request`], [`profile`], [`issue`], [`crl`], [`job`]: pure) and [`store`] (diesel).

pub mod authority;
pub mod blocklist;
pub mod chain;
pub mod config;
pub mod create;
pub mod crl;
pub mod error;
pub mod http;
pub mod issue;
pub mod issuer;
pub mod job;
pub mod jobs;
pub mod journal;
pub mod lint;
pub mod profile;
pub mod proof;
pub mod request;
pub mod service;
pub mod store;

pub use authority::Authority;
pub use config::Config;
pub use error::Error;
pub use service::Ca;
