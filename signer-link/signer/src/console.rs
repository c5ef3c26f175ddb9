//! The console: what the people at the machine can say to the signer. It reads lines from the terminal that the signer
//! was started at, and nothing else can say these things.

use std::io::{self, BufRead, Write};

use pki::Time;
use wire::{Mode, Status};

/// What can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `status`
    Status,
    /// `unlock`
    Unlock,
    /// `lock REASON`
    Lock(String),
    /// `promote`
    Promote,
    /// `wind-down`: issue nothing to subscribers any more.
    WindDown,
    /// `wind-down end`: let the next unlock end that.
    EndWindDown,
    /// `date`: confirm the date anew.
    Date,
    /// `log [N]`: the last records of the journal.
    Log(u64),
    /// `help`
    Help,
    /// `quit`
    Quit,
}

/// What `help` says.
pub const HELP: &str = "\
status          what the signer is ready for, and why not
unlock          open the keys: as many holders type their passphrases as the ceremony set
date            confirm date and time anew (two people look at two clocks)
lock REASON     wipe the keys
promote         make this standby the active signer; the other one must be locked or lost
wind-down       from now on sign revocations, CRLs and certificates of responders only
wind-down end   said before unlock: with that unlock, certificates are issued again
log [N]         the last N records of the journal (10)
quit            stop the signer; its keys are wiped";

impl Command {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Option<Self>, String> {
        let (word, rest) = match line.trim().split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (line.trim(), ""),
        };
        let alone = |command| match rest {
            "" => Ok(Some(command)),
            _ => Err(format!("{word} takes nothing after it; see help")),
        };
        match word {
            "" => Ok(None),
            "status" => alone(Self::Status),
            "unlock" => alone(Self::Unlock),
            "promote" => alone(Self::Promote),
            "date" => alone(Self::Date),
            "help" | "?" => alone(Self::Help),
            "quit" | "exit" => alone(Self::Quit),
            "wind-down" if rest == "end" => Ok(Some(Self::EndWindDown)),
            "wind-down" => alone(Self::WindDown),
            "lock" if rest.is_empty() => {
                Err("lock REASON: the reason goes into the log".to_owned())
            }
            "lock" => Ok(Some(Self::Lock(rest.to_owned()))),
            "log" if rest.is_empty() => Ok(Some(Self::Log(10))),
            "log" => match rest.parse() {
                Ok(count) => Ok(Some(Self::Log(count))),
                Err(_) => Err("log N: N is a number".to_owned()),
            },
            other => Err(format!("{other:?} is no command; see help")),
        }
    }
}

/// The status for people.
pub fn describe(status: &Status) -> String {
    let mut text = format!(
        "signer {} is {}",
        status.signer_id,
        status.mode.to_string().to_uppercase()
    );
    if !status.reason.is_empty() {
        text.push_str(&format!(": {}", status.reason));
    }
    text.push_str(&format!(
        "\n  time            {}, the host is {:+.1} s from it\n  log             {} records, {} archived by the host\n",
        status.time,
        status.host_ahead_milliseconds as f64 / 1_000.0,
        status.head.sequence,
        status.archived
    ));
    if status.winding_down {
        text.push_str("  winding down    revocations, CRLs and certificates of responders only\n");
    }
    text.push_str(&format!("  promotion       epoch {}\n", status.epoch));
    match status.mode {
        Mode::Standby => text.push_str(&format!(
            "  replicated      {} records\n",
            status.replicated
        )),
        Mode::Active | Mode::Suspended => text.push_str(&format!(
            "  this unlock     {} signatures left, {} refusals\n",
            status.signatures_left, status.strikes
        )),
        Mode::Sealed | Mode::Locked => {}
    }
    text
}

/// Asks two people whether the date is right. `answers` is the terminal.
pub fn confirm_date(
    time: Time,
    answers: &mut impl BufRead,
    says: &mut impl Write,
) -> io::Result<bool> {
    for who in ["first", "second"] {
        write!(
            says,
            "It is {time} (UTC). The {who} of you: is that right, by your own clock? [yes/no] "
        )?;
        says.flush()?;
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        if answer.trim() != "yes" {
            writeln!(
                says,
                "Then set the machine's clock (date -u -s …) and start again."
            )?;
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        assert_eq!(Command::parse("  \n"), Ok(None));
        assert_eq!(Command::parse("status\n"), Ok(Some(Command::Status)));
        assert_eq!(
            Command::parse("lock  we leave the house "),
            Ok(Some(Command::Lock("we leave the house".to_owned())))
        );
        assert_eq!(Command::parse("log 3"), Ok(Some(Command::Log(3))));
        assert_eq!(Command::parse("wind-down"), Ok(Some(Command::WindDown)));
        assert_eq!(
            Command::parse("wind-down end"),
            Ok(Some(Command::EndWindDown))
        );
        for wrong in ["lock", "log x", "wind-down now", "unlock now", "rm -rf"] {
            assert!(Command::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_people_confirm_the_date() {
        let time = Time::from_unix(1_795_262_400);
        for (answers, right) in [
            ("yes\nyes\n", true),
            ("yes\nno\n", false),
            ("y\n", false),
            ("", false),
        ] {
            let mut said = Vec::new();
            let confirmed = confirm_date(time, &mut answers.as_bytes(), &mut said).unwrap();
            assert_eq!(confirmed, right, "{answers:?}");
            assert!(String::from_utf8(said).unwrap().contains("2026-11-21"));
        }
    }
}
