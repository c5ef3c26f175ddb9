//! Conditional requests (RFC 9110 section 13) for representations with a strong entity tag.

use hyper::HeaderMap;
use hyper::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE};
use pki::Time;

use crate::http_time::parse_http_date;

/// Whether the client's copy is the current one, so that 304 is the answer to its GET or HEAD.
///
/// `last_modified` is given only where it tells versions apart; If-None-Match goes before it.
pub(crate) fn not_modified(headers: &HeaderMap, etag: &[u8], last_modified: Option<Time>) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        return headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|field| lists(field.as_bytes(), etag));
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(parse_http_date);
    matches!((since, last_modified), (Some(since), Some(modified)) if modified <= since)
}

/// Whether a Range counts: there is no If-Range, or the client's part is of the current version (strong comparison).
pub(crate) fn range_applies(headers: &HeaderMap, etag: &[u8], last_modified: Option<Time>) -> bool {
    let Some(field) = headers.get(IF_RANGE) else {
        return true;
    };
    if field.as_bytes().contains(&b'"') {
        return field.as_bytes() == etag;
    }
    last_modified.is_some() && parse_http_date(field) == last_modified
}

/// Whether an If-None-Match lists a tag: weak comparison with each; `*` matches everything.
pub(crate) fn lists(list: &[u8], etag: &[u8]) -> bool {
    list.split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|tag| {
            let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
            tag == etag || tag == b"*"
        })
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    const MODIFIED: Time = Time::from_unix(784_111_777);

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn if_none_match() {
        for (list, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(
                not_modified(&headers(IF_NONE_MATCH, list), b"\"a\"", None),
                expected,
                "{list}"
            );
        }
    }

    #[test]
    fn if_none_match_goes_before_if_modified_since() {
        let mut both = headers(IF_NONE_MATCH, "\"b\"");
        both.insert(
            IF_MODIFIED_SINCE,
            HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        assert!(!not_modified(&both, b"\"a\"", Some(MODIFIED)));
        both.remove(IF_NONE_MATCH);
        assert!(not_modified(&both, b"\"a\"", Some(MODIFIED)));
        assert!(!not_modified(
            &both,
            b"\"a\"",
            Some(MODIFIED.plus_seconds(1))
        ));
        assert!(!not_modified(&both, b"\"a\"", None));
    }

    #[test]
    fn if_range_is_compared_strongly() {
        let applies = |value| range_applies(&headers(IF_RANGE, value), b"\"a\"", Some(MODIFIED));
        assert!(range_applies(&HeaderMap::new(), b"\"a\"", None));
        assert!(applies("\"a\""));
        assert!(applies("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(!applies("W/\"a\""));
        assert!(!applies("\"b\""));
        assert!(!applies("Sun, 06 Nov 1994 08:49:38 GMT"));
        assert!(!applies("nonsense"));
    }
}
