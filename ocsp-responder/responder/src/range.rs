//! Byte ranges (RFC 9110 section 14): a single range, as resuming downloaders ask for.

use std::ops::Range;

use hyper::header::HeaderValue;

/// What a `Range` field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// Part of it.
    Part(Range<usize>),
    /// No octet that exists: 416.
    Unsatisfiable,
    /// All of it; also for several ranges and for anything that is not understood.
    Whole,
}

/// Reads a `Range` field against a representation of `length` octets.
pub(crate) fn requested(field: &HeaderValue, length: usize) -> Requested {
    field
        .to_str()
        .ok()
        .and_then(|text| parse(text, length))
        .unwrap_or(Requested::Whole)
}

fn parse(text: &str, length: usize) -> Option<Requested> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    if first.is_empty() {
        return Some(match number(last)?.min(length) {
            0 => Requested::Unsatisfiable,
            count => Requested::Part(length - count..length),
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        number(last)?
    };
    if last < first {
        return None;
    }
    if first >= length {
        return Some(Requested::Unsatisfiable);
    }
    Some(Requested::Part(first..last.saturating_add(1).min(length)))
}

/// Digits only; a number beyond all lengths stays beyond all lengths.
fn number(digits: &str) -> Option<usize> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let of = |text| requested(&HeaderValue::from_static(text), 10);
        assert_eq!(of("bytes=0-3"), Requested::Part(0..4));
        assert_eq!(of("bytes=4-"), Requested::Part(4..10));
        assert_eq!(of("bytes=-3"), Requested::Part(7..10));
        assert_eq!(of("bytes=-30"), Requested::Part(0..10));
        assert_eq!(
            of("bytes=9-99999999999999999999999"),
            Requested::Part(9..10)
        );
        assert_eq!(of("BYTES=0-0"), Requested::Part(0..1));
        for unsatisfiable in ["bytes=10-", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(
                of(unsatisfiable),
                Requested::Unsatisfiable,
                "{unsatisfiable}"
            );
        }
        for whole in [
            "bytes=5-4",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "lines=0-3",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "x",
        ] {
            assert_eq!(of(whole), Requested::Whole, "{whole}");
        }
    }
}
