//! PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018 §6.2): what openssl, NSS, GnuTLS and
//! Java all read in PKCS#8 and PKCS#12.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use der::{Decode, Encode};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Parameters, Pbkdf2Prf};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::{KeyError, Secret};
use crate::entropy;

/// Encrypts under a password; gives the algorithm identifier with its parameters and the ciphertext.
pub fn encrypt(
    password: &[u8],
    rounds: u32,
    plaintext: &[u8],
) -> Result<(AlgorithmIdentifierOwned, Vec<u8>), KeyError> {
    let salt = entropy::bytes::<16>();
    let iv = entropy::bytes::<16>();
    let key = derive(password, rounds, &salt)?;
    let cipher = UnboundCipherKey::new(&AES_256, &*key).map_err(|_| KeyError::Engine)?;
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(|_| KeyError::Engine)?;
    let mut data = plaintext.to_vec();
    // The fresh random IV above is what makes this safe; the API only lets us give one.
    let context = aws_lc_rs::cipher::EncryptionContext::Iv128(FixedLength::from(iv));
    cipher
        .less_safe_encrypt(&mut data, context)
        .map_err(|_| KeyError::Engine)?;
    // `pkcs5` counts rounds in 16 bits in its constructors; the fields take the real number.
    let mut parameters =
        Parameters::pbkdf2_sha256_aes256cbc(1, &salt, &iv).map_err(|_| KeyError::Engine)?;
    if let Kdf::Pbkdf2(kdf) = &mut parameters.kdf {
        kdf.iteration_count = rounds;
    }
    let identifier = EncryptionScheme::from(parameters)
        .to_der()
        .and_then(|der| AlgorithmIdentifierOwned::from_der(&der))
        .map_err(|_| KeyError::Engine)?;
    Ok((identifier, data))
}

/// Decrypts what [`encrypt`] made.
pub fn decrypt(
    password: &[u8],
    scheme: &EncryptionScheme<'_>,
    ciphertext: &[u8],
) -> Result<Secret, KeyError> {
    let parameters = scheme.pbes2().ok_or(KeyError::Unreadable)?;
    let kdf = parameters.kdf.pbkdf2().ok_or(KeyError::Unreadable)?;
    let Cipher::Aes256Cbc { iv } = parameters.encryption else {
        return Err(KeyError::Unreadable);
    };
    if kdf.prf != Pbkdf2Prf::HmacWithSha256 || kdf.iteration_count > 10_000_000 {
        return Err(KeyError::Unreadable);
    }
    let key = derive(password, kdf.iteration_count, kdf.salt)?;
    let cipher = UnboundCipherKey::new(&AES_256, &*key).map_err(|_| KeyError::Engine)?;
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(cipher).map_err(|_| KeyError::Engine)?;
    let mut data = Zeroizing::new(ciphertext.to_vec());
    let context = DecryptionContext::Iv128(FixedLength::from(*iv));
    let plain = cipher
        .decrypt(&mut data, context)
        .map_err(|_| KeyError::Locked)?;
    Ok(Secret::new(plain.to_vec()))
}

fn derive(password: &[u8], rounds: u32, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let rounds = NonZeroU32::new(rounds).ok_or(KeyError::Unreadable)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        password,
        &mut *key,
    );
    Ok(key)
}
