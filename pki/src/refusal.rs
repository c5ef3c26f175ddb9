//! A refusal that its sender can act on: which rule, which field, what was found, what to do.
//!
//! The names of the rules are those of the requirement lists (`I5`, `I9`, `CERT-20`, …), so that an
//! operator can look each one up and a script can tell them apart without reading prose.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// One reason why a request, a key or a name is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// The rule that refused, for example `I9` or `CERT-20`.
    pub rule: Cow<'static, str>,
    /// The part of the request it refused, for example `subject.commonName`.
    pub field: String,
    /// What was found.
    pub message: String,
    /// What its sender can do about it.
    pub remedy: String,
}

impl Refusal {
    /// Makes a refusal by `rule`.
    pub fn new(
        rule: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            rule: Cow::Borrowed(rule),
            field: field.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The same refusal, said of `field`: for rules that do not know where their value came from.
    #[must_use]
    pub fn of_field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} refused by rule {}: {}. {}",
            self.field, self.rule, self.message, self.remedy
        )
    }
}

impl std::error::Error for Refusal {}
