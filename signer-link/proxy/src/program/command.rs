//! What the program is told while it runs.

use std::time::Duration;

use super::options::{chance, sometimes, time};
use crate::Faults;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Command {
    Counters,
    Cut(Option<Duration>),
    Faults(Faults),
    Quit,
    Restore,
}

impl Command {
    /// One line; faults change from what they are now.
    pub(crate) fn parse(line: &str, faults: Faults) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let word = words.next().unwrap_or_default();
        let argument = words.next();
        if words.next().is_some() {
            return Err(format!("{word} takes one argument at most"));
        }
        let value = argument.ok_or_else(|| format!("{word} needs a value"));
        Ok(match word {
            "counters" => Self::Counters,
            "cut" => Self::Cut(argument.map(time).transpose()?),
            "cuts" => Self::Faults(Faults {
                cut: sometimes(value?)?,
                ..faults
            }),
            "double" => Self::Faults(Faults {
                double: chance(value?)?,
                ..faults
            }),
            "drop" => Self::Faults(Faults {
                drop: chance(value?)?,
                ..faults
            }),
            "flip" => Self::Faults(Faults {
                flip: chance(value?)?,
                ..faults
            }),
            "garbage" => Self::Faults(Faults {
                garbage: chance(value?)?,
                ..faults
            }),
            "good" => Self::Faults(Faults {
                latency: faults.latency,
                split: faults.split,
                ..Faults::none(faults.baud)
            }),
            "quit" => Self::Quit,
            "reorder" => Self::Faults(Faults {
                reorder: chance(value?)?,
                ..faults
            }),
            "restore" => Self::Restore,
            "stall" => Self::Faults(Faults {
                stall: sometimes(value?)?,
                ..faults
            }),
            _ => {
                return Err(format!(
                    "{word:?} is not known: cut, cut TIME, restore, counters, good, \
                     flip|drop|double|reorder|garbage CHANCE, stall|cuts CHANCE,TIME, quit"
                ));
            }
        })
    }
}
