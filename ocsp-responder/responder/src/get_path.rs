//! The OCSP request inside a GET path (RFC 6960 appendix A.1), in every spelling that clients use (HTTP-02 to HTTP-04).
//!
//! Base64 with or without padding, with the standard or the URL alphabet, with any character percent-escaped in upper or
//! lower case, after any number of slashes. A `+` is a plus sign, `//` stays what it is, and `..` is nothing special.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is taken off before; the bits that the last character has too many do not matter.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The octets that a path (below the OCSP prefix) spells; `None` if it spells none or more than `limit`.
pub(crate) fn decode(path: &str, limit: usize) -> Option<Vec<u8>> {
    let path = path.trim_start_matches('/');
    // Every octet takes four characters at most (percent-escaped base64).
    if path.len() > limit.saturating_mul(4).saturating_add(16) {
        return None;
    }
    let text = unescape(path)?;
    let end = text
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    BASE64
        .decode(&text[..end])
        .ok()
        .filter(|octets| octets.len() <= limit)
}

/// Whether a path could be meant as an OCSP request at all: a DER SEQUENCE begins with `M` in base64.
pub(crate) fn resembles_request(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.is_empty()
        || path.starts_with('M')
        || path.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'%')
        })
}

/// Base64 text in the standard alphabet, escapes resolved and line ends left out.
fn unescape(path: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        };
        match byte {
            b'-' => text.push(b'+'),
            b'_' => text.push(b'/'),
            b'\r' | b'\n' => {}
            other => text.push(other),
        }
    }
    Some(text)
}

fn hex_digit(byte: u8) -> Option<u8> {
    // Lossless: below 16.
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets whose base64 holds `+`, `/` and padding.
    const OCTETS: &[u8] = &[0x30, 0xfb, 0xef, 0xff, 0xfe, 0x3f, 0xbf, 0x00];

    #[test]
    fn every_spelling() {
        // MPvv//4/vwA=
        for spelling in [
            "/MPvv//4/vwA=",
            "MPvv//4/vwA=",
            "//MPvv//4/vwA=",
            "////MPvv//4/vwA=",
            "/MPvv//4/vwA",
            "/MPvv//4/vwA==",
            "/MPvv%2F%2F4%2FvwA%3D",
            "/MPvv%2f%2f4%2fvwA%3d",
            "/MPvv__4_vwA",
            "/MPvv__4_vwA=",
            "/%4dPvv%2F/4_vwA%3D",
            "/MPvv//4/%0AvwA=%0D%0A",
        ] {
            assert_eq!(decode(spelling, 64).as_deref(), Some(OCTETS), "{spelling}");
        }
        let plus = [0x30, 0xfb, 0xef, 0xbe];
        for spelling in ["/MPvvvg==", "/MPvvvg%3D%3D"] {
            assert_eq!(
                decode(spelling, 64).as_deref(),
                Some(&plus[..]),
                "{spelling}"
            );
        }
        for spelling in ["/M+++Mw", "/M%2B%2b+Mw", "/M---Mw", "/M-+%2BMw"] {
            assert_eq!(
                decode(spelling, 64).as_deref(),
                Some(&[0x33, 0xef, 0xbe, 0x33][..]),
                "{spelling}"
            );
        }
    }

    #[test]
    fn what_spells_nothing() {
        for nonsense in [
            "/M", "/MPvv%2", "/MPvv%", "/MPvv%zz", "/MP vv", "/MP..vv", "/MPvv?", "/ä", "/MP=vv",
        ] {
            assert_eq!(decode(nonsense, 64), None, "{nonsense}");
        }
    }

    #[test]
    fn the_limit_is_of_octets() {
        assert!(decode(&"MDAw".repeat(10), 30).is_some());
        assert!(decode(&"MDAw".repeat(10), 29).is_none());
        assert!(decode(&"%4D%44%41%77".repeat(10), 30).is_some());
        assert!(decode(&"M".repeat(65_000), 30).is_none());
    }

    #[test]
    fn what_resembles_a_request() {
        for path in ["/", "//", "/MFE=", "/MF..", "/ocsp/MFE%2B", "/abc"] {
            assert!(resembles_request(path), "{path}");
        }
        for path in ["/favicon.ico", "/robots.txt", "/a b", "/~x"] {
            assert!(!resembles_request(path), "{path}");
        }
    }
}
