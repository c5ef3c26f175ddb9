//! Multiprecision integers (RFC 9580 section 3.2): the number of bits in two octets, then the octets.

use crate::PgpError;

/// The longest number that is read: RSA of 16384 bits.
const LONGEST: usize = 2048;

/// The next number, as its magnitude without leading zeros, and what follows it.
pub(crate) fn read(octets: &[u8]) -> Result<(&[u8], &[u8]), PgpError> {
    const CUT: PgpError = PgpError::Malformed("a number is cut off");
    let (bits, rest) = octets.split_first_chunk().ok_or(CUT)?;
    let bits = usize::from(u16::from_be_bytes(*bits));
    let length = bits.div_ceil(8);
    if length > LONGEST {
        return Err(PgpError::Malformed("a number of more than 16384 bits"));
    }
    let (magnitude, rest) = rest.split_at_checked(length).ok_or(CUT)?;
    if bit_length(magnitude) != bits {
        return Err(PgpError::Malformed("a number whose length is not its own"));
    }
    Ok((magnitude, rest))
}

/// Appends a number.
pub(crate) fn write(to: &mut Vec<u8>, number: &[u8]) {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let magnitude = &number[zeros..];
    // What does not fit is no number that anybody reads; its reader says so.
    let bits = u16::try_from(bit_length(magnitude)).unwrap_or(u16::MAX);
    to.extend_from_slice(&bits.to_be_bytes());
    to.extend_from_slice(magnitude);
}

/// A magnitude with zeros before it, so that it has this length.
pub(crate) fn padded(magnitude: &[u8], length: usize) -> Result<Vec<u8>, PgpError> {
    let zeros = length
        .checked_sub(magnitude.len())
        .ok_or(PgpError::Malformed("a number that is too long for its key"))?;
    let mut padded = vec![0; zeros];
    padded.extend_from_slice(magnitude);
    Ok(padded)
}

fn bit_length(magnitude: &[u8]) -> usize {
    match magnitude.first() {
        None => 0,
        Some(first) => magnitude.len() * 8 - first.leading_zeros() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (number, written) in [
            (&[0, 0, 5][..], &[0, 3, 5][..]),
            (&[0x80, 1], &[0, 16, 0x80, 1]),
            (&[], &[0, 0]),
        ] {
            let mut octets = Vec::new();
            write(&mut octets, number);
            assert_eq!(octets, written);
            let (magnitude, rest) = read(&octets).unwrap();
            assert_eq!((magnitude, rest), (&written[2..], &[][..]));
        }
        assert!(read(&[0, 9, 0x80, 1]).is_err(), "another length");
        assert!(read(&[0, 16, 0x80]).is_err(), "cut");
        assert!(read(&[0xff, 0xff]).is_err());
    }
}
