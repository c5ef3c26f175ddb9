//! A CRL taken apart and not yet understood: every field as it stands, so that each rule about it can be
//! checked by itself.

use std::ops::Range;

use crate::crl::build::CrlEntry;
use crate::der_encode::tag;
use crate::der_read::{self, DerError, Reader, Tlv};
use crate::raw_extension::{RawExtension, find};
use crate::{Name, RevocationReason, Serial, Time, Violation, oid, time_rules};

/// CertificateList; borrows its DER.
#[derive(Clone, Debug)]
pub(crate) struct RawCrl<'a> {
    der: &'a [u8],
    /// The signed part.
    pub(crate) tbs: &'a [u8],
    /// Content of the version's INTEGER; `None` when left out, which means v1.
    pub(crate) version: Option<&'a [u8]>,
    /// AlgorithmIdentifier inside the signed part.
    pub(crate) inner_algorithm: &'a [u8],
    /// AlgorithmIdentifier beside the signature.
    pub(crate) outer_algorithm: &'a [u8],
    /// The issuer's Name.
    pub(crate) issuer: &'a [u8],
    pub(crate) this_update: Tlv<'a>,
    pub(crate) next_update: Option<Tlv<'a>>,
    /// Content of revokedCertificates, if the field is there.
    pub(crate) revoked: Option<&'a [u8]>,
    /// crlExtensions, if the field is there.
    pub(crate) extensions: Option<Vec<RawExtension<'a>>>,
    /// Content of the signature's BIT STRING: the number of unused bits, then the octets.
    pub(crate) signature: &'a [u8],
}

impl<'a> RawCrl<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Violation> {
        Self::read_der(der).map_err(|error| syntax(&error))
    }

    fn read_der(der: &'a [u8]) -> Result<Self, DerError> {
        let mut list = der_read::single(der, "CRL")?
            .expect(tag::SEQUENCE, "CRL")?
            .reader();
        let tbs = list.expect(tag::SEQUENCE, "tbsCertList")?;
        let outer_algorithm = list.expect(tag::SEQUENCE, "signatureAlgorithm")?.whole;
        let signature = list.expect(tag::BIT_STRING, "signatureValue")?.content;
        list.finish("CRL")?;

        let mut fields = tbs.reader();
        let version = fields
            .optional(tag::INTEGER, "version")?
            .map(|version| version.content);
        let inner_algorithm = fields.expect(tag::SEQUENCE, "signature")?.whole;
        let issuer = fields.expect(tag::SEQUENCE, "issuer")?.whole;
        let this_update = fields.next("thisUpdate")?;
        let next_update = match fields.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(fields.next("nextUpdate")?),
            _ => None,
        };
        let revoked = fields
            .optional(tag::SEQUENCE, "revokedCertificates")?
            .map(|list| list.content);
        let extensions = match fields.optional_context(0, "crlExtensions")? {
            Some(mut explicit) => {
                let list = explicit.expect(tag::SEQUENCE, "crlExtensions")?;
                explicit.finish("crlExtensions")?;
                Some(RawExtension::read_all(list.content)?)
            }
            None => None,
        };
        fields.finish("tbsCertList")?;
        Ok(Self {
            der,
            tbs: tbs.whole,
            version,
            inner_algorithm,
            outer_algorithm,
            issuer,
            this_update,
            next_update,
            revoked,
            extensions,
            signature,
        })
    }

    /// The extensions; none if the field is left out.
    pub(crate) fn extension_list(&self) -> &[RawExtension<'a>] {
        self.extensions.as_deref().unwrap_or_default()
    }

    pub(crate) fn issuer(&self) -> Result<Name, Violation> {
        Name::from_der(self.issuer).map_err(|error| Violation::new("CRL-03", error.to_string()))
    }

    pub(crate) fn this_update_time(&self) -> Result<Time, Violation> {
        time_rules::read_leniently(self.this_update)
            .ok_or_else(|| Violation::new("CRL-04", "thisUpdate is not a time"))
    }

    pub(crate) fn next_update_time(&self) -> Result<Option<Time>, Violation> {
        self.next_update
            .map(|time| {
                time_rules::read_leniently(time)
                    .ok_or_else(|| Violation::new("CRL-04", "nextUpdate is not a time"))
            })
            .transpose()
    }

    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = Result<RawEntry<'a>, Violation>> + use<'a> {
        RawEntry::read_all(self.revoked.unwrap_or_default())
    }

    /// Where the content of revokedCertificates lies in the whole.
    pub(crate) fn revoked_range(&self) -> Range<usize> {
        self.revoked.map_or(0..0, |content| {
            // Both are addresses in the same slice.
            let start = content.as_ptr() as usize - self.der.as_ptr() as usize;
            start..start + content.len()
        })
    }
}

/// One element of revokedCertificates.
#[derive(Clone, Debug)]
pub(crate) struct RawEntry<'a> {
    /// Content of the serial number's INTEGER.
    pub(crate) serial: &'a [u8],
    pub(crate) revocation_date: Tlv<'a>,
    /// crlEntryExtensions, if the field is there.
    pub(crate) extensions: Option<Vec<RawExtension<'a>>>,
}

impl<'a> RawEntry<'a> {
    pub(crate) fn read_all(
        content: &'a [u8],
    ) -> impl Iterator<Item = Result<Self, Violation>> + use<'a> {
        let mut list = Reader::new(content);
        std::iter::from_fn(move || {
            (!list.is_empty()).then(|| {
                let entry = Self::read(&mut list);
                if entry.is_err() {
                    // What follows bytes that were not understood cannot be either.
                    list = Reader::new(&[]);
                }
                entry.map_err(|error| syntax(&error))
            })
        })
    }

    /// The entry that these octets are.
    pub(crate) fn one(octets: &'a [u8]) -> Result<Self, Violation> {
        Self::read(&mut Reader::new(octets)).map_err(|error| syntax(&error))
    }

    fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut entry = list.sequence("revokedCertificates")?;
        let serial = entry.expect(tag::INTEGER, "userCertificate")?.content;
        let revocation_date = entry.next("revocationDate")?;
        let extensions = match entry.optional(tag::SEQUENCE, "crlEntryExtensions")? {
            Some(list) => Some(RawExtension::read_all(list.content)?),
            None => None,
        };
        entry.finish("revokedCertificates")?;
        Ok(Self {
            serial,
            revocation_date,
            extensions,
        })
    }

    pub(crate) fn extension_list(&self) -> &[RawExtension<'a>] {
        self.extensions.as_deref().unwrap_or_default()
    }

    /// The serial number, if a certificate can have it.
    pub(crate) fn serial_number(&self) -> Option<Serial> {
        Serial::from_integer_content(self.serial).ok()
    }

    /// The serial number for people.
    pub(crate) fn serial_text(&self) -> String {
        format!("entry {}", hex::encode_upper(self.serial))
    }

    /// The value of reasonCode, if there is one; `Err` if it is no ENUMERATED of one octet.
    pub(crate) fn reason_code(&self) -> Result<Option<u8>, String> {
        let Some(extension) = find(self.extension_list(), &oid::REASON_CODE) else {
            return Ok(None);
        };
        match der_read::single(extension.value, "reasonCode") {
            Ok(Tlv {
                tag: tag::ENUMERATED,
                content: &[code],
                ..
            }) => Ok(Some(code)),
            _ => Err(format!(
                "{}: reasonCode is no ENUMERATED of one octet",
                self.serial_text()
            )),
        }
    }

    /// The time in invalidityDate, if there is one.
    pub(crate) fn invalidity_date(&self) -> Result<Option<Tlv<'a>>, String> {
        find(self.extension_list(), &oid::INVALIDITY_DATE)
            .map(|extension| der_read::single(extension.value, "invalidityDate"))
            .transpose()
            .map_err(|error| format!("{}: {error}", self.serial_text()))
    }

    /// What the entry means.
    pub(crate) fn decode(&self) -> Result<CrlEntry, Violation> {
        let serial = Serial::from_integer_content(self.serial).map_err(|error| {
            Violation::new("CRL-17", format!("{}: {error}", self.serial_text()))
        })?;
        let time = |value, rule, what| {
            time_rules::read_leniently(value).ok_or_else(|| {
                Violation::new(
                    rule,
                    format!("{}: {what} is not a time", self.serial_text()),
                )
            })
        };
        let reason = match self
            .reason_code()
            .map_err(|message| Violation::new("CRL-12", message))?
        {
            None => None,
            Some(code) => Some(RevocationReason::from_code(code).ok_or_else(|| {
                Violation::new(
                    "CRL-12",
                    format!("{}: there is no reason {code}", self.serial_text()),
                )
            })?),
        };
        let invalidity_date = self
            .invalidity_date()
            .map_err(|message| Violation::new("CRL-15", message))?;
        Ok(CrlEntry {
            serial,
            revocation_date: time(self.revocation_date, "CRL-04", "revocationDate")?,
            reason,
            invalidity_date: invalidity_date
                .map(|value| time(value, "CRL-15", "invalidityDate"))
                .transpose()?,
        })
    }
}

fn syntax(error: &DerError) -> Violation {
    Violation::new("RFC 5280 5.1", error.to_string())
}
