//! Which representation of an object a client gets: as it is, or in a content coding (RFC 9110 section 12.5.3).

use codings::Coding;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderValue};

/// How much a client wants something, in thousandths; 0: not at all.
type Weight = u16;

const FULL: Weight = 1000;

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// In the order of [`Coding::ALL`].
    codings: [Weight; Coding::ALL.len()],
    identity: Weight,
    /// Whether it said a word about identity.
    identity_named: bool,
}

impl Accepted {
    /// What all `Accept-Encoding` fields say together. Elements that are not understood count as not there.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut named: [Option<Weight>; Coding::ALL.len()] = Default::default();
        let mut identity = None;
        let mut others = None;
        for field in headers.get_all(ACCEPT_ENCODING) {
            for (name, weight) in elements(field) {
                if name.eq_ignore_ascii_case("identity") {
                    identity = Some(weight);
                } else if name == "*" {
                    others = Some(weight);
                } else if let Some(coding) = Coding::from_name(name) {
                    named[index(coding)] = Some(weight);
                }
            }
        }
        Self {
            codings: named.map(|weight| weight.or(others).unwrap_or(0)),
            identity: identity.or(others).unwrap_or(FULL),
            identity_named: identity.or(others).is_some(),
        }
    }

    pub(crate) fn accepts(&self, coding: Option<Coding>) -> bool {
        self.weight(coding) > 0
    }

    /// The best of these representations, each with its size; `None` if none of them is acceptable. Identity is always
    /// possible unless it is refused, but somebody who names codings and not it wants them rather than it.
    pub(crate) fn best<T>(
        &self,
        representations: impl Iterator<Item = (Option<Coding>, usize, T)>,
    ) -> Option<T> {
        representations
            .filter(|(coding, _, _)| self.accepts(*coding))
            .min_by_key(|(coding, size, _)| {
                let unasked = coding.is_none() && !self.identity_named;
                (unasked, FULL - self.weight(*coding), *size)
            })
            .map(|(_, _, representation)| representation)
    }

    fn weight(&self, coding: Option<Coding>) -> Weight {
        coding.map_or(self.identity, |coding| self.codings[index(coding)])
    }
}

fn index(coding: Coding) -> usize {
    match coding {
        Coding::Gzip => 0,
        Coding::Zstd => 1,
    }
}

fn elements(field: &HeaderValue) -> impl Iterator<Item = (&str, Weight)> {
    let text = field.to_str().unwrap_or_default();
    text.split(',').filter_map(|element| {
        let (name, weight) = match element.split_once(';') {
            Some((name, parameter)) => (name, quality(parameter)?),
            None => (element, FULL),
        };
        let name = name.trim();
        (!name.is_empty()).then_some((name, weight))
    })
}

/// `q=0.5`: at most three decimals, at most 1 (RFC 9110 section 12.4.2).
fn quality(parameter: &str) -> Option<Weight> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let valid = decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit());
    let decimals: Weight = format!("{decimals:0<3}").parse().ok()?;
    match (whole, valid) {
        ("0", true) => Some(decimals),
        ("1", true) if decimals == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The coding chosen for these fields where gzip has 30 octets, zstd 20, and the object itself 100.
    fn chosen(fields: &[&str]) -> Option<&'static str> {
        let headers = fields
            .iter()
            .map(|field| (ACCEPT_ENCODING, HeaderValue::from_str(field).unwrap()))
            .collect();
        let all = [
            (None, 100, "identity"),
            (Some(Coding::Gzip), 30, "gzip"),
            (Some(Coding::Zstd), 20, "zstd"),
        ];
        Accepted::of(&headers).best(all.into_iter())
    }

    #[test]
    fn by_weight_then_by_size() {
        for (field, expected) in [
            ("gzip", "gzip"),
            ("x-gzip", "gzip"),
            ("GZIP", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("deflate, gzip, br", "gzip"),
            ("gzip;q=1.0, zstd;q=0.999", "gzip"),
            ("zstd;q=0.5, gzip;q=0.4", "zstd"),
            ("gzip;q=0.1", "gzip"),
            ("gzip;q=0.5, identity", "identity"),
            ("gzip;q=0.5, identity;q=0.4", "gzip"),
            ("gzip;q=0", "identity"),
            ("identity", "identity"),
            ("", "identity"),
            ("br", "identity"),
            ("*", "zstd"),
            ("*;q=0.5, gzip", "gzip"),
            ("zstd;q=0, *", "gzip"),
            ("gzip;q=0, *;q=0.1, identity;q=0.2", "identity"),
            ("identity;q=0, gzip;q=0.001", "gzip"),
            ("*;q=0, gzip", "gzip"),
            ("gzip ; q=0.9 ,zstd ;q=0.8", "gzip"),
            // Not understood, so as if it were not there.
            ("gzip;q=2", "identity"),
            ("gzip;q=0.1234", "identity"),
            ("gzip;q=-1, zstd", "zstd"),
            ("gzip;level=9", "identity"),
            (",,;", "identity"),
        ] {
            assert_eq!(chosen(&[field]), Some(expected), "{field}");
        }
        assert_eq!(chosen(&[]), Some("identity"));
        assert_eq!(chosen(&["gzip;q=0.5", "zstd;q=0.6"]), Some("zstd"));
    }

    #[test]
    fn nothing_is_acceptable() {
        for field in [
            "*;q=0",
            "identity;q=0",
            "identity;q=0, gzip;q=0.000",
            "identity;q=0, br",
        ] {
            assert_eq!(chosen(&[field]), None, "{field}");
        }
    }
}
