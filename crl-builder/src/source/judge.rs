//! Whether a CRL of somebody else may be used (RFC 5280 section 5 and 5.2.4; CRL-11, CRL-23).

use pki::crl::Crl;
use pki::crl::verify::{Expected, ImportedRules, Profile, Scope, verify_crl};
use pki::der_encode::tag;
use pki::der_read::Reader;
use pki::{Certificate, CrlNumber, Time, Violation, oid};

use super::List;
use crate::live::sha256;

/// By what CRLs are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) ca: &'a Certificate,
    pub(crate) accept_sha1: bool,
    pub(crate) now: Time,
}

/// The rules for CRLs of others.
pub(crate) fn imported_rules(accept_sha1: bool) -> Profile {
    Profile::Imported(ImportedRules {
        old_algorithms: accept_sha1,
        bare: true,
    })
}

impl Judge<'_> {
    /// Verifies a CRL of this CA.
    pub(crate) fn verified(&self, der: &[u8], list: List) -> Result<Crl, Violation> {
        look_like_der(der)?;
        match list {
            List::Complete => self.verify(der, Scope::Complete),
            List::Delta => {
                let found = Crl::from_der(der)?;
                let Some(base) = found.base_number() else {
                    // The verifier's own words for a CRL that is no delta, or whose base cannot be read.
                    return self.verify(
                        der,
                        Scope::Delta {
                            base: &CrlNumber::zero(),
                        },
                    );
                };
                self.verify(der, Scope::Delta { base })
            }
        }
    }

    /// The same for one that statuses are to be taken from: what has ended already is no news, and what leaves
    /// revocations out on purpose does not say who is good.
    pub(crate) fn verified_news(&self, der: &[u8], list: List) -> Result<Crl, Violation> {
        let crl = self.verified(der, list)?;
        covers_every_reason(&crl)?;
        match crl.next_update() {
            Some(end) if end <= self.now => Err(Violation::new(
                "V3",
                format!("it has ended already: its nextUpdate was {end}"),
            )),
            _ => Ok(crl),
        }
    }

    fn verify(&self, der: &[u8], scope: Scope<'_>) -> Result<Crl, Violation> {
        let expected = Expected {
            ca: self.ca,
            now: self.now,
            scope,
            previous: None,
            profile: imported_rules(self.accept_sha1),
        };
        Ok(verify_crl(der, &expected)?.crl)
    }
}

/// RFC 5280 section 5.2.5.
fn covers_every_reason(crl: &Crl) -> Result<(), Violation> {
    let only_some_reasons = tag::context_primitive(3);
    let fields = scope(crl).and_then(|scope| Reader::new(scope).sequence("scope").ok());
    let mut fields = fields.unwrap_or_else(|| Reader::new(&[]));
    while let Ok(field) = fields.next("field") {
        if field.tag == only_some_reasons {
            return Err(Violation::new(
                "RFC 5280 5.2.5",
                "its onlySomeReasons leaves revocations out",
            ));
        }
    }
    Ok(())
}

/// The content of issuingDistributionPoint.
fn scope(crl: &Crl) -> Option<&[u8]> {
    crl.extensions()
        .iter()
        .find(|extension| extension.oid == oid::ISSUING_DISTRIBUTION_POINT)
        .map(|extension| extension.value.as_slice())
}

/// What a web server sends that has no CRL, in words that help.
fn look_like_der(octets: &[u8]) -> Result<(), Violation> {
    let start = octets.trim_ascii_start();
    let found = if octets.is_empty() {
        "it is empty"
    } else if start.starts_with(b"-----BEGIN") {
        "it is PEM, not DER; `openssl crl -in FILE -outform DER` converts it"
    } else if start.starts_with(b"<") {
        "it is HTML or XML, not a CRL"
    } else {
        return Ok(());
    };
    Err(Violation::new("RFC 5280 4.2.1.13", found.to_owned()))
}

/// What tells one CRL's place in time from another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) number: Option<&'a CrlNumber>,
    pub(crate) this_update: Time,
    pub(crate) sha256: [u8; 32],
}

impl<'a> Place<'a> {
    pub(crate) fn of(crl: &'a Crl) -> Self {
        Self {
            number: crl.number(),
            this_update: crl.this_update(),
            sha256: sha256(crl.der()),
        }
    }

    /// Never back to an older one (CRL-11), except that the same one may come again.
    pub(crate) fn check_follows(&self, last: &Place<'_>) -> Result<(), Violation> {
        let newer = match (self.number, last.number) {
            (Some(number), Some(before)) => number > before,
            _ => self.this_update > last.this_update,
        };
        if newer || self.sha256 == last.sha256 {
            return Ok(());
        }
        Err(Violation::new(
            "CRL-11",
            format!(
                "it is not newer than the one in use: it is {}, that one {}",
                self.describe(),
                last.describe()
            ),
        ))
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match self.number {
            Some(number) => format!("number {number} of {}", self.this_update),
            None => format!("of {}", self.this_update),
        }
    }
}

/// How a delta CRL goes with a complete one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fit {
    /// It adds to it.
    Fits,
    /// The complete one is newer.
    Outdated,
    /// A complete CRL that is not there yet must come first.
    Waits(String),
}

/// Whether a delta may be applied (RFC 5280 section 5.2.4; CRL-23): same scope, and
/// base <= number of the complete one <= number of the delta. Signed by the same key both are already.
pub(crate) fn fit(delta: &Crl, complete: &Crl) -> Result<Fit, Violation> {
    if scope(delta) != scope(complete) {
        return Err(Violation::new(
            "CRL-23",
            "its issuingDistributionPoint is not that of the complete CRL".to_owned(),
        ));
    }
    let (Some(base), Some(number)) = (delta.base_number(), delta.number()) else {
        return Err(Violation::new(
            "CRL-23",
            "a delta CRL needs a base and a number".to_owned(),
        ));
    };
    let Some(held) = complete.number() else {
        return Err(Violation::new(
            "CRL-23",
            "the complete CRL has no number, so no delta fits it".to_owned(),
        ));
    };
    if base > held {
        return Ok(Fit::Waits(format!(
            "number {number} builds on the complete CRL number {base}, and number {held} is the newest here"
        )));
    }
    Ok(if number < held {
        Fit::Outdated
    } else {
        Fit::Fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fixtures::{crl, with_scope};

    /// CRL-23: base <= complete <= delta.
    #[test]
    fn which_delta_fits() {
        let complete = crl(5, None, &[]);
        for (number, base, expected) in [
            (6, 5, Some(Fit::Fits)),
            (9, 3, Some(Fit::Fits)),
            (5, 4, Some(Fit::Fits)),
            (4, 3, Some(Fit::Outdated)),
            (9, 6, None),
        ] {
            let found = fit(&crl(number, Some(base), &[]), &complete).unwrap();
            match expected {
                Some(expected) => assert_eq!(found, expected, "{number} on {base}"),
                None => {
                    assert!(
                        matches!(&found, Fit::Waits(why) if why.contains('6')),
                        "{found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn another_scope_never_fits() {
        let complete = crl(5, None, &[]);
        let delta = with_scope(6, Some(5), &[], Some(&[0x30, 0x03, 0x81, 0x01, 0xff]));
        assert_eq!(fit(&delta, &complete).unwrap_err().rule, "CRL-23");
    }

    /// CRL-11.
    #[test]
    fn never_back() {
        let [older, newer] = [crl(5, None, &[]), crl(6, None, &[])];
        let (older, newer) = (Place::of(&older), Place::of(&newer));
        assert!(newer.check_follows(&older).is_ok());
        assert!(newer.check_follows(&newer).is_ok(), "the same again");
        assert_eq!(older.check_follows(&newer).unwrap_err().rule, "CRL-11");
        let other = Place {
            sha256: [1; 32],
            ..newer
        };
        assert_eq!(
            other.check_follows(&newer).unwrap_err().rule,
            "CRL-11",
            "another one with the same number"
        );
    }

    #[test]
    fn a_crl_of_some_reasons_is_not_followed() {
        let user_certificates = [0x30, 0x03, 0x81, 0x01, 0xff];
        assert!(covers_every_reason(&with_scope(5, None, &[], Some(&user_certificates))).is_ok());
        let some_reasons = [0x30, 0x04, 0x83, 0x02, 0x06, 0x40];
        let crl = with_scope(5, None, &[], Some(&some_reasons));
        assert!(covers_every_reason(&crl).is_err());
    }

    #[test]
    fn what_is_no_crl_is_named() {
        for (octets, words) in [
            (&b""[..], "empty"),
            (b"\n<html>", "HTML"),
            (b"-----BEGIN X509 CRL-----", "PEM"),
        ] {
            let refused = look_like_der(octets).unwrap_err();
            assert!(refused.message.contains(words), "{refused}");
        }
    }
}
