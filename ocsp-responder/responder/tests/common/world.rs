//! A publication of one CA, and the clock that everybody reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use answers::{SetWriter, Widths};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use pki::ocsp::response::CertStatus;
use pki::{Clock, KeyKind, ManualClock, Serial, SystemClock};
use publication::{NewManifest, NewObject, Publisher, Source};

use super::authority::{Authority, HASHES, Times, revoked, serial};

pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clock: ManualClock,
    pub(crate) key: Arc<Ed25519KeyPair>,
    /// Of every manifest from now on.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) temporary: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_keys(KeyKind::P256)
    }

    pub(crate) fn with_keys(kind: KeyKind) -> Self {
        let now = SystemClock.now();
        Self {
            authority: Authority::new("Member CA", kind, now),
            clock: ManualClock::new(now),
            key: Arc::new(Ed25519KeyPair::generate().unwrap()),
            settings: BTreeMap::new(),
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    /// A world whose usual answers and CRL are published.
    pub(crate) fn published() -> Self {
        let world = Self::new();
        world.publish_usual();
        world
    }

    /// Serials 1 to 9, of which 2 is revoked; CRL number 1.
    pub(crate) fn publish_usual(&self) {
        self.publish_answers(vec![self.usual_answers()]);
        self.publish_crl(1, self.times());
    }

    pub(crate) fn usual_answers(&self) -> Vec<u8> {
        let entries: Vec<_> = (1..10)
            .map(|number| (serial(number), Some(self.usual_status(number))))
            .collect();
        self.authority.answers(&entries, self.times())
    }

    pub(crate) fn usual_status(&self, number: u32) -> CertStatus {
        if number == 2 {
            revoked(self.clock.now().plus_seconds(-60))
        } else {
            CertStatus::Good
        }
    }

    pub(crate) fn times(&self) -> Times {
        Times::from(self.clock.now())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.temporary.path().join("publication")
    }

    pub(crate) fn publisher(&self, channel: &str) -> Publisher {
        let key = Arc::clone(&self.key);
        Publisher::open(
            self.root(),
            channel,
            self.public_key(),
            Box::new(move |message| Ok(key.sign(message).as_ref().to_vec())),
            Arc::new(self.clock.clone()),
        )
        .unwrap()
    }

    pub(crate) fn public_key(&self) -> [u8; 32] {
        self.key.public_key().as_ref().try_into().unwrap()
    }

    /// Publishes answer sets: the base and the deltas over it, oldest first. Returns the generation.
    pub(crate) fn publish_answers(&self, sets: Vec<Vec<u8>>) -> u64 {
        let mut objects = vec![self.ca_certificate(Vec::new())];
        objects.extend(sets.into_iter().enumerate().map(|(index, octets)| {
            object(
                "answers",
                &format!("answers-{index}"),
                answers::CONTENT_TYPE,
                Vec::new(),
                octets,
            )
        }));
        self.publish("ocsp/member", vec!["/old/ocsp".to_owned()], objects)
    }

    /// Publishes answer sets, the base first, each under its role, as a presigner does: large ones come as
    /// files, and all are named by their tails. Returns the generation.
    pub(crate) fn publish_layers(&self, layers: &[(&str, &[u8])]) -> u64 {
        let mut publisher = self.publisher("ocsp/member");
        let staging = publisher.staging().unwrap();
        let mut objects = vec![self.ca_certificate(Vec::new())];
        for (index, (role, octets)) in layers.iter().enumerate() {
            let (before, length) = octets.split_at(octets.len() - 8);
            assert!(before.len() > 64);
            let file = staging.join(index.to_string());
            std::fs::write(&file, octets).unwrap();
            objects.push(NewObject {
                tail: Some(u64::from_be_bytes(length.try_into().unwrap())),
                source: Source::File(file),
                ..object(role, "set", answers::CONTENT_TYPE, Vec::new(), Vec::new())
            });
        }
        let new = NewManifest {
            as_of: 1,
            issuer: "member".to_owned(),
            ocsp_paths: Vec::new(),
            settings: BTreeMap::new(),
            objects,
        };
        publisher.publish(new).unwrap().generation
    }

    /// Good answers for so many serials in a set that is large enough to be mapped, since its fields are wide.
    pub(crate) fn large_answers(&self, count: u32) -> Vec<u8> {
        let path = self.temporary.path().join("large");
        let widths = Widths {
            serial: 20,
            signature: 4096,
        };
        let ca = &self.authority.ca;
        let mut writer = SetWriter::create(&path, ca, &HASHES, widths).unwrap();
        let batch = self.authority.batch(self.times());
        let id = writer.batch(batch).unwrap();
        for number in 1..=count {
            let signatures =
                self.authority
                    .signatures(&serial(number), CertStatus::Good, self.times());
            writer
                .answer(serial(number), CertStatus::Good, id, &signatures)
                .unwrap();
        }
        assert!(writer.finish().unwrap().size >= 8 << 20);
        let octets = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        octets
    }

    pub(crate) fn publish_crl(&self, number: u64, times: Times) -> u64 {
        let der = self.authority.crl(number, times, &[serial(2)]);
        self.publish_crl_octets(der, times)
    }

    pub(crate) fn publish_crl_octets(&self, der: Vec<u8>, times: Times) -> u64 {
        let paths = vec!["/crl/member.crl".to_owned(), "/old.crl".to_owned()];
        let mut crl = object("crl", "member.crl", "application/pkix-crl", paths, der);
        crl.details = BTreeMap::from([("refresh_at".to_owned(), times.refresh_at.to_string())]);
        let certificate = self.ca_certificate(vec!["/ca/member.cer".to_owned()]);
        self.publish("crl/member", Vec::new(), vec![certificate, crl])
    }

    pub(crate) fn publish(
        &self,
        channel: &str,
        ocsp_paths: Vec<String>,
        objects: Vec<NewObject>,
    ) -> u64 {
        let issuer = channel.split_once('/').unwrap().1.to_owned();
        let new = NewManifest {
            as_of: 1,
            issuer,
            ocsp_paths,
            settings: self.settings.clone(),
            objects,
        };
        self.publisher(channel).publish(new).unwrap().generation
    }

    pub(crate) fn ca_certificate(&self, paths: Vec<String>) -> NewObject {
        object(
            "ca-certificate",
            "member.cer",
            "application/pkix-cert",
            paths,
            self.authority.ca.der().to_vec(),
        )
    }
}

pub(crate) fn object(
    role: &str,
    name: &str,
    content_type: &str,
    paths: Vec<String>,
    octets: Vec<u8>,
) -> NewObject {
    NewObject {
        role: role.to_owned(),
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        paths,
        this_update: None,
        next_update: None,
        details: BTreeMap::new(),
        tail: None,
        source: Source::Bytes(octets),
    }
}

/// What the serial number 1, good in every usual set, is called.
pub(crate) fn good() -> Serial {
    serial(1)
}
