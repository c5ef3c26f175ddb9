//! Internationalised domain names (I10; RFC 5890, RFC 5280 section 7.2): which of them may be certified.
//!
//! A name stands in a certificate as A-labels (`xn--…`). It is allowed under a top-level domain
//! whose registry keeps look-alikes out (a list in configuration), or when all characters of each
//! label are of one script, plus 0-9 and the hyphen. A character that several scripts share (the
//! prolonged sound mark of Hiragana and Katakana) counts for each of them, by Unicode's script
//! extensions.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::Deserialize;
use unicode_script::{Script, ScriptExtension, UnicodeScript};

use crate::refusal::Refusal;

/// The top-level domains of I10.
const REGISTRIES: &str = "ac ar at biz br cat ch cl cn de dk es fi gr hu info io ir is jp kr li lt museum no org pl pr \
                          se sh th tm tw vn";

/// Where a domain name may mix scripts: the top-level domains whose registries keep look-alikes out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub struct IdnPolicy {
    top_level_domains: Vec<String>,
}

impl IdnPolicy {
    /// A policy that trusts the registries of `top_level_domains` (`de`, `gr`, …).
    pub fn new<S: Into<String>>(top_level_domains: impl IntoIterator<Item = S>) -> Self {
        Self {
            top_level_domains: top_level_domains.into_iter().map(Into::into).collect(),
        }
    }

    /// Checks the A-labels of `host`, a lower-case name with or without a wildcard label.
    pub(super) fn check(&self, host: &str) -> Result<(), Refusal> {
        let trusted = host
            .rsplit('.')
            .next()
            .is_some_and(|top| self.top_level_domains.iter().any(|known| known == top));
        for label in host.split('.').filter(|label| label.starts_with("xn--")) {
            let unicode = decode(label)?;
            if !trusted && !of_one_script(&unicode) {
                return Err(Refusal::new(
                    "I10",
                    "host name",
                    format!("the label \"{label}\" ({unicode}) mixes scripts"),
                    "Use characters of one script in a label, or a domain under a top-level domain on the list for \
                     internationalised names.",
                ));
            }
        }
        Ok(())
    }
}

impl Default for IdnPolicy {
    fn default() -> Self {
        Self::new(REGISTRIES.split(' '))
    }
}

/// The U-label of `label`, which must be its one valid A-label (RFC 5891 section 5.4).
fn decode(label: &str) -> Result<String, Refusal> {
    let uts46 = Uts46::new();
    let (unicode, valid) = uts46.to_unicode(label.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    let encoded = valid.and_then(|()| {
        uts46.to_ascii(
            unicode.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::Check,
            DnsLength::Verify,
        )
    });
    match encoded {
        Ok(encoded) if encoded == label && unicode != label => Ok(unicode.into_owned()),
        _ => Err(Refusal::new(
            "I10",
            "host name",
            format!("the label \"{label}\" is not a valid A-label"),
            "Convert the name with an IDNA tool (idn2 NAME) and use its output.",
        )),
    }
}

fn of_one_script(label: &str) -> bool {
    let mut shared: Option<ScriptExtension> = None;
    for character in label.chars().filter(|c| !c.is_ascii_digit() && *c != '-') {
        if matches!(
            character.script(),
            Script::Common | Script::Inherited | Script::Unknown
        ) && extension_is_vague(character.script_extension())
        {
            return false;
        }
        let extension = character.script_extension();
        let both = shared.map_or(extension, |shared| shared.intersection(extension));
        if both.is_empty() {
            return false;
        }
        shared = Some(both);
    }
    true
}

fn extension_is_vague(extension: ScriptExtension) -> bool {
    extension.is_common() || extension.is_inherited() || extension.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unicode: &str) -> Result<(), Refusal> {
        let ascii = idna::domain_to_ascii(unicode).expect(unicode);
        IdnPolicy::default().check(&ascii)
    }

    #[test]
    fn one_script_is_allowed_everywhere() {
        for host in [
            "пример.com",
            "παράδειγμα.com",
            "مثال.com",
            "例子.com",
            "bücher24-x.com",
            "www.пример.bücher.com",
            "コーヒー.com",
            "example.com",
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn mixed_scripts_only_under_listed_domains() {
        for host in ["раypal.com", "exαmple.net", "漢字かな.com"] {
            let refusal = check(host).expect_err(host);
            assert_eq!(refusal.rule, "I10");
            assert!(refusal.message.contains("mixes scripts"));
        }
        for host in ["漢字かな.jp", "раypal.de"] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn the_list_is_configuration() {
        let ascii = idna::domain_to_ascii("漢字かな.jp").expect("valid");
        assert!(IdnPolicy::new(["de"]).check(&ascii).is_err());
    }

    #[test]
    fn a_label_that_is_no_idna_is_refused() {
        for host in [
            "xn--.com",
            "xn--a.com",
            "xn--99999999.com",
            "xn--abc-.com",
            "xn--80ak6aa92e-.de",
            "xn--\u{7f}.com",
        ] {
            assert!(IdnPolicy::default().check(host).is_err(), "{host}");
        }
    }

    #[test]
    fn every_top_level_domain_of_the_requirement_is_listed() {
        let policy = IdnPolicy::default();
        assert_eq!(policy.top_level_domains.len(), 34);
        for top in ["museum", "ac", "vn", "org"] {
            assert!(policy.top_level_domains.iter().any(|known| known == top));
        }
    }
}
