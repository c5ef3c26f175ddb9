//! Host names as they stand in a dNSName (RFC 1034 section 3.5, RFC 1123 section 2.1, RFC 5280 section 4.2.1.6).

use std::fmt;

use super::idn::IdnPolicy;
use crate::refusal::Refusal;

/// A host name in lower case, A-labels only, with a wildcard at most as its whole leftmost label.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostName(String);

impl HostName {
    /// Checks `value`; the caller names the field of a refusal.
    pub fn parse(value: &str, idn: &IdnPolicy) -> Result<Self, Refusal> {
        if !value.is_ascii() {
            return Err(refuse_unicode(value));
        }
        let host = value.to_ascii_lowercase();
        check_syntax(&host)?;
        idn.check(&host)?;
        Ok(Self(host))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the leftmost label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether the name lies outside the public DNS: a single label, or under a name reserved for
    /// special use (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476). Nobody can prove control over it.
    pub fn is_internal(&self) -> bool {
        const SPECIAL_USE: [&str; 9] = [
            "alt",
            "example",
            "internal",
            "invalid",
            "local",
            "localhost",
            "onion",
            "test",
            "home.arpa",
        ];
        !self.0.contains('.')
            || SPECIAL_USE.iter().any(|special| {
                self.0
                    .strip_suffix(special)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_syntax(host: &str) -> Result<(), Refusal> {
    if host.is_empty() || host.len() > 253 {
        return Err(refuse(
            format!("the name has {} characters", host.len()),
            "A host name has 1 to 253 characters.",
        ));
    }
    if host.ends_with('.') {
        return Err(refuse(
            format!("\"{host}\" ends with a dot"),
            "Give the name without the final dot.",
        ));
    }

    let labels: Vec<&str> = host.split('.').collect();
    for (position, label) in labels.iter().enumerate() {
        if *label == "*" && position == 0 {
            if labels.len() < 3 {
                return Err(refuse(
                    format!("\"{host}\" is a wildcard over a whole top-level domain"),
                    "Put at least two labels after the wildcard (*.example.org).",
                ));
            }
            continue;
        }
        check_label(host, label)?;
    }

    let last = labels.last().copied().unwrap_or_default();
    if last.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(refuse(
            format!("\"{host}\" ends in a number, as an IP address does"),
            "Give an IP address as an iPAddress (subjectAltName=IP:…).",
        ));
    }
    Ok(())
}

fn check_label(host: &str, label: &str) -> Result<(), Refusal> {
    if label.is_empty() || label.len() > 63 {
        return Err(refuse(
            format!("\"{host}\" has a label of {} characters", label.len()),
            "Each label has 1 to 63 characters.",
        ));
    }
    if label.contains('*') {
        return Err(refuse(
            format!("\"{host}\" has a wildcard that is not its whole leftmost label"),
            "A wildcard stands for the whole leftmost label only (*.example.org).",
        ));
    }
    if let Some(bad) = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
    {
        return Err(refuse(
            format!("{host:?} holds the character {bad:?}"),
            "A host name is made of the letters a-z, digits, hyphens and dots.",
        ));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(refuse(
            format!("the label \"{label}\" begins or ends with a hyphen"),
            "A label begins and ends with a letter or a digit.",
        ));
    }
    if label.as_bytes().get(2..4) == Some(b"--") && !label.starts_with("xn--") {
        return Err(refuse(
            format!("the label \"{label}\" has hyphens in its third and fourth place"),
            "Only A-labels (xn--…) have hyphens in both these places.",
        ));
    }
    Ok(())
}

fn refuse_unicode(value: &str) -> Refusal {
    let remedy = match idna::domain_to_ascii_strict(value) {
        Ok(ascii) => format!(
            "Give the name as A-labels, in the subjectAltName: DNS:{ascii} (and leave the common name out or write \
             it so, too)."
        ),
        Err(_) => "Give the name as A-labels (xn--…), in the subjectAltName.".to_owned(),
    };
    Refusal::new(
        "I10",
        "host name",
        format!("{value:?} is not written in ASCII"),
        remedy,
    )
}

fn refuse(message: String, remedy: &str) -> Refusal {
    Refusal::new("I9", "host name", message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<HostName, Refusal> {
        HostName::parse(value, &IdnPolicy::default())
    }

    #[test]
    fn host_names_are_kept_in_lower_case() {
        for (value, host) in [
            ("www.example.org", "www.example.org"),
            ("WWW.Example.ORG", "www.example.org"),
            ("*.example.org", "*.example.org"),
            ("localhost", "localhost"),
            ("1.2.3.4.example.org", "1.2.3.4.example.org"),
            ("4chan.org", "4chan.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(parse(value).expect(value).as_str(), host);
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = format!("{}.org", vec!["abcdefgh"; 29].join("."));
        for value in [
            "",
            "*",
            "*.",
            "*.org",
            "www.*.org",
            "w*.example.org",
            "*w.example.org",
            "*.*.example.org",
            "example..org",
            ".example.org",
            "example.org.",
            "exa mple.org",
            "exa_mple.org",
            "-a.org",
            "a-.org",
            "ab--cd.org",
            "example.org\0.evil.net",
            "http://example.org",
            "example.org:443",
            "user@example.org",
            "192.0.2.1",
            "2001:db8::1",
            long_label.as_str(),
            long_name.as_str(),
        ] {
            assert_eq!(parse(value).expect_err(value).rule, "I9", "{value}");
        }
    }

    #[test]
    fn a_unicode_name_is_refused_with_its_a_labels() {
        let refusal = parse("bücher.example").expect_err("unicode");
        assert_eq!(refusal.rule, "I10");
        assert!(refusal.remedy.contains("xn--bcher-kva.example"));
    }

    #[test]
    fn names_outside_the_public_dns_are_known() {
        for host in ["localhost", "printer", "a.local", "x.test", "a.home.arpa"] {
            assert!(parse(host).expect(host).is_internal(), "{host}");
        }
        for host in ["example.org", "mylocal.org", "test.org", "contest.com"] {
            assert!(!parse(host).expect(host).is_internal(), "{host}");
        }
    }
}
