//! `status-watch` over a real system: no false alarm under a stream of revocations, and an alarm that names the serial
//! number for everything that is really wrong.
#![forbid(unsafe_code)]

mod copy;
mod watcher;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use copy::{Copy, Lists};
use e2e::system::{EC, signal};
use e2e::{System, wait_for};
use ledger::{Ground, ImportedCertificate, ImportedStatus, Ledger, RevocationRequest};
use pki::crl::build::CrlEntry;
use pki::{Certificate, Clock, RevocationReason, Serial, SystemClock};
use watcher::{Promise, Watcher, once, once_at};

/// The promises with room for a machine that is busy with other tests.
const PATIENT: Promise = Promise {
    ocsp_ms: 20_000,
    crl_ms: 60_000,
    new_ms: 60_000,
    ocsp_per_second: 2000,
};
const IMPATIENT: Promise = Promise {
    ocsp_ms: 3000,
    crl_ms: 3000,
    new_ms: 3000,
    ocsp_per_second: 2000,
};

#[test]
fn a_clean_system_agrees_also_while_certificates_are_revoked() {
    let system = System::start_quiet(EC);
    let ledger = Book::open(&system);
    ledger.certify(1..2000);
    let watch = Watcher::start(&system, &[system.status_url()], &PATIENT);
    for number in 1..600 {
        ledger.revoke(number);
    }
    // Each of them has been seen at the edge, in both products, and everything was compared since.
    wait_for(|| watch.metric("avouch_watch_shown_after_seconds_count", "product=\"ocsp\"") > 0.0);
    wait_for(|| watch.metric("avouch_watch_suspects", "edge") == 0.0);
    let sweeps = |product: &str| {
        let label = format!("product=\"{product}\"");
        watch.metric("avouch_watch_last_sweep_timestamp_seconds", &label)
    };
    for product in ["crl", "ocsp"] {
        let before = sweeps(product);
        wait_for(|| sweeps(product) > before);
    }
    assert_eq!(watch.ready().0, 200, "{}", watch.ready().1);
    assert!(!watch.log().contains("differs"), "{}", watch.log());
    let checked = watch.metric("avouch_watch_checked_total", "product=\"ocsp\"");
    assert!(checked >= 1999.0, "{checked}");

    let report = once(&system, &[system.status_url()], &PATIENT);
    assert_eq!(report.code, 0, "{report:#?}");
    let report = report.json();
    assert_eq!(report["agrees"], true);
    // What was certified, the responders' certificates and the subordinates'.
    assert!(report["certificates"].as_u64().expect("a number") > 1999);
    assert_eq!(report["crls"], 4);
}

/// An edge that no longer takes what is published: what is revoked now is not revoked there. The other edge, and what
/// is watched of it, go on.
#[test]
fn an_edge_that_is_left_behind() {
    let system = System::start_quiet(EC);
    let behind = Copy::of(&system, "behind");
    let edge = behind.edge();
    let mut watch = Watcher::start(&system, &[system.status_url(), &edge.url], &IMPATIENT);
    let book = Book::open(&system);
    wait_for(|| watch.ready().0 == 200);

    let certificate = system.issue_server("member", "www.example.org");
    system.revoke(&certificate);
    let serial = serial_of(&certificate);
    wait_for(|| watch.alarm(&edge.url, &serial, "ocsp", "missing").is_some());
    wait_for(|| watch.alarm(&edge.url, &serial, "crl", "missing").is_some());
    let alarm = watch.alarm(&edge.url, &serial, "crl", "missing");
    let alarm = alarm.expect("it was there");
    for value in ["keyCompromise", "no entry", "unauthorized"] {
        assert!(alarm.contains(value), "side by side: {alarm}");
    }
    let no_fault = format!("edge=\"{}\"", system.status_url());
    assert_eq!(watch.metric("avouch_watch_differences", &no_fault), 0.0);
    wait_for(|| watch.ready().0 == 503);
    let (_, why) = watch.ready();
    assert!(why.contains("issuer member"), "{why}");
    assert!(!why.contains(&serial.to_string()), "V13: {why}");

    // Killed, it still knows.
    watch.written("\"kind\":\"missing\"");
    watch.kill();
    watch.again();
    wait_for(|| watch.ready().1.contains("issuer member"));
    wait_for(|| watch.metric("avouch_watch_differences", "kind=\"missing\"") > 0.0);

    // The publication arrives there: everything agrees again, without anybody's help.
    behind.catch_up(&system);
    wait_for(|| watch.ready().0 == 200);
    assert!(watch.log().contains("agrees with the ledger again"));

    // The edge goes: an alarm of its own, and the other one is watched as before.
    let url = edge.url.clone();
    drop(edge);
    wait_for(|| watch.ready().1.contains(&format!("edge {url}")));
    book.certify(1..3);
    book.revoke(1);
    let mine = format!("edge=\"{}\",product=\"ocsp\"", system.status_url());
    let shown = || watch.metric("avouch_watch_shown_after_seconds_count", &mine);
    let before = shown();
    book.revoke(2);
    wait_for(|| shown() > before);
    assert!(!watch.ready().1.contains("issuer member"));
}

/// Whoever holds the CA key and the publication key can publish a CRL that says anything.
#[test]
fn crls_that_say_otherwise() {
    let system = System::start_quiet(EC);
    let book = Book::open(&system);
    book.certify(1..5);
    for number in 1..4 {
        book.revoke(number);
    }
    let listed = || copy::entries(&system, "member");
    wait_for(|| listed().len() == 3);
    let entries = listed();
    let wrong = Copy::of(&system, "wrong");
    let edge = wrong.edge();
    let watch = Watcher::start(&system, &[&edge.url], &IMPATIENT);
    wait_for(|| watch.ready().0 == 200);

    let of = |number| {
        entries
            .iter()
            .position(|entry| entry.serial == serial(number))
    };
    let place = |number| of(number).expect("it is listed");
    let mut missing = entries.clone();
    missing.remove(place(2));
    let mut dated = entries.clone();
    let date = &mut dated[place(3)].revocation_date;
    *date = date.plus_seconds(-86_400);
    let mut unreasoned = entries.clone();
    unreasoned[place(1)].reason = None;
    let mut extra = entries.clone();
    extra.push(CrlEntry {
        serial: serial(4),
        ..entries[0]
    });
    let mut never_issued = entries.clone();
    never_issued.push(CrlEntry {
        serial: serial(77),
        ..entries[0]
    });
    for (list, number, kind) in [
        (missing, 2, "missing"),
        (dated, 3, "date"),
        (unreasoned, 1, "reason"),
        (extra, 4, "extra"),
        (never_issued, 77, "extra"),
    ] {
        wrong.publish_crl(&system, "member", &list);
        wait_for(|| {
            watch
                .alarm(&edge.url, &serial(number), "crl", kind)
                .is_some()
        });
        wait_for(|| watch.ready().0 == 503);
        let report = once(&system, &[&edge.url], &IMPATIENT);
        assert_eq!(report.code, 1, "{kind}: {report:#?}");
        let report = report.json();
        let found = &report["differences"][0];
        assert_eq!(found["serial"], serial(number).to_string(), "{report}");
        assert_eq!(found["kind"], kind, "{report}");
        wrong.publish_crl(&system, "member", &entries);
        wait_for(|| watch.ready().0 == 200);
    }

    // One serial number twice: the rules of CRLs know that already.
    let twice = [entries.clone(), entries[..1].to_vec()].concat();
    wrong.publish_crl(&system, "member", &twice);
    wait_for(|| watch.log().contains("the CRL as served is not fit"));
    assert!(watch.log().contains("CRL-17"), "{}", watch.log());
    wrong.publish_crl(&system, "member", &entries);
    wait_for(|| watch.ready().0 == 200);
}

/// Deltas and parts are compared as the complete CRL is, each with what it must have.
#[test]
fn deltas_and_parts_that_say_otherwise() {
    let system = System::start_quiet(EC);
    let kinds = ["--set", "crl.deltas=true", "--set", "crl.partitions=1"];
    system
        .avouch(&[&["policy", "member"][..], &kinds].concat())
        .ok();
    let issue = |name| system.issue_server("member", name);
    let [old, new, good] = ["old.example.org", "new.example.org", "good.example.org"].map(issue);
    system.revoke(&old);
    // After a start the base of the deltas is what is published: the old one is on it.
    signal("-TERM", system.pid("crl-builder"));
    system.revoke(&new);
    let [old, new, good] = [&old, &new, &good].map(|it| serial_of(it));
    let url = format!("{}crl/member", system.status_url());
    let (delta_url, part_url) = (format!("{url}.delta.crl"), format!("{url}/part/0.crl"));
    wait_for(|| copy::crl(&system, &delta_url).is_some_and(|delta| delta.find(&new).is_some()));
    let delta = copy::crl(&system, &delta_url).expect("a delta");
    let part = copy::crl(&system, &part_url).expect("the part");
    let base = delta.base_number().expect("a base").clone();
    let right = Lists {
        complete: copy::entries(&system, "member"),
        delta: Some((base.clone(), copy::entries_of(&delta))),
        part: Some((part_url.clone(), copy::entries_of(&part))),
    };
    assert_eq!(right.delta.as_ref().expect("it is").1.len(), 1);
    assert_eq!(right.part.as_ref().expect("it is").1.len(), 2);

    let report = once(&system, &[system.status_url()], &PATIENT);
    assert_eq!(report.code, 0, "{report:#?}");
    assert_eq!(report.json()["crls"], 6, "the delta and the part too");
    let wrong = Copy::of(&system, "wrong");
    let edge = wrong.edge();
    let watch = Watcher::start(&system, &[&edge.url], &IMPATIENT);
    wait_for(|| watch.ready().0 == 200);

    let entry = |serial| CrlEntry {
        serial,
        ..right.complete[0]
    };
    let removed = CrlEntry {
        reason: Some(RevocationReason::RemoveFromCrl),
        ..entry(old)
    };
    let mut dated = right.delta.as_ref().expect("it is").1[0];
    dated.revocation_date = dated.revocation_date.plus_seconds(-86_400);
    let with_delta = |entries: Vec<CrlEntry>| Lists {
        delta: Some((base.clone(), entries)),
        ..right.clone()
    };
    let of_part = &right.part.as_ref().expect("it is").1;
    let with_part = |entries: Vec<CrlEntry>| Lists {
        part: Some((part_url.clone(), entries)),
        ..right.clone()
    };
    let new_entry = right.delta.as_ref().expect("it is").1[0];
    for (lists, list, serial, kind) in [
        (with_delta(vec![]), "delta", new, "missing"),
        (with_delta(vec![dated]), "delta", new, "date"),
        (with_delta(vec![removed, new_entry]), "delta", old, "status"),
        (
            with_delta(vec![new_entry, entry(good)]),
            "delta",
            good,
            "extra",
        ),
        (
            with_part(
                of_part
                    .iter()
                    .copied()
                    .filter(|it| it.serial != old)
                    .collect(),
            ),
            &part_url,
            old,
            "missing",
        ),
        (
            with_part(of_part.iter().copied().chain([entry(good)]).collect()),
            &part_url,
            good,
            "extra",
        ),
    ] {
        wrong.publish(&system, "member", &lists);
        let parts = [
            "crl differs from the ledger".to_owned(),
            format!("serial={serial}"),
            format!("kind=\"{kind}\""),
            format!("list=\"{list}\""),
        ];
        let told = |line: &str| parts.iter().all(|part| line.contains(part));
        wait_for(|| watch.log().lines().any(told));
        wait_for(|| watch.ready().0 == 503);
        wrong.publish(&system, "member", &right);
        wait_for(|| watch.ready().0 == 200);
    }

    // What is not there at all is an alarm as well.
    for (lists, what) in [
        (
            Lists {
                part: None,
                ..right.clone()
            },
            "the CRL part http",
        ),
        (
            with_delta(vec![new_entry, new_entry]),
            "the delta CRL as served is not fit: CRL-17",
        ),
    ] {
        wrong.publish(&system, "member", &lists);
        wait_for(|| watch.log().contains(what));
        wait_for(|| watch.ready().0 == 503);
        wrong.publish(&system, "member", &right);
        wait_for(|| watch.ready().0 == 200);
    }
}

/// A presigner over a ledger that somebody has changed: answers that are signed and valid, and false.
#[test]
fn answers_that_say_otherwise() {
    let system = System::start_quiet(EC);
    let book = Book::open(&system);
    book.certify(1..6);
    for number in 1..4 {
        book.revoke(number);
    }
    wait_for(|| copy::entries(&system, "member").len() == 3);
    let wrong = Copy::of(&system, "wrong");
    let edge = wrong.edge();
    let watch = Watcher::start(&system, &[&edge.url], &IMPATIENT);
    wait_for(|| watch.ready().0 == 200);

    let at = |number: u32| format!("serial = x'05{}'", serial(number));
    let presigner = wrong.presign(
        &system,
        &[
            format!("DELETE FROM revocation WHERE {}", at(1)),
            format!("UPDATE revocation SET time = time - 86400 WHERE {}", at(2)),
            format!("UPDATE revocation SET reason = 1 WHERE {}", at(3)),
            format!("DELETE FROM certificate WHERE {}", at(4)),
            format!(
                "INSERT INTO revocation (issuer, serial, seq, time, reason, ground, actor, case_reference, invalidity_date) \
                 SELECT issuer, x'05{}', seq, time, reason, ground, actor, NULL, NULL \
                 FROM revocation WHERE {}",
                serial(5),
                at(3)
            ),
        ],
    );
    for (number, kind) in [
        (1, "status"),
        (2, "date"),
        (3, "reason"),
        (4, "missing"),
        (5, "extra"),
    ] {
        let serial = serial(number);
        wait_for(|| watch.alarm(&edge.url, &serial, "ocsp", kind).is_some());
    }
    let report = once(&system, &[&edge.url], &IMPATIENT);
    assert_eq!(report.code, 1, "{report:#?}");
    let report = report.json();
    let found = report["differences"].as_array().expect("a list");
    let kinds: BTreeSet<&str> = found.iter().filter_map(|it| it["kind"].as_str()).collect();
    let expected = ["date", "extra", "missing", "reason", "status"];
    assert_eq!(kinds, BTreeSet::from(expected), "{report}");
    drop(presigner);
}

/// A sweep of a large ledger takes hours: killed in the middle, it goes on from there.
#[test]
fn a_restart_goes_on_in_the_middle() {
    let system = System::start_quiet(EC);
    let book = Book::open(&system);
    book.certify(1..4000);
    let slow = Promise {
        ocsp_per_second: 1000,
        ..PATIENT
    };
    let mut watch = Watcher::start(&system, &[system.status_url()], &slow);
    // A page of a thousand of them at least, which takes two seconds.
    wait_for(|| watch.metric("avouch_watch_sweep_done", "edge") > 1000.0);
    watch.written("\"issuer\":\"member\"");
    watch.kill();
    watch.again();
    let mut done = 0.0;
    wait_for(|| {
        done = watch.metric("avouch_watch_sweep_done", "edge");
        done > 0.0
    });
    let checked = watch.metric("avouch_watch_checked_total", "product=\"ocsp\"");
    assert!(
        checked < done,
        "asked {checked} times, and {done} are behind"
    );
    assert_eq!(watch.ready().0, 200, "{}", watch.ready().1);
}

/// The CRL lives for 7 days and is renewed after one; nobody renews it here.
#[test]
fn a_crl_that_is_not_renewed() {
    let system = System::start_quiet(EC);
    for (offset, agrees) in [("+1d", true), ("+6d", false)] {
        let report = once_at(&system, &[system.status_url()], &IMPATIENT, offset);
        assert_eq!(report.code, i32::from(!agrees), "{report:#?}");
        let troubles = report.json()["troubles"].to_string();
        let told = troubles.contains("CRL of member: no newer one has come");
        assert_eq!(told, !agrees, "{troubles}");
    }
}

/// Freshness is told, and nothing of it names a certificate (V13).
#[test]
fn metrics_name_no_certificate() {
    let system = System::start_quiet(EC);
    let certificate = system.issue_server("member", "www.example.org");
    system.revoke(&certificate);
    let watch = Watcher::start(&system, &[system.status_url()], &PATIENT);
    wait_for(|| watch.metric("avouch_watch_last_sweep_timestamp_seconds", "ocsp") > 0.0);
    let metrics = watch.metrics();
    assert!(!metrics.contains(&serial_of(&certificate).to_string()));
    let next = "avouch_watch_crl_next_update_timestamp_seconds";
    let now = SystemClock.now().unix() as f64;
    assert!(watch.metric(next, "issuer=\"member\"") > now + 86_400.0);
    // The daemon that `avouch up` started is known to `avouch status`.
    let status = system.avouch(&["status", "--json"]).ok().json();
    let daemons = status["daemons"].as_array().expect("a list");
    assert!(
        daemons
            .iter()
            .any(|daemon| daemon["name"] == "status-watch")
    );
}

/// The ledger of a running system, used as the issuer would.
struct Book {
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
}

impl Book {
    fn open(system: &System) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let path = system.data().join("ledger/ledger.sqlite");
        let ledger = runtime
            .block_on(Ledger::open_existing(&path, Arc::new(SystemClock)))
            .expect("the ledger");
        Self { runtime, ledger }
    }

    fn certify(&self, numbers: std::ops::Range<u32>) {
        let end = SystemClock.now().plus_seconds(90 * 86_400);
        let batch: Vec<_> = numbers
            .map(|number| ImportedCertificate {
                serial: serial(number),
                not_after: Some(end),
                subject: None,
                certificate: None,
                status: ImportedStatus::Good,
            })
            .collect();
        self.runtime
            .block_on(self.ledger.import_certificates("member", &batch, "test"))
            .expect("imported");
    }

    fn revoke(&self, number: u32) {
        let request = RevocationRequest {
            issuer: "member".to_owned(),
            serial: serial(number),
            actor: "test".to_owned(),
            ground: Ground::Subscriber,
            case: None,
            reason: RevocationReason::Superseded,
            invalidity_date: None,
        };
        self.runtime
            .block_on(self.ledger.revoke(&request))
            .expect("revoked");
    }
}

fn serial(number: u32) -> Serial {
    Serial::from_be_bytes(&[&[0x77][..], &number.to_be_bytes()].concat()).expect("a serial")
}

fn serial_of(certificate: &Path) -> Serial {
    let text = std::fs::read_to_string(certificate).expect("a certificate");
    *Certificate::from_pem(&text)
        .expect("a certificate")
        .serial()
}
