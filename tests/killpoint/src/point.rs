//! Counting points, and killing at one.
//!
//! Nothing here may call what the library intercepts, and nothing may panic: it runs inside other programs. A mistake
//! in the environment or a log that cannot be written therefore ends the process with `abort`, so that no test passes
//! by accident.

use std::ffi::c_int;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the environment says.
struct Settings {
    program: String,
    log: Option<PathBuf>,
    armed: Armed,
}

enum Armed {
    /// Points are only counted and logged.
    No,
    /// From the start.
    At(Order),
    /// When a file of this name is there.
    By(PathBuf),
}

/// Which point, and on which side of it.
#[derive(Clone, PartialEq, Eq)]
struct Order {
    number: u64,
    after: bool,
}

/// Points met so far: in the whole process, and since the order now in force.
#[derive(Default)]
struct Count {
    all: u64,
    since: Option<(Order, u64)>,
}

static SETTINGS: OnceLock<Option<Settings>> = OnceLock::new();
static COUNT: Mutex<Count> = Mutex::new(Count {
    all: 0,
    since: None,
});

/// Makes the call, and kills before or after it when this is the point.
pub(crate) fn at_point(call: &'static str, make: impl FnOnce() -> c_int) -> c_int {
    let Some(settings) = SETTINGS.get_or_init(Settings::read) else {
        return make();
    };
    let (number, kill) = settings.next();
    settings.write(&format!(
        "point {} {} {number} {call}\n",
        settings.program,
        std::process::id()
    ));
    match kill {
        None => make(),
        Some(after) => {
            if after {
                make();
            }
            let side = if after { "after" } else { "before" };
            settings.write(&format!(
                "kill {} {} {number} {call} {side}\n",
                settings.program,
                std::process::id()
            ));
            die()
        }
    }
}

impl Settings {
    /// `None` when this program is not concerned.
    fn read() -> Option<Self> {
        let program = std::env::current_exe()
            .ok()?
            .file_name()?
            .to_str()?
            .to_owned();
        if std::env::var("KILLPOINT_PROGRAM").is_ok_and(|only| only != program) {
            return None;
        }
        let log = std::env::var_os("KILLPOINT_LOG").map(PathBuf::from);
        let armed = match (
            std::env::var("KILLPOINT_AT"),
            std::env::var_os("KILLPOINT_CONTROL"),
        ) {
            (Ok(number), _) => {
                let when = std::env::var("KILLPOINT_WHEN").unwrap_or_else(|_| "before".to_owned());
                Armed::At(Order::parse(&format!("{number} {when}")))
            }
            (Err(_), Some(directory)) => Armed::By(PathBuf::from(directory).join(&program)),
            (Err(_), None) => Armed::No,
        };
        Some(Self {
            program,
            log,
            armed,
        })
    }

    /// Counts this point; whether to kill here, and then whether after the call.
    fn next(&self) -> (u64, Option<bool>) {
        let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
        count.all += 1;
        let kill = match &self.armed {
            Armed::No => None,
            Armed::At(order) => (order.number == count.all).then_some(order.after),
            Armed::By(file) => count.follow(file),
        };
        (count.all, kill)
    }

    fn write(&self, line: &str) {
        let Some(log) = &self.log else { return };
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if written.is_err() {
            std::process::abort();
        }
    }
}

impl Order {
    fn parse(text: &str) -> Self {
        let parsed = match text.trim().split_once(' ') {
            Some((number, "before")) => number.parse().ok().map(|number| Self {
                number,
                after: false,
            }),
            Some((number, "after")) => number.parse().ok().map(|number| Self {
                number,
                after: true,
            }),
            _ => None,
        };
        parsed.unwrap_or_else(|| std::process::abort())
    }
}

impl Count {
    /// Counts against the order in `file`; the one who removes the file at its point is the one who dies.
    fn follow(&mut self, file: &PathBuf) -> Option<bool> {
        let Ok(text) = std::fs::read_to_string(file) else {
            self.since = None;
            return None;
        };
        let order = Order::parse(&text);
        let met = match &self.since {
            Some((followed, met)) if *followed == order => met + 1,
            _ => 1,
        };
        if met == order.number && std::fs::remove_file(file).is_ok() {
            return Some(order.after);
        }
        self.since = Some((order, met));
        None
    }
}

fn die() -> ! {
    // SAFETY: both calls take integers only. SIGKILL ends the process before `kill` returns to this thread or shortly
    // after; the loop keeps this thread from going on meanwhile.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
        loop {
            libc::pause();
        }
    }
}
