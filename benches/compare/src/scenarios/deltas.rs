//! Revocations arrive, 10,000 a second, signed ahead, under load.

use std::thread;
use std::time::{Duration, Instant};

use fill::sets::Small;
use fill::{Change, Channel, Deltas, Row, Times, revocations};
use ocsp_load::Methods;
use pki::{Clock as _, SystemClock};
use synthetic::mix;

use super::{Bench, HEAD, intensities, row};
use crate::beside::while_it_happens;
use crate::measure::measure_all;
use crate::progress::Progress;
use crate::publish::Watcher;
use crate::server::Server;
use crate::table::{Table, percentile};

const A_SECOND: u64 = 10_000;
const DELTAS_A_SECOND: u64 = 10;

/// Publishes the deltas and gives the table.
pub(crate) fn run(bench: &Bench<'_>) -> anyhow::Result<String> {
    let edge = bench.starter.avouch(bench.site)?;
    bench.warm_up(&edge)?;
    let mut channel = Channel::open(bench.site)?;
    let mut table = Table::new(HEAD);
    let mut took = Vec::new();
    for (number, intensity) in intensities(bench, &edge)?.into_iter().enumerate() {
        let deltas = sign_ahead(bench, number as u64)?;
        let mut load = bench.load(Methods::Get);
        load.pace = intensity.pace;
        let before = measure_all(&edge, &load)?;
        let (found, seconds) = while_it_happens(bench.starter.cores, &edge, &load, || {
            publish(bench, &edge, &mut channel, deltas)
        })?;
        took.extend(seconds);
        let after = measure_all(&edge, &load)?;
        let rest = f64::midpoint(before.report.latency.p99_us, after.report.latency.p99_us);
        table.row(row("at rest, before", intensity, &before, rest));
        table.row(row(
            &format!("{A_SECOND} revocations/s"),
            intensity,
            &found,
            rest,
        ));
        table.row(row("at rest, after", intensity, &after, rest));
    }
    // As it was.
    let base = channel.base()?;
    channel.publish_base(base)?;
    let milliseconds = |share| percentile(&took, share) * 1000.0;
    Ok(format!(
        "## Revocations arrive\n\n{DELTAS_A_SECOND} deltas a second with {} revocations each, signed before.\n\n{}\n\
         From publishing a delta to the edge answering \"revoked\": median {:.0} ms, p99 {:.0} ms.\n",
        A_SECOND / DELTAS_A_SECOND,
        table.markdown(),
        milliseconds(0.5),
        milliseconds(0.99),
    ))
}

/// A delta with one of its certificates.
struct Prepared {
    change: Change,
    one: Row,
}

fn sign_ahead(bench: &Bench<'_>, draw: u64) -> anyhow::Result<Vec<Prepared>> {
    let count = bench.seconds.as_secs().max(1) * DELTAS_A_SECOND * 3;
    let progress = Progress::new("revocations are signed", count as usize);
    let mut deltas = Deltas::default();
    let mut all = Vec::new();
    for number in 0..count {
        // Each delta has a time of its own, so that a later one about the same certificate is told apart.
        let now = SystemClock.now();
        let revoked_at = now.plus_seconds(-(number.cast_signed()) - 1);
        let draw = mix(draw ^ mix(number));
        let rows = revocations(bench.site, draw, A_SECOND / DELTAS_A_SECOND, revoked_at);
        let one = rows[rows.len() / 2];
        let change = deltas.add(
            bench.site,
            Small::sign(bench.site, Times::from(now), &rows)?,
        )?;
        all.push(Prepared { change, one });
        progress.step("");
    }
    progress.finish();
    Ok(all)
}

/// Publishes them on time; how long each took to show, in seconds.
fn publish(
    bench: &Bench<'_>,
    edge: &Server,
    channel: &mut Channel,
    deltas: Vec<Prepared>,
) -> anyhow::Result<Vec<f64>> {
    let mut watcher = Watcher::new(edge.address, &bench.site.authority.ca)?;
    let began = Instant::now();
    let mut took = Vec::new();
    for (number, delta) in (0..).zip(deltas) {
        let due = Duration::from_micros(1_000_000 * number / DELTAS_A_SECOND);
        thread::sleep(due.saturating_sub(began.elapsed()));
        let begun = Instant::now();
        channel.publish_delta(delta.change.kept, delta.change.newest.set())?;
        watcher.wait_for(&delta.one.serial, delta.one.status, &mut || {})?;
        took.push(begun.elapsed().as_secs_f64());
    }
    Ok(took)
}
