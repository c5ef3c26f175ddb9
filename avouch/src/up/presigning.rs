//! Progress of presigning, as the presigner tells it in its state file: `progress: {issuer: {done, total}}`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::daemon::State;
use crate::data_dir::DataDir;
use crate::progress::Progress;

/// Shows a bar while answers are being signed ahead.
#[derive(Debug)]
pub(crate) struct Presigning {
    state_file: PathBuf,
    shown: Option<Progress>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
struct Count {
    done: u64,
    total: u64,
}

impl Presigning {
    pub(crate) fn new(data: &DataDir) -> Self {
        Self {
            state_file: data.state_file("ocsp-presigner"),
            shown: None,
        }
    }

    /// Brings the bar up to date; a few certificates are not worth one.
    pub(crate) fn look(&mut self) {
        let sum = State::read(&self.state_file)
            .map(|state| sum(state.progress))
            .unwrap_or_default();
        if sum.done >= sum.total {
            if let Some(progress) = self.shown.take() {
                progress.done("done");
            }
            return;
        }
        if self.shown.is_none() && sum.total - sum.done >= WORTH_A_BAR {
            self.shown = Some(Progress::bar("signing OCSP answers ahead", sum.total));
        }
        if let Some(progress) = &mut self.shown {
            progress.set_total(sum.total);
            progress.set(sum.done);
        }
    }

    /// Takes the bar away so that something else can be said.
    pub(crate) fn pause(&mut self) {
        self.shown = None;
    }
}

fn sum(progress: serde_json::Value) -> Count {
    let issuers: BTreeMap<String, Count> = serde_json::from_value(progress).unwrap_or_default();
    issuers.values().fold(Count::default(), |sum, count| Count {
        done: sum.done + count.done,
        total: sum.total + count.total,
    })
}

pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);
const WORTH_A_BAR: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_added_up_and_nonsense_is_nothing() {
        let progress =
            serde_json::json!({ "a": { "done": 1, "total": 4 }, "b": { "done": 2, "total": 2 } });
        assert_eq!(sum(progress), Count { done: 3, total: 6 });
        assert_eq!(sum(serde_json::Value::Null), Count::default());
    }
}
