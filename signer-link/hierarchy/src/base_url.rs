//! The public URL under which status is served.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use crate::HierarchyError;

/// An `http://` URL without a slash at its end. It is written into certificates, which live long: choose a name that
/// stays.
///
/// Plain HTTP, since what is fetched there is signed itself and CRLs and OCSP must not need TLS (CERT-08, HTTP-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL for OCSP requests.
    pub fn ocsp(&self) -> &str {
        &self.0
    }

    /// The URL of the CRL of the CA of this name.
    pub fn crl(&self, issuer: &str) -> String {
        format!("{}/crl/{issuer}.crl", self.0)
    }

    /// The URL of the certificate of the CA of this name.
    pub fn certificate(&self, issuer: &str) -> String {
        format!("{}/ca/{issuer}.cer", self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = HierarchyError;

    fn from_str(text: &str) -> Result<Self, HierarchyError> {
        let wrong = |reason| HierarchyError::BaseUrl {
            url: text.to_owned(),
            reason,
        };
        let rest = text.strip_prefix("http://").ok_or_else(|| {
            wrong("it must begin with http:// (not https: status must be readable without TLS)")
        })?;
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
        if !rest.chars().all(allowed) {
            return Err(wrong(
                "only letters, digits and -._~:/[]% are allowed: no query, fragment, user or spaces",
            ));
        }
        if text.len() > 200 {
            return Err(wrong("longer than 200 octets"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
