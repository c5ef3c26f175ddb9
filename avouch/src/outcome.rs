//! How every command ends: one report for people and for programs, one exit code.

use std::fmt::{self, Display};
use std::process::ExitCode;

use serde_json::{Value, json};

/// What a command that went well has to say.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// With `--json`: the one object on standard output.
    pub(crate) json: Value,
    /// Without: these lines on standard output.
    pub(crate) text: String,
    /// Whether what was looked at is as it must be; else the exit code is 1.
    pub(crate) holds: bool,
}

impl Outcome {
    pub(crate) fn new(json: Value, text: impl Into<String>) -> Self {
        Self {
            json,
            text: text.into(),
            holds: true,
        }
    }

    /// The command did its work, and what it looked at is not as it must be.
    pub(crate) fn fault(json: Value, text: impl Into<String>) -> Self {
        Self {
            holds: false,
            ..Self::new(json, text)
        }
    }

    /// Everything was said before the end.
    pub(crate) fn silent() -> Self {
        Self {
            json: Value::Null,
            text: String::new(),
            holds: true,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.holds))
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            if !self.json.is_null() {
                println!("{}", self.json);
            }
        } else if !self.text.is_empty() {
            println!("{}", self.text.trim_end_matches('\n'));
        }
    }
}

/// A failure with its remedy apart, so that both reach people and programs.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    remedy: Option<String>,
    rule: Option<String>,
    field: Option<String>,
    usage: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            remedy: None,
            rule: None,
            field: None,
            usage: false,
        }
    }

    /// The command line or a file of configuration is wrong: exit code 64.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            usage: true,
            ..Self::new(message)
        }
    }

    pub(crate) fn remedy(mut self, remedy: impl Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    pub(crate) fn rule(mut self, rule: Option<String>, field: Option<String>) -> Self {
        self.rule = rule.filter(|rule| !rule.is_empty());
        self.field = field.filter(|field| !field.is_empty());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = &self.rule {
            write!(f, "[{rule}] ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  what to do: {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Writes the error to standard error and gives the exit code.
pub(crate) fn fail(error: &anyhow::Error, as_json: bool) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    if as_json {
        let mut object = json!({ "message": plain_message(error, failure) });
        if let Some(failure) = failure {
            for (key, value) in [
                ("rule", &failure.rule),
                ("field", &failure.field),
                ("remedy", &failure.remedy),
            ] {
                if let Some(value) = value {
                    object[key] = json!(value);
                }
            }
        }
        eprintln!("{}", json!({ "error": object }));
    } else {
        eprintln!("avouch: {error:#}");
    }
    ExitCode::from(if failure.is_some_and(|failure| failure.usage) {
        EX_USAGE
    } else {
        1
    })
}

fn plain_message(error: &anyhow::Error, failure: Option<&Failure>) -> String {
    match failure {
        Some(failure) => failure.message.clone(),
        None => format!("{error:#}"),
    }
}

/// `EX_USAGE` of sysexits.h.
pub(crate) const EX_USAGE: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_rule_field_and_remedy() {
        let failure = Failure::new("the name is not among the subjectAltNames")
            .rule(Some("I9".into()), Some("subject.commonName".into()))
            .remedy("add it with -addext subjectAltName=DNS:…");
        assert_eq!(
            failure.to_string(),
            "[I9] subject.commonName: the name is not among the subjectAltNames\n  what to do: add it with -addext subjectAltName=DNS:…"
        );
    }
}
