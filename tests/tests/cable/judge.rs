//! The judgement at the end: what everybody was told against the ledger, the signer's log, OCSP and CRL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use e2e::system::path;
use e2e::{System, agreement, http, program, wait_within};
use ledger::{CertificateRecord, Ledger};
use pki::crl::Crl;
use pki::{Certificate, CrlNumber, Serial, SystemClock};
use serde_json::Value;

use crate::load::{Order, Told, api};
use crate::{ISSUER, look};

/// How long after the last fault everything has to be done and published.
pub(crate) const SETTLE: Duration = Duration::from_secs(120);

/// What came of it all, counted.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    certificates: usize,
    promises: usize,
    refused: usize,
    unanswered: usize,
    revocations: usize,
    crls: usize,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} certificates handed out, {} promised and issued later, {} requests refused with a reason; {} times no \
             issuer was there, or it went before it answered; {} revocations; {} CRLs signed; 0 lost, 0 doubled",
            self.certificates,
            self.promises,
            self.refused,
            self.unanswered,
            self.revocations,
            self.crls
        )
    }
}

/// Everything that was acknowledged is there, once, and all say the same.
#[track_caller]
pub(crate) fn everything(system: &System, orders: &[Order]) -> Totals {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let file = system.data().join("ledger/ledger.sqlite");
    let ledger = runtime
        .block_on(Ledger::open_existing(&file, Arc::new(SystemClock)))
        .expect("the ledger");
    let pending = || {
        runtime
            .block_on(ledger.pending_count())
            .expect("the ledger")
    };
    // One after the other, as long as it takes.
    let mut waiting = pending();
    while waiting > 0 {
        wait_within(SETTLE, || pending() < waiting);
        waiting = pending();
    }
    look::until_archived(system);
    let known = runtime.block_on(certificates(&ledger));
    let mut totals = each_order(system, orders, &known);
    served_as_known(system, &known);
    totals.crls = signed_once(system, &known);
    let audit = system.avouch(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(audit["holds"], true, "{audit}");
    totals
}

/// All of the issuer's, by serial number.
async fn certificates(ledger: &Ledger) -> BTreeMap<Serial, CertificateRecord> {
    let rows = ledger.statuses(ISSUER, None, u32::MAX).await;
    let mut known = BTreeMap::new();
    for row in rows.expect("the statuses") {
        let record = ledger.certificate(ISSUER, &row.serial).await;
        let record = record.expect("the ledger").expect("the certificate");
        known.insert(row.serial, record);
    }
    known
}

/// Whoever was told something has exactly that; nobody has two.
#[track_caller]
fn each_order(
    system: &System,
    orders: &[Order],
    known: &BTreeMap<Serial, CertificateRecord>,
) -> Totals {
    let mut issued: BTreeMap<&str, Vec<Serial>> = BTreeMap::new();
    for (serial, record) in known {
        let of = issued.entry(&record.requested_by).or_default();
        of.push(*serial);
    }
    let mut totals = Totals::default();
    for order in orders {
        let of = issued.get(&*order.actor).map_or(&[][..], |of| of);
        match &order.told {
            Told::Certificate {
                serial,
                pem,
                revoked,
            } => {
                assert_eq!(of, [*serial], "{order:?}");
                let record = &known[serial];
                let der = pki::pem::decode(pem, "CERTIFICATE").expect("a certificate");
                assert_eq!(record.certificate.as_ref(), Some(&der), "{order:?}");
                assert_eq!(record.revocation.is_some(), *revoked, "{order:?}");
                totals.certificates += 1;
                totals.revocations += usize::from(*revoked);
            }
            Told::Promise(serial) => {
                assert_eq!(of, [*serial], "{order:?}");
                fetched(system, serial);
                totals.promises += 1;
            }
            Told::Refused => {
                assert!(of.is_empty(), "{order:?} has {of:?}");
                totals.refused += 1;
            }
            // What was begun is finished, whoever waits.
            Told::Nothing => {
                assert!(of.len() <= 1, "{order:?} has {of:?}");
                totals.unanswered += 1;
            }
        }
    }
    totals
}

/// Whoever was told to come again for a certificate gets it.
#[track_caller]
fn fetched(system: &System, serial: &Serial) {
    let token = fs::read_to_string(system.data().join("run/api-token")).expect("the token");
    let place = format!("/v1/certificates/{ISSUER}/{serial}");
    let address = api(&system.data()).expect("the issuer runs");
    let answer = http::api(&address, token.trim(), "GET", &place, None).expect("an answer");
    let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let pem = said["certificate"].as_str().unwrap_or_default();
    let certificate = Certificate::from_pem(pem).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(certificate.serial(), serial);
}

/// OCSP and CRL say what the ledger says; openssl reads the CRL the same way.
#[track_caller]
fn served_as_known(system: &System, known: &BTreeMap<Serial, CertificateRecord>) {
    let revoked = |record: &CertificateRecord| {
        let revocation = record.revocation.as_ref();
        revocation.map(|revocation| (revocation.time, revocation.reason))
    };
    let statuses: BTreeMap<_, _> = known
        .iter()
        .map(|(serial, record)| (*serial, revoked(record)))
        .collect();
    let count = statuses.values().filter(|status| status.is_some()).count();
    let mut crl = fetch_crl(system);
    wait_within(SETTLE, || {
        crl = fetch_crl(system);
        crl.as_ref()
            .is_some_and(|crl| crl.entries().count() == count)
    });
    let crl = crl.expect("the CRL");
    let pem = fs::read_to_string(system.ca(ISSUER)).expect("the CA");
    let ca = Certificate::from_pem(&pem).expect("the CA");
    answered(system, &ca, statuses.keys());
    agreement::as_served(&system.address(), &ca, &statuses, &crl);

    let file = system.folder().join("last.crl");
    fs::write(&file, pki::pem::encode("X509 CRL", crl.der())).expect("written");
    let ca_file = system.ca(ISSUER);
    let arguments = ["crl", "-in", path(&file), "-CAfile", path(&ca_file)];
    let more = ["-noout", "-text"];
    let said = program(system.folder(), "openssl", [&arguments[..], &more].concat()).ok();
    assert!(said.output().contains("verify OK"), "{}", said.stderr);
    let lines = said.stdout.lines();
    let listed: BTreeSet<&str> = lines
        .filter_map(|line| line.trim().strip_prefix("Serial Number: "))
        .collect();
    for (serial, status) in &statuses {
        let text = serial.to_string();
        assert_eq!(listed.contains(&*text), status.is_some(), "{serial}");
    }
}

fn fetch_crl(system: &System) -> Option<Crl> {
    let answer = http::get(&system.address(), &format!("/crl/{ISSUER}.crl"))?;
    Crl::from_der(&answer.body).ok()
}

/// Waits until the edge has an answer for each: the presigner and the edge may just have been started again.
#[track_caller]
fn answered<'a>(system: &System, ca: &Certificate, serials: impl Iterator<Item = &'a Serial>) {
    use pki::ocsp::response::ErrorStatus;
    use pki::ocsp::{IssuerHashes, request};
    let hashes = IssuerHashes::of(pki::HashAlgorithm::Sha256, ca);
    let address = system.address();
    for serial in serials {
        let question = request::build(&hashes, &[*serial], None);
        wait_within(SETTLE, || {
            let answer = http::post_ocsp(&address, &question);
            answer.is_some_and(|answer| {
                answer.status == 200 && answer.body != ErrorStatus::Unauthorized.der()
            })
        });
    }
}

/// The signer signed each certificate once, and CRL numbers only rise. How many CRLs.
#[track_caller]
fn signed_once(system: &System, known: &BTreeMap<Serial, CertificateRecord>) -> usize {
    let log = system.avouch(&["signer", "log", "--json"]).ok().stdout;
    let mut serials: BTreeMap<Serial, usize> = BTreeMap::new();
    let mut numbers: BTreeMap<String, Vec<CrlNumber>> = BTreeMap::new();
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).expect("one object a line");
        let content = &record["content"];
        match content["kind"].as_str() {
            Some("certificate") => {
                let serial = content["serial"].as_str().and_then(|it| it.parse().ok());
                *serials.entry(serial.expect("a serial number")).or_default() += 1;
            }
            Some("crl") => {
                let number = content["number"].as_str().and_then(|it| it.parse().ok());
                let scope = format!("{} {}", content["issuer"], content["scope"]);
                numbers
                    .entry(scope)
                    .or_default()
                    .push(number.expect("a number"));
            }
            _ => {}
        }
    }
    assert!(serials.values().all(|times| *times == 1), "{serials:?}");
    for serial in known.keys() {
        assert!(serials.contains_key(serial), "{serial} is not in the log");
    }
    for (scope, numbers) in &numbers {
        let rise = numbers.is_sorted_by(|one, next| one < next);
        assert!(rise, "{scope}: {numbers:?}");
    }
    numbers.values().map(Vec::len).sum()
}
