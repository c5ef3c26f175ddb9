//! How times may be written (RFC 5280 section 4.1.2.5), and reading those that are written otherwise.

use crate::Time;
use crate::der_encode::tag;
use crate::der_read::{self, Tlv};
use crate::time::digits;
use crate::violation::{Judgement, ensure};

/// UTCTime through 2049 and GeneralizedTime from 2050, both with seconds, `Z` and no fraction.
pub(crate) fn utc_or_generalized(value: Tlv<'_>, what: &'static str) -> Judgement {
    let time = well_formed(value, what)?;
    let needed = if (1950..2050).contains(&time.calendar().0) {
        tag::UTC_TIME
    } else {
        tag::GENERALIZED_TIME
    };
    ensure(value.tag == needed, || {
        let (name, years) = if needed == tag::UTC_TIME {
            ("UTCTime", "through 2049")
        } else {
            ("GeneralizedTime", "from 2050")
        };
        format!(
            "{what} is {}; years {years} are written as {name}",
            text(value)
        )
    })
}

/// GeneralizedTime with seconds, `Z` and no fraction.
pub(crate) fn generalized(value: Tlv<'_>, what: &'static str) -> Judgement {
    well_formed(value, what)?;
    ensure(value.tag == tag::GENERALIZED_TIME, || {
        format!(
            "{what} is {}; it is written as GeneralizedTime",
            text(value)
        )
    })
}

/// The moment that a time means even if it breaks a rule of writing: without seconds, with a
/// fraction, with an offset from UTC.
pub(crate) fn read_leniently(value: Tlv<'_>) -> Option<Time> {
    if let Ok(time) = der_read::time_of(value, "time") {
        return Some(time);
    }
    let content = value.content;
    let at = content
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(content.len());
    let (number, rest) = content.split_at(at);
    let year_digits = match value.tag {
        tag::UTC_TIME => 2,
        tag::GENERALIZED_TIME => 4,
        _ => return None,
    };
    let (year, parts) = number.split_at_checked(year_digits)?;
    let year = match (i64::from(digits(year)?), year_digits) {
        (short, 2) if short < 50 => 2000 + short,
        (short, 2) => 1900 + short,
        (full, _) => full,
    };
    let part = |n: usize| parts.get(2 * n..2 * n + 2).and_then(digits);
    let time = Time::from_calendar(
        year,
        part(0)?,
        part(1)?,
        part(2).unwrap_or(0),
        part(3).unwrap_or(0),
        part(4).unwrap_or(0),
    )?;
    Some(time.plus_seconds(-offset_seconds(rest)))
}

/// Seconds east of UTC at the end of a time; zero for `Z` and for what cannot be read.
fn offset_seconds(rest: &[u8]) -> i64 {
    let Some(at) = rest.iter().position(|byte| matches!(byte, b'+' | b'-')) else {
        return 0;
    };
    let pair = |from: usize| {
        rest.get(from..from + 2)
            .and_then(digits)
            .map_or(0, i64::from)
    };
    let seconds = pair(at + 1) * 3600 + pair(at + 3) * 60;
    if rest[at] == b'-' { -seconds } else { seconds }
}

fn well_formed(value: Tlv<'_>, what: &'static str) -> Result<Time, String> {
    der_read::time_of(value, what).map_err(|_| {
        format!(
            "{what} is {}; seconds, Z and no fraction are needed",
            text(value)
        )
    })
}

fn text(value: Tlv<'_>) -> String {
    format!("{:?}", String::from_utf8_lossy(value.content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der_encode::tlv;

    #[test]
    fn lenient_reading() {
        let read = |tag, text: &str| {
            read_leniently(der_read::single(&tlv(tag, text.as_bytes()), "t").unwrap())
                .map(|time| time.to_string())
        };
        let expected = Some("2026-11-21T10:30:00Z".to_owned());
        for (tag, text) in [
            (tag::UTC_TIME, "261121103000Z"),
            (tag::UTC_TIME, "2611211030Z"),
            (tag::UTC_TIME, "261121123000+0200"),
            (tag::UTC_TIME, "2611210530-0500"),
            (tag::GENERALIZED_TIME, "20261121103000Z"),
            (tag::GENERALIZED_TIME, "20261121103000.25Z"),
            (tag::GENERALIZED_TIME, "20261121103000"),
            (tag::GENERALIZED_TIME, "202611211030Z"),
        ] {
            assert_eq!(read(tag, text), expected, "{text}");
        }
        for (tag, text) in [
            (tag::UTC_TIME, ""),
            (tag::UTC_TIME, "26"),
            (tag::GENERALIZED_TIME, "2026x"),
            (tag::OCTET_STRING, "261121103000Z"),
        ] {
            assert_eq!(read(tag, text), None, "{text}");
        }
    }
}
