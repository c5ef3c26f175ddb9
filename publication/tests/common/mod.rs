//! A publisher and a follower over one temporary directory, and the means to do mischief between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use pki::{ManualClock, Time};
use publication::{
    Candidate, CandidateObject, Content, Directory, Follower, Generations, Manifest, NewManifest,
    NewObject, Publisher, Refusal, SignManifest, Source, Trust,
};

pub(crate) const CHANNEL: &str = "ocsp/member";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) key: Arc<Ed25519KeyPair>,
    pub(crate) root: PathBuf,
    pub(crate) temporary: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            clock: ManualClock::new(Time::from_unix(1_800_000_000)),
            key: Arc::new(Ed25519KeyPair::generate().unwrap()),
            root: temporary.path().join("publication"),
            temporary,
        }
    }

    pub(crate) fn publisher(&self) -> Publisher {
        self.publisher_of(CHANNEL)
    }

    pub(crate) fn publisher_of(&self, channel: &str) -> Publisher {
        Publisher::open(
            &self.root,
            channel,
            self.public_key(),
            self.signer(),
            Arc::new(self.clock.clone()),
        )
        .unwrap()
    }

    pub(crate) fn signer(&self) -> SignManifest {
        let key = Arc::clone(&self.key);
        Box::new(move |message| Ok(key.sign(message).as_ref().to_vec()))
    }

    pub(crate) fn public_key(&self) -> [u8; 32] {
        self.key.public_key().as_ref().try_into().unwrap()
    }

    pub(crate) fn trust(&self, prefix: &str) -> Vec<Trust> {
        vec![Trust {
            prefix: prefix.to_owned(),
            public_key: self.public_key(),
        }]
    }

    pub(crate) fn generations(&self) -> PathBuf {
        self.temporary.path().join("state/generations.json")
    }

    /// A follower whose memory survives it.
    pub(crate) fn follower(&self) -> Follower {
        Follower::new(
            Directory::new(&self.root),
            self.trust("ocsp/"),
            Generations::open(self.generations()).unwrap(),
        )
    }

    pub(crate) fn channel(&self) -> PathBuf {
        self.root.join(CHANNEL)
    }

    pub(crate) fn object_file(&self, manifest: &Manifest, index: usize) -> PathBuf {
        self.channel()
            .join("objects")
            .join(&manifest.objects[index].sha256)
    }

    /// Signs any text as the manifest of the channel.
    pub(crate) fn forge(&self, json: &str) {
        fs::create_dir_all(self.channel()).unwrap();
        let signature = hex::encode(self.key.sign(json.as_bytes()).as_ref());
        fs::write(
            self.channel().join("manifest"),
            format!("{json}\n{signature}\n"),
        )
        .unwrap();
    }
}

pub(crate) fn generation(contents: &[&[u8]]) -> NewManifest {
    NewManifest {
        as_of: 7,
        issuer: "member".to_owned(),
        ocsp_paths: vec!["/old/ocsp".to_owned()],
        settings: BTreeMap::new(),
        objects: contents
            .iter()
            .enumerate()
            .map(|(index, content)| {
                object(&format!("answers-{index}"), Source::Bytes(content.to_vec()))
            })
            .collect(),
    }
}

pub(crate) fn object(name: &str, source: Source) -> NewObject {
    NewObject {
        role: "answers".to_owned(),
        name: name.to_owned(),
        content_type: "application/octet-stream".to_owned(),
        paths: Vec::new(),
        this_update: None,
        next_update: Some(Time::from_unix(1_800_100_000)),
        details: BTreeMap::from([("refresh_hours".to_owned(), "48".to_owned())]),
        tail: None,
        source,
    }
}

/// The content of an object that was read now.
pub(crate) fn fresh(object: &CandidateObject) -> &[u8] {
    match &object.content {
        Content::Fresh(octets) => octets,
        other => panic!("{other:?}"),
    }
}

/// The one candidate that a scan offers.
pub(crate) fn offered(follower: &mut Follower) -> Candidate {
    let mut found = follower.scan().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop().unwrap().unwrap()
}

pub(crate) fn take(follower: &mut Follower) -> Manifest {
    let candidate = offered(follower);
    follower.take(&candidate).unwrap();
    candidate.manifest
}

/// The one refusal that a scan reports.
pub(crate) fn refused(follower: &mut Follower) -> Refusal {
    let mut found = follower.scan().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop().unwrap().unwrap_err().reason
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
