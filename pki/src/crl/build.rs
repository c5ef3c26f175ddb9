//! Building CRLs (RFC 5280 section 5.1): the bytes to sign, and the CRL around its signature.
//!
//! ```asn1
//! TBSCertList ::= SEQUENCE {
//!     version                 Version,                    -- v2 (CRL-01)
//!     signature               AlgorithmIdentifier,        -- = signatureAlgorithm (CRL-02)
//!     issuer                  Name,                       -- the CA's subject, byte for byte (CRL-03)
//!     thisUpdate              Time,
//!     nextUpdate              Time,                       -- always (CRL-05)
//!     revokedCertificates     SEQUENCE OF SEQUENCE {      -- left out when empty (CRL-07)
//!         userCertificate         CertificateSerialNumber,
//!         revocationDate          Time,
//!         crlEntryExtensions      Extensions OPTIONAL } OPTIONAL,
//!     crlExtensions       [0] EXPLICIT Extensions }       -- authorityKeyIdentifier, cRLNumber, and by its scope
//!                                                         -- deltaCRLIndicator, issuingDistributionPoint, freshestCRL
//! ```
//!
//! Entries are encoded once and kept so ([`append_entry`]); [`CrlContents::around`] gives what stands before and after
//! them, so that a new CRL costs no more than copying the old entries.

use crate::crl::verify::Scope;
use crate::der_encode::{self, tag};
use crate::{
    CrlNumber, Name, ObjectIdentifier, RevocationReason, Serial, SignatureAlgorithm, Time, oid,
};

/// Everything in a CRL but its entries.
#[derive(Clone, Copy, Debug)]
pub struct CrlContents<'a> {
    /// The CA's subject.
    pub issuer: &'a Name,
    /// The CA's subject key identifier.
    pub authority_key_id: &'a [u8],
    /// The number, reserved in the ledger before it is used.
    pub number: &'a CrlNumber,
    /// From when on the CRL is valid.
    pub this_update: Time,
    /// When the next one is there at the latest.
    pub next_update: Time,
    /// How it will be signed.
    pub signature_algorithm: SignatureAlgorithm,
    /// What it covers.
    pub scope: Scope<'a>,
    /// Where its deltas are, for a complete CRL that has some (RFC 5280 section 5.2.6).
    pub freshest: Option<&'a str>,
}

/// A revoked certificate.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CrlEntry {
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked.
    pub revocation_date: Time,
    /// Why; `unspecified` is the same as `None` (CRL-12).
    pub reason: Option<RevocationReason>,
    /// Since when its key is suspected.
    pub invalidity_date: Option<Time>,
}

impl CrlContents<'_> {
    /// The TBSCertList to sign, with the entries in the order given (ascending serials are usual).
    pub fn tbs(&self, entries: impl IntoIterator<Item = CrlEntry>) -> Vec<u8> {
        let mut revoked = Vec::new();
        for entry in entries {
            append_entry(&mut revoked, &entry);
        }
        self.tbs_of_encoded(&revoked)
    }

    /// The TBSCertList to sign around entries that [`append_entry`] has encoded.
    pub fn tbs_of_encoded(&self, entries: &[u8]) -> Vec<u8> {
        let (before, after) = self.around(entries.len());
        [&before, entries, &after].concat()
    }

    /// What stands before and after `octets` of encoded entries in the TBSCertList.
    pub fn around(&self, octets: usize) -> (Vec<u8>, Vec<u8>) {
        let mut fields = [
            &der_encode::integer(&[1]),
            self.signature_algorithm.algorithm_identifier(),
            self.issuer.as_der(),
            &der_encode::utc_or_generalized_time(self.this_update),
            &der_encode::utc_or_generalized_time(self.next_update),
        ]
        .concat();
        if octets > 0 {
            der_encode::header(&mut fields, tag::SEQUENCE, octets);
        }
        let after = der_encode::explicit(0, &self.extensions());
        let mut before = Vec::with_capacity(fields.len() + 10);
        let length = fields.len() + octets + after.len();
        der_encode::header(&mut before, tag::SEQUENCE, length);
        before.extend_from_slice(&fields);
        (before, after)
    }

    fn extensions(&self) -> Vec<u8> {
        let key_id = der_encode::tlv(tag::context_primitive(0), self.authority_key_id);
        let number = |number: &CrlNumber| der_encode::integer(&number.to_be_bytes());
        let mut extensions = vec![
            extension(
                &oid::AUTHORITY_KEY_IDENTIFIER,
                &der_encode::sequence(&[&key_id]),
            ),
            extension(&oid::CRL_NUMBER, &number(self.number)),
        ];
        match self.scope {
            Scope::Complete => {}
            Scope::Delta { base } => {
                extensions.push(critical_extension(&oid::DELTA_CRL_INDICATOR, &number(base)));
            }
            Scope::Partition { uri } => extensions.push(critical_extension(
                &oid::ISSUING_DISTRIBUTION_POINT,
                &der_encode::sequence(&[&distribution_point(uri)]),
            )),
        }
        extensions.extend(self.freshest.map(|uri| {
            let point = der_encode::sequence(&[&distribution_point(uri)]);
            extension(&oid::FRESHEST_CRL, &der_encode::sequence(&[&point]))
        }));
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        der_encode::sequence(&extensions)
    }
}

/// Appends one entry of revokedCertificates.
pub fn append_entry(out: &mut Vec<u8>, entry: &CrlEntry) {
    let mut extensions = Vec::new();
    if let Some(reason) = entry
        .reason
        .filter(|&reason| reason != RevocationReason::Unspecified)
    {
        extensions.extend(extension(
            &oid::REASON_CODE,
            &der_encode::enumerated(reason.code()),
        ));
    }
    if let Some(date) = entry.invalidity_date {
        extensions.extend(extension(
            &oid::INVALIDITY_DATE,
            &der_encode::generalized_time(date),
        ));
    }
    if !extensions.is_empty() {
        // CRL-16: left out rather than empty.
        extensions = der_encode::tlv(tag::SEQUENCE, &extensions);
    }
    let serial = der_encode::integer(entry.serial.as_bytes());
    let date = der_encode::utc_or_generalized_time(entry.revocation_date);
    der_encode::header(
        out,
        tag::SEQUENCE,
        serial.len() + date.len() + extensions.len(),
    );
    out.extend_from_slice(&serial);
    out.extend_from_slice(&date);
    out.extend_from_slice(&extensions);
}

/// The CertificateList: a TBSCertList with its signature.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let after = [
        algorithm.algorithm_identifier(),
        &der_encode::bit_string(signature),
    ]
    .concat();
    let length = tbs.len() + after.len();
    let mut crl = Vec::with_capacity(length + 10);
    der_encode::header(&mut crl, tag::SEQUENCE, length);
    crl.extend_from_slice(tbs);
    crl.extend_from_slice(&after);
    crl
}

/// An extension that is not critical.
fn extension(id: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    der_encode::sequence(&[&der_encode::oid(id), &der_encode::octet_string(value)])
}

fn critical_extension(id: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    der_encode::sequence(&[
        &der_encode::oid(id),
        &der_encode::boolean_true(),
        &der_encode::octet_string(value),
    ])
}

/// The field distributionPoint with one URI as its fullName.
fn distribution_point(uri: &str) -> Vec<u8> {
    let name = der_encode::tlv(tag::context_primitive(6), uri.as_bytes());
    let full_name = der_encode::tlv(tag::context(0), &name);
    der_encode::explicit(0, &full_name)
}

#[cfg(test)]
mod tests;
