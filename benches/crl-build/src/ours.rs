//! A CRL as the CRL builder makes it: kept entries, one change, streamed through the hash and out.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{Context, SHA256, digest};
use keystore::SigningKey;
use pki::crl::Entries;
use pki::crl::build::CrlContents;
use pki::crl::verify::Scope;
use pki::{CrlNumber, KeyKind, Name, SignatureAlgorithm, Time};

use crate::entries;
use crate::median;

/// Medians, and the peak of the memory.
pub(crate) struct Ours {
    pub(crate) octets: f64,
    pub(crate) sha256_ms: f64,
    pub(crate) write_ms: f64,
    pub(crate) build_ms: f64,
    pub(crate) sign_ms: f64,
    pub(crate) peak_octets: f64,
}

/// Measures with that many entries.
pub(crate) fn measure(count: u64, rounds: usize) -> Result<Ours> {
    let directory = tempfile::tempdir()?;
    let mut entries = entries::all(count);
    let mut build = Vec::new();
    for round in 0..rounds {
        let mut file = File::create(directory.path().join("built"))?;
        let revoked = entries::revocation(round);
        let begun = Instant::now();
        let change = BTreeMap::from([(revoked.serial, Some(revoked))]);
        entries = entries.with(&change);
        stream(&entries, round, &mut file)?;
        build.push(milliseconds(begun));
    }
    let peak_octets = peak_of_memory()?;

    let octets = std::fs::read(directory.path().join("built"))?;
    let (mut sha256, mut write) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        std::hint::black_box(digest(&SHA256, &octets));
        sha256.push(milliseconds(begun));
        let mut file = File::create(directory.path().join("written"))?;
        let begun = Instant::now();
        file.write_all(&octets)?;
        write.push(milliseconds(begun));
    }
    let key = SigningKey::generate(KeyKind::P256)?;
    let begun = Instant::now();
    key.sign(SignatureAlgorithm::EcdsaSha256, &octets)?;
    // The digest is in the build already.
    let sign_ms = (milliseconds(begun) - median(sha256.clone())).max(0.0);
    Ok(Ours {
        octets: octets.len() as f64,
        sha256_ms: median(sha256),
        write_ms: median(write),
        build_ms: median(build),
        sign_ms,
        peak_octets,
    })
}

fn stream(entries: &Entries, round: usize, file: &mut File) -> Result<()> {
    let contents = CrlContents {
        issuer: &Name::from_der(&[0x30, 0])?,
        authority_key_id: &[7; 20],
        number: &CrlNumber::from(round as u64),
        this_update: Time::from_unix(1_790_000_000),
        next_update: Time::from_unix(1_790_600_000),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope: Scope::Complete,
        freshest: None,
    };
    let (before, after) = contents.around(entries.octets());
    let mut hash = Context::new(&SHA256);
    let pieces = [&before[..]].into_iter().chain(entries.pieces());
    for piece in pieces.chain([&after[..]]) {
        hash.update(piece);
        file.write_all(piece)?;
    }
    std::hint::black_box(hash.finish());
    Ok(())
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// VmHWM of this process.
fn peak_of_memory() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no VmHWM")?.parse::<f64>()? * 1024.0)
}

/// One line, from the process that measured to the one that prints.
impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {}",
            self.octets,
            self.sha256_ms,
            self.write_ms,
            self.build_ms,
            self.sign_ms,
            self.peak_octets
        )
    }
}

impl FromStr for Ours {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let figures: Vec<f64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let &[octets, sha256_ms, write_ms, build_ms, sign_ms, peak_octets] = &figures[..] else {
            anyhow::bail!("{line:?} are not six figures");
        };
        Ok(Self {
            octets,
            sha256_ms,
            write_ms,
            build_ms,
            sign_ms,
            peak_octets,
        })
    }
}
