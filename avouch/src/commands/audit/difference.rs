//! What does not fit, said so that somebody can look at it.

use pki::{CrlNumber, Serial};
use serde_json::{Value, json};

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Of what kind, for programs.
    kind: &'static str,
    /// For people.
    text: String,
    about: About,
}

/// What it is about, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) issuer: Option<String>,
    pub(super) serial: Option<Serial>,
    pub(super) crl: Option<(String, CrlNumber)>,
    pub(super) signer: Option<u8>,
    /// The number of the record in that signer's log.
    pub(super) record: Option<u64>,
}

impl Difference {
    pub(super) fn new(kind: &'static str, about: About, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            about,
        }
    }

    /// In the records of the ledger itself.
    pub(super) fn in_ledger(text: impl Into<String>) -> Self {
        Self::new("ledger", About::default(), text)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn json(&self) -> Value {
        let About {
            issuer,
            serial,
            crl,
            signer,
            record,
        } = &self.about;
        json!({
            "kind": self.kind,
            "issuer": issuer,
            "serial": serial,
            "crl_scope": crl.as_ref().map(|(scope, _)| scope),
            "crl_number": crl.as_ref().map(|(_, number)| number),
            "signer": signer,
            "record": record,
            "text": self.text,
        })
    }
}
