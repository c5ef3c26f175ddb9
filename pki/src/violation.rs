//! Broken rules, and the tables of checks that find them.

/// A rule that an object breaks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{rule}: {message}")]
pub struct Violation {
    /// The rule by its name in the standards checklist (`OCSP-38`), else the section of the RFC.
    pub rule: &'static str,
    /// What is wrong with the object.
    pub message: String,
}

impl Violation {
    /// A violation of `rule`.
    pub fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule,
            message: message.into(),
        }
    }
}

/// What a check says: nothing, or what is wrong.
pub(crate) type Judgement = Result<(), String>;

/// One named check in a table; `F` is the function type that the table's subject needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check<F> {
    pub(crate) rule: &'static str,
    pub(crate) name: &'static str,
    pub(crate) run: F,
}

impl<F> Check<F> {
    /// What this check finds when its function is run by `run`.
    pub(crate) fn violation(&self, run: impl FnOnce(&F) -> Judgement) -> Option<Violation> {
        run(&self.run).err().map(|message| Violation {
            rule: self.rule,
            message,
        })
    }
}

/// `Err` with the message that `message` makes, unless `holds`.
pub(crate) fn ensure(holds: bool, message: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(message()) }
}
