//! Reading DER (X.690) strictly and without copying.

use const_oid::ObjectIdentifier;

use crate::der_encode::tag;
use crate::time::digits;
use crate::{Serial, Time};

/// One value: its tag, its content, and the whole of it with tag and length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tlv<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Identifier, length and content octets.
    pub whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// A reader of the values inside this one.
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// The value, if it has the tag that `what` needs.
    pub fn expect(self, tag: u8, what: &'static str) -> Result<Self, DerError> {
        if self.tag == tag {
            Ok(self)
        } else {
            Err(DerError::Unexpected {
                what,
                expected: tag,
                found: self.tag,
            })
        }
    }
}

/// Reads one value after the other; never recurses, never copies.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, unread.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next value.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, whatever it is; `what` names it in the error.
    pub fn next(&mut self, what: &'static str) -> Result<Tlv<'a>, DerError> {
        let input = self.rest;
        let (&tag, after_tag) = input.split_first().ok_or(DerError::Truncated(what))?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::HighTag(what));
        }
        let (length, content) = read_length(after_tag, what)?;
        if length > content.len() {
            return Err(DerError::Truncated(what));
        }
        let whole = &input[..input.len() - content.len() + length];
        self.rest = &content[length..];
        Ok(Tlv {
            tag,
            content: &content[..length],
            whole,
        })
    }

    /// The next value, which must have this tag.
    pub fn expect(&mut self, tag: u8, what: &'static str) -> Result<Tlv<'a>, DerError> {
        self.next(what)?.expect(tag, what)
    }

    /// The next value if it has this tag.
    pub fn optional(&mut self, tag: u8, what: &'static str) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) {
            self.next(what).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader of the next SEQUENCE.
    pub fn sequence(&mut self, what: &'static str) -> Result<Self, DerError> {
        Ok(self.expect(tag::SEQUENCE, what)?.reader())
    }

    /// A reader of the next value if it is `[n]` constructed.
    pub fn optional_context(
        &mut self,
        n: u8,
        what: &'static str,
    ) -> Result<Option<Self>, DerError> {
        Ok(self
            .optional(tag::context(n), what)?
            .map(|value| value.reader()))
    }

    /// The content of the next INTEGER: minimal, two's complement.
    pub fn integer(&mut self, what: &'static str) -> Result<&'a [u8], DerError> {
        let content = self.expect(tag::INTEGER, what)?.content;
        minimal_integer(content, what)?;
        Ok(content)
    }

    /// The next INTEGER, which must be small and not negative.
    pub fn small_integer(&mut self, what: &'static str) -> Result<u32, DerError> {
        let content = self.integer(what)?;
        if content.len() > 4 || content[0] & 0x80 != 0 {
            return Err(DerError::BadValue(what));
        }
        Ok(content
            .iter()
            .fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    /// The next INTEGER as a serial number.
    pub fn serial(&mut self, what: &'static str) -> Result<Serial, DerError> {
        let content = self.integer(what)?;
        Serial::from_integer_content(content).map_err(|_| DerError::BadValue(what))
    }

    /// The next BOOLEAN.
    pub fn boolean(&mut self, what: &'static str) -> Result<bool, DerError> {
        match self.expect(tag::BOOLEAN, what)?.content {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(DerError::BadValue(what)),
        }
    }

    /// The content of the next OCTET STRING.
    pub fn octet_string(&mut self, what: &'static str) -> Result<&'a [u8], DerError> {
        Ok(self.expect(tag::OCTET_STRING, what)?.content)
    }

    /// The octets of the next BIT STRING, which must have no unused bits.
    pub fn bit_string(&mut self, what: &'static str) -> Result<&'a [u8], DerError> {
        match self.expect(tag::BIT_STRING, what)?.content {
            [0, octets @ ..] => Ok(octets),
            _ => Err(DerError::BadValue(what)),
        }
    }

    /// The next OBJECT IDENTIFIER.
    pub fn oid(&mut self, what: &'static str) -> Result<ObjectIdentifier, DerError> {
        let content = self.expect(tag::OID, what)?.content;
        ObjectIdentifier::from_bytes(content).map_err(|_| DerError::BadValue(what))
    }

    /// The next UTCTime or GeneralizedTime.
    pub fn time(&mut self, what: &'static str) -> Result<Time, DerError> {
        time_of(self.next(what)?, what)
    }

    /// Nothing may be left.
    pub fn finish(&self, what: &'static str) -> Result<(), DerError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(DerError::Trailing(what))
        }
    }
}

/// The one value that `bytes` hold, with nothing after it.
pub fn single<'a>(bytes: &'a [u8], what: &'static str) -> Result<Tlv<'a>, DerError> {
    let mut reader = Reader::new(bytes);
    let value = reader.next(what)?;
    reader.finish(what)?;
    Ok(value)
}

/// The time in a UTCTime or GeneralizedTime with seconds, `Z` and no fraction (RFC 5280 section 4.1.2.5).
pub fn time_of(value: Tlv<'_>, what: &'static str) -> Result<Time, DerError> {
    let error = DerError::BadValue(what);
    let Some((b'Z', text)) = value.content.split_last() else {
        return Err(error);
    };
    let (year, rest) = match (value.tag, text.len()) {
        (tag::UTC_TIME, 12) => {
            let short = digits(&text[..2]).ok_or(error)?;
            (
                if short < 50 {
                    2000 + short
                } else {
                    1900 + short
                },
                &text[2..],
            )
        }
        (tag::GENERALIZED_TIME, 14) => (digits(&text[..4]).ok_or(error)?, &text[4..]),
        _ => return Err(error),
    };
    let mut pairs = rest.chunks(2).map(digits);
    let mut pair = || pairs.next().flatten().ok_or(error);
    let (month, day, hour, minute, second) = (pair()?, pair()?, pair()?, pair()?, pair()?);
    Time::from_calendar(i64::from(year), month, day, hour, minute, second).ok_or(error)
}

fn read_length<'a>(input: &'a [u8], what: &'static str) -> Result<(usize, &'a [u8]), DerError> {
    let (&first, rest) = input.split_first().ok_or(DerError::Truncated(what))?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(DerError::BadLength(what));
    }
    if rest.len() < count {
        return Err(DerError::Truncated(what));
    }
    let (octets, rest) = rest.split_at(count);
    let length = octets
        .iter()
        .fold(0_usize, |value, &byte| value << 8 | usize::from(byte));
    // DER: the shortest form only.
    if octets[0] == 0 || length < 0x80 {
        return Err(DerError::BadLength(what));
    }
    Ok((length, rest))
}

fn minimal_integer(content: &[u8], what: &'static str) -> Result<(), DerError> {
    match content {
        [] => Err(DerError::BadValue(what)),
        [0x00, second, ..] if second & 0x80 == 0 => Err(DerError::BadValue(what)),
        [0xff, second, ..] if second & 0x80 != 0 => Err(DerError::BadValue(what)),
        _ => Ok(()),
    }
}

/// Why bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DerError {
    /// A length in indefinite form, not the shortest one, or above 4 GiB.
    #[error("{0}: its length is not DER")]
    BadLength(&'static str),
    /// A value outside its type.
    #[error("{0}: its value is not allowed")]
    BadValue(&'static str),
    /// A tag number above 30.
    #[error("{0}: its tag is not used in certificates, CRLs or OCSP")]
    HighTag(&'static str),
    /// Bytes after the end.
    #[error("{0}: more bytes follow it")]
    Trailing(&'static str),
    /// The bytes end inside a value.
    #[error("{0}: the bytes end within it")]
    Truncated(&'static str),
    /// Another type.
    #[error("{what}: tag {expected:#04x} was expected, {found:#04x} found")]
    Unexpected {
        /// What was being read.
        what: &'static str,
        /// The tag it has.
        expected: u8,
        /// The tag that was there.
        found: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_are_not_der() {
        for bytes in [
            &[4, 0x80, 0, 0][..],
            &[4, 0x81, 1, 0],
            &[4, 0x82, 0, 200],
            &[4, 0x85, 1, 1, 1, 1, 1],
        ] {
            assert!(single(bytes, "value").is_err(), "{bytes:?}");
        }
        assert_eq!(
            single(&[4, 2, 1], "value"),
            Err(DerError::Truncated("value"))
        );
        assert_eq!(
            single(&[4, 1, 1, 0], "value"),
            Err(DerError::Trailing("value"))
        );
    }

    #[test]
    fn times() {
        let read = |tag, text: &str| {
            time_of(
                single(&crate::der_encode::tlv(tag, text.as_bytes()), "t").unwrap(),
                "t",
            )
        };
        assert_eq!(read(tag::UTC_TIME, "700101000000Z"), Ok(Time::from_unix(0)));
        assert_eq!(
            read(tag::GENERALIZED_TIME, "20500101000000Z"),
            Ok(Time::from_unix(2_524_608_000))
        );
        for (tag, text) in [
            (tag::UTC_TIME, "7001010000Z"),
            (tag::UTC_TIME, "700101000000+0100"),
            (tag::GENERALIZED_TIME, "20500101000000.5Z"),
            (tag::GENERALIZED_TIME, "20501301000000Z"),
            (tag::GENERALIZED_TIME, ""),
        ] {
            assert!(read(tag, text).is_err(), "{text}");
        }
    }
}
