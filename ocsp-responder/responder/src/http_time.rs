//! Times in HTTP header fields (RFC 9110 section 5.6.7).

use std::time::UNIX_EPOCH;

use hyper::header::HeaderValue;
use pki::{Time, two_digits};

/// An HTTP date as it is written: `Sat, 21 Nov 2026 10:00:00 GMT`.
pub(crate) type HttpDate = [u8; 29];

/// Times that HTTP cannot write become the nearest one it can.
pub(crate) fn http_date(time: Time) -> HttpDate {
    const YEAR_10000: i64 = 253_402_300_800;
    const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let time = Time::from_unix(time.unix().clamp(0, YEAR_10000 - 1));
    let (year, month, day, hour, minute, second) = time.calendar();
    // Lossless: four digits.
    let year = year as u32;
    let mut text = *b"Day, 00 Mon 0000 00:00:00 GMT";
    // 1970-01-01 was a Thursday. Lossless: below 7 and 12.
    text[..3].copy_from_slice(DAYS[(time.unix() / 86_400 % 7) as usize]);
    text[8..11].copy_from_slice(MONTHS[(month - 1) as usize]);
    let mut write = |at: usize, number: u32| {
        text[at..at + 2].copy_from_slice(&two_digits(number));
    };
    write(5, day);
    write(12, year / 100);
    write(14, year % 100);
    write(17, hour);
    write(20, minute);
    write(23, second);
    text
}

/// The date as the value of a header field.
pub(crate) fn header_value(date: &HttpDate) -> HeaderValue {
    // Unwrap safety: an HTTP date is visible ASCII and spaces.
    HeaderValue::from_bytes(date).unwrap()
}

/// The time of a header field; `None` if it is no HTTP date (the field is then ignored, RFC 9110 section 13.1.3).
pub(crate) fn parse_http_date(value: &HeaderValue) -> Option<Time> {
    let time = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Time::from_unix(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn text(time: Time) -> String {
        String::from_utf8(http_date(time).to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn as_another_implementation_writes_it(seconds in 0_u64..253_402_300_800) {
            let theirs = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
            prop_assert_eq!(text(Time::from_unix(seconds.try_into().unwrap())), theirs);
        }
    }

    #[test]
    fn there_and_back() {
        let time = Time::from_unix(784_111_777);
        assert_eq!(text(time), "Sun, 06 Nov 1994 08:49:37 GMT");
        for other in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
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
        assert_eq!(text(Time::from_unix(-5)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            text(Time::from_unix(i64::MAX)),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
