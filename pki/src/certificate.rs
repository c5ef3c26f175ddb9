//! Certificates (RFC 5280 section 4.1), read strictly and kept as the bytes they came in.

use const_oid::ObjectIdentifier;

use crate::der_encode::tag;
use crate::der_read::{DerError, Reader, single};
use crate::{
    AlgorithmError, BadSignature, Name, PublicKey, Serial, SignatureAlgorithm, Time, oid, pem,
};

/// A version 3 or version 1 X.509 certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    version: u32,
    serial: Serial,
    inner_algorithm: Vec<u8>,
    outer_algorithm: Vec<u8>,
    issuer: Name,
    not_before: Time,
    not_after: Time,
    subject: Name,
    public_key: PublicKey,
    extensions: Vec<Extension>,
    signature: Vec<u8>,
}

/// One extension of a certificate or CRL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension {
    /// Its type.
    pub oid: ObjectIdentifier,
    /// Whether who does not know it must refuse.
    pub critical: bool,
    /// The content of extnValue.
    pub value: Vec<u8>,
}

/// The bits of keyUsage (RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    pub const DIGITAL_SIGNATURE: u8 = 0;
    pub const NON_REPUDIATION: u8 = 1;
    pub const KEY_ENCIPHERMENT: u8 = 2;
    pub const DATA_ENCIPHERMENT: u8 = 3;
    pub const KEY_AGREEMENT: u8 = 4;
    pub const KEY_CERT_SIGN: u8 = 5;
    pub const CRL_SIGN: u8 = 6;

    /// Whether the bit with this number is set.
    pub const fn has(self, bit: u8) -> bool {
        self.0 & (0x8000 >> bit) != 0
    }

    /// The numbers of the bits that are set.
    pub fn bits(self) -> Vec<u8> {
        (0..16).filter(|&bit| self.has(bit)).collect()
    }
}

impl Certificate {
    /// Reads DER; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, DerError> {
        const WHAT: &str = "Certificate";
        let mut outer = single(der, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        let tbs = outer.expect(tag::SEQUENCE, "TBSCertificate")?;
        let outer_algorithm = outer
            .expect(tag::SEQUENCE, "signatureAlgorithm")?
            .whole
            .to_vec();
        let signature = outer.bit_string("signatureValue")?.to_vec();
        outer.finish(WHAT)?;

        let mut fields = tbs.reader();
        let version = match fields.optional_context(0, "version")? {
            Some(mut version) => version.small_integer("version")?,
            None => 0,
        };
        let serial = fields.serial("serialNumber")?;
        let inner_algorithm = fields.expect(tag::SEQUENCE, "signature")?.whole.to_vec();
        let issuer = Name::from_der(fields.expect(tag::SEQUENCE, "issuer")?.whole)?;
        let mut validity = fields.sequence("validity")?;
        let not_before = validity.time("notBefore")?;
        let not_after = validity.time("notAfter")?;
        validity.finish("validity")?;
        let subject = Name::from_der(fields.expect(tag::SEQUENCE, "subject")?.whole)?;
        let spki = fields.expect(tag::SEQUENCE, "subjectPublicKeyInfo")?;
        let public_key = PublicKey::from_spki_der(spki.whole)?;
        for unique_id in [1, 2] {
            fields.optional(tag::context_primitive(unique_id), "uniqueID")?;
        }
        let extensions = match fields.optional_context(3, "extensions")? {
            Some(mut explicit) => {
                let extensions = read_extensions(&mut explicit)?;
                explicit.finish("extensions")?;
                extensions
            }
            None => Vec::new(),
        };
        fields.finish("TBSCertificate")?;

        Ok(Self {
            der: der.to_vec(),
            tbs: tbs.whole.to_vec(),
            version,
            serial,
            inner_algorithm,
            outer_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            public_key,
            extensions,
            signature,
        })
    }

    /// Reads the first CERTIFICATE block of a PEM text.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        Ok(Self::from_der(&pem::decode(text, "CERTIFICATE")?)?)
    }

    /// Its PEM form.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The DER of its TBSCertificate.
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs
    }

    /// The version number as encoded: 2 means version 3.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Its serial number.
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Who issued it.
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Whom it names.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The first second of its validity.
    pub const fn not_before(&self) -> Time {
        self.not_before
    }

    /// The last second of its validity.
    pub const fn not_after(&self) -> Time {
        self.not_after
    }

    /// Its public key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The algorithm that it is signed with.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, AlgorithmError> {
        SignatureAlgorithm::from_algorithm_identifier(&self.outer_algorithm)
    }

    /// The AlgorithmIdentifiers inside and outside the signed part, which must be equal (CERT-03).
    pub fn algorithm_identifiers(&self) -> (&[u8], &[u8]) {
        (&self.inner_algorithm, &self.outer_algorithm)
    }

    /// Its extensions, in the order of the encoding.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension of this type.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions
            .iter()
            .find(|extension| extension.oid == oid)
    }

    /// subjectKeyIdentifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        let extension = self.extension(oid::SUBJECT_KEY_IDENTIFIER)?;
        Some(
            single(&extension.value, "subjectKeyIdentifier")
                .ok()?
                .content,
        )
    }

    /// The identifier by which this CA's certificates and CRLs name its key: its subjectKeyIdentifier,
    /// or SHA-1 of its key where it has none.
    pub fn key_id(&self) -> Vec<u8> {
        self.subject_key_id()
            .map_or_else(|| self.public_key.key_id().to_vec(), <[u8]>::to_vec)
    }

    /// The keyIdentifier of authorityKeyIdentifier.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        authority_key_id(&self.extensions)
    }

    /// Whether basicConstraints says cA TRUE.
    pub fn is_ca(&self) -> bool {
        self.extension(oid::BASIC_CONSTRAINTS)
            .is_some_and(|extension| {
                let read = || {
                    Reader::new(&extension.value)
                        .sequence("basicConstraints")?
                        .boolean("cA")
                };
                read() == Ok(true)
            })
    }

    /// keyUsage.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        let extension = self.extension(oid::KEY_USAGE)?;
        let content = single(&extension.value, "keyUsage")
            .ok()?
            .expect(tag::BIT_STRING, "keyUsage")
            .ok()?
            .content;
        let octets = content.get(1..)?;
        let octet = |index: usize| u16::from(octets.get(index).copied().unwrap_or(0));
        Some(KeyUsage(octet(0) << 8 | octet(1)))
    }

    /// extendedKeyUsage; empty if there is none.
    pub fn extended_key_usages(&self) -> Vec<ObjectIdentifier> {
        let read = |value: &[u8]| {
            let mut list = Reader::new(value).sequence("extendedKeyUsage")?;
            let mut usages = Vec::new();
            while !list.is_empty() {
                usages.push(list.oid("extendedKeyUsage")?);
            }
            Ok::<_, DerError>(usages)
        };
        self.extension(oid::EXTENDED_KEY_USAGE)
            .and_then(|extension| read(&extension.value).ok())
            .unwrap_or_default()
    }

    /// The URI of cRLDistributionPoints (RFC 5280 section 4.2.1.13), if it has one distribution point with one URI.
    pub fn distribution_point_uri(&self) -> Option<String> {
        let extension = self.extension(oid::CRL_DISTRIBUTION_POINTS)?;
        distribution_point_uri(&extension.value).ok()
    }

    /// Whether `key` signed it, with the same algorithm named inside and outside (CERT-03).
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), BadSignature> {
        if self.inner_algorithm != self.outer_algorithm {
            return Err(BadSignature::DoesNotVerify);
        }
        key.verify(self.signature_algorithm()?, &self.tbs, &self.signature)
    }
}

/// Reads `Extensions`: a SEQUENCE of at least one, no type twice (RFC 5280 section 4.2).
pub fn read_extensions(reader: &mut Reader<'_>) -> Result<Vec<Extension>, DerError> {
    const WHAT: &str = "extensions";
    let mut list = reader.sequence(WHAT)?;
    if list.is_empty() {
        return Err(DerError::BadValue(WHAT));
    }
    let mut extensions: Vec<Extension> = Vec::new();
    while !list.is_empty() {
        let mut fields = list.sequence("extension")?;
        let oid = fields.oid("extnID")?;
        let critical = fields.peek() == Some(tag::BOOLEAN);
        // DEFAULT FALSE is never written in DER.
        if critical && !fields.boolean("critical")? {
            return Err(DerError::BadValue("critical"));
        }
        let value = fields.octet_string("extnValue")?.to_vec();
        fields.finish("extension")?;
        if extensions.iter().any(|known| known.oid == oid) {
            return Err(DerError::BadValue("an extension that appears twice"));
        }
        extensions.push(Extension {
            oid,
            critical,
            value,
        });
    }
    Ok(extensions)
}

/// The keyIdentifier of authorityKeyIdentifier among `extensions`.
pub fn authority_key_id(extensions: &[Extension]) -> Option<&[u8]> {
    let extension = extensions
        .iter()
        .find(|e| e.oid == oid::AUTHORITY_KEY_IDENTIFIER)?;
    let mut fields = Reader::new(&extension.value)
        .sequence("authorityKeyIdentifier")
        .ok()?;
    Some(
        fields
            .optional(tag::context_primitive(0), "keyIdentifier")
            .ok()??
            .content,
    )
}

/// Why a text is not a certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// Its bytes are not those of a certificate.
    #[error("not a certificate: {0}")]
    Der(#[from] DerError),
    /// It is not PEM.
    #[error("not a certificate: {0}")]
    Pem(#[from] pem::PemError),
}
/// The URI in the value of a cRLDistributionPoints that has one distribution point with one URI.
pub(crate) fn distribution_point_uri(value: &[u8]) -> Result<String, DerError> {
    const WHAT: &str = "DistributionPoint";
    let mut points = Reader::new(value).sequence(WHAT)?;
    let mut full_name = points
        .sequence(WHAT)?
        .expect(tag::context(0), WHAT)?
        .reader()
        .expect(tag::context(0), WHAT)?
        .reader();
    let uri = full_name.expect(tag::context_primitive(6), WHAT)?.content;
    full_name.finish(WHAT)?;
    String::from_utf8(uri.to_vec()).map_err(|_| DerError::BadValue(WHAT))
}
