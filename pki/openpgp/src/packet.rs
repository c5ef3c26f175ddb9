//! Packets (RFC 9580 section 4): a type and a body, behind a header of either format.

use crate::PgpError;

/// The types that are told apart here.
pub(crate) mod kind {
    pub(crate) const SIGNATURE: u8 = 2;
    pub(crate) const SECRET_KEY: u8 = 5;
    pub(crate) const PUBLIC_KEY: u8 = 6;
    pub(crate) const SECRET_SUBKEY: u8 = 7;
    pub(crate) const MARKER: u8 = 10;
    pub(crate) const TRUST: u8 = 12;
    pub(crate) const USER_ID: u8 = 13;
    pub(crate) const PUBLIC_SUBKEY: u8 = 14;
    pub(crate) const USER_ATTRIBUTE: u8 = 17;
    pub(crate) const PADDING: u8 = 21;
}

/// One packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    /// All packets in these octets.
    pub(crate) fn read_all(mut octets: &[u8]) -> Result<Vec<Self>, PgpError> {
        let mut packets = Vec::new();
        while !octets.is_empty() {
            let (packet, rest) = Self::read(octets)?;
            packets.push(packet);
            octets = rest;
        }
        Ok(packets)
    }

    /// Appends it, with a header of the newer format.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.push(0xc0 | self.kind);
        let length = self.body.len();
        match u8::try_from(length) {
            Ok(short @ ..=191) => to.push(short),
            _ => {
                to.push(255);
                // Bodies are at most as long as what was read.
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                to.extend_from_slice(&length.to_be_bytes());
            }
        }
        to.extend_from_slice(&self.body);
    }

    fn read(octets: &[u8]) -> Result<(Self, &[u8]), PgpError> {
        const CUT: PgpError = PgpError::Malformed("a packet is cut off");
        let (&first, rest) = octets.split_first().ok_or(CUT)?;
        let (kind, (length, rest)) = match first {
            0xc0.. => (first & 0x3f, new_length(rest)?),
            0x80.. => (first >> 2 & 0x0f, old_length(first & 3, rest)?),
            _ => return Err(PgpError::Malformed("no packet where one must begin")),
        };
        let (body, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        let body = body.to_vec();
        Ok((Self { kind, body }, rest))
    }
}

/// Section 4.2.1; also of subpackets.
pub(crate) fn new_length(octets: &[u8]) -> Result<(usize, &[u8]), PgpError> {
    Ok(match octets {
        [short @ ..=191, rest @ ..] => (usize::from(*short), rest),
        [high @ 192..=223, low, rest @ ..] => (
            (usize::from(*high) - 192) * 256 + usize::from(*low) + 192,
            rest,
        ),
        [255, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest),
        [224..=254, ..] => return Err(PgpError::Malformed("a packet in parts")),
        _ => return Err(PgpError::Malformed("a length is cut off")),
    })
}

/// Section 4.2.2.
fn old_length(kind: u8, octets: &[u8]) -> Result<(usize, &[u8]), PgpError> {
    Ok(match (kind, octets) {
        (0, [length, rest @ ..]) => (usize::from(*length), rest),
        (1, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        (2, [a, b, c, d, rest @ ..]) => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest),
        (3, _) => return Err(PgpError::Malformed("a packet without a length")),
        _ => return Err(PgpError::Malformed("a length is cut off")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form() {
        for length in [0, 1, 191, 192, 8_383, 8_384, 70_000] {
            let packet = Packet {
                kind: kind::USER_ID,
                body: vec![7; length],
            };
            let mut octets = Vec::new();
            packet.write(&mut octets);
            assert_eq!(Packet::read_all(&octets).unwrap(), [packet]);
        }
        let two = [0xcd, 192, 0].iter().copied().chain([1; 192]);
        assert_eq!(
            Packet::read_all(&two.collect::<Vec<u8>>()).unwrap()[0]
                .body
                .len(),
            192
        );
        for old in [
            &[0xb4, 2, 1, 2][..],
            &[0xb5, 0, 2, 1, 2],
            &[0xb6, 0, 0, 0, 2, 1, 2],
        ] {
            let packet = &Packet::read_all(old).unwrap()[0];
            assert_eq!((packet.kind, &*packet.body), (kind::USER_ID, &[1, 2][..]));
        }
        for bad in [
            &[0x7f][..],
            &[0xb7, 1],
            &[0xcd, 230, 1],
            &[0xcd, 5, 1],
            &[0xcd],
        ] {
            assert!(Packet::read_all(bad).is_err(), "{bad:02x?}");
        }
    }
}
