//! The channel that an edge follows: a base, and deltas over it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use pki::{Certificate, SignatureAlgorithm, SystemClock};
use publication::{Manifest, NewManifest, NewObject, Publisher, Source};

use crate::sets::Set;
use crate::{Authority, Site};

/// The only writer of the channel of a [`Site`].
pub struct Channel {
    publisher: Publisher,
    ca: Certificate,
    /// The base and the deltas over it, the oldest first.
    live: Vec<Set>,
}

const NAME: &str = "ocsp/bench";

impl Channel {
    /// Opens it for writing.
    pub fn open(site: &Site) -> anyhow::Result<Self> {
        let public = site.authority.publication_public_key()?;
        // The key is read again: the closure has to own it.
        let key = Authority::load(&site.root)?.publication_key;
        let publisher = Publisher::open(
            site.publication(),
            NAME,
            public,
            Box::new(move |octets| Ok(key.sign(SignatureAlgorithm::Ed25519, octets)?)),
            Arc::new(SystemClock),
        )?;
        let live = publisher.current().map(live_sets).unwrap_or_default();
        Ok(Self {
            live,
            ca: site.authority.ca.clone(),
            publisher,
        })
    }

    /// The number of the generation that is live; 0 if none is.
    pub fn generation(&self) -> u64 {
        self.publisher
            .current()
            .map_or(0, |manifest| manifest.generation)
    }

    /// Octets of all answer sets that are live.
    pub fn octets(&self) -> u64 {
        self.publisher.current().map_or(0, |manifest| {
            manifest
                .objects_of(answers::ROLE)
                .map(|object| object.size)
                .sum()
        })
    }

    /// The base that is live, to be published again.
    pub fn base(&self) -> anyhow::Result<Set> {
        self.live.first().cloned().context(NOTHING)
    }

    /// The deltas that are live, the oldest first, to be published again.
    pub fn deltas(&self) -> Vec<Set> {
        self.live.iter().skip(1).cloned().collect()
    }

    /// Publishes a base without deltas.
    pub fn publish_base(&mut self, base: Set) -> anyhow::Result<()> {
        self.publish(vec![base])
    }

    /// Publishes a delta over the base and the oldest `kept` deltas, in the place of the newer ones.
    pub fn publish_delta(&mut self, kept: usize, newest: Set) -> anyhow::Result<()> {
        let base = self.base()?;
        let kept = self.deltas().into_iter().take(kept);
        self.publish(std::iter::once(base).chain(kept).chain([newest]).collect())
    }

    /// Where files are made that become objects.
    pub(crate) fn staging(&self) -> anyhow::Result<PathBuf> {
        Ok(self.publisher.staging()?)
    }

    pub(crate) fn base_file(&self) -> anyhow::Result<File> {
        let manifest = self.publisher.current();
        let base = manifest.and_then(|manifest| manifest.object(answers::ROLE));
        Ok(self.publisher.object_file(base.context(NOTHING)?)?)
    }

    fn publish(&mut self, sets: Vec<Set>) -> anyhow::Result<()> {
        let certificate = NewObject {
            role: "ca-certificate".to_owned(),
            name: "bench.cer".to_owned(),
            content_type: "application/pkix-cert".to_owned(),
            paths: Vec::new(),
            this_update: None,
            next_update: None,
            details: BTreeMap::new(),
            tail: None,
            source: Source::Bytes(self.ca.der().to_vec()),
        };
        let names = std::iter::once("base").chain(std::iter::repeat("delta"));
        let named = sets.into_iter().zip(names).map(|(set, name)| NewObject {
            role: answers::ROLE.to_owned(),
            name: name.to_owned(),
            content_type: answers::CONTENT_TYPE.to_owned(),
            tail: Some(set.tail),
            source: set.source,
            ..certificate.clone()
        });
        let objects = std::iter::once(certificate.clone()).chain(named).collect();
        let manifest = self.publisher.publish(NewManifest {
            as_of: 0,
            issuer: "bench".to_owned(),
            ocsp_paths: vec!["/".to_owned()],
            settings: BTreeMap::new(),
            objects,
        })?;
        self.live = live_sets(&manifest);
        Ok(())
    }
}

const NOTHING: &str = "nothing is published yet; run `fill make` first";

/// The sets of a generation, which are there and can be named again.
fn live_sets(manifest: &Manifest) -> Vec<Set> {
    let objects = manifest.objects_of(answers::ROLE);
    objects
        .map(|object| Set {
            source: Source::Existing(object.sha256.clone()),
            tail: object.tail.unwrap_or(object.size),
        })
        .collect()
}
