//! What is wrong with octets that should be OpenPGP.

/// Why something is not read, or does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PgpError {
    /// The armour around it is damaged.
    #[error("the ASCII armour is damaged: {0}; export the key again (gpg --armor --export)")]
    Armour(&'static str),
    /// The signature does not hold.
    #[error("the signature does not hold: {0}")]
    BadSignature(String),
    /// It is not in the form that the standard says.
    #[error("not well-formed OpenPGP: {0}")]
    Malformed(&'static str),
    /// More than one key.
    #[error("it holds more than one key: give them one by one")]
    SeveralKeys,
    /// A key that must never leave its owner.
    #[error(
        "it is a SECRET key, which nobody but its owner may ever have: export the public one (gpg --armor --export)"
    )]
    SecretKey,
    /// Well-formed, but nothing that is certified here.
    #[error("{0}")]
    Unsupported(String),
}
