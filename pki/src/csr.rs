//! Certification requests (PKCS #10, RFC 2986): what somebody asks for, and the proof that he holds the key.
//!
//! Nothing in a request is believed. Reading gives what it holds; which of that may enter a
//! certificate is decided by a profile and the rules of names and keys (I4).

use const_oid::ObjectIdentifier;

use crate::certificate::{Extension, read_extensions};
use crate::certificate_builder::GeneralName;
use crate::der_encode::tag;
use crate::der_read::{DerError, Reader, Tlv, single};
use crate::refusal::Refusal;
use crate::{Name, PublicKey, SignatureAlgorithm, oid, pem};

/// The attribute that Microsoft's tools used before PKCS #9 had one for requested extensions.
const MICROSOFT_EXTENSION_REQUEST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct CertificationRequest {
    der: Vec<u8>,
    info: Vec<u8>,
    subject: Name,
    public_key: PublicKey,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    extensions: Vec<Extension>,
    other_attributes: Vec<ObjectIdentifier>,
}

impl CertificationRequest {
    /// Reads DER; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, DerError> {
        const WHAT: &str = "CertificationRequest";
        let mut outer = single(der, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        let info = outer.expect(tag::SEQUENCE, "CertificationRequestInfo")?;
        let algorithm = outer.expect(tag::SEQUENCE, "signatureAlgorithm")?;
        let signature = outer.bit_string("signature")?;
        outer.finish(WHAT)?;

        let mut fields = info.reader();
        if fields.small_integer("version")? != 0 {
            return Err(DerError::BadValue("version"));
        }
        let subject = Name::from_der(fields.expect(tag::SEQUENCE, "subject")?.whole)?;
        let spki = fields.expect(tag::SEQUENCE, "subjectPublicKeyInfo")?;
        let attributes = read_attributes(fields.optional_context(0, "attributes")?)?;
        fields.finish("CertificationRequestInfo")?;

        Ok(Self {
            der: der.to_vec(),
            info: info.whole.to_vec(),
            subject,
            public_key: PublicKey::from_spki_der(spki.whole)?,
            algorithm: algorithm.whole.to_vec(),
            signature: signature.to_vec(),
            extensions: attributes.extensions,
            other_attributes: attributes.others,
        })
    }

    /// Reads PEM with the label `CERTIFICATE REQUEST` or the older `NEW CERTIFICATE REQUEST`; exactly
    /// one such block must be there.
    pub fn from_pem(text: &str) -> Result<Self, Refusal> {
        let blocks = pem::blocks(text).map_err(|error| malformed(error.to_string()))?;
        let mut requests = blocks.iter().filter(|block| {
            matches!(
                &*block.label,
                "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST"
            )
        });
        let (Some(request), None) = (requests.next(), requests.next()) else {
            return Err(malformed(
                "there is not exactly one CERTIFICATE REQUEST block in PEM form",
            ));
        };
        Self::from_der(&request.der)
            .map_err(|error| malformed(format!("the bytes are not those of a request: {error}")))
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The name it asks for.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to be certified.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The extensions it asks for.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The types of its attributes other than requested extensions.
    pub fn other_attributes(&self) -> &[ObjectIdentifier] {
        &self.other_attributes
    }

    /// The subjectAltName it asks for; empty if it asks for none.
    pub fn subject_alt_names(&self) -> Result<Vec<GeneralName>, Refusal> {
        let Some(extension) = self
            .extensions
            .iter()
            .find(|extension| extension.oid == oid::SUBJECT_ALT_NAME)
        else {
            return Ok(Vec::new());
        };
        GeneralName::read_all(&extension.value).map_err(|error| {
            Refusal::new(
                "I4",
                "subjectAltName",
                format!("the requested extension is not well formed: {error}"),
                "Make the request again with a current tool.",
            )
        })
    }

    /// Verifies the signature, which proves that the sender holds the private key (I4). SHA-1 and MD5
    /// prove nothing any more (I6).
    pub fn verify_proof_of_possession(&self) -> Result<(), Refusal> {
        let algorithm = SignatureAlgorithm::from_algorithm_identifier(&self.algorithm)
            .ok()
            .filter(|algorithm| *algorithm != SignatureAlgorithm::RsaSha1)
            .ok_or_else(|| {
                Refusal::new(
                    "I6",
                    "csr.signatureAlgorithm",
                    format!(
                        "the request is signed with an algorithm that is not accepted ({})",
                        algorithm_name(&self.algorithm)
                    ),
                    "Sign the request with SHA-256, SHA-384 or SHA-512 (openssl req -sha256), without PSS.",
                )
            })?;
        self.public_key
            .verify(algorithm, &self.info, &self.signature)
            .map_err(|error| {
                Refusal::new(
                    "I4",
                    "csr.signature",
                    format!("the request does not prove possession of its private key: {error}"),
                    "Sign the request with the private key that belongs to its public key.",
                )
            })
    }
}

/// An object identifier for people: with its name, where that is known.
pub fn describe(oid: &ObjectIdentifier) -> String {
    match const_oid::db::DB.by_oid(oid) {
        Some(name) => format!("{name} ({oid})"),
        None => oid.to_string(),
    }
}

#[derive(Default)]
struct Attributes {
    extensions: Vec<Extension>,
    others: Vec<ObjectIdentifier>,
}

fn read_attributes(reader: Option<Reader<'_>>) -> Result<Attributes, DerError> {
    const WHAT: &str = "attribute";
    let mut found = Attributes::default();
    // Required by RFC 2986, left out by some tools.
    let Some(mut reader) = reader else {
        return Ok(found);
    };
    while !reader.is_empty() {
        let mut attribute = reader.sequence(WHAT)?;
        let oid = attribute.oid(WHAT)?;
        let values = attribute.expect(tag::SET, WHAT)?;
        attribute.finish(WHAT)?;
        if matches!(oid, oid::EXTENSION_REQUEST | MICROSOFT_EXTENSION_REQUEST) {
            read_requested(values, &mut found.extensions)?;
        } else {
            found.others.push(oid);
        }
    }
    Ok(found)
}

fn read_requested(values: Tlv<'_>, extensions: &mut Vec<Extension>) -> Result<(), DerError> {
    const WHAT: &str = "extensionRequest";
    let mut values = values.reader();
    let empty = single(values.rest(), WHAT)?.content.is_empty();
    if empty {
        return Ok(());
    }
    for extension in read_extensions(&mut values)? {
        if extensions.iter().any(|known| known.oid == extension.oid) {
            return Err(DerError::BadValue("an extension requested twice"));
        }
        extensions.push(extension);
    }
    values.finish(WHAT)
}

fn algorithm_name(identifier: &[u8]) -> String {
    let read = || {
        Reader::new(identifier)
            .sequence("signatureAlgorithm")?
            .oid("signatureAlgorithm")
    };
    match read() {
        Ok(oid) => describe(&oid),
        Err(_) => hex::encode(identifier),
    }
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(
        "I4",
        "csr",
        message,
        "Send a PKCS #10 request in PEM form (openssl req -new -key key.pem -out request.csr).",
    )
}

#[cfg(test)]
mod tests;
