//! OCSP requests (RFC 6960 section 4.1): read without copying, written for our own clients.
//!
//! ```asn1
//! OCSPRequest ::= SEQUENCE {
//!     tbsRequest              TBSRequest,
//!     optionalSignature   [0] EXPLICIT Signature OPTIONAL }
//! TBSRequest ::= SEQUENCE {
//!     version             [0] EXPLICIT Version DEFAULT v1,
//!     requestorName       [1] EXPLICIT GeneralName OPTIONAL,
//!     requestList             SEQUENCE OF Request,
//!     requestExtensions   [2] EXPLICIT Extensions OPTIONAL }
//! Request ::= SEQUENCE {
//!     reqCert                     CertID,
//!     singleRequestExtensions [0] EXPLICIT Extensions OPTIONAL }
//! ```
//!
//! Strict where the standard fixes the syntax. Two habits of clients are let pass because their meaning
//! is plain: a DEFAULT value that is written out (version v1, critical FALSE) and a nonce without its
//! inner OCTET STRING (OCSP-17). requestorName and signature are skipped unread (OCSP-13). There is no
//! allocation and no recursion, so a hostile request costs no more than its length.

use crate::der_encode::{self, tag};
use crate::der_read::{self, DerError, Reader, Tlv};
use crate::ocsp::cert_id::{CertId, IssuerHashes};
use crate::{ObjectIdentifier, Serial, oid};

/// The longest nonce (RFC 9654 section 2.1).
pub const MAX_NONCE: usize = 128;

/// A request that is well formed; borrows its bytes.
#[derive(Clone, Copy, Debug)]
pub struct OcspRequest<'a> {
    request_list: &'a [u8],
    first: CertId<'a>,
    count: usize,
    nonce_value: Option<&'a [u8]>,
}

impl<'a> OcspRequest<'a> {
    /// Reads a whole request. Whatever the error, the answer to it is malformedRequest (OCSP-01).
    pub fn parse(der: &'a [u8]) -> Result<Self, RequestError> {
        let mut request = der_read::single(der, "OCSPRequest")?
            .expect(tag::SEQUENCE, "OCSPRequest")?
            .reader();
        let mut tbs = request.sequence("tbsRequest")?;
        skip_explicit(&mut request, 0, "optionalSignature")?;
        request.finish("OCSPRequest")?;

        read_version(&mut tbs)?;
        skip_explicit(&mut tbs, 1, "requestorName")?;
        let request_list = tbs.expect(tag::SEQUENCE, "requestList")?.content;
        let nonce_value = match tbs.optional_context(2, "requestExtensions")? {
            Some(extensions) => read_extensions(extensions)?,
            None => None,
        };
        tbs.finish("tbsRequest")?;

        let (first, count) = read_list(request_list)?;
        Ok(Self {
            request_list,
            first,
            count,
            nonce_value,
        })
    }

    /// The first certificate that is asked about.
    pub const fn first(&self) -> CertId<'a> {
        self.first
    }

    /// How many certificates are asked about; at least one.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// All certificates that are asked about, in order.
    pub fn cert_ids(&self) -> impl Iterator<Item = CertId<'a>> + use<'a> {
        let mut list = Reader::new(self.request_list);
        // Every item was read once by `parse`.
        std::iter::from_fn(move || {
            let mut request = list.sequence("Request").ok()?;
            CertId::read(&mut request).ok()
        })
    }

    /// The nonce, 1 to 128 octets.
    pub fn nonce(&self) -> Option<&'a [u8]> {
        self.nonce_value.map(nonce_octets)
    }

    /// The nonce with or without its inner OCTET STRING, as it came: to be given back octet for octet.
    pub const fn nonce_value(&self) -> Option<&'a [u8]> {
        self.nonce_value
    }
}

/// A request about `serials` of one issuer, for our own clients.
pub fn build(issuer: &IssuerHashes, serials: &[Serial], nonce: Option<&[u8]>) -> Vec<u8> {
    let requests: Vec<u8> = serials
        .iter()
        .flat_map(|serial| der_encode::sequence(&[&issuer.cert_id(serial)]))
        .collect();
    let list = der_encode::tlv(tag::SEQUENCE, &requests);
    let extensions = nonce.map_or_else(Vec::new, |nonce| {
        let nonce = der_encode::sequence(&[
            &der_encode::oid(&oid::OCSP_NONCE),
            &der_encode::octet_string(&der_encode::octet_string(nonce)),
        ]);
        der_encode::explicit(2, &der_encode::sequence(&[&nonce]))
    });
    der_encode::sequence(&[&der_encode::sequence(&[&list, &extensions])])
}

/// Reads the list to its end; gives its first item and how many there are.
fn read_list(content: &[u8]) -> Result<(CertId<'_>, usize), RequestError> {
    let mut list = Reader::new(content);
    let mut first = None;
    let mut count = 0;
    while !list.is_empty() {
        let mut request = list.sequence("Request")?;
        let id = CertId::read(&mut request)?;
        if let Some(extensions) = request.optional_context(0, "singleRequestExtensions")? {
            // A nonce here is recognised, and means nothing.
            read_extensions(extensions)?;
        }
        request.finish("Request")?;
        first.get_or_insert(id);
        count += 1;
    }
    // OCSP-11: one or more.
    Ok((first.ok_or(RequestError::NothingAsked)?, count))
}

/// `Extensions` inside their explicit tag; gives the value of the nonce, refuses what is critical and unknown.
fn read_extensions(mut explicit: Reader<'_>) -> Result<Option<&[u8]>, RequestError> {
    let mut list = explicit.sequence("Extensions")?;
    explicit.finish("Extensions")?;
    if list.is_empty() {
        return Err(DerError::BadValue("Extensions").into());
    }
    let mut nonce = None;
    while !list.is_empty() {
        let mut extension = list.sequence("Extension")?;
        let id = extension.oid("extnID")?;
        let critical = extension.peek() == Some(tag::BOOLEAN) && extension.boolean("critical")?;
        let value = extension.octet_string("extnValue")?;
        extension.finish("Extension")?;
        if id == oid::OCSP_NONCE {
            let length = nonce_octets(value).len();
            if !(1..=MAX_NONCE).contains(&length) {
                return Err(RequestError::NonceLength(length));
            }
            if nonce.replace(value).is_some() {
                return Err(RequestError::NonceTwice);
            }
        } else if critical && !is_recognised(&id) {
            return Err(RequestError::UnknownCriticalExtension);
        }
    }
    Ok(nonce)
}

/// The octets of a nonce: those of the inner OCTET STRING, or all when there is none (OCSP-17).
fn nonce_octets(value: &[u8]) -> &[u8] {
    match der_read::single(value, "nonce") {
        Ok(Tlv {
            tag: tag::OCTET_STRING,
            content,
            ..
        }) => content,
        _ => value,
    }
}

/// Extensions that may be critical because answers signed ahead satisfy them: a basic response is
/// what every client must accept, and a preference among algorithms may go unheeded.
fn is_recognised(id: &ObjectIdentifier) -> bool {
    *id == oid::OCSP_RESPONSE_TYPES || *id == oid::OCSP_PREF_SIG_ALGS
}

/// v1, left out or written out.
fn read_version(tbs: &mut Reader<'_>) -> Result<(), RequestError> {
    let Some(mut explicit) = tbs.optional_context(0, "version")? else {
        return Ok(());
    };
    let version = explicit.integer("version")?;
    explicit.finish("version")?;
    if version == [0] {
        Ok(())
    } else {
        Err(RequestError::Version)
    }
}

/// Skips `[n]` with one value of whatever kind inside.
fn skip_explicit(reader: &mut Reader<'_>, n: u8, what: &'static str) -> Result<(), RequestError> {
    if let Some(mut explicit) = reader.optional_context(n, what)? {
        explicit.next(what)?;
        explicit.finish(what)?;
    }
    Ok(())
}

/// Why a request is malformed. Never says whom it asked about (S13).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// Not the syntax.
    #[error("not an OCSPRequest in DER: {0}")]
    Der(#[from] DerError),
    /// RFC 9654 section 2.1.
    #[error("the nonce has {0} octets; 1 to 128 are allowed")]
    NonceLength(usize),
    /// More than one nonce.
    #[error("there are two nonces")]
    NonceTwice,
    /// An empty requestList.
    #[error("the request asks about no certificate")]
    NothingAsked,
    /// RFC 6960 section 4.1.2.
    #[error("an extension that is not recognised is critical")]
    UnknownCriticalExtension,
    /// Not v1.
    #[error("the version is not v1")]
    Version,
}

#[cfg(test)]
mod tests;
