//! A new base is swapped in, again and again, under load.

use std::time::Duration;

use fill::sets::{Small, fold};
use fill::{Channel, Row, Times};
use ocsp_load::Methods;
use pki::{Clock as _, SystemClock};

use super::{Bench, HEAD, Intensity, intensities, row};
use crate::beside::while_it_happens;
use crate::measure::measure_all;
use crate::process::{Memory, memory};
use crate::progress::Progress;
use crate::publish::Watcher;
use crate::server::Server;
use crate::table::Table;

/// Swaps and gives the table.
pub(crate) fn run(bench: &Bench<'_>) -> anyhow::Result<String> {
    let mut bases = Bases::prepare(bench)?;
    let edge = bench.starter.avouch(bench.site)?;
    bench.warm_up(&edge)?;
    let mut table = Table::new(HEAD);
    let mut notes = String::new();
    for intensity in intensities(bench, &edge)? {
        let mut load = bench.load(Methods::Get);
        load.pace = intensity.pace;
        let before = measure_all(&edge, &load)?;
        let progress = Progress::new("swaps under load", 0);
        let cores = bench.starter.cores;
        let (found, swaps) = while_it_happens(cores, &edge, &load, || bases.swap(bench, &edge))?;
        progress.finish();
        let after = measure_all(&edge, &load)?;
        let rest = f64::midpoint(before.report.latency.p99_us, after.report.latency.p99_us);
        table.row(row("at rest, before", intensity, &before, rest));
        table.row(row(
            &format!("{} swaps", bench.swaps),
            intensity,
            &found,
            rest,
        ));
        table.row(row("at rest, after", intensity, &after, rest));
        notes += &note(intensity, &swaps);
    }
    Ok(format!(
        "## A new base is swapped in\n\n{} certificates; each swap is a whole base that the edge has not seen.\n\n{}\n{notes}",
        bench.site.population.count(),
        table.markdown()
    ))
}

/// What was seen besides the load.
struct Swaps {
    longest: Duration,
    peak: Memory,
}

fn note(intensity: Intensity, swaps: &Swaps) -> String {
    format!(
        "{}: from publishing to serving {:.1} s at most; peak memory {:.0} MB private, {:.0} MB of mapped files.\n",
        intensity.name,
        swaps.longest.as_secs_f64(),
        megabytes(swaps.peak.private),
        megabytes(swaps.peak.mapped),
    )
}

fn megabytes(octets: u64) -> f64 {
    // Lossy: for people.
    octets as f64 / 1e6
}

/// Bases that take turns. Each says something else about one certificate, so that the edge itself tells which it serves.
struct Bases {
    channel: Channel,
    marked: [Row; 2],
    sets: [fill::sets::Set; 2],
    next: usize,
}

impl Bases {
    fn prepare(bench: &Bench<'_>) -> anyhow::Result<Self> {
        let progress = Progress::new("a second base", 0);
        let mut channel = Channel::open(bench.site)?;
        let times = Times::from(SystemClock.now());
        let serial = bench.site.population.serial(0);
        let marked = [1, 2].map(|hours| Row {
            serial,
            status: bench
                .site
                .revocation(times.this_update.plus_seconds(-3600 * hours)),
        });
        let mut make = |row: Row| -> anyhow::Result<fill::sets::Set> {
            let newer = Small::sign(bench.site, times, &[row])?;
            let base = fold(bench.site, &channel, &newer)?;
            channel.publish_base(base)?;
            channel.base()
        };
        let sets = [make(marked[0])?, make(marked[1])?];
        progress.finish();
        Ok(Self {
            channel,
            marked,
            sets,
            next: 0,
        })
    }

    fn swap(&mut self, bench: &Bench<'_>, edge: &Server) -> anyhow::Result<Swaps> {
        let mut watcher = Watcher::new(edge.address, &bench.site.authority.ca)?;
        let processes = edge.processes();
        let mut swaps = Swaps {
            longest: Duration::ZERO,
            peak: Memory::default(),
        };
        for _ in 0..bench.swaps {
            let row = self.marked[self.next];
            self.channel.publish_base(self.sets[self.next].clone())?;
            self.next = 1 - self.next;
            let took = watcher.wait_for(&row.serial, row.status, &mut || {
                // It may have been made smaller since.
                let now = memory(&processes).unwrap_or_default();
                swaps.peak.private = swaps.peak.private.max(now.private);
                swaps.peak.mapped = swaps.peak.mapped.max(now.mapped);
            })?;
            swaps.longest = swaps.longest.max(took);
        }
        Ok(swaps)
    }
}
