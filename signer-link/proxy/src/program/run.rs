//! The loop: what comes from either port goes through the cable to the other.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Options;
use super::command::Command;
use super::port::Port;
use super::signals::Signals;
use crate::{Cable, End, Faults};

/// What waits for a reader that does not read; a real one would have lost it by then.
const READER_BUFFER: usize = 64 * 1024;

/// Carries octets until it is told to end.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let signals = Signals::catch().context("cannot wait for signals")?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let faults = options.faults();
    let mut proxy = Proxy {
        started: Instant::now(),
        cable: Cable::new(faults, seed),
        faults,
        sides: [
            Side::open(
                End::A,
                Port::open(&options.a, options.baud, options.link_a.as_deref())?,
            ),
            Side::open(
                End::B,
                Port::open(&options.b, options.baud, options.link_b.as_deref())?,
            ),
        ],
        signals,
        stdin: Some(Vec::new()),
        over: false,
    };
    say(&format!(
        "A {}\nB {}\nseed {seed}\nready",
        proxy.sides[0].port.path().display(),
        proxy.sides[1].port.path().display()
    ))?;
    while !proxy.over {
        proxy.give()?;
        proxy.wait()?;
        proxy.take()?;
        proxy.obey()?;
    }
    say(&proxy.counters())
}

struct Proxy {
    started: Instant,
    cable: Cable,
    faults: Faults,
    sides: [Side; 2],
    signals: Signals,
    /// The line that is being read; `None` after its end.
    stdin: Option<Vec<u8>>,
    over: bool,
}

struct Side {
    end: End,
    port: Port,
    /// For the reader at this end.
    waiting: VecDeque<u8>,
}

impl Side {
    fn open(end: End, port: Port) -> Self {
        Self {
            end,
            port,
            waiting: VecDeque::new(),
        }
    }
}

impl Proxy {
    /// What the cable has carried goes to the readers.
    fn give(&mut self) -> anyhow::Result<()> {
        let now = self.started.elapsed();
        for side in &mut self.sides {
            loop {
                let piece = self.cable.pull(side.end, now);
                if piece.is_empty() {
                    break;
                }
                let fits = piece.len().min(READER_BUFFER - side.waiting.len());
                side.waiting.extend(&piece[..fits]);
                self.cable.overrun(side.end, piece.len() - fits);
            }
            while !side.waiting.is_empty() {
                let written = side.port.write(side.waiting.as_slices().0, now)?;
                side.waiting.drain(..written);
                if written == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sleeps until there is something to do.
    fn wait(&mut self) -> anyhow::Result<()> {
        let now = self.started.elapsed();
        let mut deadline = self.cable.deadline();
        for side in &mut self.sides {
            deadline = [deadline, side.port.reopen(now)]
                .into_iter()
                .flatten()
                .min();
        }
        let stdin = io::stdin();
        let mut fds: Vec<PollFd<'_>> = self
            .signals
            .fds()
            .chain(self.stdin.is_some().then(|| stdin.as_fd()))
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        for side in &self.sides {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, self.cable.room(side.end) > 0);
            flags.set(PollFlags::OUT, !side.waiting.is_empty());
            fds.extend(side.port.fd().map(|fd| PollFd::from_borrowed_fd(fd, flags)));
        }
        let timeout = deadline.map(|deadline| timespec(deadline.saturating_sub(now)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for the lines"),
        }
    }

    /// What the writers have written goes into the cable.
    fn take(&mut self) -> anyhow::Result<()> {
        let now = self.started.elapsed();
        for side in &mut self.sides {
            let mut buffer = [0; 4096];
            let room = self.cable.room(side.end).min(buffer.len());
            if room == 0 {
                continue;
            }
            let length = side.port.read(&mut buffer[..room], now)?;
            self.cable.push(side.end, &buffer[..length], now);
        }
        Ok(())
    }

    fn obey(&mut self) -> anyhow::Result<()> {
        for command in self.signals.commands() {
            self.execute(command)?;
        }
        for line in self.lines()? {
            match Command::parse(&line, self.faults) {
                Ok(command) => self.execute(command)?,
                Err(error) => say(&format!("not understood: {error}"))?,
            }
        }
        Ok(())
    }

    fn execute(&mut self, command: Command) -> anyhow::Result<()> {
        let now = self.started.elapsed();
        match command {
            Command::Counters => return say(&self.counters()),
            Command::Cut(time) => self.cable.cut(now, time),
            Command::Faults(faults) => {
                self.faults = faults;
                self.cable.set_faults(faults);
            }
            Command::Quit => {
                self.over = true;
                return Ok(());
            }
            Command::Restore => self.cable.restore(now),
        }
        say("done")
    }

    /// The lines that are on the standard input now.
    fn lines(&mut self) -> anyhow::Result<Vec<String>> {
        let Some(gathered) = &mut self.stdin else {
            return Ok(Vec::new());
        };
        let stdin = io::stdin();
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if !matches!(poll(&mut ready, Some(&at_once)), Ok(1..)) {
            return Ok(Vec::new());
        }
        let mut buffer = [0; 1024];
        let length = rustix::io::read(&stdin, &mut buffer).context("cannot read commands")?;
        gathered.extend_from_slice(&buffer[..length]);
        let mut lines = Vec::new();
        while let Some(end) = gathered.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = gathered.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() {
                lines.push(line);
            }
        }
        if length == 0 || gathered.len() > 1024 {
            self.stdin = None;
        }
        Ok(lines)
    }

    fn counters(&self) -> String {
        format!(
            "A to B: {}\nB to A: {}\ncuts: {}",
            self.cable.counters(End::A),
            self.cable.counters(End::B),
            self.cable.cuts()
        )
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .context("cannot write to the standard output")
}
