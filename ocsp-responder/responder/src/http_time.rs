//! Times in HTTP header fields (RFC 9110 section 5.6.7).

use std::time::{Duration, UNIX_EPOCH};

use hyper::header::HeaderValue;
use pki::Time;

/// `Sat, 21 Nov 2026 10:00:00 GMT`. Times that HTTP cannot write become the nearest one it can.
pub(crate) fn http_date(time: Time) -> HeaderValue {
    const YEAR_10000: i64 = 253_402_300_800;
    // Lossless: not negative.
    let seconds = time.unix().clamp(0, YEAR_10000 - 1).unsigned_abs();
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    // Unwrap safety: an HTTP date is visible ASCII and spaces.
    HeaderValue::from_str(&text).unwrap()
}

/// The time of a header field; `None` if it is no HTTP date (the field is then ignored, RFC 9110 section 13.1.3).
pub(crate) fn parse_http_date(value: &HeaderValue) -> Option<Time> {
    let time = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Time::from_unix(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let time = Time::from_unix(784_111_777);
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse_http_date(&http_date(time)), Some(time));
        for other in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(
                parse_http_date(&HeaderValue::from_static(other)),
                Some(time),
                "{other}"
            );
        }
        assert_eq!(parse_http_date(&HeaderValue::from_static("soon")), None);
    }

    #[test]
    fn times_out_of_range_are_bounded() {
        assert_eq!(
            http_date(Time::from_unix(-5)),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(
            http_date(Time::from_unix(i64::MAX)),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
