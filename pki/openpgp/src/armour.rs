//! ASCII armour (RFC 9580 section 6) of public keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_24_OPENPGP, Crc};

use crate::PgpError;

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
const SECRET: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
/// Octets on a line.
const LINE: usize = 48;
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_24_OPENPGP);

/// The octets of a public key: as they are, or inside one armour with any text around it.
pub fn decode(input: &[u8]) -> Result<Vec<u8>, PgpError> {
    // A packet begins with this bit; text in ASCII never has it.
    if input.first().is_some_and(|octet| octet & 0x80 != 0) {
        return Ok(input.to_vec());
    }
    let text = std::str::from_utf8(input).map_err(|_| PgpError::Armour("it is not text"))?;
    if text.contains(SECRET) {
        return Err(PgpError::SecretKey);
    }
    let mut lines = text.lines().map(str::trim_end);
    lines
        .find(|line| *line == BEGIN)
        .ok_or(PgpError::Armour("there is no PGP PUBLIC KEY BLOCK"))?;
    // Headers such as "Version:" end with an empty line.
    let mut lines = lines.skip_while(|line| line.contains(": ")).peekable();
    lines.next_if(|line| line.is_empty());
    let mut encoded = String::new();
    let mut checksum = None;
    for line in lines.by_ref() {
        if line == END {
            if lines.any(|line| line == BEGIN) {
                return Err(PgpError::SeveralKeys);
            }
            return finish(&encoded, checksum);
        }
        match line.strip_prefix('=') {
            Some(sum) if !encoded.is_empty() => checksum = Some(sum.to_owned()),
            _ => encoded.push_str(line),
        }
    }
    Err(PgpError::Armour("its end is missing"))
}

fn finish(encoded: &str, checksum: Option<String>) -> Result<Vec<u8>, PgpError> {
    const NOT_BASE64: PgpError = PgpError::Armour("it is not base64");
    let octets = STANDARD.decode(encoded).map_err(|_| NOT_BASE64)?;
    if let Some(checksum) = checksum {
        let given = STANDARD.decode(checksum).map_err(|_| NOT_BASE64)?;
        if given != sum(&octets) {
            return Err(PgpError::Armour("its checksum does not fit"));
        }
    }
    Ok(octets)
}

/// The armour around a public key.
pub fn encode(octets: &[u8]) -> String {
    let mut text = format!("{BEGIN}\n\n");
    for line in octets.chunks(LINE) {
        text.push_str(&STANDARD.encode(line));
        text.push('\n');
    }
    text.push_str(&format!("={}\n{END}\n", STANDARD.encode(sum(octets))));
    text
}

fn sum(octets: &[u8]) -> [u8; 3] {
    let [_, a, b, c] = CHECKSUM.checksum(octets).to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_armoured_is_read() {
        for length in [1, 47, 48, 49, 500] {
            let octets = vec![0x99; length];
            let text = encode(&octets);
            assert_eq!(decode(text.as_bytes()).unwrap(), octets);
            let mailed = format!("Hello,\r\n{}", text.replace('\n', "\r\n"));
            assert_eq!(decode(mailed.as_bytes()).unwrap(), octets);
            let old = text.replacen("\n\n", "\nVersion: 1\nComment: x\n\n", 1);
            assert_eq!(decode(old.as_bytes()).unwrap(), octets);
        }
        assert_eq!(decode(&[0x99, 1]).unwrap(), [0x99, 1]);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let text = encode(&[7; 100]);
        for bad in [
            text.replace(END, ""),
            text.replacen("Bwc", "Bwd", 1),
            text.replacen("Bwc", "B!c", 1),
            String::new(),
        ] {
            assert!(
                matches!(decode(bad.as_bytes()), Err(PgpError::Armour(_))),
                "{bad}"
            );
        }
        let two = text.repeat(2);
        assert_eq!(decode(two.as_bytes()), Err(PgpError::SeveralKeys));
        let secret = text.replace("PUBLIC", "PRIVATE");
        assert_eq!(decode(secret.as_bytes()), Err(PgpError::SecretKey));
    }
}
