//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::human;

/// With `--json` a program reads standard error: it gets errors alone.
pub(crate) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

static SILENT: AtomicBool = AtomicBool::new(false);

fn tell(line: &str) {
    if !SILENT.load(Ordering::Relaxed) {
        eprintln!("{line}");
    }
}

/// One thing that takes long, counted or not.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    total: Option<u64>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Something whose length is not known.
    pub(crate) fn spinner(what: impl Into<String>) -> Self {
        let progress = Self::start(what.into(), None, SPINNER);
        if let Some(bar) = &progress.bar {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        progress
    }

    /// Something that is done `total` times (or octets, or lines).
    pub(crate) fn bar(what: impl Into<String>, total: u64) -> Self {
        Self::start(what.into(), Some(total), BAR)
    }

    fn start(what: String, total: Option<u64>, template: &str) -> Self {
        let shown = stderr().is_terminal() && !SILENT.load(Ordering::Relaxed);
        let bar = shown.then(|| {
            ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr())
                .with_style(style(template))
                .with_message(what.clone())
        });
        if bar.is_none() {
            tell(&format!("{what} …"));
        }
        // Elapsed time on a screen is no wall-clock time: `pki::Clock` has no part in it.
        let now = Instant::now();
        Self {
            what,
            bar,
            total,
            started: now,
            last_line: now,
        }
    }

    pub(crate) fn set(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.last_line.elapsed() >= PLAIN_LINE_EVERY => {
                self.last_line = Instant::now();
                match self.total {
                    Some(total) => {
                        tell(&format!(
                            "{} … {} of {}",
                            self.what,
                            human::count(done),
                            human::count(total)
                        ));
                    }
                    None => tell(&format!("{} … {}", self.what, human::count(done))),
                }
            }
            None => {}
        }
    }

    pub(crate) fn set_total(&mut self, total: u64) {
        self.total = Some(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// A line above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }

    /// Replaces the bar by one line that says how it went.
    pub(crate) fn done(self, how: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        tell(&format!(
            "{} … {how} ({})",
            self.what,
            human::took(self.started.elapsed())
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // Unwrap safety: the templates are the two constants above, shown by the tests to parse.
    ProgressStyle::with_template(template)
        .unwrap()
        .progress_chars("=> ")
}

const SPINNER: &str = "{spinner} {msg} {elapsed:.dim}";
const BAR: &str = "{msg} [{bar:30}] {percent:>3} % {human_pos} of {human_len}, {eta} left";
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_parse() {
        style(SPINNER);
        style(BAR);
    }
}
