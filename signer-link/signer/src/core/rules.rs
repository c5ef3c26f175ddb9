//! Refusals.

use wire::{RefusalCode, Refused};

/// A refusal with its reason.
pub(super) fn refused(code: RefusalCode, field: &str, message: impl Into<String>) -> Refused {
    Refused {
        code,
        field: field.to_owned(),
        message: message.into(),
        above: None,
    }
}
