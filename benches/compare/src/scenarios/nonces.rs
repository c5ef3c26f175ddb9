//! A flood of nonces: requests that want an answer of their own, ten times as many as are allowed.

use fill::answer_live;
use ocsp_load::{Methods, Nonces, Pace};

use super::{Bench, most};
use crate::measure::measure_all;
use crate::table::{Table, median};

/// How many times the budget.
const FLOOD: f64 = 10.0;

/// Measures and gives the table.
pub(crate) fn run(bench: &Bench<'_>) -> anyhow::Result<String> {
    // It has this process's core, as a presigner would have another one than the edge.
    let socket = answer_live(bench.site)?;
    let edge = bench.starter.avouch_with(
        bench.site,
        &format!(
            "\n[fresh]\nsocket = {socket:?}\nper_second = {budget:.0}\nper_network_per_second = {budget:.0}\n",
            budget = bench.nonce_budget
        ),
    )?;
    bench.warm_up(&edge)?;
    let flood = FLOOD * bench.nonce_budget;
    // A third is plain, so that there is room for the flood.
    let steady = most(bench, &edge)? / 3.0;
    let mut quiet = bench.load(Methods::Get);
    quiet.pace = Pace::Open(steady);
    let mut flooded = quiet.clone();
    flooded.pace = Pace::Open(steady + flood);
    flooded.nonces = Nonces::Share(flood / (steady + flood));

    let (mut at_rest, mut under) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        at_rest.push(measure_all(&edge, &quiet)?);
        under.push(measure_all(&edge, &flooded)?);
    }
    let mut table = Table::new(["requests without a nonce", "p50 µs", "p99 µs", "failed"]);
    for (what, found) in [("at rest", &at_rest), ("in the flood", &under)] {
        let of = |value: fn(&ocsp_load::Latency) -> f64| {
            format!(
                "{:.0}",
                median(found.iter().map(|m| value(&m.report.latency)))
            )
        };
        let failed: u64 = found.iter().map(|m| m.report.failed).sum();
        table.row([
            what.to_owned(),
            of(|latency| latency.p50_us),
            of(|latency| latency.p99_us),
            failed.to_string(),
        ]);
    }
    let pairs = at_rest.iter().zip(&under);
    let ratio =
        median(pairs.map(|(rest, flood)| flood.report.latency.p99_us / rest.report.latency.p99_us));
    let sum = |value: fn(&ocsp_load::Report) -> u64| -> u64 {
        under.iter().map(|m| value(&m.report)).sum()
    };
    Ok(format!(
        "## A flood of nonces\n\n{steady:.0} requests/s without a nonce, in the flood {flood:.0} a second with one besides (budget {:.0}).\n\n{}\n\
         p99 in the flood: {ratio:.2} × at rest. Of {} requests with a nonce {} were answered with it, the others with the answer signed ahead.\n",
        bench.nonce_budget,
        table.markdown(),
        sum(|report| report.nonces),
        sum(|report| report.echoed),
    ))
}
