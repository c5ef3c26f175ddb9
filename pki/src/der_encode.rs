//! Writing DER (X.690): small functions that each give the bytes of one whole value.

use const_oid::ObjectIdentifier;

use crate::Time;

/// Universal tags.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const ENUMERATED: u8 = 0x0a;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const PRINTABLE_STRING: u8 = 0x13;
    pub const T61_STRING: u8 = 0x14;
    pub const IA5_STRING: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    pub const BMP_STRING: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// `[n]`, constructed: EXPLICIT tags and IMPLICIT ones over SEQUENCE, SET or another choice.
    pub const fn context(n: u8) -> u8 {
        0xa0 | n
    }

    /// `[n]`, primitive: IMPLICIT over a primitive type.
    pub const fn context_primitive(n: u8) -> u8 {
        0x80 | n
    }
}

/// One value: tag, definite length in its shortest form, content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    header(&mut out, tag, content.len());
    out.extend_from_slice(content);
    out
}

/// Appends tag and length of a value whose content of `length` octets follows.
pub fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    let bytes = length.to_be_bytes();
    let [.., high, low] = bytes;
    // Most values are short, and an edge writes a dozen of them for every request.
    match length {
        0..0x80 => out.extend_from_slice(&[tag, low]),
        0x80..0x100 => out.extend_from_slice(&[tag, 0x81, low]),
        0x100..0x1_0000 => out.extend_from_slice(&[tag, 0x82, high, low]),
        _ => {
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            // Lossless: at most 8.
            out.extend_from_slice(&[tag, 0x80 | (bytes.len() - zeros) as u8]);
            out.extend_from_slice(&bytes[zeros..]);
        }
    }
}

/// SEQUENCE of encoded values.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, &parts.concat())
}

/// SET of encoded values, in the order that DER asks for.
pub fn set_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    tlv(tag::SET, &sorted.concat())
}

/// `[n] EXPLICIT` around an encoded value.
pub fn explicit(n: u8, value: &[u8]) -> Vec<u8> {
    tlv(tag::context(n), value)
}

/// INTEGER with this big-endian magnitude, which is not negative.
pub fn integer(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|&&byte| byte == 0).count();
    let digits = &magnitude[zeros..];
    match digits.first() {
        None => tlv(tag::INTEGER, &[0]),
        Some(first) if first & 0x80 != 0 => tlv(tag::INTEGER, &[&[0], digits].concat()),
        Some(_) => tlv(tag::INTEGER, digits),
    }
}

/// BOOLEAN TRUE; FALSE is nearly always a DEFAULT and so never written.
pub fn boolean_true() -> Vec<u8> {
    tlv(tag::BOOLEAN, &[0xff])
}

/// NULL.
pub fn null() -> Vec<u8> {
    tlv(tag::NULL, &[])
}

/// ENUMERATED below 128.
pub fn enumerated(value: u8) -> Vec<u8> {
    tlv(tag::ENUMERATED, &[value])
}

/// OCTET STRING.
pub fn octet_string(bytes: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, bytes)
}

/// BIT STRING of whole octets.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], bytes].concat())
}

/// BIT STRING of named bits (X.690 section 11.2.2): bit 0 is the highest of the first octet, trailing
/// zero bits are left out.
pub fn named_bits(bits: &[u8]) -> Vec<u8> {
    let Some(highest) = bits.iter().max() else {
        return tlv(tag::BIT_STRING, &[0]);
    };
    let mut content = vec![0; usize::from(highest / 8) + 2];
    content[0] = 7 - highest % 8;
    for bit in bits {
        content[usize::from(bit / 8) + 1] |= 0x80 >> (bit % 8);
    }
    tlv(tag::BIT_STRING, &content)
}

/// OBJECT IDENTIFIER.
pub fn oid(value: &ObjectIdentifier) -> Vec<u8> {
    tlv(tag::OID, value.as_bytes())
}

/// UTF8String.
pub fn utf8_string(text: &str) -> Vec<u8> {
    tlv(tag::UTF8_STRING, text.as_bytes())
}

/// GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5.2).
pub fn generalized_time(time: Time) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = time.calendar();
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    tlv(tag::GENERALIZED_TIME, text.as_bytes())
}

/// UTCTime for the years 1950 to 2049, GeneralizedTime for others (RFC 5280 section 4.1.2.5).
pub fn utc_or_generalized_time(time: Time) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = time.calendar();
    if !(1950..2050).contains(&year) {
        return generalized_time(time);
    }
    let text = format!(
        "{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z",
        year.rem_euclid(100)
    );
    tlv(tag::UTC_TIME, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_shortest() {
        assert_eq!(tlv(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(tlv(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[0; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn key_usage_bits() {
        assert_eq!(named_bits(&[0]), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(&[5, 6]), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(&[]), [3, 1, 0]);
    }

    #[test]
    fn the_year_2050() {
        let last = Time::from_unix(2_524_607_999);
        assert_eq!(utc_or_generalized_time(last)[2..], *b"491231235959Z");
        assert_eq!(
            utc_or_generalized_time(last.plus_seconds(1))[2..],
            *b"20500101000000Z"
        );
    }
}
