//! The key recovery authority. So far: its storage key, its transport key and certificate.

pub mod create;
pub mod http;
pub mod service;
pub mod store;
pub mod transport;
pub mod vault;

pub use service::Kra;
