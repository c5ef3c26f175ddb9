//! At rest: nothing but requests. All servers run; in each round each has its turn, so that whatever else happens on the
//! machine happens to all of them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ocsp_load::{Methods, Subjects};
use pki::ocsp::{IssuerHashes, request};
use pki::{HashAlgorithm, Serial};
use synthetic::mix;

use super::Bench;
use crate::fetch::fetch;
use crate::measure::{Measured, measure_all};
use crate::progress::Progress;
use crate::server::Server;
use crate::table::{Table, median};

/// Measures every server and gives the tables.
pub(crate) fn run(bench: &Bench<'_>) -> anyhow::Result<String> {
    let avouch = bench.starter.avouch(bench.site)?;
    let sample = sample(bench);
    let body = fetch(avouch.address, &question(bench, &sample[0]))?;
    let constant = bench.starter.scratch.join("body");
    fs::write(&constant, &body)?;
    let files = files(bench, &avouch, &sample)?;

    let servers = [
        avouch,
        bench.starter.hyper(&constant)?,
        bench.starter.nginx_return(body.len())?,
        bench.starter.nginx_files(&files)?,
        bench.starter.epoll(&constant)?,
    ];
    let mut text = format!(
        "## At rest\n\n{} certificates, answers of {} octets, {} connections, closed loop, {} rounds of {} s.\n",
        bench.site.population.count(),
        body.len(),
        bench.connections,
        bench.rounds,
        bench.seconds.as_secs_f64()
    );
    for (name, methods) in [("GET", Methods::Get), ("POST", Methods::Post)] {
        text += &format!("\n### {name}\n\n");
        text += &method(bench, &servers, &sample, methods, name)?;
    }
    Ok(text)
}

fn method(
    bench: &Bench<'_>,
    servers: &[Server],
    sample: &[Serial],
    methods: Methods,
    name: &str,
) -> anyhow::Result<String> {
    let servers: Vec<_> = servers
        .iter()
        .filter(|server| server.posts || methods == Methods::Get)
        .collect();
    let mut results = vec![Vec::new(); servers.len()];
    let progress = Progress::new(&format!("at rest, {name}"), bench.rounds * servers.len());
    for round in 0..bench.rounds {
        for turn in 0..servers.len() {
            // No server is always the one after the same other.
            let index = (turn + round) % servers.len();
            let server = servers[index];
            progress.step(server.name);
            let mut load = bench.load(methods);
            if server.name == FILES {
                load.subjects = Subjects::Listed(sample.to_vec());
            }
            // The others say the same to every question.
            load.samples = if server.name == AVOUCH { 64 } else { 0 };
            load.seed = round as u64;
            let measured = measure_all(server, &load)?;
            anyhow::ensure!(
                measured.report.is_clean(),
                "{} did not answer well:\n{}",
                server.name,
                measured.report
            );
            results[index].push(measured);
        }
    }
    progress.finish();
    Ok(table(&servers, &results))
}

const AVOUCH: &str = "Avouch";
const FILES: &str = "nginx, files";

fn table(servers: &[&Server], results: &[Vec<Measured>]) -> String {
    let mut table = Table::new([
        "server",
        "CPU µs a request",
        "Avouch needs × this",
        "requests/s",
        "p50 µs",
        "p99 µs",
    ]);
    for (server, rounds) in servers.iter().zip(results) {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        // Round by round, so that a slow minute of the machine cancels out.
        let ratios = results[0]
            .iter()
            .zip(rounds)
            .map(|(avouch, other)| avouch.cpu_us / other.cpu_us);
        table.row([
            server.name.to_owned(),
            format!("{:.2}", of(|m| m.cpu_us)),
            format!("{:.2}", median(ratios)),
            format!("{:.0}", of(|m| m.report.per_second)),
            format!("{:.0}", of(|m| m.report.latency.p50_us)),
            format!("{:.0}", of(|m| m.report.latency.p99_us)),
        ]);
    }
    table.markdown()
}

/// Certificates that have a file: even over the whole population.
fn sample(bench: &Bench<'_>) -> Vec<Serial> {
    let all = bench.site.population;
    let count = bench.files.min(all.count());
    let serials = (0..count).map(|n| all.serial(mix(n) % all.count()));
    // A file cannot be called like a directory.
    serials
        .filter(|serial| !name(&question(bench, serial)).ends_with('/'))
        .collect()
}

/// One file per certificate, called as a GET path calls it, after nginx has resolved the escapes.
fn files(bench: &Bench<'_>, avouch: &Server, sample: &[Serial]) -> anyhow::Result<PathBuf> {
    let root = bench.starter.scratch.join("files");
    let progress = Progress::new("one file per certificate", sample.len());
    let mut connection = crate::fetch::Connection::open(avouch.address)?;
    for serial in sample {
        let question = question(bench, serial);
        let path = root.join(Path::new(name(&question).trim_start_matches('/')));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, connection.fetch(&question)?)?;
        progress.step("");
    }
    progress.finish();
    Ok(root)
}

fn question(bench: &Bench<'_>, serial: &Serial) -> Vec<u8> {
    let hashes = IssuerHashes::of(HashAlgorithm::Sha1, &bench.site.authority.ca);
    request::build(&hashes, std::slice::from_ref(serial), None)
}

fn name(question: &[u8]) -> String {
    STANDARD.encode(question)
}
