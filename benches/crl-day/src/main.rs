//! `crl-day`: a model day of CRL downloads from a running Avouch, request by request over loopback.
//!
//! The day that it is held against: 20,000 downloads of 6.5 MB, 130 GB. The model: hourly clients of four kinds, a CRL that
//! changes every hour (or once in the day) by its share of 100 revocations. Every request is made and every octet that
//! comes back is counted, heads included.
#![forbid(unsafe_code)]

mod client;

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;

use crl_day::site::{Serials, Site};

use crate::client::{Client, Kind};

/// A model day of CRL downloads from a running Avouch
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  crl-day                      two days of 20,000 downloads each: a minute
  crl-day --quick              a small CRL and few downloads, to see that it works

It starts `avouch up` from the folder of this program, with a temporary data directory.")]
struct Options {
    /// Downloads in a day
    #[arg(long, default_value_t = 20_000)]
    downloads: u32,

    /// Entries of the CRL with 3-octet serial numbers, at 36 octets each
    #[arg(long, default_value_t = 180_000)]
    entries: u32,

    /// Few downloads of a small CRL
    #[arg(long)]
    quick: bool,
}

const HOURS: u32 = 24;
const REVOKED_IN_A_DAY: u32 = 100;
/// What share of the downloads each kind of client makes, in percent: a guess, stated; the table has each kind by itself.
const SHARES: [(Kind, u32); 4] = [
    (Kind::Plain, 10),
    (Kind::Conditional, 20),
    (Kind::Compressed, 40),
    (Kind::Difference, 30),
];

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.downloads, options.entries) = (240, 5_000);
    }
    let site = Site::start();
    ratios(&site, options.entries)?;
    // Each change takes seconds: revocations that come fast share CRLs.
    let often = if options.quick { 4 } else { HOURS };
    for changes in [often, 1] {
        day(&site, &options, changes)?;
    }
    Ok(())
}

/// What gzip and zstd make of a CRL depends on what its serial numbers are.
fn ratios(site: &Site, entries: u32) -> Result<()> {
    println!("| CRL | octets | gzip | | zstd | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    // As many octets with longer entries.
    for (serials, entries) in [
        (Serials::Sequential, entries),
        (Serials::Random, entries * 36 / 49),
    ] {
        site.import(serials, entries)?;
        let url = site.url(serials);
        let length = |coding| client::body_length(&url, coding);
        let (whole, gzip, zstd) = (length("identity")?, length("gzip")?, length("zstd")?);
        let ratio = |coded: u64| whole as f64 / coded as f64;
        println!(
            "| {} entries, {} | {whole} | {gzip} | {:.2} | {zstd} | {:.2} |",
            entries,
            serials.name(),
            ratio(gzip),
            ratio(zstd)
        );
    }
    println!();
    Ok(())
}

/// A day in which the CRL changes that many times.
fn day(site: &Site, options: &Options, changes: u32) -> Result<()> {
    let started = Instant::now();
    let url = site.url(Serials::Sequential);
    let whole = client::body_length(&url, "identity")?;
    let hourly = options.downloads / HOURS;
    let mut clients = Vec::new();
    for (kind, share) in SHARES {
        clients.extend((0..hourly * share / 100).map(|_| Client::new(kind, &url)));
    }
    // They have the CRL of the day before.
    let current = client::Copy::fetch(&url)?;
    for client in &mut clients {
        client.has(&current);
    }
    let mut requests = 0_u64;
    for hour in 0..HOURS {
        if hour.is_multiple_of(HOURS / changes) {
            site.revoke(Serials::Sequential, REVOKED_IN_A_DAY / changes);
        }
        let current = client::Copy::fetch(&url)?;
        for client in &mut clients {
            client.download(&current)?;
            requests += 1;
        }
    }
    println!(
        "{requests} downloads by {} hourly clients; the CRL ({whole} octets) changes {changes} times by {} revocations \
         in all; {:.0?}\n",
        clients.len(),
        REVOKED_IN_A_DAY / changes * changes,
        started.elapsed()
    );
    println!("| client | downloads | octets | octets a download | 20,000 such downloads |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mut total = 0;
    for (kind, _) in SHARES {
        let of_kind = || clients.iter().filter(|client| client.kind() == kind);
        let downloads = of_kind().count() as u64 * u64::from(HOURS);
        let octets: u64 = of_kind().map(Client::received).sum();
        ensure!(downloads > 0, "too few downloads for one of each kind");
        total += octets;
        let each = octets / downloads;
        println!(
            "| {} | {downloads} | {octets} | {each} | {:.2} GB |",
            kind.name(),
            gigabytes(each * 20_000)
        );
    }
    println!(
        "| all | {requests} | {total} | {} | {:.2} GB, beside 130 GB |\n",
        total / requests,
        gigabytes(total / requests * 20_000)
    );
    Ok(())
}

fn gigabytes(octets: u64) -> f64 {
    octets as f64 / 1e9
}
