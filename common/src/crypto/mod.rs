//! Keys and the operations on them. All arithmetic is the engine's (aws-lc-rs); private keys exist
//! only inside [`PrivateKey`] and [`Secret`], which neither print nor copy what they hold.

mod algorithm;
mod kek;
mod pbes2;
mod private_key;
mod public_key;
mod secret;
mod weakness;

pub use algorithm::{Hash, KeySpec, MlDsa, RsaSize, SignatureAlgorithm};
pub use kek::{KeyEncryptionKey, KeySource};
pub use pbes2::{decrypt as pbes2_decrypt, encrypt as pbes2_encrypt};
pub use private_key::{KeyError, PrivateKey};
pub(crate) use public_key::is_sha1;
pub use public_key::{
    Curve, KeyKind, PublicKey, RSA_BITS_MIN, RequestSignatures, SignatureInvalid,
};
pub use secret::Secret;
pub use weakness::{Weakness, debian_fingerprint, weakness};

use aws_lc_rs::digest;

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-1 of `bytes`: only for names of things (RFC 6960 CertIDs), never in a signature.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    out.copy_from_slice(digest.as_ref());
    out
}
