//! What a ceremony does beside making CAs: shares, a token, the cable's keys, further certificates, bootstrap.

use std::path::PathBuf;

use pki::{RevocationReason, Serial, Time};
use serde::Deserialize;

use crate::{Ca, Hierarchy, LONGEST_DAYS, Subject, check_name};

/// An offline CA's products live at most a year (S3), with a leap day.
const LONGEST_OFFLINE_DAYS: u32 = 366;

/// `[shares]`: who opens the key store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// How many open it.
    pub threshold: u8,
    /// How many there are.
    pub of: u8,
    /// Who has them, one name for each.
    pub holders: Vec<String>,
}

/// `[token]`: the PKCS#11 token of the CAs that say `in_token = true`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TokenTable {
    /// The vendor's library.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
}

/// `[[link]]`: the cable to one signer, whose two ends get keys.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The signer's number, 1 to 127. A standby has another than the signer that it stands by for.
    pub signer: u8,
}

/// `[[certificate]]`: one more certificate for a CA and its key. By the CA's own issuer it is a renewal with the same
/// key, by another CA a cross-certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FurtherCertificate {
    /// The name of its file, without an extension.
    pub file: String,
    /// The CA that it is for.
    pub ca: String,
    /// The CA that signs it; absent: the one that signed the first.
    pub issuer: Option<String>,
    /// How long it is valid.
    pub validity_days: u32,
    /// Whether the CA uses it from now on, in place of the one before.
    #[serde(default)]
    pub current: bool,
}

/// `[[responder]]`: the certificate of a delegated OCSP responder, for a CA that is offline afterwards.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Responder {
    /// The name of its file, without an extension.
    pub file: String,
    /// The CA that it answers for.
    pub issuer: String,
    /// The file of its certification request (PKCS#10), made where its key stays; relative to the ceremony's file.
    pub csr: PathBuf,
    /// Its subject.
    pub subject: Subject,
    /// How long it is valid: at most 366 days.
    pub validity_days: u32,
}

/// `[[crl]]`: a CRL of a CA that is offline afterwards.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct OfflineCrl {
    /// The name of its file, without an extension.
    pub file: String,
    /// The CA.
    pub issuer: String,
    /// How long it is valid: at most 366 days.
    pub validity_days: u32,
    /// All that it has revoked: what was on an earlier CRL stays.
    #[serde(default)]
    pub revoked: Vec<RevokedCertificate>,
}

/// One entry of a CRL.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RevokedCertificate {
    /// Its serial number, in hex.
    pub serial: Serial,
    /// When it was revoked, as "2026-11-22T12:00:00Z".
    pub time: Time,
    /// Why; absent: unspecified.
    pub reason: Option<RevocationReason>,
}

impl Shares {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.holders.len() != usize::from(self.of) {
            return Err(format!(
                "holders: {} names for {} shares; name one holder for each",
                self.holders.len(),
                self.of
            ));
        }
        let mut names: Vec<_> = self.holders.iter().collect();
        names.sort();
        names.dedup();
        if names.len() != self.holders.len() {
            return Err("holders: a name stands twice; nobody holds two shares".to_owned());
        }
        Ok(())
    }
}

impl FurtherCertificate {
    /// The CA that signs it.
    pub fn issuer<'a>(&'a self, hierarchy: &'a Hierarchy) -> Option<&'a Ca> {
        let ca = hierarchy.ca(&self.ca)?;
        let name = self.issuer.as_ref().or(ca.issuer.as_ref());
        hierarchy.ca(name.unwrap_or(&ca.name))
    }

    pub(crate) fn check(&self, hierarchy: &Hierarchy) -> Result<(), String> {
        check_name(&self.file).map_err(|reason| format!("file: {reason}"))?;
        if hierarchy.ca(&self.file).is_some() {
            return Err("file: a CA has this name".to_owned());
        }
        let ca = hierarchy
            .ca(&self.ca)
            .ok_or_else(|| format!("ca: there is no CA {:?}", self.ca))?;
        let issuer = self.issuer(hierarchy).ok_or_else(|| {
            format!(
                "issuer: there is no CA {:?}",
                self.issuer.as_deref().unwrap_or_default()
            )
        })?;
        if self.issuer.as_ref() == Some(&self.ca) && !ca.is_root() {
            return Err("issuer: a CA that is no root does not sign for itself".to_owned());
        }
        if issuer.name != ca.name
            && let Some(above) = issuer.path_len
            && ca.path_len.is_none_or(|own| own >= above)
        {
            return Err(format!(
                "issuer: {:?} has path_len {above}, which {:?} does not fit below",
                issuer.name, ca.name
            ));
        }
        check_days(self.validity_days, LONGEST_DAYS)
    }
}

impl Responder {
    pub(crate) fn check(&self, hierarchy: &Hierarchy) -> Result<(), String> {
        check_name(&self.file).map_err(|reason| format!("file: {reason}"))?;
        if hierarchy.ca(&self.file).is_some() {
            return Err("file: a CA has this name".to_owned());
        }
        check_issuer(&self.issuer, hierarchy)?;
        self.subject.name().map_err(|error| error.to_string())?;
        check_days(self.validity_days, LONGEST_OFFLINE_DAYS)
    }
}

impl OfflineCrl {
    pub(crate) fn check(&self, hierarchy: &Hierarchy) -> Result<(), String> {
        check_name(&self.file).map_err(|reason| format!("file: {reason}"))?;
        if self
            .revoked
            .iter()
            .any(|entry| entry.reason == Some(RevocationReason::CertificateHold))
        {
            return Err("revoked: nothing is put on hold (S6)".to_owned());
        }
        check_issuer(&self.issuer, hierarchy)?;
        check_days(self.validity_days, LONGEST_OFFLINE_DAYS)
    }
}

fn check_issuer(name: &str, hierarchy: &Hierarchy) -> Result<(), String> {
    match hierarchy.ca(name) {
        Some(_) => Ok(()),
        None => Err(format!("issuer: there is no CA {name:?}")),
    }
}

fn check_days(days: u32, longest: u32) -> Result<(), String> {
    if (1..=longest).contains(&days) {
        Ok(())
    } else {
        Err(format!(
            "validity_days: {days} is not within 1 to {longest}"
        ))
    }
}
