//! Mail addresses as they stand in an rfc822Name (RFC 5280 section 4.2.1.6: `Mailbox` of RFC 2821).

use std::fmt;

use super::host::HostName;
use super::idn::IdnPolicy;
use crate::refusal::Refusal;

/// A mail address: a local part as it was given, and its domain in lower case.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Checks `value`; the caller names the field of a refusal. The domain obeys the rules of host
    /// names (I10 too). Local parts outside ASCII need the otherName of RFC 9598 and are refused.
    pub fn parse(value: &str, idn: &IdnPolicy) -> Result<Self, Refusal> {
        let Some((local, domain)) = value.rsplit_once('@') else {
            return Err(refuse(
                value,
                "has no @",
                "Give the whole address (name@example.org).",
            ));
        };
        if value.len() > 254 {
            return Err(refuse(
                value,
                "is longer than 254 characters",
                "Use a shorter address.",
            ));
        }
        check_local_part(value, local)?;

        let domain = HostName::parse(domain, idn)?;
        if domain.is_wildcard() {
            return Err(refuse(
                value,
                "has a wildcard domain",
                "Give one address; wildcards are for servers.",
            ));
        }
        Ok(Self(format!("{local}@{domain}")))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A `Dot-string` of RFC 5321 section 4.1.2; quoted strings are refused.
fn check_local_part(value: &str, local: &str) -> Result<(), Refusal> {
    if local.is_empty() || local.len() > 64 {
        return Err(refuse(
            value,
            "has a local part that is empty or longer than 64 characters",
            "Use an address with 1 to 64 characters before the @.",
        ));
    }
    let well_formed = local.split('.').all(|atom| {
        !atom.is_empty()
            && atom.bytes().all(|octet| {
                octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
            })
    });
    if well_formed {
        return Ok(());
    }
    Err(refuse(
        value,
        "has a local part that is not made of atoms and single dots",
        "Use an address of ASCII letters, digits and the signs of an unquoted local part.",
    ))
}

fn refuse(value: &str, fault: &str, remedy: &str) -> Refusal {
    Refusal::new("I9", "mail address", format!("{value:?} {fault}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<EmailAddress, Refusal> {
        EmailAddress::parse(value, &IdnPolicy::default())
    }

    #[test]
    fn addresses_keep_their_local_part() {
        for (value, address) in [
            ("anna@example.org", "anna@example.org"),
            ("Anna.Maria+ca@Example.ORG", "Anna.Maria+ca@example.org"),
            ("o'neill@example.org", "o'neill@example.org"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ] {
            assert_eq!(parse(value).expect(value).as_str(), address);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for value in [
            "anna",
            "@example.org",
            "anna@",
            "anna@example.org ",
            " anna@example.org",
            "anna@@example.org",
            "an na@example.org",
            "\"anna\"@example.org",
            ".anna@example.org",
            "an..na@example.org",
            "anna.@example.org",
            "anna\0@example.org",
            "anna@*.example.org",
            "anna@exa_mple.org",
            "Anna <anna@example.org>",
            "žofie@example.org",
            long.as_str(),
        ] {
            assert_eq!(parse(value).expect_err(value).rule, "I9", "{value}");
        }
    }

    #[test]
    fn the_domain_obeys_the_rule_for_internationalised_names() {
        assert_eq!(
            parse("anna@bücher.example").expect_err("unicode").rule,
            "I10"
        );
        let mixed = idna::domain_to_ascii("раypal.com").expect("valid");
        assert_eq!(
            parse(&format!("anna@{mixed}")).expect_err("mixed").rule,
            "I10"
        );
    }
}
