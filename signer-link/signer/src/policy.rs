//! What the signer's own configuration allows: the profiles and the rule for internationalised names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use hierarchy::BaseUrl;
use pki::name_rules::IdnPolicy;
use pki::profile::{Profile, ProfileDocument, RuleSet, StatusUrls};
use wire::ProfileInfo;

use crate::journal_record::{Hash, hash};

/// The policy. It comes from the signer's console only and does not change while it runs.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    profiles: Option<BTreeMap<String, Profile>>,
    /// SHA-256 of the document of each profile that was read from one.
    documents: BTreeMap<String, Hash>,
    idn: IdnPolicy,
    base_url: Option<BaseUrl>,
    /// What certifications of OpenPGP keys name as their policy.
    pgp_policy: Option<String>,
}

impl Policy {
    /// A policy with exactly these profiles.
    pub fn new(profiles: impl IntoIterator<Item = Profile>, idn: IdnPolicy) -> Self {
        let by_name = |profile: Profile| (profile.name.clone(), profile);
        Self {
            profiles: Some(profiles.into_iter().map(by_name).collect()),
            documents: BTreeMap::new(),
            idn,
            base_url: None,
            pgp_policy: None,
        }
    }

    /// A policy without profiles: only what holds for every certificate is judged.
    pub const fn without_profiles(idn: IdnPolicy) -> Self {
        Self {
            profiles: None,
            documents: BTreeMap::new(),
            idn,
            base_url: None,
            pgp_policy: None,
        }
    }

    /// Reads every `*.toml` in `directory` as a profile.
    pub fn load(directory: &Path, rule_set: RuleSet, idn: IdnPolicy) -> anyhow::Result<Self> {
        let mut profiles = Vec::new();
        let mut documents = BTreeMap::new();
        let unreadable = || format!("the profiles in {} cannot be read", directory.display());
        for entry in fs::read_dir(directory).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let (profile, document) = read(&path, rule_set)
                    .with_context(|| format!("the profile {} cannot be used", path.display()))?;
                documents.insert(profile.name.clone(), document);
                profiles.push(profile);
            }
        }
        anyhow::ensure!(
            !profiles.is_empty(),
            "no profile (*.toml) in {}",
            directory.display()
        );
        Ok(Self {
            documents,
            ..Self::new(profiles, idn)
        })
    }

    /// The same policy, and status must be served below `base_url`: then every octet of every extension is judged.
    #[must_use]
    pub fn with_base_url(mut self, base_url: Option<BaseUrl>) -> Self {
        self.base_url = base_url;
        self
    }

    /// The same policy, and certifications of OpenPGP keys name this URI as theirs.
    #[must_use]
    pub fn with_pgp_policy(mut self, uri: Option<String>) -> Self {
        self.pgp_policy = uri;
        self
    }

    /// The policy that certifications of OpenPGP keys name, if one is configured.
    pub fn pgp_policy(&self) -> Option<&str> {
        self.pgp_policy.as_deref()
    }

    /// Where the status of certificates of `issuer` must be served, if that is configured.
    pub fn status_urls(&self, issuer: &str) -> Option<StatusUrls> {
        let base_url = self.base_url.as_ref()?;
        Some(StatusUrls::new(base_url.ocsp(), issuer))
    }

    /// The profile of this name: `Ok(None)` when there are no profiles at all, `Err` with the known names when there
    /// are but not this one.
    pub fn profile(&self, name: &str) -> Result<Option<&Profile>, String> {
        let Some(profiles) = &self.profiles else {
            return Ok(None);
        };
        profiles.get(name).map(Some).ok_or_else(|| {
            let known: Vec<_> = profiles.keys().map(String::as_str).collect();
            known.join(", ")
        })
    }

    /// The profiles that were read from documents, with the hashes of these.
    pub fn profile_hashes(&self) -> Vec<ProfileInfo> {
        let info = |(name, hash): (&String, &Hash)| ProfileInfo {
            name: name.clone(),
            hash: *hash,
        };
        self.documents.iter().map(info).collect()
    }

    /// One hash over all that decides what is signed: goes into the log at every unlock, and into every session.
    pub fn hash(&self) -> Hash {
        let mut text = format!("{:?} {:?}", self.base_url, self.idn);
        if let Some(uri) = &self.pgp_policy {
            text.push_str(&format!("\nopenpgp {uri:?}"));
        }
        for (name, document) in &self.documents {
            text.push_str(&format!("\n{name} {}", hex::encode(document)));
        }
        hash(text.as_bytes())
    }

    /// Where domain names may mix scripts.
    pub const fn idn(&self) -> &IdnPolicy {
        &self.idn
    }
}

fn read(path: &Path, rule_set: RuleSet) -> anyhow::Result<(Profile, Hash)> {
    let text = fs::read_to_string(path)?;
    let document: ProfileDocument = toml::from_str(&text)?;
    Ok((document.select(rule_set)?, hash(text.as_bytes())))
}
