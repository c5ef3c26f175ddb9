//! `avouch drill mass-revoke`: everything of an issuer revoked on a copy, and nothing real touched.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::program::{binary, program};
use e2e::system::{EC, path, signal};
use e2e::{System, wait_for};
use journal::{Reader, SIGNER_JOURNAL};
use ledger::{ImportedCertificate, ImportedStatus, Ledger};
use pki::{Clock, HashAlgorithm, RevocationReason, Serial, SystemClock};
use serde_json::Value;
use signer::journal_record::Record;

const CERTIFICATES: u32 = 2000;
const AT_REST: Duration = Duration::from_secs(2);

#[test]
fn everything_is_revoked_on_a_copy_and_nothing_real_is_touched() {
    let system = System::start_quiet(EC);
    certify(&system);
    let revoked = system.issue_server("member", "www.example.org");
    system.revoke(&revoked);
    let scratch = system.folder().join("scratch");
    fs::create_dir(&scratch).expect("a folder");
    let before = (files_at_rest(&system), issuer(&system));

    let finished = system.avouch(&[
        "drill",
        "mass-revoke",
        "--issuer",
        "member",
        "--dry-run",
        "--scratch",
        path(&scratch),
        "--json",
    ]);
    let report = finished.ok().json();
    println!("{report:#}");
    assert_eq!(changed(&before.0, &files(&system)), [""; 0]);
    assert_eq!(before.1, issuer(&system));
    assert_eq!(fs::read_dir(&scratch).expect("it is there").count(), 0);

    let number = |value: &Value| value.as_u64().expect("a number");
    let certificates = number(&report["certificates"]);
    assert!(certificates > u64::from(CERTIFICATES));
    assert_eq!(report["revoked_before"], 2);
    let now = number(&report["revoked_now"]);
    assert_eq!(now + 2, certificates - number(&report["expired"]));
    assert_eq!(report["crl"]["entries"], now + 2);
    assert_eq!(report["key"], "p-256");
    // An entry with a serial number of 5 octets, a time and a reason is 37 octets or so.
    let octets = number(&report["crl"]["octets"]);
    assert!((30 * now..60 * now).contains(&octets), "{octets}");
    assert!(number(&report["crl"]["gzip_octets"]) < octets);
    assert!((octets - 200..octets).contains(&number(&report["link"]["octets"])));
    let seconds = report["link"]["seconds"].as_f64().expect("a number");
    assert!((seconds - octets as f64 * 10.0 / 115_200.0).abs() < 1.0);
    assert!(number(&report["ocsp"]["signatures"]) >= 2 * (now + 2));

    // The installation goes on as before.
    let other = system.issue_server("member", "www2.example.org");
    system.revoke(&other);
}

#[test]
fn it_refuses_to_do_it_for_real_and_cleans_up_when_stopped() {
    let system = System::start_quiet(EC);
    certify(&system);
    let real = system.avouch(&["drill", "mass-revoke", "--issuer", "member"]);
    assert_eq!(real.code, 64, "{real:#?}");
    assert!(real.stderr.contains("avouch revoke"), "{real:#?}");
    let unknown = ["drill", "mass-revoke", "--issuer", "nobody", "--dry-run"];
    let unknown = system.avouch(&unknown);
    assert_eq!(unknown.code, 1, "{unknown:#?}");
    assert!(unknown.stderr.contains("member"), "{unknown:#?}");

    let scratch = system.folder().join("scratch");
    fs::create_dir(&scratch).expect("a folder");
    let before = files_at_rest(&system);
    let mut child = Command::new(binary("avouch"))
        .args(["--data", path(&system.data())])
        .args(["drill", "mass-revoke", "--issuer", "member", "--dry-run"])
        .args(["--scratch", path(&scratch)])
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts");
    // In the middle: its own signer runs already.
    wait_for(|| !found(&scratch, "signer.sock").is_empty());
    signal("-INT", child.id());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    assert_eq!(fs::read_dir(&scratch).expect("it is there").count(), 0);
    assert_eq!(changed(&before, &files(&system)), [""; 0]);
    let left = program(system.folder(), "pgrep", ["-f", path(&scratch)]);
    assert_eq!(left.stdout, "", "a daemon is left");
}

/// A drill that finds too little room says so before it begins.
#[test]
fn too_little_room_is_told() {
    let system = System::start(EC);
    let full = Path::new("/proc/self");
    let refused = system.avouch(&[
        "drill",
        "mass-revoke",
        "--issuer",
        "member",
        "--dry-run",
        "--scratch",
        path(full),
    ]);
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("/proc/self"), "{refused:#?}");
}

/// What must stay as it is, octet for octet: the ledger, the CA keys and the signer's journal, what is published.
fn files(system: &System) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for folder in ["ledger", "signer", "publication", "crl-builder", "ca"] {
        for file in found(&system.data().join(folder), "") {
            // SQLite's own notes about who reads where.
            if !file.to_string_lossy().ends_with("-shm") {
                let content = match file.ends_with("signer/journal") {
                    true => acts(&file),
                    // Folded layers go.
                    false => match fs::read(&file) {
                        Ok(content) => content,
                        Err(_) => continue,
                    },
                };
                let hash = HashAlgorithm::Sha256.digest(&content);
                all.insert(file, format!("{hash:02x?}"));
            }
        }
    }
    all
}

/// What stands in a journal beside its sessions, which begin anew where the machine pauses, and their checkpoints.
fn acts(journal: &Path) -> Vec<u8> {
    let mut acts = Vec::new();
    let mut reader = Reader::open(journal).expect("the journal");
    let read = reader.read_on(SIGNER_JOURNAL, |_, _, octets| {
        let record = Record::decode(&octets).expect("a record");
        if !matches!(
            record,
            Record::Session { .. } | Record::Noticed { .. } | Record::Checkpoint(_)
        ) {
            acts.extend_from_slice(&octets);
        }
        ControlFlow::Continue(())
    });
    read.expect("the journal");
    acts
}

/// The same, once nobody has touched them for a while: a sweep may end, or layers be folded, after all is published.
fn files_at_rest(system: &System) -> BTreeMap<PathBuf, String> {
    let (mut seen, mut since) = (files(system), Instant::now());
    wait_for(|| {
        let now = files(system);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        since.elapsed() >= AT_REST
    });
    seen
}

/// The files that are not the same.
fn changed(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let paths = before.keys().chain(after.keys());
    let differ = paths.filter(|file| before.get(*file) != after.get(*file));
    differ.map(|file| path(file).to_owned()).collect()
}

/// Every file below a folder whose name ends so.
fn found(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.path();
        if file.is_dir() {
            files.extend(found(&file, end));
        } else if file.to_string_lossy().ends_with(end) {
            files.push(file);
        }
    }
    files
}

/// What `avouch status` says of the CRL.
fn issuer(system: &System) -> Value {
    member(system)["crl"].clone()
}

fn member(system: &System) -> Value {
    let status = system.avouch(&["status", "--json"]).ok().json();
    let issuers = status["issuers"].as_array().expect("a list");
    let member = issuers.iter().find(|issuer| issuer["name"] == "member");
    member.expect("it is there").clone()
}

/// Imports certificates and waits until the system has published all that follows from them.
fn certify(system: &System) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let now = SystemClock.now();
    let end = now.plus_seconds(90 * 86_400);
    // One brings a CRL with it.
    let revoked = ImportedStatus::Revoked {
        time: now.plus_seconds(-86_400),
        reason: RevocationReason::Superseded,
        invalidity_date: None,
    };
    let batch: Vec<_> = (0..CERTIFICATES)
        .map(|number| ImportedCertificate {
            serial: Serial::from_be_bytes(&[&[0x77][..], &number.to_be_bytes()].concat())
                .expect("a serial"),
            not_after: Some(end),
            subject: None,
            certificate: None,
            status: if number == 0 {
                revoked
            } else {
                ImportedStatus::Good
            },
        })
        .collect();
    let head = runtime.block_on(async {
        let path = system.data().join("ledger/ledger.sqlite");
        let ledger = Ledger::open_existing(&path, Arc::new(SystemClock))
            .await
            .expect("the ledger");
        ledger
            .import_certificates("member", &batch, "test")
            .await
            .expect("imported");
        ledger.head().await.expect("the last event")
    });
    wait_for(|| {
        let member = member(system);
        let is_there = |product: &str| {
            member[product]["as_of"]
                .as_u64()
                .is_some_and(|it| it >= head)
        };
        is_there("ocsp") && is_there("crl")
    });
}
