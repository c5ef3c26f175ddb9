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

    /// The ResponseData to sign: one answer, produced at `this_update`. One allocation, since an edge does
    /// this for every request.
    pub fn response_data(
        &self,
        serial: &Serial,
        status: CertStatus,
        this_update: Time,
        next_update: Time,
    ) -> Vec<u8> {
        let algorithm = self.hash.algorithm_identifier();
        let serial = IntegerContent::of(serial);
        let status = Status::of(status);

        let cert_id = algorithm.len()
            + whole(self.issuer_name_hash.len())
            + whole(self.issuer_key_hash.len())
            + whole(serial.len());
        let single = whole(cert_id) + whole(status.content) + TIME + whole(TIME);
        let key_hash = whole(self.responder_key_hash.len());
        let data = whole(key_hash) + TIME + whole(whole(single));

        let mut out = Vec::with_capacity(whole(data));
        der_encode::header(&mut out, tag::SEQUENCE, data);
        der_encode::header(&mut out, tag::context(2), key_hash);
        octet_string(&mut out, &self.responder_key_hash);
        generalized_time(&mut out, this_update);
        der_encode::header(&mut out, tag::SEQUENCE, whole(single));
        der_encode::header(&mut out, tag::SEQUENCE, single);
        der_encode::header(&mut out, tag::SEQUENCE, cert_id);
        out.extend_from_slice(algorithm);
        octet_string(&mut out, &self.issuer_name_hash);
        octet_string(&mut out, &self.issuer_key_hash);
        serial.write(&mut out);
        status.write(&mut out);
        generalized_time(&mut out, this_update);
        der_encode::header(&mut out, tag::context(0), TIME);
        generalized_time(&mut out, next_update);
        out
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

/// Octets of a whole GeneralizedTime.
const TIME: usize = 17;

/// A CertStatus that is about to be written.
struct Status {
    status: CertStatus,
    reason: Option<RevocationReason>,
    /// Octets of its content.
    content: usize,
}

impl Status {
    fn of(status: CertStatus) -> Self {
        let (reason, content) = match status {
            CertStatus::Good => (None, 0),
            CertStatus::Revoked { reason, .. } => {
                let reason = reason.filter(|&reason| reason != RevocationReason::Unspecified);
                (reason, TIME + if reason.is_some() { REASON } else { 0 })
            }
        };
        Self {
            status,
            reason,
            content,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let CertStatus::Revoked { time, .. } = self.status else {
            return der_encode::header(out, tag::context_primitive(0), 0);
        };
        der_encode::header(out, tag::context(1), self.content);
        generalized_time(out, time);
        if let Some(reason) = self.reason {
            out.extend_from_slice(&[tag::context(0), 3, tag::ENUMERATED, 1, reason.code()]);
        }
    }
}

/// Octets of revocationReason with its tags.
const REASON: usize = 5;

/// The content of a serial number's INTEGER: a zero octet keeps a high first bit from being a sign.
struct IntegerContent<'a> {
    magnitude: &'a [u8],
    padded: bool,
}

impl<'a> IntegerContent<'a> {
    fn of(serial: &'a Serial) -> Self {
        let magnitude = serial.as_bytes();
        let padded = magnitude.first().is_some_and(|first| first & 0x80 != 0);
        Self { magnitude, padded }
    }

    fn len(&self) -> usize {
        self.magnitude.len() + usize::from(self.padded)
    }

    fn write(&self, out: &mut Vec<u8>) {
        der_encode::header(out, tag::INTEGER, self.len());
        if self.padded {
            out.push(0);
        }
        out.extend_from_slice(self.magnitude);
    }
}

fn octet_string(out: &mut Vec<u8>, content: &[u8]) {
    der_encode::header(out, tag::OCTET_STRING, content.len());
    out.extend_from_slice(content);
}

/// `YYYYMMDDHHMMSSZ`, for the years 0 to 9999.
fn generalized_time(out: &mut Vec<u8>, time: Time) {
    let (year, month, day, hour, minute, second) = time.calendar();
    // Lossless: two digits each. Other years do not come from certificates.
    let year = year.clamp(0, 9999) as u32;
    der_encode::header(out, tag::GENERALIZED_TIME, TIME - 2);
    for pair in [year / 100, year % 100, month, day, hour, minute, second] {
        out.extend_from_slice(&[b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8]);
    }
    out.push(b'Z');
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
