//! What the program is told at its start.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::{Faults, Sometimes};

/// A serial cable with faults on demand
///
/// Stands between two serial devices or pseudo-terminals and carries octets both ways at the speed of a real line, with
/// the faults that are asked for. What a good pair of programs makes of it: nothing is lost, nothing comes twice, and
/// when the cable is good again, so is the link.
///
/// A rehearsal on one machine, without hardware:
///
///   serial-proxy --link-a /tmp/host-end --link-b /tmp/signer-end --latency 16ms --flip 1e-5 pty pty
///
/// Then let the one program open /tmp/host-end and the other /tmp/signer-end.
///
/// Between real machines: give the computer in the middle two serial ports, one to each, and name them.
///
/// While it runs it takes commands on its standard input, one a line: cut, cut TIME, restore, counters, good,
/// flip|drop|double|reorder|garbage CHANCE, stall CHANCE,TIME, cuts CHANCE,TIME, quit. SIGUSR1 cuts, SIGUSR2 restores,
/// SIGINT and SIGTERM end it. At its end it prints what it has done to the octets.
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Options {
    /// One end: a serial device such as /dev/ttyUSB0, or `pty` to make a pseudo-terminal, whose device is printed
    pub a: OsString,
    /// The other end
    pub b: OsString,
    /// Bits per second of the line (8N1); also set on the devices
    #[arg(long, default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=50_000_000))]
    pub baud: u32,
    /// How long a USB bridge holds small packets, as in 16ms
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = time)]
    pub latency: Duration,
    /// Give the reader pieces of 1 to so many octets; 0: as they come
    #[arg(long, value_name = "OCTETS", default_value_t = 0)]
    pub split: usize,
    /// The chance that an octet gets one wrong bit, as in 1e-6
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = chance)]
    pub flip: f64,
    /// The chance that an octet is lost
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = chance)]
    pub drop: f64,
    /// The chance that an octet comes twice
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = chance)]
    pub double: f64,
    /// The chance that an octet comes after the next one
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = chance)]
    pub reorder: f64,
    /// The chance that garbage follows a zero octet: between frames
    #[arg(long, value_name = "CHANCE", default_value = "0", value_parser = chance)]
    pub garbage: f64,
    /// The chance that the line stands still at an octet, and for how long
    #[arg(long, value_name = "CHANCE,TIME", default_value = "0,0ms", value_parser = sometimes)]
    pub stall: Sometimes,
    /// The chance that the cable is cut at an octet, both ways, and for how long
    #[arg(long, value_name = "CHANCE,TIME", default_value = "0,0ms", value_parser = sometimes)]
    pub cuts: Sometimes,
    /// Repeats the faults of an earlier run; without it they are new, and the number is printed
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Make this a symbolic link to A's device, where A is `pty`
    #[arg(long, value_name = "PATH")]
    pub link_a: Option<PathBuf>,
    /// Make this a symbolic link to B's device, where B is `pty`
    #[arg(long, value_name = "PATH")]
    pub link_b: Option<PathBuf>,
}

impl Options {
    /// The cable that is asked for.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults {
            latency: self.latency,
            split: self.split,
            flip: self.flip,
            drop: self.drop,
            double: self.double,
            reorder: self.reorder,
            garbage: self.garbage,
            stall: self.stall,
            cut: self.cuts,
            ..Faults::none(self.baud)
        }
    }
}

/// A number from 0 to 1.
pub(crate) fn chance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(chance) if (0.0..=1.0).contains(&chance) => Ok(chance),
        _ => Err(format!(
            "{text:?} is not a chance from 0 to 1, such as 0.001 or 1e-6"
        )),
    }
}

/// A whole number of ms, s or min.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u32>().ok().map(u64::from);
    match (number, unit) {
        (Some(number), "ms") => Ok(Duration::from_millis(number)),
        (Some(number), "s") => Ok(Duration::from_secs(number)),
        (Some(number), "min") => Ok(Duration::from_secs(60 * number)),
        _ => Err(format!("{text:?} is not a time such as 16ms, 2s or 5min")),
    }
}

/// A chance, a comma, a time.
pub(crate) fn sometimes(text: &str) -> Result<Sometimes, String> {
    let (before, after) = text
        .split_once(',')
        .ok_or_else(|| format!("{text:?} is not a chance and a time, such as 1e-6,200ms"))?;
    Ok(Sometimes {
        chance: chance(before)?,
        time: time(after)?,
    })
}
