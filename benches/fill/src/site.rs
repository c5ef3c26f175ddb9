//! A directory with everything that a bench needs: the CA, its keys, the publication, an edge's configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pki::ocsp::response::CertStatus;
use pki::{Clock as _, HashAlgorithm, KeyKind, RevocationReason, SystemClock, Time};
use serde::{Deserialize, Serialize};
use synthetic::{Population, in_share, mix};

use crate::{Authority, Row};

/// What the answers are about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Filling {
    /// The certificates, as `random:SEED:COUNT` or `sequential:FIRST:COUNT`.
    pub population: String,
    /// Share of revoked ones.
    pub revoked: f64,
    /// CertID hashes that are answered for: `sha1`, `sha256`.
    pub hashes: Vec<String>,
}

/// A bench's directory.
#[derive(Debug)]
pub struct Site {
    /// Where it is.
    pub root: PathBuf,
    /// Its CA.
    pub authority: Authority,
    /// Its certificates.
    pub population: Population,
    /// CertID hashes that are answered for.
    pub hashes: Vec<HashAlgorithm>,
    revoked: f64,
    revoked_at: Time,
}

const FILLING: &str = "filling.json";
const EDGE: &str = "ocsp-responder.toml";

impl Site {
    /// Makes the directory with new keys; the publication is still empty.
    pub fn make(root: &Path, kind: KeyKind, filling: &Filling) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !root.join(FILLING).exists(),
            "{} is filled already; take another directory or remove it",
            root.display()
        );
        let authority = Authority::new(kind, SystemClock.now())?;
        authority.save(root)?;
        fs::write(
            root.join(FILLING),
            serde_json::to_string_pretty(filling)? + "\n",
        )?;
        fs::write(
            root.join(EDGE),
            edge_configuration(root, &authority.publication_public_key()?),
        )?;
        Self::open(root)
    }

    /// Opens one that is there.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(FILLING);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} is no directory that `fill make` made", root.display()))?;
        let filling: Filling = serde_json::from_str(&text)?;
        let authority = Authority::load(root)?;
        let hashes = filling.hashes.iter().map(|name| hash(name));
        Ok(Self {
            root: root.to_owned(),
            population: filling.population.parse()?,
            hashes: hashes.collect::<anyhow::Result<_>>()?,
            revoked: filling.revoked,
            revoked_at: authority.ca.not_before(),
            authority,
        })
    }

    /// Where the publication is.
    pub fn publication(&self) -> PathBuf {
        self.root.join("publication")
    }

    /// An edge's configuration for this publication: one core, port 8080, whatever is changed afterwards.
    pub fn edge_configuration(&self) -> PathBuf {
        self.root.join(EDGE)
    }

    /// Certificate number `n` and its status in the base.
    pub fn row(&self, n: u64) -> Row {
        Row {
            serial: self.population.serial(n),
            status: if in_share(REVOKED, n, self.revoked) {
                self.revocation(self.revoked_at)
            } else {
                CertStatus::Good
            },
        }
    }

    /// The status of a certificate that was revoked at that time.
    pub fn revocation(&self, time: Time) -> CertStatus {
        CertStatus::Revoked {
            time,
            reason: Some(RevocationReason::KeyCompromise),
        }
    }
}

/// Revocations, at `now`, of about `count` certificates that the draw chooses, by ascending serial number.
pub fn revocations(site: &Site, draw: u64, count: u64, now: Time) -> Vec<Row> {
    let all = site.population.count();
    let mut chosen: Vec<u64> = (0..count).map(|n| mix(draw ^ mix(n)) % all).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let status = site.revocation(now);
    let row = |n| Row {
        serial: site.population.serial(n),
        status,
    };
    chosen.into_iter().map(row).collect()
}

/// Which draw decides on revocation.
const REVOKED: u64 = 0x7265_766f_6b65;

fn hash(name: &str) -> anyhow::Result<HashAlgorithm> {
    match name {
        "sha1" => Ok(HashAlgorithm::Sha1),
        "sha256" => Ok(HashAlgorithm::Sha256),
        _ => anyhow::bail!("{name:?} is no hash of CertIDs; write sha1 or sha256"),
    }
}

fn edge_configuration(root: &Path, public_key: &[u8]) -> String {
    let quoted = |path: PathBuf| format!("{:?}", path.to_string_lossy());
    format!(
        "# An edge for this directory, written by `fill make`.\n\
         listen = \"127.0.0.1:8080\"\n\
         publication = {}\n\
         state = {}\n\
         cores = 1\n\
         \n\
         [[trust]]\n\
         prefix = \"ocsp/\"\n\
         public_key = \"{}\"\n\
         \n\
         [daemon]\n\
         admin = \"127.0.0.1:8081\"\n",
        quoted(root.join("publication")),
        quoted(root.join("edge-state")),
        hex::encode(public_key)
    )
}
