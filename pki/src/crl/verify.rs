//! Judging CRLs by every rule of RFC 5280 section 5 and of our own (CRL-01 … CRL-32) that can be checked
//! on the object.
//!
//! Each check is one small function in one of the tables: of the list, of its extensions, of each entry.
//! Used before anything is published (V9), and on what others signed ([`Profile::Imported`]).

use crate::crl::list_checks::{self, OWN_CHECKS, RFC_CHECKS};
use crate::crl::parse::Crl;
use crate::crl::raw::RawCrl;
use crate::crl::{entry_checks, extension_checks};
use crate::violation::{Check, Judgement};
use crate::{Certificate, CrlNumber, Time, Violation};

/// What a CRL must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The CA whose CRL it is.
    pub ca: &'a Certificate,
    /// The current time.
    pub now: Time,
    /// What it must cover.
    pub scope: Scope<'a>,
    /// The last one that was published, which this one is to follow.
    pub previous: Option<Previous<'a>>,
    /// Whose rules hold.
    pub profile: Profile,
}

/// What a CRL covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope<'a> {
    /// Every certificate of the CA.
    Complete,
    /// The changes since the complete CRL with this number (RFC 5280 section 5.2.4).
    Delta {
        /// BaseCRLNumber.
        base: &'a CrlNumber,
    },
    /// The certificates whose cRLDistributionPoints has this URI (RFC 5280 section 5.2.5).
    Partition {
        /// The URI, byte for byte.
        uri: &'a str,
    },
}

/// The CRL before.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// Its number.
    pub number: &'a CrlNumber,
    /// Its nextUpdate.
    pub next_update: Option<Time>,
}

/// Whose rules hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// A CRL that somebody else signed: what RFC 5280 demands, and no more.
    Imported(ImportedRules),
    /// A CRL that we sign.
    Own(OwnRules),
}

/// What is let pass in CRLs of others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ImportedRules {
    /// SHA-1 signatures.
    pub old_algorithms: bool,
    /// Version 1, and neither cRLNumber nor authorityKeyIdentifier: what `openssl ca` writes unless it
    /// is told otherwise.
    pub bare: bool,
}

/// What our own CRLs must fit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OwnRules {
    /// The CA issues certificates to CAs only (an offline root): 12 months instead of 10 days (CRL-06).
    pub ca_certificates_only: bool,
    /// The CA was taken over: entries on hold stay (S6), and its certificate may have no keyUsage at all
    /// (CRL-27).
    pub keeps_holds: bool,
    /// The reasons of the CA/Browser Forum's requirements only (CRL-13).
    pub browser_forum: bool,
}

/// A CRL that fits.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The CRL.
    pub crl: Crl,
}

/// Verifies a CRL; the error names the first rule that it breaks.
pub fn verify_crl(der: &[u8], expected: &Expected<'_>) -> Result<Verified, Violation> {
    match violations(der, expected)?.into_iter().next() {
        Some(violation) => Err(violation),
        None => Ok(Verified {
            crl: Crl::from_der(der)?,
        }),
    }
}

/// Every rule that a CRL breaks, in the order of the checks; of all entries together the first. `Err`
/// if it cannot be read at all.
pub fn violations(der: &[u8], expected: &Expected<'_>) -> Result<Vec<Violation>, Violation> {
    violations_without(der, expected, None)
}

/// As [`violations`], with one check taken out of the tables: a test sees by it that each check is
/// needed.
pub(crate) fn violations_without(
    der: &[u8],
    expected: &Expected<'_>,
    removed: Option<&str>,
) -> Result<Vec<Violation>, Violation> {
    let raw = RawCrl::read(der)?;
    let subject = Subject {
        this_update: raw.this_update_time()?,
        next_update: raw.next_update_time()?,
        expected,
        raw: &raw,
    };
    let own = matches!(expected.profile, Profile::Own(_));
    let tables: &[&[ListCheck]] = if own {
        &[
            RFC_CHECKS,
            extension_checks::RFC_CHECKS,
            OWN_CHECKS,
            extension_checks::OWN_CHECKS,
        ]
    } else {
        &[RFC_CHECKS, extension_checks::RFC_CHECKS]
    };
    let mut found: Vec<Violation> = tables
        .iter()
        .copied()
        .flatten()
        .filter(|check| Some(check.name) != removed)
        .filter_map(|check| check.violation(|run| run(&subject)))
        .collect();
    found.extend(entry_checks::first_violation(&subject, own, removed)?);
    if own && removed != Some(list_checks::ONE_ENTRY_PER_SERIAL.name) {
        found.extend(list_checks::ONE_ENTRY_PER_SERIAL.violation(|run| run(&subject)));
    }
    Ok(found)
}

/// What the checks look at.
pub(crate) struct Subject<'a> {
    pub(crate) raw: &'a RawCrl<'a>,
    pub(crate) expected: &'a Expected<'a>,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
}

impl Subject<'_> {
    /// Whether the rules for bare CRLs of others hold.
    pub(crate) fn may_be_bare(&self) -> bool {
        matches!(
            self.expected.profile,
            Profile::Imported(ImportedRules { bare: true, .. })
        )
    }

    /// The rules of our own CRLs.
    pub(crate) fn own(&self) -> OwnRules {
        match self.expected.profile {
            Profile::Own(rules) => rules,
            Profile::Imported(_) => OwnRules::default(),
        }
    }
}

pub(crate) type ListCheck = Check<fn(&Subject<'_>) -> Judgement>;

#[cfg(test)]
mod tests;
