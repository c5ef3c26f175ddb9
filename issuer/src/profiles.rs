//! The profiles in their directory, read again when they change (I3).
//!
//! A file that cannot be used never disturbs: the last good version of that profile stays, the reason
//! is logged and shown by `/readyz`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context as _;
use pki::profile::{Profile, ProfileDocument, RuleSet};
use telemetry::Part;

/// The profiles that requests can name.
#[derive(Debug)]
pub(crate) struct Profiles {
    directory: PathBuf,
    rule_set: RuleSet,
    part: Part,
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

/// A file as it was read last.
#[derive(Debug)]
struct Known {
    version: Version,
    /// The last version that could be used.
    profile: Option<Arc<Profile>>,
    /// Why the newest version cannot be used.
    fault: Option<String>,
}

/// Tells whether a file has changed.
#[derive(Debug, Eq, PartialEq)]
struct Version {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Profiles {
    /// Reads all of them; at the start a file that cannot be used is an error.
    pub(crate) fn load(directory: &Path, rule_set: RuleSet, part: Part) -> anyhow::Result<Self> {
        let profiles = Self {
            directory: directory.to_owned(),
            rule_set,
            part,
            known: Mutex::default(),
        };
        profiles.refresh()?;
        let known = profiles
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (path, file) in &*known {
            if let Some(fault) = &file.fault {
                anyhow::bail!("the profile {} cannot be used: {fault}", path.display());
            }
        }
        anyhow::ensure!(
            !known.is_empty(),
            "{} holds no profile (NAME.toml); `avouch init` puts them there",
            directory.display()
        );
        drop(known);
        Ok(profiles)
    }

    /// The profile of this name, as its file is now.
    pub(crate) fn profile(&self, name: &str) -> anyhow::Result<Option<Arc<Profile>>> {
        Ok(self.all()?.into_iter().find(|profile| profile.name == name))
    }

    /// All profiles, as their files are now.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Arc<Profile>>> {
        self.refresh()?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known
            .values()
            .filter_map(|file| file.profile.clone())
            .collect())
    }

    /// Looks at every file and reads those that changed.
    fn refresh(&self) -> anyhow::Result<()> {
        let present = list(&self.directory).with_context(|| {
            format!(
                "the profiles in {} cannot be listed",
                self.directory.display()
            )
        })?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|path, _| present.contains_key(path));
        for (path, version) in present {
            let before = known.remove(&path);
            let file = match before {
                Some(before) if before.version == version => before,
                before => self.read(&path, version, before),
            };
            known.insert(path, file);
        }
        let faults: Vec<&str> = known
            .values()
            .filter_map(|file| file.fault.as_deref())
            .collect();
        if faults.is_empty() {
            self.part.set_ready();
        } else {
            self.part.set_failed(faults.join("; "));
        }
        Ok(())
    }

    fn read(&self, path: &Path, version: Version, before: Option<Known>) -> Known {
        match read(path, self.rule_set) {
            Ok(profile) => {
                tracing::info!(profile = profile.name, rule_set = %self.rule_set, "profile read");
                Known {
                    version,
                    profile: Some(Arc::new(profile)),
                    fault: None,
                }
            }
            Err(error) => {
                tracing::error!(
                    "{} cannot be used, its last good version stays: {error:#}",
                    path.display()
                );
                Known {
                    version,
                    profile: before.and_then(|before| before.profile),
                    fault: Some(format!("{error:#}")),
                }
            }
        }
    }
}

/// The files `*.toml` and their versions.
fn list(directory: &Path) -> anyhow::Result<BTreeMap<PathBuf, Version>> {
    use std::os::unix::fs::MetadataExt as _;

    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let metadata = fs::metadata(&path)?;
        let version = Version {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: metadata.ino(),
        };
        files.insert(path, version);
    }
    Ok(files)
}

fn read(path: &Path, rule_set: RuleSet) -> anyhow::Result<Profile> {
    let document: ProfileDocument = toml::from_str(&fs::read_to_string(path)?)?;
    let stem = path.file_stem().unwrap_or_default();
    anyhow::ensure!(
        stem == document.name(),
        "it names itself {:?}; name and file must be the same",
        document.name()
    );
    Ok(document.select(rule_set)?)
}

#[cfg(test)]
mod tests {
    use telemetry::{Health, Readiness};

    use super::*;

    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");

    fn profiles(directory: &Path) -> (Profiles, Health) {
        let health = Health::new();
        let part = health.part("profiles");
        (
            Profiles::load(directory, RuleSet::Community, part).expect("profiles"),
            health,
        )
    }

    #[test]
    fn the_shipped_profiles_are_good_under_both_rule_sets() {
        for rule_set in [RuleSet::Community, RuleSet::Cabf] {
            let part = Health::new().part("profiles");
            let profiles = Profiles::load(Path::new(SHIPPED), rule_set, part).expect("profiles");
            let names: Vec<String> = profiles
                .all()
                .expect("all")
                .iter()
                .map(|profile| profile.name.clone())
                .collect();
            assert_eq!(
                names,
                ["client", "code-signing", "ocsp-responder", "server"]
            );
        }
    }

    #[test]
    fn limits_of_the_rule_sets() {
        let part = || Health::new().part("profiles");
        let days = |rule_set, name| {
            let profiles = Profiles::load(Path::new(SHIPPED), rule_set, part()).expect("profiles");
            profiles.profile(name).expect("read").expect(name).max_days
        };
        assert_eq!(days(RuleSet::Community, "server"), 730);
        assert!(days(RuleSet::Cabf, "server") < 200);
        assert!(days(RuleSet::Cabf, "client") < 825);
        assert!(days(RuleSet::Cabf, "code-signing") < 460);
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_bad_one_never_disturbs() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("server.toml");
        let text = fs::read_to_string(Path::new(SHIPPED).join("server.toml")).expect("shipped");
        fs::write(&path, &text).expect("written");
        let (profiles, health) = profiles(directory.path());
        let days = || {
            profiles
                .profile("server")
                .expect("read")
                .expect("server")
                .default_days
        };
        assert_eq!(days(), 90);

        fs::write(
            &path,
            text.replace("default_days = 90", "default_days = 100"),
        )
        .expect("written");
        assert_eq!(days(), 100);

        fs::write(&path, "name = \"server\"\nnonsense = 1").expect("written");
        assert_eq!(days(), 100);
        assert!(matches!(health.readiness(None), Readiness::NotReady(_)));

        fs::write(&path, text.replace("default_days = 90", "default_days = 7")).expect("written");
        assert_eq!(days(), 7);
        assert_eq!(health.readiness(None), Readiness::Ready);

        fs::remove_file(&path).expect("removed");
        assert!(profiles.profile("server").expect("read").is_none());
    }

    #[test]
    fn profiles_that_break_rules_are_refused() {
        let text = |name: &str| {
            fs::read_to_string(Path::new(SHIPPED).join(format!("{name}.toml"))).expect("shipped")
        };
        for (name, from, to, reason) in [
            (
                "server",
                "rsa_min_bits = 2048",
                "rsa_min_bits = 1024",
                "2048",
            ),
            (
                "code-signing",
                "rsa_min_bits = 3072",
                "rsa_min_bits = 2048",
                "3072",
            ),
            (
                "code-signing",
                "[\"codeSigning\"]",
                "[\"codeSigning\", \"serverAuth\"]",
                "alone",
            ),
            (
                "ocsp-responder",
                "[\"ocspSigning\"]",
                "[\"ocspSigning\", \"clientAuth\"]",
                "OCSP-60",
            ),
            (
                "ocsp-responder",
                "ocsp_no_check = true",
                "ocsp_no_check = false",
                "OCSP-60",
            ),
            ("server", "[\"serverAuth\"]", "[\"ocspSigning\"]", "OCSP-60"),
            ("server", "\"p-521\",", "\"ml-dsa-65\",", "responders only"),
            ("server", "[\"serverAuth\"]", "[\"anything\"]", "anything"),
            (
                "server",
                "[\"digitalSignature\"]",
                "[\"keyCertSign\"]",
                "keyCertSign",
            ),
            (
                "server",
                "name = \"server\"",
                "name = \"other\"",
                "must be the same",
            ),
            (
                "server",
                "[rule_set.community]",
                "[rule_set.cabal]",
                "cabal",
            ),
            (
                "client",
                "\"Community Member\"",
                "\"\\u202e\"",
                "bidirectional",
            ),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join(format!("{name}.toml"));
            assert!(text(name).contains(from), "{from}");
            fs::write(&path, text(name).replacen(from, to, 1)).expect("written");
            let part = Health::new().part("profiles");
            let error = Profiles::load(directory.path(), RuleSet::Community, part)
                .expect_err(&format!("{name}: {to}"));
            assert!(format!("{error:#}").contains(reason), "{error:#}");
        }
    }
}
