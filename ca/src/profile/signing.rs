//! Signature algorithms by the names in profiles.

use common::crypto::SignatureAlgorithm;

use crate::issuer::Issuer;

/// The name of an algorithm.
pub(super) fn name(algorithm: SignatureAlgorithm) -> &'static str {
    let found = SignatureAlgorithm::ALL
        .iter()
        .find(|(_, known)| *known == algorithm);
    found.map_or("unknown", |(name, _)| name)
}

/// The algorithm of this name, if `issuer` can sign with it. Dogtag writes `SHA256withECDSA`, too.
pub(super) fn choose(issuer: &Issuer, wanted: &str) -> Result<SignatureAlgorithm, String> {
    let plain = wanted.replace("withECDSA", "withEC");
    let can = issuer.key.algorithms();
    let found = can.iter().find(|algorithm| name(**algorithm) == plain);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = can.iter().map(|algorithm| name(*algorithm)).collect();
        format!(
            "the authority signs with {}, not with {wanted}",
            names.join(", ")
        )
    })
}
