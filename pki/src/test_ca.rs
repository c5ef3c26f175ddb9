//! A CA for tests: keys, certificates and signatures with every part open to be spoiled.

use std::io::Write as _;
use std::process::{Command, Stdio};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};

use crate::der_encode::{self as der, tag};
use crate::{Certificate, Name, ObjectIdentifier, SignatureAlgorithm, Time, oid, pem};

/// 2026-11-21T12:00:00Z: when the tests take place.
pub(crate) const NOW: Time = Time::from_unix(1_795_262_400);
pub(crate) const DAY: i64 = 86_400;

pub(crate) enum TestKey {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl TestKey {
    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            Self::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Self::Rsa(_) => SignatureAlgorithm::RsaSha256,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }

    /// A signature with SHA-1, which only openssl makes.
    pub(crate) fn sign_sha1(&self, message: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key.pem");
        std::fs::write(&key, self.pem()).unwrap();
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha1", "-sign"])
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        openssl.stdin.take().unwrap().write_all(message).unwrap();
        openssl.wait_with_output().unwrap().stdout
    }

    pub(crate) fn pem(&self) -> String {
        let document = match self {
            Self::P256(key) => key.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Self::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key)
                .unwrap()
                .as_ref()
                .to_vec(),
        };
        pem::encode("PRIVATE KEY", &document)
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => der::sequence(&[
                &der::sequence(&[&der::oid(&oid::EC_PUBLIC_KEY), &der::oid(&oid::P256)]),
                &der::bit_string(key.public_key().as_ref()),
            ]),
            Self::Rsa(key) => der::sequence(&[
                &der::sequence(&[&der::oid(&oid::RSA_ENCRYPTION), &der::null()]),
                &der::bit_string(key.public_key().as_ref()),
            ]),
        }
    }

    pub(crate) fn key_id(&self) -> Vec<u8> {
        crate::PublicKey::from_spki_der(&self.spki())
            .unwrap()
            .key_id()
            .to_vec()
    }
}

/// Everything in a certificate, to be changed before it is signed.
pub(crate) struct CertificateSpec {
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) inner_algorithm: Vec<u8>,
    pub(crate) outer_algorithm: Vec<u8>,
}

impl CertificateSpec {
    pub(crate) fn sign(&self, sign: impl Fn(&[u8]) -> Vec<u8>) -> Certificate {
        let tbs = der::sequence(&[
            &der::explicit(0, &der::integer(&[2])),
            &der::integer(&[0x4a, 1, 2, 3]),
            &self.inner_algorithm,
            &self.issuer,
            &der::sequence(&[
                &der::utc_or_generalized_time(self.not_before),
                &der::utc_or_generalized_time(self.not_after),
            ]),
            &self.subject,
            &self.spki,
            &der::explicit(3, &der::sequence(&[&self.extensions.concat()])),
        ]);
        let signature = der::bit_string(&sign(&tbs));
        Certificate::from_der(&der::sequence(&[&tbs, &self.outer_algorithm, &signature])).unwrap()
    }

    /// Replaces the extension of this type, or adds it.
    pub(crate) fn set(&mut self, id: ObjectIdentifier, critical: bool, value: &[u8]) {
        self.remove(id);
        self.extensions.push(extension(id, critical, value));
    }

    pub(crate) fn remove(&mut self, id: ObjectIdentifier) {
        let id = der::oid(&id);
        self.extensions
            .retain(|extension| !extension[2..].starts_with(&id));
    }
}

/// A CA with its key.
pub(crate) struct TestCa {
    pub(crate) key: TestKey,
    pub(crate) certificate: Certificate,
}

impl TestCa {
    pub(crate) fn new() -> Self {
        Self::with(TestKey::p256(), |_| ())
    }

    /// A CA whose certificate was changed before signing.
    pub(crate) fn with(key: TestKey, change: impl FnOnce(&mut CertificateSpec)) -> Self {
        let subject = ca_name();
        let algorithm = key.algorithm().algorithm_identifier().to_vec();
        let mut spec = CertificateSpec {
            issuer: subject.clone(),
            subject,
            not_before: NOW.plus_seconds(-400 * DAY),
            not_after: NOW.plus_seconds(4000 * DAY),
            spki: key.spki(),
            extensions: vec![
                extension(
                    oid::BASIC_CONSTRAINTS,
                    true,
                    &der::sequence(&[&der::boolean_true()]),
                ),
                extension(oid::KEY_USAGE, true, &der::named_bits(&[0, 5, 6])),
                extension(
                    oid::SUBJECT_KEY_IDENTIFIER,
                    false,
                    &der::octet_string(&key.key_id()),
                ),
            ],
            inner_algorithm: algorithm.clone(),
            outer_algorithm: algorithm,
        };
        change(&mut spec);
        let certificate = spec.sign(|tbs| key.sign(tbs));
        Self { key, certificate }
    }

    pub(crate) fn subject(&self) -> &Name {
        self.certificate.subject()
    }

    /// A delegated responder certificate for `key`, as every rule wants it.
    pub(crate) fn responder_spec(&self, key: &TestKey) -> CertificateSpec {
        let algorithm = self.key.algorithm().algorithm_identifier().to_vec();
        let key_id = der::tlv(tag::context_primitive(0), &self.certificate.key_id());
        CertificateSpec {
            issuer: self.subject().as_der().to_vec(),
            subject: name(&[
                (oid::COUNTRY, "CZ"),
                (oid::ORGANIZATION, "Test"),
                (oid::COMMON_NAME, "Responder"),
            ]),
            not_before: NOW.plus_seconds(-DAY),
            not_after: NOW.plus_seconds(30 * DAY),
            spki: key.spki(),
            extensions: vec![
                extension(oid::KEY_USAGE, true, &der::named_bits(&[0])),
                extension(
                    oid::EXTENDED_KEY_USAGE,
                    false,
                    &der::sequence(&[&der::oid(&oid::OCSP_SIGNING)]),
                ),
                extension(oid::OCSP_NO_CHECK, false, &der::null()),
                extension(
                    oid::AUTHORITY_KEY_IDENTIFIER,
                    false,
                    &der::sequence(&[&key_id]),
                ),
                extension(
                    oid::SUBJECT_KEY_IDENTIFIER,
                    false,
                    &der::octet_string(&key.key_id()),
                ),
            ],
            inner_algorithm: algorithm.clone(),
            outer_algorithm: algorithm,
        }
    }

    pub(crate) fn responder(&self, key: &TestKey) -> Certificate {
        self.responder_spec(key).sign(|tbs| self.key.sign(tbs))
    }
}

/// The CA's name, in PrintableStrings.
pub(crate) fn ca_name() -> Vec<u8> {
    name(&[
        (oid::COUNTRY, "CZ"),
        (oid::ORGANIZATION, "Test"),
        (oid::COMMON_NAME, "Test CA"),
    ])
}

pub(crate) fn name(attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    name_of(tag::PRINTABLE_STRING, attributes)
}

/// A name with all values in one string type.
pub(crate) fn name_of(string: u8, attributes: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let rdns: Vec<u8> = attributes
        .iter()
        .flat_map(|(id, value)| {
            der::set_of(&[&der::sequence(&[
                &der::oid(id),
                &der::tlv(string, value.as_bytes()),
            ])])
        })
        .collect();
    der::tlv(tag::SEQUENCE, &rdns)
}

pub(crate) fn extension(id: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical {
        der::boolean_true()
    } else {
        Vec::new()
    };
    der::sequence(&[&der::oid(&id), &flag, &der::octet_string(value)])
}

/// An AlgorithmIdentifier of ECDSA with NULL parameters, which CERT-31 does not allow.
pub(crate) fn ecdsa_sha256_with_null() -> Vec<u8> {
    let algorithm = SignatureAlgorithm::EcdsaSha256.algorithm_identifier();
    der::sequence(&[&algorithm[2..], &der::null()])
}
