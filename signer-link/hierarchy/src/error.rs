//! What is wrong with a hierarchy file.

/// Why a text is no hierarchy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HierarchyError {
    /// The base URL cannot stand in a certificate.
    #[error("base_url {url:?}: {reason}")]
    BaseUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// One CA is described wrongly.
    #[error("CA {name:?}: {reason}")]
    Ca {
        /// The CA.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another table is wrong.
    #[error("{table}: {reason}")]
    Table {
        /// Which.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No CA in it.
    #[error("no [[ca]] in the hierarchy; describe at least one")]
    Empty,
    /// Not TOML, or fields that are not known.
    #[error("the hierarchy file: {0}")]
    Toml(#[from] toml::de::Error),
}
