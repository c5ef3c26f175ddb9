//! What is wrong with a message.

/// Why octets are no message, or a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not the CBOR of a message of this version.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// A field or the message is larger than allowed.
    #[error("{field} has {size} octets or items; at most {limit} are allowed")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// Its size.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Another encoding of the same content, an unknown or duplicate field, or octets after the end.
    #[error("not in the canonical encoding (unknown or duplicate fields, or octets after the end)")]
    NotCanonical,
}
