//! What the answers take: in the file and in the edge's own memory.

use fill::Channel;
use ocsp_load::Methods;

use super::Bench;
use crate::measure::measure_all;
use crate::process::memory;
use crate::table::Table;

/// Measures and gives the table.
pub(crate) fn run(bench: &Bench<'_>) -> anyhow::Result<String> {
    let edge = bench.starter.avouch(bench.site)?;
    // Whatever grows with use has grown by then.
    measure_all(&edge, &bench.load(Methods::Get))?;
    measure_all(&edge, &bench.load(Methods::Post))?;
    let found = memory(&edge.processes())?;
    let file = Channel::open(bench.site)?.octets();
    let count = bench.site.population.count();
    // Lossless enough: for a table.
    let each = |octets: u64| format!("{:.1}", octets as f64 / count as f64);
    let megabytes = |octets: u64| format!("{:.1}", octets as f64 / 1e6);
    let mut table = Table::new(["what", "MB", "octets a certificate"]);
    for (what, octets) in [
        ("answer set (file)", file),
        ("edge, private", found.private),
        ("both", file + found.private),
        ("of the file in memory", found.mapped),
    ] {
        table.row([what.to_owned(), megabytes(octets), each(octets)]);
    }
    Ok(format!(
        "## Memory\n\n{count} certificates, {} CertID hash(es), key of the responder: {}.\n\n{}",
        bench.site.hashes.len(),
        bench.site.authority.algorithm,
        table.markdown()
    ))
}
