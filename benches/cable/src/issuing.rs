//! How much of the line is in use while RSA-2048 certificates are issued.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::system::path;

use crate::throttled::Throttled;

/// Who ask at the same time.
const CALLERS: usize = 12;

pub(crate) fn measure(site: &Throttled, time: Duration) -> Result<()> {
    let system = &site.site().system;
    let host = "www.example.org";
    let san = format!("subjectAltName=DNS:{host}");
    let csr = system.csr(
        "rsa",
        "rsa:2048",
        &format!("/CN={host}"),
        &["-addext", &san],
    );
    let (over, issued) = (AtomicBool::new(false), AtomicU64::new(0));
    let (octets, count, seconds) = thread::scope(|scope| {
        for caller in 0..CALLERS {
            let out = system.folder().join(format!("rsa-{caller}.pem"));
            let (csr, over, issued) = (&csr, &over, &issued);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut arguments = vec!["issue", "--profile", "server", "--issuer", "member"];
                    arguments.extend(["--csr", path(csr), "--out", path(&out)]);
                    system.avouch(&arguments).ok();
                    issued.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // All of them are at it.
        while issued.load(Ordering::Relaxed) < CALLERS as u64 {
            thread::yield_now();
        }
        let (start, before, first) = (
            Instant::now(),
            site.octets(),
            issued.load(Ordering::Relaxed),
        );
        thread::sleep(time);
        let (after, last) = (site.octets(), issued.load(Ordering::Relaxed));
        let seconds = start.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        anyhow::Ok((after? - before?, last - first, seconds))
    })?;
    let each_second = octets / seconds;
    println!("| RSA-2048 certificates a second | octets each | of the line's octets in use |");
    println!("| ---: | ---: | ---: |");
    println!(
        "| {:.1} | {:.0} | {:.1} % |",
        count as f64 / seconds,
        octets / count as f64,
        100.0 * each_second / site.speed()
    );
    Ok(())
}
