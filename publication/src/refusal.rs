//! Why a generation is not taken.

use thiserror::Error;

/// Why a follower does not take what it found. What it took before stays.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not made by a pinned key, or changed since.
    #[error("the manifest's signature does not verify with the pinned publication key")]
    BadSignature,
    /// Two manifests claim to be the same generation.
    #[error(
        "generation {generation} was taken already with other content; publish a newer generation"
    )]
    ChangedGeneration {
        /// The generation in question.
        generation: u64,
    },
    /// A manifest that was copied from another channel.
    #[error("the manifest is for channel {named:?}, not for this one")]
    DifferentChannel {
        /// The channel the manifest names.
        named: String,
    },
    /// The object's content is not what the manifest says.
    #[error("object {object} does not have the SHA-256 that the manifest names")]
    HashMismatch {
        /// The object's name.
        object: String,
    },
    /// Not a manifest.
    #[error("the manifest cannot be read: {0}")]
    Malformed(String),
    /// The manifest names an object that is not there.
    #[error("object {object} is missing: {reason}")]
    MissingObject {
        /// The object's name.
        object: String,
        /// What the system said.
        reason: String,
    },
    /// A restored old directory, or an old manifest played back.
    #[error("generation {offered} is older than generation {taken}, which was taken already")]
    OlderGeneration {
        /// The generation found.
        offered: u64,
        /// The generation taken last.
        taken: u64,
    },
    /// Whoever reads the objects found a fault in them.
    #[error("{0}")]
    Unacceptable(String),
    /// The system would not let us read.
    #[error("the manifest cannot be read: {0}")]
    Unreadable(String),
    /// A name that could lead out of the store, or that is none.
    #[error("the manifest holds an unsafe or wrong name: {0:?}")]
    UnsafeName(String),
    /// Nobody is trusted for this channel.
    #[error("no publication key is pinned for this channel; add one to [[trust]]")]
    Untrusted,
    /// The object is shorter or longer than the manifest says.
    #[error("object {object} has {found} octets, not {expected}")]
    WrongSize {
        /// The object's name.
        object: String,
        /// Octets found.
        found: u64,
        /// Octets expected.
        expected: u64,
    },
}

impl Refusal {
    /// A short label for a metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::ChangedGeneration { .. } => "changed_generation",
            Self::DifferentChannel { .. } => "different_channel",
            Self::HashMismatch { .. } => "hash_mismatch",
            Self::Malformed(_) => "malformed",
            Self::MissingObject { .. } => "missing_object",
            Self::OlderGeneration { .. } => "older_generation",
            Self::Unacceptable(_) => "unacceptable",
            Self::Unreadable(_) => "unreadable",
            Self::UnsafeName(_) => "unsafe_name",
            Self::Untrusted => "untrusted",
            Self::WrongSize { .. } => "wrong_size",
        }
    }
}
