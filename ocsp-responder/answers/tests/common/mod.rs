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

/// The checksum made right again after a change.
pub(crate) fn with_checksum(mut octets: Vec<u8>) -> Vec<u8> {
    let end = octets.len() - 32;
    let checksum = HashAlgorithm::Sha256.digest(&octets[..end]);
    octets[end..].copy_from_slice(&checksum);
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
