//! The committed counts.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

/// Instructions for one request.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) get: u64,
    pub(crate) post: u64,
}

/// In a hundred.
const TOLERANCE: u64 = 5;

impl Budget {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let path = path();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(toml::from_str(&text)?)
    }

    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let text = format!(
            "# Instructions that ocsp-responder runs in user space for one request (the `instructions` step of tests/run).\n\
             # Written by: cargo run --release -p instructions -- --update\n\
             get = {}\n\
             post = {}\n",
            self.get, self.post
        );
        Ok(fs::write(path(), text)?)
    }

    /// Compares, and says what was found.
    pub(crate) fn is_within(&self, budget: &Self) -> bool {
        let get = compare("GET", self.get, budget.get);
        let post = compare("POST", self.post, budget.post);
        if !(get && post) {
            println!(
                "Was the change meant? Then commit the new counts with it:\n  \
                 cargo run --release -p instructions -- --update\n\
                 What takes them?\n  \
                 callgrind_annotate target/instructions/get.out | head -60"
            );
        }
        get && post
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {}, POST {} instructions", self.get, self.post)
    }
}

fn compare(method: &str, found: u64, budget: u64) -> bool {
    // Lossless: counts of some thousands.
    let change = found as f64 / budget.max(1) as f64 - 1.0;
    let within = found.abs_diff(budget) * 100 <= budget * TOLERANCE;
    let verdict = match (within, change > 0.0) {
        (true, _) => "within the budget",
        (false, true) => "TOO MANY",
        (false, false) => "far fewer: lower the budget",
    };
    println!(
        "{method}: {found} instructions a request, budget {budget} ({:+.1} %): {verdict}",
        change * 100.0
    );
    within
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_hundred() {
        let budget = Budget {
            get: 1000,
            post: 1000,
        };
        let found = |get, post| Budget { get, post }.is_within(&budget);
        assert!(found(1050, 950) && found(1000, 1000));
        assert!(!found(1051, 1000) && !found(1000, 949));
    }

    #[test]
    fn the_committed_one_can_be_read() {
        assert!(Budget::read().is_ok());
    }
}
