//! The same entries with Go's x509.CreateRevocationList and with `openssl ca -gencrl`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use pki::crl::build::CrlEntry;

use crate::entries::entry;

/// Milliseconds that Go takes; it has the entries in memory already.
pub(crate) fn go(directory: &Path, count: u64) -> Result<f64> {
    let mut list = String::new();
    for index in 0..count {
        let CrlEntry {
            serial,
            revocation_date,
            reason,
            ..
        } = entry(count, index);
        let reason = reason.map_or(0, |reason| reason.code());
        writeln!(list, "{serial} {} {reason}", revocation_date.unix())?;
    }
    fs::write(directory.join("entries"), list)?;
    fs::write(
        directory.join("create.go"),
        include_str!("../peers/create.go"),
    )?;
    let program = directory.join("create");
    run(Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg("create.go")
        .env("GOCACHE", directory.join("cache"))
        .env("GO111MODULE", "off")
        .current_dir(directory))?;
    Ok(run(Command::new(program).arg(directory.join("entries")))?
        .trim()
        .parse()?)
}

/// Milliseconds that openssl takes; it reads its database first, as it always does.
pub(crate) fn openssl(directory: &Path, count: u64) -> Result<f64> {
    let mut index = String::new();
    for number in 0..count {
        let entry = entry(count, number);
        let reason = if entry.reason.is_some() {
            ",keyCompromise"
        } else {
            ""
        };
        let time = compact(&entry.revocation_date.to_string());
        writeln!(
            index,
            "R\t490101000000Z\t{time}{reason}\t{}\tunknown\t/CN={number}",
            entry.serial
        )?;
    }
    fs::write(directory.join("index.txt"), index)?;
    fs::write(directory.join("crlnumber"), "01\n")?;
    fs::write(directory.join("ca.cnf"), CONFIG)?;
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(directory);
        command
    };
    run(&mut openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=CA",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "30",
    ]))?;
    let begun = Instant::now();
    run(&mut openssl(&[
        "ca", "-gencrl", "-config", "ca.cnf", "-out", "ca.crl",
    ]))?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

const CONFIG: &str = "\
[ca]
default_ca = it
[it]
database = index.txt
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 7
";

/// `2025-06-15T15:06:40Z` as `250615150640Z`.
fn compact(time: &str) -> String {
    time[2..].chars().filter(|c| !"-:T".contains(*c)).collect()
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
