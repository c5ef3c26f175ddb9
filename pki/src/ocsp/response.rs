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

use std::ops::Range;

use crate::der_encode::{self, tag};
use crate::ocsp::cert_id::IssuerHashes;
use crate::time::two_digits;
use crate::{Certificate, HashAlgorithm, RevocationReason, Serial, SignatureAlgorithm, Time};

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
    /// CertID up to the serial number: hashAlgorithm, issuerNameHash, issuerKeyHash.
    cert_id: Vec<u8>,
    /// responderID: SHA-1 of the signing key's bits, whatever hash CertID has (OCSP-31).
    responder_id: [u8; 24],
    signature_algorithm: SignatureAlgorithm,
    /// certs with the delegated responder's certificate; empty when the CA signs by itself (OCSP-42).
    certs: Vec<u8>,
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
        let certificate = if delegated { responder.der() } else { &[] };
        Self::of(
            &issuer,
            responder.public_key().key_id(),
            signature_algorithm,
            certificate,
        )
    }

    fn of(
        issuer: &IssuerHashes,
        responder_key_id: [u8; 20],
        signature_algorithm: SignatureAlgorithm,
        certificate: &[u8],
    ) -> Self {
        let mut responder_id = [0; 24];
        let (header, key_id) = responder_id.split_at_mut(4);
        header.copy_from_slice(&[tag::context(2), 22, tag::OCTET_STRING, 20]);
        key_id.copy_from_slice(&responder_key_id);
        let certs = if certificate.is_empty() {
            Vec::new()
        } else {
            der_encode::explicit(0, &der_encode::tlv(tag::SEQUENCE, certificate))
        };
        Self {
            cert_id: issuer.cert_id_start(),
            responder_id,
            signature_algorithm,
            certs,
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
        let lengths = DataLengths::new(self, serial, status);
        let mut out = Vec::with_capacity(whole(lengths.data));
        self.write_data(&mut out, &lengths, serial, status, this_update, next_update);
        out
    }

    /// The whole OCSPResponse around a signed ResponseData of any content.
    pub fn response(&self, response_data: &[u8], signature: &[u8]) -> Vec<u8> {
        let lengths = ResponseLengths::new(self, response_data.len(), signature.len());
        let mut out = Vec::with_capacity(whole(lengths.outer));
        write_opening(&mut out, &lengths);
        out.extend_from_slice(response_data);
        self.write_closing(&mut out, signature);
        out
    }

    /// How many octets [`Template::write_response`] writes.
    pub fn response_len(&self, serial: &Serial, status: CertStatus, signature: usize) -> usize {
        let data = DataLengths::new(self, serial, status);
        whole(ResponseLengths::new(self, whole(data.data), signature).outer)
    }

    /// Appends the whole OCSPResponse around the [`Template::response_data`] of these values, which `signature` signs;
    /// `validity` is from thisUpdate to nextUpdate.
    ///
    /// Before that, `announce` is told how many octets it has, and may append something else. An edge does this for every
    /// request: nothing but copying.
    pub fn write_response(
        &self,
        out: &mut Vec<u8>,
        serial: &Serial,
        status: CertStatus,
        validity: Range<Time>,
        signature: &[u8],
        announce: impl FnOnce(usize, &mut Vec<u8>),
    ) {
        let data = DataLengths::new(self, serial, status);
        let lengths = ResponseLengths::new(self, whole(data.data), signature.len());
        announce(whole(lengths.outer), out);
        out.reserve(whole(lengths.outer));
        write_opening(out, &lengths);
        self.write_data(out, &data, serial, status, validity.start, validity.end);
        self.write_closing(out, signature);
    }

    fn write_data(
        &self,
        out: &mut Vec<u8>,
        lengths: &DataLengths,
        serial: &Serial,
        status: CertStatus,
        this_update: Time,
        next_update: Time,
    ) {
        let this_update = generalized_time(this_update);
        der_encode::header(out, tag::SEQUENCE, lengths.data);
        out.extend_from_slice(&self.responder_id);
        out.extend_from_slice(&this_update);
        der_encode::header(out, tag::SEQUENCE, whole(lengths.single));
        der_encode::header(out, tag::SEQUENCE, lengths.single);
        der_encode::header(out, tag::SEQUENCE, lengths.cert_id);
        out.extend_from_slice(&self.cert_id);
        IntegerContent::of(serial).write(out);
        Status::of(status).write(out);
        out.extend_from_slice(&this_update);
        der_encode::header(out, tag::context(0), TIME);
        out.extend_from_slice(&generalized_time(next_update));
    }

    /// What follows the ResponseData.
    fn write_closing(&self, out: &mut Vec<u8>, signature: &[u8]) {
        out.extend_from_slice(self.signature_algorithm.algorithm_identifier());
        der_encode::header(out, tag::BIT_STRING, signature.len() + 1);
        out.push(0);
        out.extend_from_slice(signature);
        out.extend_from_slice(&self.certs);
    }
}

/// Octets of the contents in a ResponseData, from the inside out.
struct DataLengths {
    cert_id: usize,
    single: usize,
    data: usize,
}

impl DataLengths {
    fn new(template: &Template, serial: &Serial, status: CertStatus) -> Self {
        let cert_id = template.cert_id.len() + whole(IntegerContent::of(serial).len());
        let single = whole(cert_id) + whole(Status::of(status).content) + TIME + whole(TIME);
        let data = template.responder_id.len() + TIME + whole(whole(single));
        Self {
            cert_id,
            single,
            data,
        }
    }
}

/// Octets of the contents in an OCSPResponse, from the inside out.
struct ResponseLengths {
    basic: usize,
    bytes: usize,
    outer: usize,
}

impl ResponseLengths {
    fn new(template: &Template, response_data: usize, signature: usize) -> Self {
        let basic = response_data
            + template.signature_algorithm.algorithm_identifier().len()
            + whole(signature + 1)
            + template.certs.len();
        let bytes = RESPONSE_TYPE.len() + whole(whole(basic));
        Self {
            basic,
            bytes,
            outer: STATUS.len() + whole(whole(bytes)),
        }
    }
}

/// responseStatus: successful.
const STATUS: [u8; 3] = [tag::ENUMERATED, 1, 0];
/// responseType: id-pkix-ocsp-basic.
const RESPONSE_TYPE: [u8; 11] = *b"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01";

/// What stands before the ResponseData.
fn write_opening(out: &mut Vec<u8>, lengths: &ResponseLengths) {
    der_encode::header(out, tag::SEQUENCE, lengths.outer);
    out.extend_from_slice(&STATUS);
    der_encode::header(out, tag::context(0), whole(lengths.bytes));
    der_encode::header(out, tag::SEQUENCE, lengths.bytes);
    out.extend_from_slice(&RESPONSE_TYPE);
    der_encode::header(out, tag::OCTET_STRING, whole(lengths.basic));
    der_encode::header(out, tag::SEQUENCE, lengths.basic);
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
        out.extend_from_slice(&generalized_time(time));
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

/// A whole GeneralizedTime, `YYYYMMDDHHMMSSZ`, for the years 0 to 9999.
fn generalized_time(time: Time) -> [u8; TIME] {
    let (year, month, day, hour, minute, second) = time.calendar();
    // Lossless: two digits each. Other years do not come from certificates.
    let year = year.clamp(0, 9999) as u32;
    let mut octets = [b'Z'; TIME];
    octets[0] = tag::GENERALIZED_TIME;
    octets[1] = TIME as u8 - 2;
    let pairs = [year / 100, year % 100, month, day, hour, minute, second];
    let (places, _) = octets[2..].as_chunks_mut::<2>();
    for (place, pair) in places.iter_mut().zip(pairs) {
        *place = two_digits(pair);
    }
    octets
}

/// Octets of a whole value with this many content octets.
const fn whole(content: usize) -> usize {
    let length_octets = match content {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x100_0000 => 4,
        _ => 5,
    };
    1 + length_octets + content
}

#[cfg(test)]
mod tests;
