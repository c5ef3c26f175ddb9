//! The CA of the made-up certificates, its delegated responder, and the publication key.

use std::path::Path;

use anyhow::Context as _;
use keystore::SigningKey;
use pki::certificate_builder::{TbsCertificate, assemble, extension, subject_der};
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::{
    Certificate, Extension, HashAlgorithm, KeyKind, KeyUsage, Name, Serial, SignatureAlgorithm,
    Time, oid,
};

const DAY: i64 = 86_400;

/// Keys and certificates of one made-up CA.
#[derive(Debug)]
pub struct Authority {
    /// The CA certificate.
    pub ca: Certificate,
    /// The delegated responder's certificate.
    pub responder: Certificate,
    /// With what the responder signs.
    pub algorithm: SignatureAlgorithm,
    pub(crate) responder_key: SigningKey,
    pub(crate) publication_key: SigningKey,
}

impl Authority {
    /// Makes a CA and a responder with keys of that kind.
    pub fn new(kind: KeyKind, now: Time) -> anyhow::Result<Self> {
        let algorithm = algorithm(kind)?;
        let (ca_key, responder_key) = (SigningKey::generate(kind)?, SigningKey::generate(kind)?);
        let subject = subject("Bench CA")?;
        let name = Name::from_der(&subject_der(&subject))?;
        let certify =
            |key: &SigningKey, subject: &[SubjectAttribute], extensions: &[Extension], days| {
                let tbs = TbsCertificate {
                    serial: Serial::random()?,
                    signature_algorithm: algorithm,
                    issuer: &name,
                    not_before: now.plus_seconds(-3600),
                    not_after: now.plus_seconds(days * DAY),
                    subject,
                    public_key: key.public_key(),
                    extensions,
                }
                .to_der();
                let signature = ca_key.sign(algorithm, &tbs)?;
                anyhow::Ok(Certificate::from_der(&assemble(
                    &tbs, algorithm, &signature,
                ))?)
            };
        let key_id = ca_key.public_key().key_id();
        let ca = certify(
            &ca_key,
            &subject,
            &[
                extension::basic_constraints_ca(Some(0)),
                extension::key_usage(&[KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]),
                extension::subject_key_identifier(ca_key.public_key()),
                extension::authority_key_identifier(&key_id),
            ],
            3650,
        )?;
        let responder = certify(
            &responder_key,
            &self::subject("Bench CA OCSP")?,
            &[
                extension::basic_constraints_end_entity(),
                extension::key_usage(&[KeyUsage::DIGITAL_SIGNATURE]),
                extension::extended_key_usage(&[oid::OCSP_SIGNING]),
                extension::ocsp_no_check(),
                extension::authority_key_identifier(&key_id),
                extension::subject_key_identifier(responder_key.public_key()),
            ],
            365,
        )?;
        Ok(Self {
            ca,
            responder,
            algorithm,
            responder_key,
            publication_key: SigningKey::generate(KeyKind::Ed25519)?,
        })
    }

    /// Reads what [`Authority::save`] wrote.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        let certificate = |name: &str| {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path).with_context(|| {
                format!("{} cannot be read; `fill make` makes it", path.display())
            })?;
            anyhow::Ok(Certificate::from_pem(&text)?)
        };
        let responder_key = SigningKey::load_plain(&folder.join("responder.key"))?;
        Ok(Self {
            ca: certificate("ca.pem")?,
            responder: certificate("responder.pem")?,
            algorithm: algorithm(responder_key.kind())?,
            responder_key,
            publication_key: SigningKey::load_plain(&folder.join("publication.key"))?,
        })
    }

    /// Writes certificates and keys. The CA's own key is not needed any more and is forgotten.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("ca.pem"), self.ca.to_pem())?;
        std::fs::write(folder.join("responder.pem"), self.responder.to_pem())?;
        self.responder_key
            .save_plain(&folder.join("responder.key"))?;
        self.publication_key
            .save_plain(&folder.join("publication.key"))?;
        Ok(())
    }

    /// The key that the edges pin.
    pub fn publication_public_key(&self) -> anyhow::Result<[u8; 32]> {
        Ok(self.publication_key.public_key().key_bits().try_into()?)
    }
}

fn algorithm(kind: KeyKind) -> anyhow::Result<SignatureAlgorithm> {
    SignatureAlgorithm::for_key(kind, HashAlgorithm::Sha256)
        .with_context(|| format!("a responder with a key of kind {kind} is not for this bench"))
}

fn subject(common_name: &str) -> anyhow::Result<Vec<SubjectAttribute>> {
    let attributes = [
        (AttributeKind::CountryName, "AU"),
        (AttributeKind::OrganizationName, "Bench"),
        (AttributeKind::CommonName, common_name),
    ];
    attributes
        .into_iter()
        .map(|(kind, value)| Ok(SubjectAttribute::new(kind, value)?))
        .collect()
}
