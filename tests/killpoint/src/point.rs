//! Counting points, and killing at one.
//!
//! Nothing here may call what the library intercepts, and nothing may panic: it runs inside other programs. A mistake
//! in the environment or a log that cannot be written therefore ends the process with `abort`, so that no test passes
//! by accident.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the environment says.
///
/// Files are opened at the first point and stay open: a program may confine itself so that it can open none later.
struct Settings {
    program: String,
    log: Option<File>,
    armed: Armed,
}

enum Armed {
    /// Points are only counted and logged.
    No,
    /// From the start.
    At(Order),
    /// When there is an order in this file.
    By(File),
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
        let log = std::env::var_os("KILLPOINT_LOG").map(|path| {
            let opened = OpenOptions::new().append(true).create(true).open(path);
            opened.unwrap_or_else(|_| std::process::abort())
        });
        let armed = match (
            std::env::var("KILLPOINT_AT"),
            std::env::var_os("KILLPOINT_CONTROL"),
        ) {
            (Ok(number), _) => {
                let when = std::env::var("KILLPOINT_WHEN").unwrap_or_else(|_| "before".to_owned());
                Armed::At(Order::parse(&format!("{number} {when}")))
            }
            (Err(_), Some(directory)) => {
                let path = PathBuf::from(directory).join(&program);
                let mut options = OpenOptions::new();
                let opened = options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(path);
                Armed::By(opened.unwrap_or_else(|_| std::process::abort()))
            }
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
        let mut log = log;
        if log.write_all(line.as_bytes()).is_err() {
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
    /// Counts against the order in `file`, if there is a whole one; the one who dies at its point takes it out.
    fn follow(&mut self, file: &File) -> Option<bool> {
        let mut text = [0; 64];
        let read = file.read_at(&mut text, 0).unwrap_or_default();
        let Some(text) = str::from_utf8(&text[..read])
            .ok()
            .filter(|text| text.ends_with('\n'))
        else {
            self.since = None;
            return None;
        };
        let order = Order::parse(text);
        let met = match &self.since {
            Some((followed, met)) if *followed == order => met + 1,
            _ => 1,
        };
        if met == order.number && file.set_len(0).is_ok() {
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
