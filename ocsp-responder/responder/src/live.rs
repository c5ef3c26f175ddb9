//! The set that is served: every channel's last good generation, and how a request finds its part of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use answers::{AnswerSet, Damaged, Layered};
use foldhash::{HashMap, HashMapExt as _};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::ocsp::CertId;
use pki::{Certificate, CrlNumber, Time};
use publication::Manifest;

use crate::cells::{ObjectCells, OcspCells, PerCore};
use crate::fresh::Bucket;
use crate::freshness::Freshness;

/// Everything that is served at one moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    channels: BTreeMap<String, Arc<Channel>>,
    issuers: HashMap<IssuerKey, Vec<Arc<Answers>>>,
    objects: HashMap<String, Arc<StaticObject>>,
    /// Octets of the longest of their paths: nearly every OCSP request by GET is longer.
    longest_path: usize,
    /// OCSP path prefixes without slash at the end, the longest first.
    prefixes: Vec<String>,
}

/// One channel's generation, verified.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) manifest: Manifest,
    pub(crate) ca: Certificate,
    pub(crate) answers: Option<Arc<Answers>>,
    /// The answer sets by hash, for the next generation.
    pub(crate) sets: BTreeMap<String, Arc<AnswerSet>>,
    /// What is served as it is, by hash.
    pub(crate) objects: Vec<(String, Arc<StaticObject>)>,
}

impl Channel {
    /// What is wrong with a set from which answers are given.
    pub(crate) fn damage(&self) -> Option<Damaged> {
        self.layers().find_map(|set| set.damage())
    }

    /// Whether answers are given from that set.
    pub(crate) fn answers_from(&self, set: &Arc<AnswerSet>) -> bool {
        self.layers().any(|layer| Arc::ptr_eq(layer, set))
    }

    fn layers(&self) -> impl Iterator<Item = &Arc<AnswerSet>> {
        let answers = self.answers.iter();
        answers.flat_map(|answers| answers.layered.layers())
    }
}

/// The OCSP answers of one issuer.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) layered: Layered,
    pub(crate) cells: PerCore<OcspCells>,
    /// Its policy is to answer nonces by the answers signed ahead (OCSP-16).
    pub(crate) ignores_nonces: bool,
    /// For answers signed while a client waits.
    pub(crate) budget: Arc<Bucket>,
}

/// A CRL, a certificate or whatever else is served as it is.
#[derive(Debug)]
pub(crate) struct StaticObject {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) paths: Vec<String>,
    pub(crate) bytes: Bytes,
    pub(crate) content_type: HeaderValue,
    pub(crate) etag: HeaderValue,
    pub(crate) last_modified: Option<Time>,
    /// `None` for what has no end of validity.
    pub(crate) freshness: Option<Freshness>,
    pub(crate) crl_number: Option<CrlNumber>,
    pub(crate) cells: PerCore<ObjectCells>,
}

/// Name hash and key hash of a CertID; the hash algorithm follows from their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct IssuerKey {
    length: u8,
    octets: [u8; 64],
}

impl Live {
    /// Puts channels together. Fails when two of them claim one URL path.
    pub(crate) fn assemble(
        channels: BTreeMap<String, Arc<Channel>>,
        configured_prefixes: &[String],
    ) -> Result<Self, PathConflict> {
        let mut live = Self::default();
        let mut prefixes: Vec<&String> = configured_prefixes.iter().collect();
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for (name, channel) in &channels {
            prefixes.extend(&channel.manifest.ocsp_paths);
            if let Some(answers) = &channel.answers {
                for cert_id in answers.layered.cert_ids() {
                    if let Some(key) = IssuerKey::new(&cert_id.name_hash, &cert_id.key_hash) {
                        live.issuers
                            .entry(key)
                            .or_default()
                            .push(Arc::clone(answers));
                    }
                }
            }
            for (_, object) in &channel.objects {
                for path in &object.paths {
                    if let Some(owner) = owners.insert(path, name) {
                        return Err(PathConflict {
                            path: path.clone(),
                            owner: owner.to_owned(),
                        });
                    }
                    live.objects.insert(path.clone(), Arc::clone(object));
                    live.longest_path = live.longest_path.max(path.len());
                }
            }
        }
        live.prefixes = prefixes
            .into_iter()
            .map(|prefix| prefix.trim_end_matches('/').to_owned())
            .filter(|prefix| !prefix.is_empty())
            .collect();
        live.prefixes
            .sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        live.prefixes.dedup();
        live.channels = channels;
        Ok(live)
    }

    /// The answers of every issuer that a CertID may mean (a CA may have several certificates, OCSP-22).
    pub(crate) fn issuers(&self, id: &CertId<'_>) -> &[Arc<Answers>] {
        IssuerKey::new(id.name_hash, id.key_hash)
            .and_then(|key| self.issuers.get(&key))
            .map_or(&[], Vec::as_slice)
    }

    /// What is served as it is at that path.
    pub(crate) fn object(&self, path: &str) -> Option<&Arc<StaticObject>> {
        if path.len() > self.longest_path {
            return None;
        }
        self.objects.get(path)
    }

    /// The rest of a path below the longest OCSP prefix other than `/`.
    pub(crate) fn below_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.prefixes.iter().find_map(|prefix| {
            let rest = path.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        })
    }

    /// The channels alone; everything else is dropped.
    pub(crate) fn into_channels(self) -> BTreeMap<String, Arc<Channel>> {
        self.channels
    }

    pub(crate) fn channels(&self) -> &BTreeMap<String, Arc<Channel>> {
        &self.channels
    }

    pub(crate) fn channel(&self, name: &str) -> Option<&Arc<Channel>> {
        self.channels.get(name)
    }
}

/// A generation claims a path that another channel has.
#[derive(Debug, thiserror::Error)]
#[error("path {path} is served by channel {owner} already; give one of them another path")]
pub(crate) struct PathConflict {
    path: String,
    owner: String,
}

impl IssuerKey {
    /// `None` if these are no hashes that we know.
    fn new(name_hash: &[u8], key_hash: &[u8]) -> Option<Self> {
        let length = name_hash.len();
        if length != key_hash.len() || !matches!(length, 20 | 32) {
            return None;
        }
        let mut octets = [0; 64];
        octets[..length].copy_from_slice(name_hash);
        octets[32..32 + length].copy_from_slice(key_hash);
        // Lossless: 20 or 32.
        Some(Self {
            length: length as u8,
            octets,
        })
    }
}
