//! A CA with a responder, made by openssl, and sets signed by it.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::fs;
use std::path::Path;
use std::process::Command;

use answers::{AnswerSet, Batch, BatchId, Builder};
use keystore::SigningKey;
use pki::ocsp::response::{CertStatus, Template};
use pki::{Certificate, HashAlgorithm, Serial, SignatureAlgorithm, Time};

pub(crate) const HASHES: [HashAlgorithm; 2] = [HashAlgorithm::Sha1, HashAlgorithm::Sha256];

/// A CA and one responder of it.
pub(crate) struct Authority {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) ca: Certificate,
    pub(crate) responder: Certificate,
    pub(crate) key: SigningKey,
    pub(crate) algorithm: SignatureAlgorithm,
}

impl Authority {
    /// `key` in the words of `openssl genpkey`, for example `EC -pkeyopt ec_paramgen_curve:P-256`.
    pub(crate) fn new(name: &str, key: &str, algorithm: SignatureAlgorithm) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(
            path.join("responder.ext"),
            "extendedKeyUsage = OCSPSigning\nnoCheck = ignored\nkeyUsage = critical, digitalSignature\n\
             authorityKeyIdentifier = keyid\nsubjectKeyIdentifier = hash\n",
        )
        .unwrap();
        for file in ["ca", "responder"] {
            openssl(path, &format!("genpkey -out {file}.key -algorithm {key}"));
        }
        let digest = match algorithm {
            SignatureAlgorithm::EcdsaSha384 => "-sha384",
            SignatureAlgorithm::EcdsaSha512 => "-sha512",
            SignatureAlgorithm::Ed25519 => "",
            _ => "-sha256",
        };
        openssl(
            path,
            &format!(
                "req -x509 {digest} -key ca.key -out ca.pem -days 3650 -subj /O=Test/CN={name} -addext \
                 keyUsage=critical,keyCertSign,cRLSign"
            ),
        );
        openssl(
            path,
            "req -new -key responder.key -out responder.csr -subj /O=Test/CN=Responder",
        );
        openssl(
            path,
            &format!(
                "x509 -req {digest} -in responder.csr -CA ca.pem -CAkey ca.key -days 3000 -extfile responder.ext \
                 -set_serial 77 -out responder.pem"
            ),
        );
        let certificate = |file: &str| {
            Certificate::from_pem(&fs::read_to_string(path.join(file)).unwrap()).unwrap()
        };
        Self {
            ca: certificate("ca.pem"),
            responder: certificate("responder.pem"),
            key: SigningKey::load_plain(&path.join("responder.key")).unwrap(),
            algorithm,
            directory,
        }
    }

    pub(crate) fn p256(name: &str) -> Self {
        Self::new(
            name,
            "EC -pkeyopt ec_paramgen_curve:P-256",
            SignatureAlgorithm::EcdsaSha256,
        )
    }

    /// A batch that began that many seconds after the responder certificate.
    pub(crate) fn batch(&self, after: i64) -> Batch {
        let this_update = self.responder.not_before().plus_seconds(after);
        Batch {
            this_update,
            next_update: this_update.plus_seconds(96 * 3600),
            refresh_at: this_update.plus_seconds(48 * 3600),
            responder: Some(self.responder.clone()),
            signature_algorithm: self.algorithm,
        }
    }

    pub(crate) fn sign(&self, batch: &Batch, serial: Serial, status: CertStatus) -> Vec<Vec<u8>> {
        HASHES
            .iter()
            .map(|hash| {
                let template = Template::new(*hash, &self.ca, &self.responder, self.algorithm);
                let data =
                    template.response_data(&serial, status, batch.this_update, batch.next_update);
                self.key.sign(self.algorithm, &data).unwrap()
            })
            .collect()
    }

    /// Adds a signed answer.
    pub(crate) fn add(
        &self,
        builder: &mut Builder,
        id: BatchId,
        batch: &Batch,
        serial: Serial,
        status: CertStatus,
    ) {
        builder
            .answer(serial, status, id, &self.sign(batch, serial, status))
            .unwrap();
    }

    /// A set with these answers, all of one batch, and these removals.
    pub(crate) fn set(
        &self,
        after: i64,
        answers: &[(u64, CertStatus)],
        removed: &[u64],
    ) -> AnswerSet {
        AnswerSet::from_bytes(self.octets(after, answers, removed), &self.ca).unwrap()
    }

    pub(crate) fn octets(
        &self,
        after: i64,
        answers: &[(u64, CertStatus)],
        removed: &[u64],
    ) -> Vec<u8> {
        let mut builder = Builder::new(&self.ca, &HASHES).unwrap();
        let batch = self.batch(after);
        let id = builder.batch(batch.clone()).unwrap();
        for (number, status) in answers {
            self.add(&mut builder, id, &batch, serial(*number), *status);
        }
        for number in removed {
            builder.remove(serial(*number));
        }
        builder.finish().unwrap()
    }
}

pub(crate) fn serial(number: u64) -> Serial {
    Serial::from_be_bytes(&number.to_be_bytes()).unwrap()
}

pub(crate) fn revoked() -> CertStatus {
    CertStatus::Revoked {
        time: Time::from_unix(1_700_000_000),
        reason: Some(pki::RevocationReason::KeyCompromise),
    }
}

/// Places in an object, from its tail on, as docs/answer-set.md has them; for two hashes.
pub(crate) struct Places {
    pub(crate) serial_width: usize,
    pub(crate) record_length: usize,
    pub(crate) records: usize,
    pub(crate) buckets: usize,
    pub(crate) index: usize,
    pub(crate) tail: usize,
    pub(crate) responders: usize,
    pub(crate) batches: usize,
    pub(crate) chunk_heads: usize,
    pub(crate) index_hashes: usize,
}

impl Places {
    pub(crate) fn of(octets: &[u8]) -> Self {
        let number = |at: usize, length: usize| {
            octets[at..at + length]
                .iter()
                .fold(0, |number, &octet| number << 8 | usize::from(octet))
        };
        let tail = octets.len() - number(octets.len() - 8, 8);
        let (serial_width, signature_width) = (number(10, 1), number(14, 2));
        let record_length = serial_width + 10 + 2 * signature_width;
        let (records, buckets) = (number(tail + 32, 8), number(tail + 72, 8));
        let responders = tail + 80 + 40 + 64;
        let mut at = responders + 2;
        for _ in 0..number(responders, 2) {
            at += 4 + number(at, 4);
        }
        let chunk_heads = at + 4 + 36 * number(at, 4);
        Self {
            serial_width,
            record_length,
            records,
            buckets,
            index: (32 + records * record_length).next_multiple_of(64),
            tail,
            responders,
            batches: at,
            chunk_heads,
            index_hashes: chunk_heads + records.div_ceil(256) * (serial_width + 32),
        }
    }
}

/// All hashes made right again after a change of records, index or header.
pub(crate) fn with_hashes(mut octets: Vec<u8>) -> Vec<u8> {
    let places = Places::of(&octets);
    octets.copy_within(..32, places.tail);
    let chunks = places.records.div_ceil(256);
    for chunk in 0..chunks {
        let first = 32 + chunk * 256 * places.record_length;
        let end =
            (first + 256 * places.record_length).min(32 + places.records * places.record_length);
        let at = places.chunk_heads + chunk * (places.serial_width + 32);
        octets.copy_within(first..first + places.serial_width, at);
        let hash = HashAlgorithm::Sha256.digest(&octets[first..end]);
        octets[at + places.serial_width..][..32].copy_from_slice(&hash);
    }
    for chunk in 0..places.buckets.div_ceil(256) {
        let first = places.index + chunk * 256 * 64;
        let end = (first + 256 * 64).min(places.tail);
        let hash = HashAlgorithm::Sha256.digest(&octets[first..end]);
        octets[places.index_hashes + 32 * chunk..][..32].copy_from_slice(&hash);
    }
    octets
}

pub(crate) fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "openssl {arguments}: {said}");
    said
}
