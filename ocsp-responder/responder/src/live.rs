//! The set that is served: every channel's last good generation, and how a request finds its part of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use answers::{AnswerSet, Damaged, Layered};
use codings::Coding;
use foldhash::{HashMap, HashMapExt as _};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::ocsp::CertId;
use pki::{Certificate, CrlNumber, Time};
use publication::Manifest;

use crate::cells::{ObjectCells, OcspCells, PerCore};
use crate::differences::Differences;
use crate::fresh::Bucket;
use crate::freshness::Freshness;

/// The role of CRLs that have been replaced and are still valid.
pub(crate) const EARLIER_CRL: &str = "crl-earlier";

/// Everything that is served at one moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    channels: BTreeMap<String, Arc<Channel>>,
    issuers: HashMap<IssuerKey, Vec<Arc<Answers>>>,
    served: HashMap<String, Served>,
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
    pub(crate) differences: Vec<Arc<Differences>>,
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

    /// Each path of the channel, and what is there.
    fn served(&self) -> impl Iterator<Item = (&String, Served)> {
        let objects = self.objects.iter().flat_map(|(_, object)| {
            object.paths.iter().map(move |path| {
                let object = Arc::clone(object);
                let served = match object.is_numbered(path) {
                    true => Served::Numbered(object),
                    false => Served::Object(object),
                };
                (path, served)
            })
        });
        let differences = self.differences.iter().flat_map(|differences| {
            let served = || Served::Differences(Arc::clone(differences));
            differences.paths.iter().map(move |path| (path, served()))
        });
        objects.chain(differences)
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

/// What is at a URL path.
#[derive(Debug)]
pub(crate) enum Served {
    /// Differences between CRLs.
    Differences(Arc<Differences>),
    /// Something that another one may replace.
    Object(Arc<StaticObject>),
    /// The CRL with the number that is in the path.
    Numbered(Arc<StaticObject>),
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
    pub(crate) variants: Vec<Variant>,
    pub(crate) last_modified: Option<Time>,
    /// `None` for what has no end of validity.
    pub(crate) freshness: Option<Freshness>,
    pub(crate) crl_number: Option<CrlNumber>,
    pub(crate) cells: PerCore<ObjectCells>,
}

/// An object in a content coding.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) coding: Coding,
    /// SHA-256 of its octets in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) bytes: Bytes,
    pub(crate) etag: HeaderValue,
}

impl StaticObject {
    /// Whether it is what there is now, and not a CRL that has been replaced.
    pub(crate) fn is_current(&self) -> bool {
        self.role != EARLIER_CRL
    }

    /// Whether a path names the CRL by its number, so that it will never be another one there. What names a part of a CRL
    /// may be a number too, and means another thing.
    fn is_numbered(&self, path: &str) -> bool {
        let is_whole = matches!(self.role.as_str(), "crl" | EARLIER_CRL);
        let number = self.crl_number.as_ref().filter(|_| is_whole);
        number.is_some_and(|number| {
            let name = path
                .rsplit('/')
                .next()
                .and_then(|name| name.strip_suffix(".crl"));
            name == Some(number.to_string().as_str())
        })
    }
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
            for (path, served) in channel.served() {
                if let Some(owner) = owners.insert(path, name) {
                    return Err(PathConflict {
                        path: path.clone(),
                        owner: owner.to_owned(),
                    });
                }
                live.served.insert(path.clone(), served);
                live.longest_path = live.longest_path.max(path.len());
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

    /// What is at that path, unless it is the OCSP service.
    pub(crate) fn served(&self, path: &str) -> Option<&Served> {
        if path.len() > self.longest_path {
            return None;
        }
        self.served.get(path)
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
