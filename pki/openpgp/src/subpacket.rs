//! What a signature says about itself (RFC 9580 section 5.2.3.7): read, and written.

use pki::Time;

use crate::PgpError;
use crate::packet::new_length;

pub(crate) const CREATED: u8 = 2;
pub(crate) const EXPIRES: u8 = 3;
pub(crate) const KEY_EXPIRES: u8 = 9;
pub(crate) const ISSUER: u8 = 16;
pub(crate) const PRIMARY: u8 = 25;
pub(crate) const POLICY: u8 = 26;
pub(crate) const KEY_FLAGS: u8 = 27;
pub(crate) const ISSUER_FINGERPRINT: u8 = 33;
/// Whoever does not know the subpacket must not rely on the signature.
pub(crate) const CRITICAL: u8 = 0x80;

/// May certify other keys (section 5.2.3.29).
pub const KEY_FLAG_CERTIFY: u8 = 0x01;

/// What is read of a signature's hashed subpackets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) created: Option<Time>,
    pub(crate) expires_after: Option<u32>,
    pub(crate) key_expires_after: Option<u32>,
    pub(crate) key_flags: Option<u8>,
}

impl Said {
    pub(crate) fn read(mut octets: &[u8]) -> Result<Self, PgpError> {
        const CUT: PgpError = PgpError::Malformed("a subpacket is cut off");
        let mut said = Self::default();
        while !octets.is_empty() {
            let (length, rest) = new_length(octets)?;
            let (subpacket, rest) = rest.split_at_checked(length).ok_or(CUT)?;
            octets = rest;
            let (&first, value) = subpacket.split_first().ok_or(CUT)?;
            let kind = first & !CRITICAL;
            match kind {
                CREATED => said.created = Some(Time::from_unix(i64::from(number(value)?))),
                EXPIRES => said.expires_after = Some(number(value)?),
                KEY_EXPIRES => said.key_expires_after = Some(number(value)?),
                KEY_FLAGS => said.key_flags = Some(value.first().copied().unwrap_or_default()),
                // Those of section 5.2.3.7 that change nothing about whether the key has this user id.
                4 | 5 | 7 | 11 | 12 | ISSUER | 20..=26 | 28 | 30 | ISSUER_FINGERPRINT | 34 | 39 => {
                }
                _ if first & CRITICAL != 0 => {
                    return Err(PgpError::Unsupported(format!(
                        "it says something critical that is not understood here (subpacket {kind})"
                    )));
                }
                _ => {}
            }
        }
        Ok(said)
    }
}

fn number(value: &[u8]) -> Result<u32, PgpError> {
    let octets = value.try_into();
    octets
        .map(u32::from_be_bytes)
        .map_err(|_| PgpError::Malformed("a time that has not four octets"))
}

/// Appends one. They are short here: a policy's URI at most.
pub(crate) fn write(to: &mut Vec<u8>, kind: u8, value: &[u8]) {
    match u8::try_from(value.len() + 1) {
        Ok(short @ ..=191) => to.push(short),
        _ => {
            to.push(255);
            let length = u32::try_from(value.len() + 1).unwrap_or(u32::MAX);
            to.extend_from_slice(&length.to_be_bytes());
        }
    }
    to.push(kind);
    to.extend_from_slice(value);
}
