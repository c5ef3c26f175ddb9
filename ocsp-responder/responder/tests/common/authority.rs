//! A CA with its delegated responder: what the presigner and the CRL builder would make of it.

use answers::{Batch, Builder};
use keystore::SigningKey;
use pki::certificate_builder::{TbsCertificate, assemble, extension};
use pki::crl::build::{self, CrlContents, CrlEntry};
use pki::crl::verify::Scope;
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::ocsp::IssuerHashes;
use pki::ocsp::response::{CertStatus, Template};
use pki::{
    Certificate, CrlNumber, Extension, HashAlgorithm, KeyKind, KeyUsage, Name, RevocationReason,
    Serial, SignatureAlgorithm, Time, oid,
};

pub(crate) const HASHES: [HashAlgorithm; 2] = [HashAlgorithm::Sha1, HashAlgorithm::Sha256];
pub(crate) const DAY: i64 = 86_400;

pub(crate) struct Authority {
    pub(crate) ca: Certificate,
    pub(crate) ca_key: SigningKey,
    pub(crate) responder: Certificate,
    pub(crate) responder_key: SigningKey,
    pub(crate) algorithm: SignatureAlgorithm,
}

/// The validity of answers and CRLs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) this_update: Time,
    pub(crate) next_update: Time,
    pub(crate) refresh_at: Time,
}

impl Times {
    /// From `now` on for 96 hours, to be renewed after 48.
    pub(crate) fn from(now: Time) -> Self {
        Self {
            this_update: now,
            next_update: now.plus_seconds(4 * DAY),
            refresh_at: now.plus_seconds(2 * DAY),
        }
    }
}

impl Authority {
    pub(crate) fn new(name: &str, kind: KeyKind, now: Time) -> Self {
        let algorithm = SignatureAlgorithm::for_key(kind, HashAlgorithm::Sha256).unwrap();
        let ca_key = SigningKey::generate(kind).unwrap();
        let responder_key = SigningKey::generate(kind).unwrap();
        let subject = subject(name);
        let subject_name =
            Name::from_der(&pki::certificate_builder::subject_der(&subject)).unwrap();
        let ca_extensions = [
            extension::basic_constraints_ca(Some(0)),
            extension::key_usage(&[KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]),
            extension::subject_key_identifier(ca_key.public_key()),
            extension::authority_key_identifier(&ca_key.public_key().key_id()),
        ];
        let sign =
            |key: &SigningKey, subject: &[SubjectAttribute], extensions: &[Extension], days| {
                let tbs = TbsCertificate {
                    serial: Serial::random().unwrap(),
                    signature_algorithm: algorithm,
                    issuer: &subject_name,
                    not_before: now.plus_seconds(-3600),
                    not_after: now.plus_seconds(days * DAY),
                    subject,
                    public_key: key.public_key(),
                    extensions,
                }
                .to_der();
                let signature = ca_key.sign(algorithm, &tbs).unwrap();
                Certificate::from_der(&assemble(&tbs, algorithm, &signature)).unwrap()
            };
        let ca = sign(&ca_key, &subject, &ca_extensions, 3650);
        let responder_extensions = [
            extension::basic_constraints_end_entity(),
            extension::key_usage(&[KeyUsage::DIGITAL_SIGNATURE]),
            extension::extended_key_usage(&[oid::OCSP_SIGNING]),
            extension::ocsp_no_check(),
            extension::authority_key_identifier(&ca_key.public_key().key_id()),
            extension::subject_key_identifier(responder_key.public_key()),
        ];
        let responder_subject = self::subject(&format!("{name} OCSP"));
        let responder = sign(
            &responder_key,
            &responder_subject,
            &responder_extensions,
            30,
        );
        Self {
            ca,
            ca_key,
            responder,
            responder_key,
            algorithm,
        }
    }

    /// The octets of an answer set; `None` as status removes the serial.
    pub(crate) fn answers(
        &self,
        entries: &[(Serial, Option<CertStatus>)],
        times: Times,
    ) -> Vec<u8> {
        self.answers_signed_by(&self.responder_key, entries, times)
    }

    /// The same, signed by any key.
    pub(crate) fn answers_signed_by(
        &self,
        key: &SigningKey,
        entries: &[(Serial, Option<CertStatus>)],
        times: Times,
    ) -> Vec<u8> {
        let mut builder = Builder::new(&self.ca, &HASHES).unwrap();
        let batch = builder.batch(self.batch(times)).unwrap();
        for (serial, status) in entries {
            let Some(status) = *status else {
                builder.remove(*serial);
                continue;
            };
            let signatures = self.signatures_by(key, serial, status, times);
            builder.answer(*serial, status, batch, &signatures).unwrap();
        }
        builder.finish().unwrap()
    }

    pub(crate) fn batch(&self, times: Times) -> Batch {
        Batch {
            this_update: times.this_update,
            next_update: times.next_update,
            refresh_at: times.refresh_at,
            responder: Some(self.responder.clone()),
            signature_algorithm: self.algorithm,
        }
    }

    /// The signatures of one answer, by the responder.
    pub(crate) fn signatures(
        &self,
        serial: &Serial,
        status: CertStatus,
        times: Times,
    ) -> [Vec<u8>; 2] {
        self.signatures_by(&self.responder_key, serial, status, times)
    }

    fn signatures_by(
        &self,
        key: &SigningKey,
        serial: &Serial,
        status: CertStatus,
        times: Times,
    ) -> [Vec<u8>; 2] {
        HASHES.map(|hash| {
            let template = Template::new(hash, &self.ca, &self.responder, self.algorithm);
            let data = template.response_data(serial, status, times.this_update, times.next_update);
            key.sign(self.algorithm, &data).unwrap()
        })
    }

    pub(crate) fn crl(&self, number: u64, times: Times, revoked: &[Serial]) -> Vec<u8> {
        self.list(Scope::Complete, number, times, revoked)
    }

    /// A CRL of any scope.
    pub(crate) fn list(
        &self,
        scope: Scope<'_>,
        number: u64,
        times: Times,
        revoked: &[Serial],
    ) -> Vec<u8> {
        let number = CrlNumber::from(number);
        let contents = CrlContents {
            issuer: self.ca.subject(),
            authority_key_id: &self.ca_key.public_key().key_id(),
            number: &number,
            this_update: times.this_update,
            next_update: times.next_update,
            signature_algorithm: self.algorithm,
            scope,
            freshest: None,
        };
        let tbs = contents.tbs(revoked.iter().map(|serial| CrlEntry {
            serial: *serial,
            revocation_date: times.this_update,
            reason: None,
            invalidity_date: None,
        }));
        let signature = self.ca_key.sign(self.algorithm, &tbs).unwrap();
        build::assemble(&tbs, self.algorithm, &signature)
    }

    /// An OCSP request about one certificate.
    pub(crate) fn request(&self, hash: HashAlgorithm, serial: &Serial) -> Vec<u8> {
        pki::ocsp::request::build(&IssuerHashes::of(hash, &self.ca), &[*serial], None)
    }
}

pub(crate) fn serial(number: u32) -> Serial {
    let mut octets = [0x5a; 16];
    octets[12..].copy_from_slice(&number.to_be_bytes());
    Serial::from_be_bytes(&octets).unwrap()
}

pub(crate) fn revoked(time: Time) -> CertStatus {
    CertStatus::Revoked {
        time,
        reason: Some(RevocationReason::KeyCompromise),
    }
}

fn subject(common_name: &str) -> Vec<SubjectAttribute> {
    [
        (AttributeKind::CountryName, "AU"),
        (AttributeKind::OrganizationName, "Edge Tests"),
        (AttributeKind::CommonName, common_name),
    ]
    .map(|(kind, value)| SubjectAttribute::new(kind, value).unwrap())
    .to_vec()
}
