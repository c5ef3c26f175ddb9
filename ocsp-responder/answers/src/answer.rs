//! One certificate's entry in a set.

use std::fmt;

use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, Serial, Time};

use crate::Window;
use crate::record::Record;
use crate::set::AnswerSet;
use crate::tables::{SetTemplate, Signer};

/// What a set knows about a serial number.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Its status, signed.
    Answer(Answer<'a>),
    /// It has left: whatever older layers say about it no longer holds.
    Removed(Serial),
}

impl<'a> Entry<'a> {
    /// What is signed about it; `None` if it has left.
    pub fn answer(self) -> Option<Answer<'a>> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Removed(_) => None,
        }
    }

    /// The certificate's serial number.
    pub fn serial(&self) -> Serial {
        match self {
            Self::Answer(answer) => answer.serial(),
            Self::Removed(serial) => *serial,
        }
    }
}

/// The signed status of one certificate.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub(crate) set: &'a AnswerSet,
    pub(crate) record: Record<'a>,
    pub(crate) signer: &'a Signer,
    pub(crate) serial: Serial,
    pub(crate) status: CertStatus,
    pub(crate) batch: usize,
    pub(crate) window: Window,
}

impl<'a> Answer<'a> {
    /// The certificate's serial number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Good or revoked.
    pub fn status(&self) -> CertStatus {
        self.status
    }

    /// When it was signed: thisUpdate and producedAt.
    pub fn this_update(&self) -> Time {
        self.window.this_update
    }

    /// Until when it may be used; the moment itself is excluded (V3).
    pub fn next_update(&self) -> Time {
        self.window.next_update
    }

    /// When a newer answer is planned to be there; `Cache-Control: max-age` must not reach beyond (HTTP-10).
    pub fn refresh_at(&self) -> Time {
        self.window.refresh_at
    }

    /// Whether it may leave at this moment: thisUpdate <= `now` < nextUpdate (V3).
    pub fn is_current(&self, now: Time) -> bool {
        self.this_update() <= now && now < self.next_update()
    }

    /// The delegated responder's certificate in it; `None` if the CA signed it.
    pub fn responder(&self) -> Option<&'a Certificate> {
        self.set.responder(self.signer.responder)
    }

    /// The number of its batch in [`AnswerSet::windows`].
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The whole OCSPResponse in DER for a CertID of that hash; `None` if the set has no answers for it.
    pub fn response(&self, hash: HashAlgorithm) -> Option<Vec<u8>> {
        let mut response = Vec::new();
        self.write_response(hash, &mut response, |length, response| {
            response.reserve_exact(length);
        })?;
        Some(response)
    }

    /// How many octets [`Answer::write_response`] writes; `None` if the set has no answers for that hash.
    pub fn response_len(&self, hash: HashAlgorithm) -> Option<usize> {
        let (template, field) = self.template(hash)?;
        let signature = template.signature.der_len(field);
        let template = &template.template;
        Some(template.response_len(&self.serial(), self.status, signature))
    }

    /// Appends the response without allocating where `out` has room; before that, `announce` is told how many octets it
    /// has, and may append something else. `None` (and nothing is written) if the set has no answers for that hash.
    pub fn write_response(
        &self,
        hash: HashAlgorithm,
        out: &mut Vec<u8>,
        announce: impl FnOnce(usize, &mut Vec<u8>),
    ) -> Option<()> {
        let (template, field) = self.template(hash)?;
        template.signature.with_der(field, |signature| {
            template.template.write_response(
                out,
                &self.serial(),
                self.status,
                self.this_update()..self.next_update(),
                signature,
                announce,
            );
        });
        Some(())
    }

    /// A strong entity tag for [`Answer::response`], without building it.
    pub fn etag(&self, hash: HashAlgorithm) -> Option<Etag> {
        let (template, field) = self.template(hash)?;
        let signature = template.signature.trim(field);
        Some(Etag::new(signature, &template.fingerprint))
    }

    /// What the response is made from: the template, and the field that holds the signature.
    fn template(&self, hash: HashAlgorithm) -> Option<(&'a SetTemplate, &'a [u8])> {
        let slot = self.set.hash_slot(hash)?;
        let template = &self.signer.templates[slot];
        Some((template, self.record.signature(slot)))
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the serial: an answer may be one that somebody asked for (S13).
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("this_update", &self.this_update())
            .field("next_update", &self.next_update())
            .finish_non_exhaustive()
    }
}

/// A strong entity tag: unlike for unlike responses, the same on every edge.
///
/// Everything in a response that differs from certificate to certificate is under its signature, and the rest is its
/// template. So the tag is a piece of the signature (the same piece under the same template means the same signed
/// octets, by the strength of the signature algorithm) and a digest of the template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Etag([u8; Self::LENGTH]);

impl Etag {
    /// The length of the tag with its quotes.
    pub const LENGTH: usize = 2 * (SIGNATURE_PIECE + FINGERPRINT) + 2;

    fn new(signature: &[u8], fingerprint: &[u8; FINGERPRINT]) -> Self {
        let mut text = [b'"'; Self::LENGTH];
        // Every signature of the format has at least 64 octets.
        let octets = signature[..SIGNATURE_PIECE].iter().chain(fingerprint);
        let (pairs, _) = text[1..].as_chunks_mut::<2>();
        for (pair, octet) in pairs.iter_mut().zip(octets) {
            *pair = HEX[usize::from(*octet)];
        }
        Self(text)
    }

    /// As it stands in the `ETag` header, quotes included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it stands in the `ETag` header, quotes included.
    pub fn as_str(&self) -> &str {
        // Unwrap safety: quotes and hex digits only.
        std::str::from_utf8(&self.0).unwrap()
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(crate) const FINGERPRINT: usize = 8;
const SIGNATURE_PIECE: usize = 16;
/// The two digits of each octet.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut octet = 0;
    while octet < pairs.len() {
        pairs[octet] = [digits[octet >> 4], digits[octet & 0xf]];
        octet += 1;
    }
    pairs
};
