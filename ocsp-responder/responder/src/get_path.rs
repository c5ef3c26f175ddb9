//! The OCSP request inside a GET path (RFC 6960 appendix A.1), in every spelling that clients use (HTTP-02 to HTTP-04).
//!
//! Base64 with or without padding, with the standard or the URL alphabet, with any character percent-escaped in upper or
//! lower case, after any number of slashes. A `+` is a plus sign, `//` stays what it is, and `..` is nothing special.

/// Appends the octets that a path (below the OCSP prefix) spells; `None` if it spells none or more than `limit`.
pub(crate) fn decode(path: &str, limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let path = path.trim_start_matches('/').as_bytes();
    // Every octet takes four characters at most (percent-escaped base64).
    if path.len() > limit.saturating_mul(4).saturating_add(16) {
        return None;
    }
    let start = out.len();
    unescape(path, out)?;
    // Octets take the place of the digits that spell them, which are never fewer.
    let text = &mut out[start..];
    let groups = decode_groups(text);
    let (mut read, mut written) = (4 * groups, 3 * groups);
    let mut group = Group::default();
    while let Some(&byte) = text.get(read) {
        read += 1;
        if let Some(octets) = group.take(MEANING[usize::from(byte)])? {
            text[written..written + 3].copy_from_slice(&octets);
            written += 3;
        }
    }
    let (octets, rest) = group.finish()?;
    text[written..written + rest].copy_from_slice(&octets[..rest]);
    written += rest;
    out.truncate(start + written);
    (written <= limit).then_some(())
}

/// Appends the characters of a path, each `%` with its two digits as the one it stands for.
fn unescape(path: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, escape) = rest.split_at(at);
        let [_, high, low, after @ ..] = escape else {
            return None;
        };
        out.extend_from_slice(plain);
        out.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
        rest = after;
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Decodes in place, four digits at a time, for as long as nothing else comes; gives the number of groups. Nearly every
/// request is nothing else.
fn decode_groups(text: &mut [u8]) -> usize {
    let groups = text.len() / 4;
    for group in 0..groups {
        let Some(digits) = text[4 * group..].first_chunk() else {
            return group;
        };
        let [a, b, c, d] = digits.map(usize::from);
        let bits = PLACED[0][a] | PLACED[1][b] | PLACED[2][c] | PLACED[3][d];
        let [outside, octets @ ..] = bits.to_be_bytes();
        if outside != 0 {
            return group;
        }
        if let Some(place) = text[3 * group..].first_chunk_mut() {
            *place = octets;
        }
    }
    groups
}

/// Up to four digits that are not three octets yet.
#[derive(Default)]
struct Group {
    bits: u32,
    digits: u32,
    padded: bool,
}

impl Group {
    /// Takes one character; gives the octets of a group that is complete with it. `None` if it means nothing here.
    fn take(&mut self, meaning: u8) -> Option<Option<[u8; 3]>> {
        match meaning {
            LINE_END => {}
            PADDING => self.padded = true,
            // Nothing may follow the padding.
            digit if digit & NO_DIGIT == 0 && !self.padded => {
                self.bits = self.bits << 6 | u32::from(digit);
                self.digits += 1;
                if self.digits == 4 {
                    let [_, octets @ ..] = self.bits.to_be_bytes();
                    *self = Self::default();
                    return Some(Some(octets));
                }
            }
            _ => return None,
        }
        Some(None)
    }

    /// The last octets, and how many there are; the bits that the last digit has too many do not matter.
    fn finish(&self) -> Option<([u8; 3], usize)> {
        let [_, octets @ ..] = (self.bits << (6 * (4 - self.digits))).to_be_bytes();
        match self.digits {
            0 => Some((octets, 0)),
            2 => Some((octets, 1)),
            3 => Some((octets, 2)),
            _ => None,
        }
    }
}

/// What each character means: the value of a digit of either alphabet, or one of these.
const MEANING: [u8; 256] = meanings();
/// The same at each of the four places of a group; what is no digit has a bit outside the three octets.
const PLACED: [[u32; 256]; 4] = placed();
const NO_DIGIT: u8 = 0xc0;
const PADDING: u8 = 0x40;
const LINE_END: u8 = 0x80;
const NONSENSE: u8 = 0xc0;

const fn meanings() -> [u8; 256] {
    let standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut meanings = [NONSENSE; 256];
    let mut value = 0;
    while value < standard.len() {
        // Lossless: below 64.
        meanings[standard[value] as usize] = value as u8;
        value += 1;
    }
    meanings[b'-' as usize] = 62;
    meanings[b'_' as usize] = 63;
    meanings[b'=' as usize] = PADDING;
    meanings[b'\r' as usize] = LINE_END;
    meanings[b'\n' as usize] = LINE_END;
    meanings
}

const fn placed() -> [[u32; 256]; 4] {
    let mut placed = [[1 << 24; 256]; 4];
    let mut byte = 0;
    while byte < MEANING.len() {
        let mut place = 0;
        while place < 4 && MEANING[byte] & NO_DIGIT == 0 {
            placed[place][byte] = (MEANING[byte] as u32) << (18 - 6 * place);
            place += 1;
        }
        byte += 1;
    }
    placed
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

fn hex_digit(byte: u8) -> Option<u8> {
    // Lossless: below 16.
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    use proptest::prelude::*;

    use super::*;

    fn decode(path: &str, limit: usize) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        super::decode(path, limit, &mut out)?;
        Some(out.split_off(6))
    }

    /// Padding is taken off before; the bits that the last character has too many do not matter.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );

    proptest! {
        /// Step by step it is: resolve escapes, drop line ends, one alphabet, take the padding off, decode.
        #[test]
        fn in_one_pass_as_step_by_step(path in "([A-Za-z0-9+/_-]{0,9}|%[0-9a-f]{2}|%0[AaDd]|%4[dD]|[ -~]|=){0,12}") {
            let plain = path.trim_start_matches('/');
            let mut text = Vec::new();
            let mut bytes = plain.bytes();
            let mut escapes_are_whole = true;
            while let Some(byte) = bytes.next() {
                let hex = |byte: Option<u8>| byte.and_then(hex_digit);
                text.push(match byte {
                    b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                        (Some(high), Some(low)) => high << 4 | low,
                        _ => {
                            escapes_are_whole = false;
                            break;
                        }
                    },
                    other => other,
                });
            }
            text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            for byte in &mut text {
                *byte = match *byte {
                    b'-' => b'+',
                    b'_' => b'/',
                    other => other,
                };
            }
            while text.last() == Some(&b'=') {
                text.pop();
            }
            let expected = BASE64.decode(&text).ok().filter(|_| escapes_are_whole);
            prop_assert_eq!(decode(&path, 1000), expected);
        }
    }

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
