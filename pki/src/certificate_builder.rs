//! Building certificates byte by byte (RFC 5280 section 4.1; CERT-01 to CERT-11, CERT-30, CERT-31).
//!
//! [`TbsCertificate`] gives the bytes to be signed, [`assemble`] puts the signature to them. Names and
//! keys that exist already (the issuer's name, the subject's key) enter as the bytes they came in.
//! The encoders of [`extension`] give each extension in its one form.

pub mod extension;

mod general_name;

pub use general_name::GeneralName;

use crate::certificate::Extension;
use crate::name_rules::SubjectAttribute;
use crate::{Name, PublicKey, Serial, SignatureAlgorithm, Time, der_encode};

/// The parts of a certificate that is to be signed.
#[derive(Clone, Debug)]
pub struct TbsCertificate<'a> {
    /// Its serial number (CERT-01).
    pub serial: Serial,
    /// The algorithm that the issuer will sign with (CERT-31).
    pub signature_algorithm: SignatureAlgorithm,
    /// The issuer: the bytes of the CA certificate's subject (CERT-02).
    pub issuer: &'a Name,
    /// The first second of validity.
    pub not_before: Time,
    /// The last second of validity.
    pub not_after: Time,
    /// Whom it names; may be empty, and then the subjectAltName must be critical.
    pub subject: &'a [SubjectAttribute],
    /// The certified key (CERT-30).
    pub public_key: &'a PublicKey,
    /// The extensions, in order.
    pub extensions: &'a [Extension],
}

impl TbsCertificate<'_> {
    /// The DER of the TBSCertificate.
    pub fn to_der(&self) -> Vec<u8> {
        const V3: [u8; 1] = [2];
        let validity = der_encode::sequence(&[
            &der_encode::utc_or_generalized_time(self.not_before),
            &der_encode::utc_or_generalized_time(self.not_after),
        ]);
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension::to_der).collect();
        der_encode::sequence(&[
            &der_encode::explicit(0, &der_encode::integer(&V3)),
            &der_encode::integer(self.serial.as_bytes()),
            self.signature_algorithm.algorithm_identifier(),
            self.issuer.as_der(),
            &validity,
            &subject_der(self.subject),
            self.public_key.spki_der(),
            &der_encode::explicit(3, &der_encode::sequence(&[&extensions])),
        ])
    }
}

/// The DER of a Name of these attributes, each in a RelativeDistinguishedName of its own, in the
/// order of [`crate::name_rules::AttributeKind`].
pub fn subject_der(attributes: &[SubjectAttribute]) -> Vec<u8> {
    let mut ordered: Vec<&SubjectAttribute> = attributes.iter().collect();
    ordered.sort_by_key(|attribute| attribute.kind());
    let rdns: Vec<u8> = ordered
        .into_iter()
        .flat_map(SubjectAttribute::to_rdn_der)
        .collect();
    der_encode::sequence(&[&rdns])
}

/// The DER of the whole certificate: outer and inner AlgorithmIdentifier are the same (CERT-03).
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    der_encode::sequence(&[
        tbs,
        algorithm.algorithm_identifier(),
        &der_encode::bit_string(signature),
    ])
}

#[cfg(test)]
mod tests;
