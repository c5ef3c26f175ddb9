//! How far it is, on standard error.

use std::io::{IsTerminal as _, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, one line elsewhere.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(what: &str, steps: usize) -> Self {
        if !stderr().is_terminal() {
            eprintln!("{what} …");
            return Self(ProgressBar::hidden());
        }
        // Unwrap safety: a constant, seen on the screen.
        let style = ProgressStyle::with_template("{prefix:32} [{bar:30}] {eta:>4}  {msg}")
            .unwrap()
            .progress_chars("=> ");
        let bar = ProgressBar::new(steps as u64).with_style(style);
        Self(bar.with_prefix(what.to_owned()))
    }

    /// One more is done; `next` is being done now.
    pub(crate) fn step(&self, next: &'static str) {
        self.0.set_message(next);
        self.0.inc(1);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
