//! Reading CRLs (RFC 5280 section 5.1), ours and those of others.
//!
//! Reading is lenient: a CRL that breaks a rule is still read as far as its meaning is plain, so that
//! [`verify_crl`](crate::crl::verify::verify_crl) can name the rule. Only what has no meaning at all is
//! refused here.

use std::ops::Range;

use crate::crl::build::CrlEntry;
use crate::crl::idp::IssuingDistributionPoint;
use crate::crl::raw::{RawCrl, RawEntry};
use crate::der_encode::tag;
use crate::raw_extension::find;
use crate::{CrlNumber, Extension, Name, Serial, Time, Violation, der_read, oid};

/// A CRL that was read. Nothing about it is verified yet.
#[derive(Clone, Debug)]
pub struct Crl {
    der: Vec<u8>,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    number: Option<CrlNumber>,
    base_number: Option<CrlNumber>,
    extensions: Vec<Extension>,
    revoked: Range<usize>,
    len: usize,
}

impl Crl {
    /// Reads a whole CRL; nothing may follow it.
    pub fn from_der(der: &[u8]) -> Result<Self, Violation> {
        let raw = RawCrl::read(der)?;
        let mut len = 0;
        for entry in raw.entries() {
            entry?;
            len += 1;
        }
        let extensions = raw.extension_list();
        let number = |id| {
            let extension = find(extensions, id)?;
            let content = der_read::Reader::new(extension.value)
                .integer("number")
                .ok()?;
            if content[0] & 0x80 == 0 {
                CrlNumber::from_be_bytes(content).ok()
            } else {
                None
            }
        };
        Ok(Self {
            issuer: raw.issuer()?,
            this_update: raw.this_update_time()?,
            next_update: raw.next_update_time()?,
            number: number(&oid::CRL_NUMBER),
            base_number: number(&oid::DELTA_CRL_INDICATOR),
            extensions: extensions
                .iter()
                .map(|raw| Extension {
                    oid: raw.id,
                    critical: raw.critical,
                    value: raw.value.to_vec(),
                })
                .collect(),
            revoked: raw.revoked_range(),
            len,
            der: der.to_vec(),
        })
    }

    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who issued it.
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// From when on it is valid.
    pub const fn this_update(&self) -> Time {
        self.this_update
    }

    /// When the next one is there at the latest, if it says so.
    pub const fn next_update(&self) -> Option<Time> {
        self.next_update
    }

    /// cRLNumber, if there is one that is allowed.
    pub const fn number(&self) -> Option<&CrlNumber> {
        self.number.as_ref()
    }

    /// BaseCRLNumber of a delta CRL.
    pub const fn base_number(&self) -> Option<&CrlNumber> {
        self.base_number.as_ref()
    }

    /// The first URI of issuingDistributionPoint (RFC 5280 section 5.2.5), if there is one.
    pub fn distribution_point_uri(&self) -> Option<&str> {
        let extension = self
            .extensions
            .iter()
            .find(|extension| extension.oid == oid::ISSUING_DISTRIBUTION_POINT)?;
        let idp = IssuingDistributionPoint::read(&extension.value).ok()?;
        idp.full_name.into_iter().find_map(|name| {
            let uri = name.tag == tag::context_primitive(6);
            uri.then(|| std::str::from_utf8(name.content).ok())?
        })
    }

    /// Its extensions, in the order of the encoding.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// How many entries it has.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is revoked.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its entries, in the order of the encoding. One that no certificate of ours could have (a
    /// negative serial, a reason outside RFC 5280) is an error; those after it still come.
    pub fn entries(&self) -> impl Iterator<Item = Result<CrlEntry, Violation>> + '_ {
        RawEntry::read_all(&self.der[self.revoked.clone()]).map(|entry| entry?.decode())
    }

    /// The content of revokedCertificates; nothing if there is none.
    pub fn encoded_entries(&self) -> &[u8] {
        &self.der[self.revoked.clone()]
    }

    /// The entry of this serial number. Looks through all of them.
    pub fn find(&self, serial: &Serial) -> Option<CrlEntry> {
        RawEntry::read_all(&self.der[self.revoked.clone()])
            .filter_map(Result::ok)
            .find(|entry| entry.serial_number().as_ref() == Some(serial))
            .and_then(|entry| entry.decode().ok())
    }
}
