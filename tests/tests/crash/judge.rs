//! The judgement at the end: the book against the ledger, OCSP and the CRL, with openssl as the independent eye.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use e2e::http;
use e2e::program::program;
use e2e::system::path;
use ledger::{Ledger, StatusRow};
use pki::crl::Crl;
use pki::{Certificate, Serial, SystemClock};
use serde_json::Value;

use crate::book::{Book, Entry, ISSUER};
use crate::machine::Machine;
use crate::watcher::Seen;

pub(crate) fn everything(machine: &Machine, book: &Book, seen: &Seen) {
    let entries = book.snapshot();
    let serials: BTreeSet<_> = entries.iter().map(|entry| entry.serial).collect();
    assert_eq!(
        serials.len(),
        entries.len(),
        "a serial number was given out twice"
    );

    let rows = ledger_is_sound(machine);
    let known: BTreeMap<Serial, StatusRow> =
        rows.into_iter().map(|row| (row.serial, row)).collect();
    for entry in &entries {
        let row = known
            .get(&entry.serial)
            .unwrap_or_else(|| panic!("{entry:?} is lost"));
        assert_eq!(row.revoked.is_some(), entry.revoked, "{entry:?}");
    }
    let crl = http::get(&machine.address(), &format!("/crl/{ISSUER}.crl"))
        .expect("the CRL")
        .body;
    assert_eq!(
        seen.crl.as_ref().map(|(_, der)| der),
        Some(&crl),
        "nothing changed since the last look"
    );
    agree(machine, &known, &Crl::from_der(&crl).expect("a CRL"));
    parts_agree(machine);
    openssl_agrees(machine, &entries, &crl);
}

/// The audit chain holds, nothing is left half done, CRL numbers were used in rising order; the statuses of all
/// certificates.
fn ledger_is_sound(machine: &Machine) -> Vec<StatusRow> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let path = machine.data().join("ledger/ledger.sqlite");
        let ledger = Ledger::open_existing(&path, Arc::new(SystemClock))
            .await
            .expect("the ledger");
        ledger.verify_audit().await.expect("the audit chain");
        let changes = ledger.changes_after(0, u32::MAX).await.expect("the feed");
        assert!(
            changes
                .iter()
                .map(|change| change.seq)
                .eq(1..=changes.len() as u64),
            "a gap in the feed"
        );
        let records = ledger
            .audit_records(0, u32::MAX)
            .await
            .expect("the audit records");
        // The CRLs of one build share a number; within a scope each is higher than the one before.
        let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for record in records.iter().filter(|record| record.issuer == ISSUER) {
            if ["crl.reserve", "crl.record"].contains(&record.act.as_str()) {
                let detail: Value = serde_json::from_str(&record.detail).expect("JSON");
                let number = detail["number"]
                    .as_str()
                    .and_then(|number| number.parse().ok());
                let of = format!("{} {}", record.act, detail["scope"]);
                numbers
                    .entry(of)
                    .or_default()
                    .push(number.expect("a number"));
            }
        }
        // Reservations, the complete CRL, the delta, two parts.
        assert_eq!(numbers.len(), 5, "{:?}", numbers.keys());
        for (of, numbers) in numbers {
            assert!(
                numbers.is_sorted_by(|one, next| one < next),
                "{of}: {numbers:?}"
            );
        }
        ledger
            .statuses(ISSUER, None, u32::MAX)
            .await
            .expect("the statuses")
    })
}

/// OCSP = CRL = ledger: every certificate, acknowledged or not.
fn agree(machine: &Machine, known: &BTreeMap<Serial, StatusRow>, crl: &Crl) {
    let ca = Certificate::from_pem(&fs::read_to_string(machine.ca(ISSUER)).expect("the CA"))
        .expect("the CA");
    let statuses = known
        .iter()
        .map(|(serial, row)| (*serial, row.revoked))
        .collect();
    e2e::agreement::as_served(&machine.address(), &ca, &statuses, crl);
}

/// Each part has the revoked certificates that name it, and no others.
fn parts_agree(machine: &Machine) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (uris, rows) = runtime.block_on(async {
        let path = machine.data().join("ledger/ledger.sqlite");
        let ledger = Ledger::open_existing(&path, Arc::new(SystemClock)).await;
        let ledger = ledger.expect("the ledger");
        let uris = ledger.crl_partitions(ISSUER).await.expect("the parts");
        let rows = ledger
            .revoked_after(ISSUER, None, i64::MAX as u64, u32::MAX)
            .await;
        (uris, rows.expect("the revocations"))
    });
    assert_eq!(uris.len(), 2);
    for uri in uris {
        let (_, path) = uri
            .trim_start_matches("http://")
            .split_once('/')
            .expect("a URL");
        let part = http::get(&machine.address(), &format!("/{path}")).expect("the part");
        let part = Crl::from_der(&part.body).expect("a CRL");
        let listed: BTreeSet<Serial> = part
            .entries()
            .map(|entry| entry.expect("an entry").serial)
            .collect();
        let of_part = rows
            .iter()
            .filter(|row| row.partition.as_ref() == Some(&uri));
        let revoked: BTreeSet<Serial> = of_part.map(|row| row.status.serial).collect();
        assert_eq!(listed, revoked, "{uri}");
    }
}

/// The same question by another program, from its own mouth.
fn openssl_agrees(machine: &Machine, entries: &[Entry], crl: &[u8]) {
    let folder = machine.folder();
    let ca = machine.ca(ISSUER);
    let chain = ca.with_file_name(format!("chain-{ISSUER}.pem"));
    let url = format!("http://{}/", machine.address());
    let crl_file = folder.join("last.crl");
    fs::write(&crl_file, pki::pem::encode("X509 CRL", crl)).expect("the CRL is written");
    let text = program(
        folder,
        "openssl",
        [
            "crl",
            "-in",
            path(&crl_file),
            "-CAfile",
            path(&ca),
            "-noout",
            "-text",
        ],
    )
    .ok();
    assert!(text.output().contains("verify OK"), "{text:#?}");
    let on_crl: BTreeSet<&str> = text
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Serial Number: "))
        .collect();
    for entry in entries {
        assert_eq!(
            on_crl.contains(entry.serial.to_string().as_str()),
            entry.revoked,
            "the CRL about {entry:?}"
        );
        let said = ocsp(folder, &ca, &chain, &url, &entry.certificate);
        let expected = if entry.revoked { ": revoked" } else { ": good" };
        assert!(
            said.contains("Response verify OK") && said.contains(expected),
            "{entry:?}: {said}"
        );
    }
}

fn ocsp(folder: &Path, ca: &Path, chain: &Path, url: &str, certificate: &Path) -> String {
    let arguments = [
        "ocsp",
        "-issuer",
        path(ca),
        "-CAfile",
        path(chain),
        "-url",
        url,
        "-cert",
        path(certificate),
    ];
    program(folder, "openssl", arguments).ok().output()
}
