//! What the end-to-end tests stand on: a running PKI and foreign tools.

pub mod dice;
pub mod foreign;
pub mod world;
