//! Public keys whose private half is easily found. Only public numbers are looked at here.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::{PublicKey, sha1};

/// Why a key is weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// The RSA exponent is below 65537 (NIST SP 800-89 §5.3.3).
    Exponent,
    /// The RSA modulus has this prime factor.
    SmallFactor(u32),
    /// The primes of the RSA modulus lie close together, so that Fermat's method finds them.
    ClosePrimes,
    /// The primes come from the faulty generator of CVE-2017-15361 (ROCA).
    Roca,
}

/// Fermat's method is tried for so many steps, as others do (CVE-2022-26320).
const FERMAT_ROUNDS: u32 = 100;

/// What is weak about `key`; only RSA keys can be weak in these ways.
pub fn weakness(key: &PublicKey) -> Option<Weakness> {
    let (modulus, exponent) = key.rsa_numbers()?;
    if BigUint::from_bytes_be(exponent) < BigUint::from(65_537_u32) {
        return Some(Weakness::Exponent);
    }
    of_modulus(&BigUint::from_bytes_be(modulus))
}

/// How Debian's `openssl-blacklist` names an RSA key: the last 80 bits of the SHA-1 of what
/// `openssl rsa -modulus` prints. `None` for other keys.
pub fn debian_fingerprint(key: &PublicKey) -> Option<[u8; 10]> {
    let (modulus, _) = key.rsa_numbers()?;
    let printed = format!("Modulus={}\n", hex::encode_upper(modulus));
    let mut fingerprint = [0; 10];
    fingerprint.copy_from_slice(&sha1(printed.as_bytes())[10..]);
    Some(fingerprint)
}

fn of_modulus(modulus: &BigUint) -> Option<Weakness> {
    // One long division for all small primes; what is left is short.
    let rest = modulus % &SMALL.product;
    let mut is_roca = true;
    for (product, primes) in &SMALL.groups {
        let rest = remainder(&rest, *product);
        for prime in primes {
            let residue = rest % prime;
            if residue == 0 {
                return Some(Weakness::SmallFactor(*prime));
            }
            is_roca &= *prime > ROCA_PRIME_MAX || in_roca_group(*prime, residue);
        }
    }
    match is_roca {
        true => Some(Weakness::Roca),
        false => are_close(modulus).then_some(Weakness::ClosePrimes),
    }
}

/// The odd primes below 752 (NIST SP 800-89 §5.3.3), in groups whose products fit in 32 bits.
struct SmallPrimes {
    product: BigUint,
    groups: Vec<(u32, Vec<u32>)>,
}

static SMALL: LazyLock<SmallPrimes> = LazyLock::new(|| {
    let is_prime = |n: &u32| {
        (2..*n)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut product = BigUint::from(1_u32);
    for prime in (3..752).filter(is_prime) {
        product *= prime;
        let grown = groups
            .last()
            .and_then(|(product, _)| product.checked_mul(prime));
        match (grown, groups.last_mut()) {
            (Some(grown), Some((product, primes))) => {
                *product = grown;
                primes.push(prime);
            }
            (None, _) | (Some(_), None) => groups.push((prime, vec![prime])),
        }
    }
    SmallPrimes { product, groups }
});

fn remainder(number: &BigUint, divisor: u32) -> u32 {
    let digits = number.iter_u32_digits().rev();
    let rest = digits.fold(0_u64, |rest, digit| {
        ((rest << 32) | u64::from(digit)) % u64::from(divisor)
    });
    u32::try_from(rest).expect("a remainder is below its divisor")
}

/// The faulty primes are powers of 65537 modulo every prime up to here, whatever the key's length
/// (Nemec et al., The Return of Coppersmith's Attack, §2).
const ROCA_PRIME_MAX: u32 = 167;

fn in_roca_group(prime: u32, residue: u32) -> bool {
    let generator = 65_537 % prime;
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

/// Squares are rare modulo this number, so that most candidates need no square root.
const SIEVE: u32 = 63 * 64 * 65 * 11;

/// Fermat: n = a² − b² with a just above √n when the two primes are close.
fn are_close(modulus: &BigUint) -> bool {
    let root = modulus.sqrt();
    if &root * &root == *modulus {
        return true;
    }
    let first = root + 1_u32;
    let square = &first * &first - modulus;
    let (mut a, mut b2) = (remainder(&first, SIEVE), remainder(&square, SIEVE));
    for round in 0..FERMAT_ROUNDS {
        if may_be_square(b2) {
            let a = &first + round;
            let square = &a * &a - modulus;
            let root = square.sqrt();
            if &root * &root == square {
                return true;
            }
        }
        b2 = (b2 + 2 * a + 1) % SIEVE;
        a = (a + 1) % SIEVE;
    }
    false
}

fn may_be_square(residue: u32) -> bool {
    static SQUARES: LazyLock<[[bool; 65]; 4]> = LazyLock::new(|| {
        [63_usize, 64, 65, 11].map(|modulus| {
            let mut squares = [false; 65];
            (0..modulus).for_each(|root| squares[root * root % modulus] = true);
            squares
        })
    });
    let moduli = [63, 64, 65, 11];
    moduli
        .iter()
        .zip(SQUARES.iter())
        .all(|(modulus, squares)| squares[(residue % modulus) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_is_refused_for_its_reason_and_sound_keys_are_not() {
        let vectors = include_str!("weakness_vectors.txt");
        let mut seen = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let (rule, modulus) = line.split_once(' ').expect("a rule and a number");
            let modulus = hex::decode(modulus).expect("hex");
            let found = of_modulus(&BigUint::from_bytes_be(&modulus));
            let name = match found {
                None => "fine",
                Some(Weakness::Exponent) => "rsa-exponent",
                Some(Weakness::SmallFactor(_)) => "rsa-small-factor",
                Some(Weakness::ClosePrimes) => "rsa-close-primes",
                Some(Weakness::Roca) => "roca",
            };
            assert_eq!(name, rule, "{line}");
            seen += 1;
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn screening_is_cheap() {
        let vectors = include_str!("weakness_vectors.txt");
        let sound = vectors
            .lines()
            .filter_map(|line| line.strip_prefix("fine "));
        for modulus in sound {
            let modulus = BigUint::from_bytes_be(&hex::decode(modulus).expect("hex"));
            assert_eq!(of_modulus(&modulus), None);
            let start = std::time::Instant::now();
            for _ in 0..100 {
                assert_eq!(of_modulus(&modulus), None);
            }
            let each = start.elapsed() / 100;
            // A hundred microseconds when optimised; tests are not.
            assert!(
                each.as_micros() < 5_000,
                "{} bits: {each:?}",
                modulus.bits()
            );
        }
    }
}
