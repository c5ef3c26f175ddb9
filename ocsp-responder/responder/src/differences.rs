//! Differences between CRLs: `/crl/{issuer}.diff?from=N` (`docs/crl-difference.md`).
//!
//! The builder has laid out one log for each CRL, of which every difference is a prefix; here it is only cut.

use foldhash::HashMap;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::CrlNumber;
use std::sync::Arc;

use crate::cells::{ObjectCells, PerCore};
use crate::live::StaticObject;
use crate::object::{Asked, Resource};
use crate::response::{Reply, text};

/// The log of one CRL, verified.
#[derive(Debug)]
pub(crate) struct Differences {
    pub(crate) bytes: Bytes,
    /// SHA-256 of the log in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) content_type: HeaderValue,
    pub(crate) paths: Vec<String>,
    /// How much of the log leads from a number to the CRL.
    pub(crate) prefixes: HashMap<CrlNumber, usize>,
    /// What it leads to.
    pub(crate) crl: Arc<StaticObject>,
    pub(crate) cells: PerCore<ObjectCells>,
}

const HOW_TO_ASK: &str = "ask with ?from=N, where N is the number of the CRL that you have, in decimal; \
    the whole CRL is at this URL with .crl instead of .diff\n";
/// 2^159 has that many decimal digits.
const MAX_DIGITS: usize = 48;

impl Differences {
    /// Answers a GET or HEAD.
    pub(crate) fn serve(&self, query: Option<&str>, asked: &Asked<'_>, date: HeaderValue) -> Reply {
        let Some(from) = query.and_then(from) else {
            return text(StatusCode::BAD_REQUEST, date, HOW_TO_ASK);
        };
        let whole = Resource::of(&self.crl, false);
        let Some(&length) = self.prefixes.get(&from) else {
            return whole.serve(asked, date);
        };
        let etag = if Some(&from) == self.crl.crl_number.as_ref() {
            // Whoever has this CRL knows the tag: it need not be told that nothing has changed.
            self.crl.etag.clone()
        } else {
            // Unwrap safety: quotes, hex digits, a hyphen and digits.
            HeaderValue::from_str(&format!("\"{}-{length}\"", self.sha256)).unwrap()
        };
        let difference = Resource {
            bytes: self.bytes.slice(..length),
            etag,
            variants: &[],
            content_type: &self.content_type,
            ..whole
        };
        difference.serve(asked, date)
    }
}

/// The number in the one `from` of a query.
fn from(query: &str) -> Option<CrlNumber> {
    let mut values = query
        .split('&')
        .filter_map(|parameter| parameter.strip_prefix("from="));
    let (Some(digits), None) = (values.next(), values.next()) else {
        return None;
    };
    let is_number = (1..=MAX_DIGITS).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (query, number) in [
            ("from=7", Some(7)),
            ("from=007", Some(7)),
            ("x=1&from=7", Some(7)),
            ("from=0", Some(0)),
            ("", None),
            ("from", None),
            ("from=", None),
            ("from=-1", None),
            ("from=+1", None),
            ("from=1_0", None),
            ("from=1.0", None),
            ("from=0x10", None),
            ("from=7&from=8", None),
            (
                "from=999999999999999999999999999999999999999999999999",
                None,
            ),
            (
                "from=0000000000000000000000000000000000000000000000001",
                None,
            ),
        ] {
            assert_eq!(from(query), number.map(CrlNumber::from), "{query}");
        }
    }
}
