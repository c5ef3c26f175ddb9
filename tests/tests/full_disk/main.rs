//! A disk that is full at any point of a build (V1, V5): a revocation is refused clearly, or acknowledged and then on a
//! CRL once there is room; until then there is an alarm, and the old CRL is served.
//!
//! The disk is a real one, a small tmpfs with everything of `avouch up` on it. It is left with a little more room each
//! time, page by page, until a whole build fits: so it becomes full at one write of a build after the other.
//! `AVOUCH_LONG=1` does that ten times.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use e2e::system::EC;
use e2e::{CrlWatcher, SmallDisk, System, http, wait_for};
use ledger::{ImportedCertificate, ImportedStatus, Ledger};
use pki::crl::Crl;
use pki::{Clock as _, Serial, SystemClock};
use serde_json::Value;

const ISSUER: &str = "member";
const PAGE: u64 = 4096;
/// Of the whole disk.
const MEGABYTES: u32 = 96;
/// More than the certificates that this test revokes.
const CERTIFICATES: u32 = 3000;
/// So many builds with the same room must succeed before it counts as enough.
const ENOUGH: usize = 3;
const LONG_ROUNDS: usize = 10;

#[test]
fn nothing_is_lost_on_a_full_disk() {
    let disk = SmallDisk::mount(MEGABYTES);
    let system = System::start_in(disk.path(), EC);
    let kinds = ["--set", "crl.deltas=true", "--set", "crl.partitions=2"];
    let fast = ["--set", "crl.min_interval_ms=100"];
    system
        .avouch(&[&["policy", ISSUER][..], &kinds, &fast].concat())
        .ok();
    let mut book = Book::open(&system);
    // Something that names a part.
    system.issue_server(ISSUER, "www.example.org");
    let watcher = CrlWatcher::start(&book.address, ISSUER, false);

    let mut seen = Seen::default();
    let long = std::env::var_os("AVOUCH_LONG").is_some_and(|long| !long.is_empty());
    let mut most = 0;
    for _ in 0..if long { LONG_ROUNDS } else { 1 } {
        // First the ledger: its log of writes grows until there is no room for another revocation.
        disk.fill_but(0);
        while book.revoke(&mut seen) {
            watcher.check();
        }
        book.recovers(&disk, &watcher, "the ledger");
        most = most.max(every_write(&disk, &mut book, &watcher, &mut seen));
    }
    assert!(
        seen.refused > 0 && seen.acknowledged > 0 && seen.failed_builds > 3,
        "the disk was not full enough: {seen:?}"
    );
    let crls = watcher.stop();
    book.is_sound();
    println!("{seen:?}; a whole build needs up to {most} octets; {crls} CRLs seen");
}

/// Leaves more and more room, until it is enough for a revocation and a whole build; how much that was.
fn every_write(
    disk: &SmallDisk,
    book: &mut Book<'_>,
    watcher: &CrlWatcher,
    seen: &mut Seen,
) -> u64 {
    let (mut room, mut whole) = (0, 0);
    while whole < ENOUGH {
        let before = book.failures();
        disk.fill_but(room);
        let acknowledged = book.revoke(seen);
        if acknowledged {
            wait_for(|| book.is_published() || book.alarm().is_some());
        }
        watcher.check();
        let failed = book.failures() > before;
        seen.failed_builds += usize::from(failed);
        whole = if acknowledged && !failed {
            whole + 1
        } else {
            0
        };
        book.recovers(disk, watcher, &format!("{room} octets of room"));
        room += PAGE;
    }
    room
}

/// How it went.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: usize,
    refused: usize,
    failed_builds: usize,
}

/// What was acknowledged, in the test's own memory.
struct Book<'a> {
    system: &'a System,
    address: String,
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    next: u32,
    revoked: BTreeSet<Serial>,
}

impl<'a> Book<'a> {
    fn open(system: &'a System) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let path = system.data().join("ledger/ledger.sqlite");
        let ledger = runtime
            .block_on(Ledger::open_existing(&path, Arc::new(SystemClock)))
            .expect("the ledger");
        let not_after = Some(SystemClock.now().plus_seconds(90 * 86_400));
        let batch: Vec<_> = (0..CERTIFICATES)
            .map(|number| ImportedCertificate {
                serial: serial(number),
                not_after,
                subject: None,
                certificate: None,
                status: ImportedStatus::Good,
            })
            .collect();
        let imported = ledger.import_certificates(ISSUER, &batch, "test");
        runtime.block_on(imported).expect("imported");
        let url = system.status_url();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            address: address.to_owned(),
            system,
            runtime,
            ledger,
            next: 0,
            revoked: BTreeSet::new(),
        }
    }

    /// Revokes the next certificate; whether that was acknowledged. One that is refused is tried again the next time.
    fn revoke(&mut self, seen: &mut Seen) -> bool {
        assert!(self.next < CERTIFICATES, "it is never refused: {seen:?}");
        let serial = serial(self.next);
        let hex = serial.to_string();
        let why = ["--ground", "subscriber", "--reason", "superseded"];
        let target = ["revoke", "--serial", &hex, "--issuer", ISSUER];
        let finished = self.system.avouch(&[&target[..], &why].concat());
        if finished.code == 0 {
            seen.acknowledged += 1;
            self.revoked.insert(serial);
            self.next += 1;
            return true;
        }
        seen.refused += 1;
        assert_eq!(finished.code, 1, "{finished:#?}");
        assert!(
            finished.stderr.contains("disk") && finished.stderr.contains("full"),
            "it does not say why: {finished:#?}"
        );
        false
    }

    /// Once there is room everything goes on by itself: all that was acknowledged is on a CRL with a higher number.
    fn recovers(&mut self, disk: &SmallDisk, watcher: &CrlWatcher, after: &str) {
        let before = self.crl();
        disk.clear();
        let mut seen = Seen::default();
        assert!(self.revoke(&mut seen), "still refused after {after}");
        wait_for(|| self.is_published());
        wait_for(|| self.alarm().is_none());
        watcher.check();
        let now = self.crl();
        assert!(now.number() > before.number(), "after {after}");
    }

    fn is_published(&self) -> bool {
        let crl = self.crl();
        let listed: BTreeSet<Serial> = crl
            .entries()
            .map(|entry| entry.expect("an entry").serial)
            .collect();
        listed.is_superset(&self.revoked)
    }

    fn crl(&self) -> Crl {
        let answer = http::get(&self.address, &format!("/crl/{ISSUER}.crl"));
        let answer = answer.expect("the edge answers");
        assert_eq!(answer.status, 200);
        Crl::from_der(&answer.body).expect("a CRL")
    }

    /// What is wrong with the issuer's CRL, as the builder tells it to whoever watches.
    fn alarm(&self) -> Option<String> {
        let answer = self.admin(&format!("/readyz?issuer={ISSUER}"));
        (answer.status != 200).then(|| String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// The metric that an alarm rule watches.
    fn failures(&self) -> u64 {
        let metrics = self.admin("/metrics").body;
        let metrics = String::from_utf8_lossy(&metrics);
        let of_issuer = format!("avouch_crl_failures_total{{issuer=\"{ISSUER}\"");
        metrics
            .lines()
            .filter_map(|line| line.strip_prefix(&of_issuer)?.split_once("} "))
            .map(|(_, value)| value.parse::<u64>().expect("a count"))
            .sum()
    }

    fn admin(&self, what: &str) -> http::Answer {
        let state = self.system.data().join("run/crl-builder.json");
        let state = std::fs::read(state).expect("it announced itself");
        let state: Value = serde_json::from_slice(&state).expect("JSON");
        let admin = state["admin"].as_str().expect("an admin listener");
        let address = admin.trim_start_matches("http://").trim_end_matches('/');
        http::get(address, what).expect("it answers")
    }

    /// No number twice, the audit chain holds, and the ledger knows what was acknowledged.
    fn is_sound(&self) {
        self.runtime.block_on(async {
            self.ledger.verify_audit().await.expect("the audit chain");
            let records = self.ledger.audit_records(0, u32::MAX).await;
            let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
            for record in records.expect("the records") {
                if record.issuer == ISSUER
                    && ["crl.reserve", "crl.record"].contains(&record.act.as_str())
                {
                    let detail: Value = serde_json::from_str(&record.detail).expect("JSON");
                    let number = detail["number"].as_str().and_then(|it| it.parse().ok());
                    let of = format!("{} {}", record.act, detail["scope"]);
                    let numbers = numbers.entry(of).or_default();
                    numbers.push(number.expect("a number"));
                }
            }
            assert!(numbers.len() >= 4, "{:?}", numbers.keys());
            for (of, numbers) in numbers {
                let rise = numbers.is_sorted_by(|one, next| one < next);
                assert!(rise, "{of}: {numbers:?}");
            }
            for serial in &self.revoked {
                let status = self.ledger.status(ISSUER, serial).await;
                let revoked = status.expect("the ledger").and_then(|it| it.revoked);
                assert!(revoked.is_some(), "{serial} is lost");
            }
        });
    }
}

fn serial(number: u32) -> Serial {
    Serial::from_be_bytes(&[&[0x66][..], &number.to_be_bytes()].concat()).expect("a serial")
}
