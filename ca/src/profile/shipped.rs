//! The profiles that come with the program.

use super::text::Text;

/// Each a file of its own.
const SHIPPED: [&str; 22] = [
    include_str!("../../profiles/acmeServerCert.toml"),
    include_str!("../../profiles/caAdminCert.toml"),
    include_str!("../../profiles/caAgentServerCert.toml"),
    include_str!("../../profiles/caAuditSigningCert.toml"),
    include_str!("../../profiles/caCACert.toml"),
    include_str!("../../profiles/caCodeSigningCert.toml"),
    include_str!("../../profiles/caECServerCert.toml"),
    include_str!("../../profiles/caIPAserviceCert.toml"),
    include_str!("../../profiles/caMLDSAServerCert.toml"),
    include_str!("../../profiles/caManualRenewal.toml"),
    include_str!("../../profiles/caOCSPCert.toml"),
    include_str!("../../profiles/caSMIMECert.toml"),
    include_str!("../../profiles/caSSLClientSelfRenewal.toml"),
    include_str!("../../profiles/caServerCert.toml"),
    include_str!("../../profiles/caServerKeygen_UserCert.toml"),
    include_str!("../../profiles/caShortLivedServerCert.toml"),
    include_str!("../../profiles/caStorageCert.toml"),
    include_str!("../../profiles/caSubCACert.toml"),
    include_str!("../../profiles/caSubsystemCert.toml"),
    include_str!("../../profiles/caTransportCert.toml"),
    include_str!("../../profiles/caUserCert.toml"),
    include_str!("../../profiles/estServerCert.toml"),
];

/// The texts of the shipped profiles.
///
/// # Errors
/// What is wrong with which; a test keeps this from happening.
pub fn shipped() -> Result<Vec<Text>, String> {
    SHIPPED.iter().map(|toml| Text::from_toml(toml)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::*;

    #[test]
    fn every_shipped_profile_is_ready_for_use_when_it_is_enabled() {
        for text in shipped().expect("shipped profiles are sound") {
            let id = text.id.clone();
            let enabled = text.enabled == Some(true);
            let ready = Profile::new(text);
            assert_eq!(ready.is_ok(), enabled, "{id}: {:?}", ready.err());
        }
    }

    #[test]
    fn both_notations_give_the_same_text_again() {
        for toml in SHIPPED {
            let text = Text::from_toml(toml).expect("shipped profiles are sound");
            let again = Text::from_toml(&text.to_toml()).expect("our own text is sound");
            assert_eq!(again, text);
            let again = Text::from_cfg(&text.to_cfg(), None).expect("our own text is sound");
            assert_eq!(again.to_toml(), text.to_toml());
            let written: Vec<_> = toml.lines().filter(|line| !line.starts_with('#')).collect();
            assert_eq!(
                text.to_toml().lines().collect::<Vec<_>>(),
                written,
                "{}",
                text.id
            );
        }
    }
}
