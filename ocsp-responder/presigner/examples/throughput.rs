//! How much of what the machine's cores can sign reaches the published set.
//!
//! ```sh
//! cargo run --release --example throughput -- [CERTIFICATES] [path of libcrypto_mb.so]
//! ```
//!
//! In turn: aws-lc-rs alone signs and verifies on every core, which is the measure; then a presigner takes that many new
//! certificates from a ledger to a published set, one by one or eight at a time. Nothing else should run on the machine.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use ledger::{IssuerPolicy, OcspPolicy};
use multi_buffer::Search;
use ocsp_presigner::Backends;
use pki::KeyKind;

use common::World;

const KINDS: [KeyKind; 2] = [KeyKind::P256, KeyKind::Rsa(2048)];
const ROUNDS: usize = 3;
const RAW: Duration = Duration::from_millis(1000);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let certificates = arguments
        .next()
        .map_or(20_000, |number| number.parse().expect("a number"));
    let mut backends = vec![("one by one", Backends::find(&Search::Off, None).unwrap())];
    if let Some(path) = arguments.next() {
        let eight = Backends::find(&Search::File(path.into()), None).unwrap();
        backends.push(("eight at a time", eight));
    }
    for kind in KINDS {
        // RSA takes four times as long.
        let certificates = if kind.is_rsa() {
            certificates / 4
        } else {
            certificates
        };
        let mut ratios = vec![Vec::new(); backends.len()];
        for _ in 0..ROUNDS {
            let raw = tokio::task::spawn_blocking(move || raw(kind))
                .await
                .unwrap();
            for ((name, backends), ratios) in backends.iter().zip(&mut ratios) {
                let whole = whole_path(kind, certificates, backends.clone()).await;
                let by_clock = whole.per_second / raw.per_second;
                let by_cpu = whole.per_cpu_second / raw.per_cpu_second;
                println!(
                    "{kind}: raw {raw}; whole path {name} {whole}; {by_clock:.3} of raw, {by_cpu:.3} by CPU time"
                );
                ratios.push((by_clock, by_cpu));
            }
        }
        for ((name, _), ratios) in backends.iter().zip(&mut ratios) {
            let by_clock = median(ratios.iter().map(|(by_clock, _)| *by_clock));
            let by_cpu = median(ratios.iter().map(|(_, by_cpu)| *by_cpu));
            println!("{kind}: {name}: median {by_clock:.3} of raw, {by_cpu:.3} by CPU time");
        }
    }
}

fn median(ratios: impl Iterator<Item = f64>) -> f64 {
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

/// How many signatures.
struct Rate {
    per_second: f64,
    /// What other processes take does not count here.
    per_cpu_second: f64,
}

/// Takes the time.
struct Watch {
    begun: Instant,
    cpu: f64,
}

impl Watch {
    fn start() -> Self {
        Self {
            begun: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    fn rate(&self, count: u64) -> Rate {
        Rate {
            per_second: count as f64 / self.begun.elapsed().as_secs_f64(),
            per_cpu_second: count as f64 / (cpu_seconds() - self.cpu),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, cpu) = (self.per_second, self.per_cpu_second);
        write!(f, "{wall:.0}/s ({cpu:.0} per CPU second)")
    }
}

/// User and system time of this process so far, in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
        .sum()
}

/// Signatures made and verified by all cores, with nothing else to do.
fn raw(kind: KeyKind) -> Rate {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let watch = Watch::start();
    let until = watch.begun + RAW;
    let threads: Vec<_> = (0..cores)
        .map(|_| thread::spawn(move || raw_on_one_core(kind, until)))
        .collect();
    watch.rate(threads.into_iter().map(|one| one.join().unwrap()).sum())
}

fn raw_on_one_core(kind: KeyKind, until: Instant) -> u64 {
    let (random, message) = (SystemRandom::new(), [7; 160]);
    let mut count = 0;
    if kind.is_rsa() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key()).unwrap();
        let mut signature = [0; 256];
        while Instant::now() < until {
            key.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
                .unwrap();
            public.verify_sig(&message, &signature).unwrap();
            count += 1;
        }
    } else {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key()).unwrap();
        while Instant::now() < until {
            let signature = key.sign(&random, &message).unwrap();
            public.verify_sig(&message, signature.as_ref()).unwrap();
            count += 1;
        }
    }
    count
}

/// Signatures on the way from the ledger to the published set.
async fn whole_path(kind: KeyKind, certificates: u64, backends: Backends) -> Rate {
    let world = World::with(backends).await;
    let policy = IssuerPolicy {
        ocsp: OcspPolicy {
            responder_key: Some(kind),
            ..OcspPolicy::default()
        },
        ..IssuerPolicy::default()
    };
    world
        .add_issuer("bench", "EC -pkeyopt ec_paramgen_curve:P-256", true, policy)
        .await;
    // The responder's key and certificate are not what is measured.
    let (mut certifying, _) = world.worker("bench").await;
    certifying.settle().await;
    drop(certifying);
    for first in (1..=certificates).step_by(50_000) {
        let last = (first + 50_000).min(certificates + 1);
        world.import("bench", first..last, None).await;
    }
    let (mut worker, _) = world.worker("bench").await;
    let before = world.signatures("bench");
    let watch = Watch::start();
    let settling = tokio::spawn(async move { worker.settle().await });
    // Published is what counts; that layers are folded some time after it is no more than CPU time.
    let answers = &world.shared.metrics.answers;
    let published = || {
        let of = |status| answers.with_label_values(&["bench", status]).get();
        of("good") + of("revoked")
    };
    while published() < certificates as i64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let elapsed = watch.begun.elapsed();
    settling.await.unwrap();
    let count = world.signatures("bench") - before;
    assert!(count >= 2 * certificates, "{count}");
    Rate {
        per_second: count as f64 / elapsed.as_secs_f64(),
        ..watch.rate(count)
    }
}
