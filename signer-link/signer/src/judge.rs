//! Judging what is to be signed (G6): a pure function of the request, the CA, the policy and the clock.
//!
//! The signer trusts nothing that the host says about a certificate or CRL; it reads the bytes. Here stands what
//! must hold for any of them, and [`pki::lint`] and [`pki::crl::verify`] add every rule of the standards. What only
//! memory can tell (a serial number used before, a CRL number that does not rise) is [`crate::memory`]'s.

mod certificate;
mod crl;

use wire::{RefusalCode, Refused};

pub use certificate::{Judged, judge_certificate};
pub use crl::judge_crl;

/// A refusal by policy.
pub(crate) fn policy(field: &str, message: impl Into<String>) -> Refused {
    Refused {
        code: RefusalCode::Policy,
        field: field.to_owned(),
        message: message.into(),
        above: None,
    }
}

/// The reasons against it, as one refusal; a hostile object may have very many, and the first few tell enough.
fn refuse_all(field: &str, violations: &[pki::Violation]) -> Result<(), Refused> {
    const MOST: usize = 8;
    if violations.is_empty() {
        return Ok(());
    }
    let mut text: Vec<_> = violations
        .iter()
        .take(MOST)
        .map(|violation| clip(&violation.to_string()))
        .collect();
    if violations.len() > MOST {
        text.push(format!("and {} more", violations.len() - MOST));
    }
    Err(policy(field, text.join("; ")))
}

/// Messages quote what was sent, which may be long.
fn clip(text: &str) -> String {
    const LONGEST: usize = 400;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
