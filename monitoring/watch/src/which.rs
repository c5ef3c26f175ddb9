//! An issuer has several CRLs: which of them is meant.

use std::fmt;
use std::sync::Arc;

use pki::Violation;
use pki::crl::Crl;
use pki::crl::verify::Scope;

/// One of the CRLs of an issuer.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Which {
    /// That of all certificates.
    Complete,
    /// The changes since an earlier one (RFC 5280 section 5.2.4).
    Delta,
    /// That of the certificates that name this URI (RFC 5280 section 5.2.5).
    Part(Arc<str>),
}

impl Which {
    /// Where it is at an edge, below its URL.
    pub(crate) fn path(&self, issuer: &str) -> String {
        match self {
            Self::Complete => format!("crl/{issuer}.crl"),
            Self::Delta => format!("crl/{issuer}.delta.crl"),
            Self::Part(uri) => {
                let rest = uri.strip_prefix("http://").unwrap_or(uri);
                let path = rest.split_once('/').map_or(rest, |(_, path)| path);
                path.to_owned()
            }
        }
    }

    /// What a CRL must cover to be this one.
    pub(crate) fn scope<'a>(&'a self, crl: &'a Crl) -> Result<Scope<'a>, Violation> {
        Ok(match self {
            Self::Complete => Scope::Complete,
            Self::Delta => Scope::Delta {
                base: crl.base_number().ok_or_else(|| {
                    Violation::new("CRL-23", "it has no deltaCRLIndicator".to_owned())
                })?,
            },
            Self::Part(uri) => Scope::Partition { uri },
        })
    }

    /// How it is remembered; nothing for the complete one.
    pub(crate) fn remembered(&self) -> Option<String> {
        match self {
            Self::Complete => None,
            Self::Delta => Some(DELTA.to_owned()),
            Self::Part(uri) => Some(uri.to_string()),
        }
    }

    /// The one that was remembered so.
    pub(crate) fn recalled(remembered: Option<&str>) -> Self {
        match remembered {
            None => Self::Complete,
            Some(DELTA) => Self::Delta,
            Some(uri) => Self::Part(uri.into()),
        }
    }
}

/// No URI is that.
const DELTA: &str = "delta";

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("CRL"),
            Self::Delta => f.write_str("delta CRL"),
            Self::Part(uri) => write!(f, "CRL part {uri}"),
        }
    }
}
