//! Chance comes in through this door: the only caller of the system's random generator.

use uuid::Uuid;

/// Fills `bytes` from the CSPRNG of the crypto engine.
///
/// # Panics
/// When the operating system has no randomness to give; going on would be worse.
pub fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A random (version 4) UUID: 122 bits, unguessable.
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}
