//! Messages on a stream of octets: the length in four octets, most significant first, then the message.

use crate::WireError;
use crate::codec::bound;
use crate::limits::MESSAGE;

/// The octets before each message.
pub const HEADER: usize = 4;

/// A message with its length before it.
pub fn encode(message: &[u8]) -> Result<Vec<u8>, WireError> {
    bound("message", message.len(), MESSAGE)?;
    let length = u32::try_from(message.len()).map_err(|_| WireError::TooLarge {
        field: "message",
        size: message.len(),
        limit: MESSAGE,
    })?;
    let mut framed = Vec::with_capacity(HEADER + message.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    Ok(framed)
}

/// The length of the message that follows this header.
pub fn length(header: [u8; HEADER]) -> Result<usize, WireError> {
    // Lossless: usize has at least 32 bits here.
    let length = u32::from_be_bytes(header) as usize;
    bound("message", length, MESSAGE)?;
    Ok(length)
}
