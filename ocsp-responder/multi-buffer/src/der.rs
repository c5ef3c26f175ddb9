//! Reading the numbers of private keys, and writing signatures.

use pki::der_encode::tag;
use pki::der_read::{DerError, Reader};
use zeroize::Zeroizing;

/// Little-endian words of a big-endian number, as the library takes them; `None` if it is longer.
pub(crate) fn words(big_endian: &[u8], count: usize) -> Option<Zeroizing<Vec<u64>>> {
    let zeros = big_endian.iter().take_while(|&&octet| octet == 0).count();
    let digits = &big_endian[zeros..];
    if digits.len() > 8 * count {
        return None;
    }
    let mut words = Zeroizing::new(vec![0; count]);
    for (word, octets) in words.iter_mut().zip(digits.rchunks(8)) {
        *word = octets
            .iter()
            .fold(0, |word, octet| word << 8 | u64::from(*octet));
    }
    Some(words)
}

/// The key inside a PrivateKeyInfo (RFC 5958): the content of its SEQUENCE.
pub(crate) fn inner_key(pkcs8: &[u8]) -> Result<Reader<'_>, DerError> {
    const WHAT: &str = "PrivateKeyInfo";
    let mut info = Reader::new(pkcs8).sequence(WHAT)?;
    info.integer("version")?;
    info.sequence("privateKeyAlgorithm")?;
    let mut key = Reader::new(info.octet_string("privateKey")?);
    key.sequence("privateKey")
}

/// Appends an Ecdsa-Sig-Value (RFC 3279 section 2.2.3) of two numbers of 32 octets.
pub(crate) fn ecdsa_signature(numbers: &[[u8; 32]; 2], out: &mut Vec<u8>) {
    let digits = numbers.each_ref().map(|number| {
        let zeros = number.iter().take_while(|&&octet| octet == 0).count();
        // Zero itself keeps one octet.
        &number[zeros.min(31)..]
    });
    let padded = |digits: &[u8]| usize::from(digits[0] >= 0x80);
    let length = |digits: &[u8]| digits.len() + padded(digits);
    // Lossless: 70 at most.
    let content = 4 + length(digits[0]) + length(digits[1]);
    out.extend_from_slice(&[tag::SEQUENCE, content as u8]);
    for digits in digits {
        out.extend_from_slice(&[tag::INTEGER, length(digits) as u8]);
        out.extend_from_slice(&[0][..padded(digits)]);
        out.extend_from_slice(digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki::der_encode::{integer, sequence};

    #[test]
    fn numbers_become_words() {
        let number = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(*words(&number, 2).unwrap(), [0x0203_0405_0607_0809, 1]);
        assert!(words(&number, 1).is_none());
        assert_eq!(*words(&[], 1).unwrap(), [0]);
    }

    #[test]
    fn signatures_are_der() {
        let mut small = [0; 32];
        small[31] = 5;
        let mut high = [0; 32];
        high[2] = 0x80;
        for numbers in [[small, [0x7f; 32]], [[0xff; 32], high], [[0; 32], small]] {
            let mut out = Vec::new();
            ecdsa_signature(&numbers, &mut out);
            let expected = sequence(&[&integer(&numbers[0]), &integer(&numbers[1])]);
            assert_eq!(out, expected);
        }
    }
}
