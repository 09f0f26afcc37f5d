use std::collections::BTreeMap;
use std::sync::Arc;

use super::Profile;

/// The profiles that come with the program, each a file of its own.
const SHIPPED: [&str; 7] = [
    include_str!("../../profiles/caServerCert.toml"),
    include_str!("../../profiles/caAgentServerCert.toml"),
    include_str!("../../profiles/caUserCert.toml"),
    include_str!("../../profiles/caCACert.toml"),
    include_str!("../../profiles/caOCSPCert.toml"),
    include_str!("../../profiles/caTransportCert.toml"),
    include_str!("../../profiles/caSubsystemCert.toml"),
];

/// All profiles by id.
#[derive(Clone, Debug)]
pub struct Profiles(BTreeMap<String, Arc<Profile>>);

impl Profiles {
    /// The shipped ones.
    ///
    /// # Errors
    /// What is wrong with which; a test keeps this from happening.
    pub fn shipped() -> Result<Self, String> {
        let mut profiles = BTreeMap::new();
        for toml in SHIPPED {
            let profile = Profile::from_toml(toml)?;
            profiles.insert(profile.id().to_owned(), Arc::new(profile));
        }
        Ok(Self(profiles))
    }

    /// The profile with this id.
    pub fn find(&self, id: &str) -> Option<&Arc<Profile>> {
        self.0.get(id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_readable_and_enabled() {
        let profiles = Profiles::shipped().expect("shipped profiles are sound");
        assert_eq!(profiles.iter().count(), SHIPPED.len());
        assert!(profiles.iter().all(|profile| profile.text().enabled));
    }
}
