//! OCSP responses (RFC 6960 section 4.2, profile of RFC 9919): composed from a template.
//!
//! ```asn1
//! OCSPResponse ::= SEQUENCE {
//!     responseStatus          OCSPResponseStatus,
//!     responseBytes       [0] EXPLICIT SEQUENCE {
//!         responseType            OBJECT IDENTIFIER,      -- id-pkix-ocsp-basic
//!         response                OCTET STRING } OPTIONAL }
//! BasicOCSPResponse ::= SEQUENCE {
//!     tbsResponseData         ResponseData,
//!     signatureAlgorithm      AlgorithmIdentifier,
//!     signature               BIT STRING,
//!     certs               [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
//! ResponseData ::= SEQUENCE {
//!     version             [0] EXPLICIT Version DEFAULT v1,    -- left out (OCSP-30)
//!     responderID         [2] EXPLICIT OCTET STRING,          -- byKey (OCSP-31)
//!     producedAt              GeneralizedTime,                -- = thisUpdate (HTTP-12)
//!     responses               SEQUENCE OF SingleResponse }    -- exactly one (OCSP-39)
//! SingleResponse ::= SEQUENCE {
//!     certID                  CertID,
//!     certStatus              CHOICE {
//!         good            [0] IMPLICIT NULL,
//!         revoked         [1] IMPLICIT SEQUENCE {
//!             revocationTime          GeneralizedTime,
//!             revocationReason    [0] EXPLICIT CRLReason OPTIONAL } },
//!     thisUpdate              GeneralizedTime,
//!     nextUpdate          [0] EXPLICIT GeneralizedTime }      -- always (OCSP-33)
//! ```

use crate::der_encode::{self, tag};
use crate::ocsp::cert_id::IssuerHashes;
use crate::{Certificate, HashAlgorithm, RevocationReason, Serial, SignatureAlgorithm, Time, oid};

/// What a response says about a certificate.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CertStatus {
    /// Issued and not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// When.
        time: Time,
        /// Why; `unspecified` is the same as `None` (OCSP-44).
        reason: Option<RevocationReason>,
    },
}

/// A response without an answer in it (RFC 6960 section 4.2.1): five fixed octets, never signed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorStatus {
    /// The state of the responder is inconsistent.
    InternalError,
    /// The request is not OCSP syntax.
    MalformedRequest,
    /// A signature is demanded; never, here.
    SigRequired,
    /// No answer at the moment.
    TryLater,
    /// No authoritative record (OCSP-04).
    Unauthorized,
}

impl ErrorStatus {
    /// The whole response.
    pub const fn der(self) -> &'static [u8; 5] {
        match self {
            Self::MalformedRequest => &[0x30, 3, 0x0a, 1, 1],
            Self::InternalError => &[0x30, 3, 0x0a, 1, 2],
            Self::TryLater => &[0x30, 3, 0x0a, 1, 3],
            Self::SigRequired => &[0x30, 3, 0x0a, 1, 5],
            Self::Unauthorized => &[0x30, 3, 0x0a, 1, 6],
        }
    }
}

/// What all responses of one issuer, one CertID hash and one responder certificate share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// The hash of the CertIDs.
    pub hash: HashAlgorithm,
    /// Hash of the issuer's name.
    pub issuer_name_hash: Vec<u8>,
    /// Hash of the issuer's key.
    pub issuer_key_hash: Vec<u8>,
    /// SHA-1 of the signing key's bits, whatever `hash` is (OCSP-31).
    pub responder_key_hash: [u8; 20],
    /// How the responses are signed.
    pub signature_algorithm: SignatureAlgorithm,
    /// The delegated responder's certificate in DER; empty when the CA signs by itself (OCSP-42).
    pub responder_certificate: Vec<u8>,
}

impl Template {
    /// The template for certificates of `ca`, with answers signed by the key in `responder`, which is
    /// a delegated certificate or `ca` itself.
    pub fn new(
        hash: HashAlgorithm,
        ca: &Certificate,
        responder: &Certificate,
        signature_algorithm: SignatureAlgorithm,
    ) -> Self {
        let issuer = IssuerHashes::of(hash, ca);
        let delegated = responder.der() != ca.der();
        Self {
            hash,
            issuer_name_hash: issuer.name_hash,
            issuer_key_hash: issuer.key_hash,
            responder_key_hash: responder.public_key().key_id(),
            signature_algorithm,
            responder_certificate: if delegated {
                responder.der().to_vec()
            } else {
                Vec::new()
            },
        }
    }

    /// The ResponseData to sign: one answer, produced at `this_update`.
    pub fn response_data(
        &self,
        serial: &Serial,
        status: CertStatus,
        this_update: Time,
        next_update: Time,
    ) -> Vec<u8> {
        let issuer = IssuerHashes {
            hash: self.hash,
            name_hash: self.issuer_name_hash.clone(),
            key_hash: self.issuer_key_hash.clone(),
        };
        let produced_at = der_encode::generalized_time(this_update);
        let single = der_encode::sequence(&[
            &issuer.cert_id(serial),
            &cert_status(status),
            &produced_at,
            &der_encode::explicit(0, &der_encode::generalized_time(next_update)),
        ]);
        der_encode::sequence(&[
            &der_encode::explicit(2, &der_encode::octet_string(&self.responder_key_hash)),
            &produced_at,
            &der_encode::sequence(&[&single]),
        ])
    }

    /// The whole OCSPResponse around a signed ResponseData: one allocation, only copying.
    pub fn response(&self, response_data: &[u8], signature: &[u8]) -> Vec<u8> {
        let algorithm = self.signature_algorithm.algorithm_identifier();
        let response_type = oid::OCSP_BASIC;
        let certificate = self.responder_certificate.as_slice();

        let bit_string = signature.len() + 1;
        let certs = if certificate.is_empty() {
            0
        } else {
            whole(certificate.len())
        };
        let basic = response_data.len()
            + algorithm.len()
            + whole(bit_string)
            + if certs == 0 { 0 } else { whole(certs) };
        let octets = whole(basic);
        let bytes = whole(response_type.as_bytes().len()) + whole(octets);
        let outer = 3 + whole(whole(bytes));

        let mut out = Vec::with_capacity(whole(outer));
        der_encode::header(&mut out, tag::SEQUENCE, outer);
        out.extend_from_slice(&[tag::ENUMERATED, 1, 0]);
        der_encode::header(&mut out, tag::context(0), whole(bytes));
        der_encode::header(&mut out, tag::SEQUENCE, bytes);
        der_encode::header(&mut out, tag::OID, response_type.as_bytes().len());
        out.extend_from_slice(response_type.as_bytes());
        der_encode::header(&mut out, tag::OCTET_STRING, octets);
        der_encode::header(&mut out, tag::SEQUENCE, basic);
        out.extend_from_slice(response_data);
        out.extend_from_slice(algorithm);
        der_encode::header(&mut out, tag::BIT_STRING, bit_string);
        out.push(0);
        out.extend_from_slice(signature);
        if certs != 0 {
            der_encode::header(&mut out, tag::context(0), certs);
            der_encode::header(&mut out, tag::SEQUENCE, certificate.len());
            out.extend_from_slice(certificate);
        }
        out
    }
}

fn cert_status(status: CertStatus) -> Vec<u8> {
    match status {
        CertStatus::Good => der_encode::tlv(tag::context_primitive(0), &[]),
        CertStatus::Revoked { time, reason } => {
            let mut content = der_encode::generalized_time(time);
            if let Some(reason) = reason.filter(|&reason| reason != RevocationReason::Unspecified) {
                content.extend(der_encode::explicit(
                    0,
                    &der_encode::enumerated(reason.code()),
                ));
            }
            der_encode::tlv(tag::context(1), &content)
        }
    }
}

/// Octets of a whole value with this many content octets.
const fn whole(content: usize) -> usize {
    let mut length_octets = 1;
    if content >= 0x80 {
        let mut rest = content;
        while rest > 0 {
            length_octets += 1;
            rest >>= 8;
        }
    }
    1 + length_octets + content
}

#[cfg(test)]
mod tests;
