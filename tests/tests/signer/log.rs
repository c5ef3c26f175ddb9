//! The signer's log against the ledger, through the whole system: what agrees, and each way of tampering, by name (R5, G10).

use std::fs;
use std::path::{Path, PathBuf};

use e2e::program::binary;
use e2e::system::{EC, path};
use e2e::{Finished, System, http, program, repository};
use journal::{Journal, Reader, SIGNER_JOURNAL};
use pki::Certificate;
use serde_json::Value;
use signer::journal_record::Record;
use tempfile::TempDir;

const ISSUER: &str = "member";

#[test]
fn what_the_signer_did_and_what_the_ledger_says() {
    let mut system = System::start(EC);
    let [good, revoked] = system.issue_good_and_revoked(ISSUER);
    let evidenced = issue_with_evidence(&system);

    // While everything runs; and the ends of the chains are noted.
    let notes = system.folder().join("checkpoints");
    let verified = system
        .avouch(&["audit", "verify", "--json", "--checkpoints", path(&notes)])
        .ok()
        .json();
    assert_eq!(verified["holds"], true, "{verified}");
    assert_eq!(verified["differences"], Value::Array(Vec::new()));
    // Three, and those of the responders and of the CAs below the root.
    assert!(verified["compared"]["certificates"].as_u64() >= Some(6));
    assert!(verified["compared"]["crls"].as_u64() >= Some(5));
    let log = &verified["signers"][0];
    assert!(log["checkpoints"].as_u64() >= Some(1), "{log}");
    assert_eq!(verified["compared"]["imported"], 0);
    assert_eq!(
        fs::read_to_string(&notes).expect("notes").lines().count(),
        1
    );

    the_state_is_shown(&system);
    alerts_are_about_what_there_is(&system);
    the_log_is_shown(&system, &[&good, &revoked, &evidenced]);

    system.stop();
    let offline = system.avouch(&["audit", "verify", "--checkpoints", path(&notes)]);
    assert!(offline.ok().stdout.contains("All of it holds"));

    let damaged = Copy::of(&system);
    damaged.flip_an_octet();
    let found = damaged.faults(&[]);
    let fault = one(&found, "log-damaged");
    assert!(fault["record"].as_u64() > Some(1), "{fault}");
    assert!(
        fault["text"]
            .as_str()
            .is_some_and(|it| it.contains("octet"))
    );

    let shortened = Copy::of(&system);
    shortened.cut_the_log_before(&evidenced);
    let found = shortened.faults(&["--checkpoints", path(&notes)]);
    let missing = of_serial(&found, "not-in-log", &evidenced);
    assert_eq!(
        (&missing["issuer"], &missing["signer"]),
        (&ISSUER.into(), &1.into())
    );
    one(&found, "log-cut-off");

    // Everything chained anew, as only an owner of the host can: the signer's own signatures show it.
    let rewritten = Copy::of(&system);
    rewritten.write_anew_without(|record| matches!(record, Record::Session { .. }));
    let found = rewritten.faults(&[]);
    let forged = one(&found, "log-forged");
    assert_eq!(forged["signer"], 1);
    assert_eq!(found.len(), 1, "{found:#?}");

    let forgotten = Copy::of(&system);
    forgotten.sql(&format!(
        "delete from certificate where hex(serial) like '%{0}'; delete from document where hex(serial) like '%{0}';",
        serial(&good)
    ));
    let found = forgotten.faults(&[]);
    let unknown = of_serial(&found, "not-in-ledger", &good);
    assert_eq!(unknown["issuer"], ISSUER);
    assert!(unknown["record"].as_u64() > Some(1), "{unknown}");
    one(&found, "ledger");

    // A certificate that no signer ever saw, under a serial number of its own; once plainly, once as if taken over.
    for origin in [0, 1] {
        let inserted = Copy::of(&system);
        let forged = format!("01{:030X}", 0xbad);
        inserted.sql(&format!(
            "insert into certificate select issuer, x'10{forged}', state, {origin}, seq, not_before, not_after, recorded_at, \
             profile, subject, requested_by, spki_sha256, crl_partition from certificate where hex(serial) like '%{0}'; \
             insert into document select issuer, x'10{forged}', sha256, der from document where hex(serial) like '%{0}';",
            serial(&good)
        ));
        let found = inserted.faults(&[]);
        let missing = one(&found, "not-in-log");
        assert_eq!(
            missing["serial"].as_str().map(normal),
            Some(normal(&forged))
        );
    }

    let exchanged = Copy::of(&system);
    exchanged.sql(&format!(
        "update document set der = (select der from document where hex(serial) like '%{}') where hex(serial) like '%{}';",
        serial(&revoked),
        serial(&good)
    ));
    of_serial(&exchanged.faults(&[]), "other-content", &good);

    two_signers(&system);
}

/// A standby's log is a copy of the other's; it shows when the end of the other was cut off.
fn two_signers(system: &System) {
    let pair = Copy::of(system);
    pair.add_standby();
    let verified = pair.verify(&[]).ok().json();
    assert_eq!(verified["signers"][1]["signer"], 2, "{verified}");
    assert!(verified["signers"][1]["replicated"].as_u64() > Some(10));

    let records = verified["signers"][0]["records"].as_u64().expect("a count");
    pair.cut_the_log(records - 2);
    let found = pair.faults(&[]);
    let fault = one(&found, "replica-differs");
    assert_eq!(fault["signer"], 2);
}

fn issue_with_evidence(system: &System) -> PathBuf {
    let evidence = system.folder().join("evidence.txt");
    fs::write(&evidence, "two of five: mail to hostmaster, DNS cookie\n").expect("evidence");
    let csr = system.csr(
        "evidenced",
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "/CN=evidenced.example.org",
        &["-addext", "subjectAltName=DNS:evidenced.example.org"],
    );
    let out = system.folder().join("evidenced.pem");
    let common = ["issue", "--profile", "server", "--issuer", ISSUER];
    let files = [
        "--csr",
        path(&csr),
        "--out",
        path(&out),
        "--evidence",
        path(&evidence),
    ];
    system.avouch(&[&common[..], &files].concat()).ok();
    out
}

fn the_state_is_shown(system: &System) {
    let state = system.avouch(&["signer", "state", "--json"]).ok().json();
    assert_eq!(state["active"], 1, "{state}");
    let signer = &state["signers"][0];
    assert_eq!(signer["mode"], "active");
    assert_eq!(signer["line"]["up"], true);
    assert_eq!(signer["winding_down"], false);
    assert!(signer["log"]["archived"].as_u64() > Some(10), "{state}");
    assert_eq!(state["alarms"], Value::Array(Vec::new()));
    let text = system.avouch(&["signer", "state"]).ok().stdout;
    assert!(text.contains("Signer 1 is ACTIVE"), "{text}");
    assert!(text.contains("Nothing waits for a signer"), "{text}");
    let standby = system.avouch(&["signer", "standby"]).ok();
    assert!(standby.stdout.contains("no standby"), "{standby:?}");
}

/// Every metric of the signer's alert rules is there, with the labels that they ask for.
fn alerts_are_about_what_there_is(system: &System) {
    let rules = repository().join("monitoring/alerts.yaml");
    let rules = fs::read_to_string(rules).expect("the rules");
    let pages: String = ["signer-host", "ocsp-presigner"]
        .map(|daemon| metrics(system, daemon))
        .concat();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut names: Vec<&str> = rules
        .split(|letter| !is_part(letter))
        .filter(|word| {
            word.starts_with("avouch_signer_host_") || word.starts_with("avouch_presigner_")
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 10, "{names:?}");
    // There is no standby here.
    for name in names.iter().filter(|name| !name.ends_with("replicated")) {
        assert!(pages.contains(&format!("\n{name}{{")), "{name}");
    }
    for labels in [
        "signer_mode{mode=\"locked\",signer=\"1\"}",
        "oldest_act_seconds{class=\"revocation\"}",
        "oldest_act_seconds{class=\"crl\"}",
    ] {
        assert!(pages.contains(labels), "{labels}");
    }
    assert!(pages.contains("program=\"signer-host\""));
}

fn metrics(system: &System, daemon: &str) -> String {
    let state = fs::read(system.data().join(format!("run/{daemon}.json"))).expect("its state");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    let address = state["admin"]
        .as_str()
        .and_then(|admin| admin.strip_prefix("http://"))
        .and_then(|rest| rest.strip_suffix('/'))
        .expect("its admin listener");
    let page = http::get(address, "/metrics").expect("its metrics");
    String::from_utf8(page.body).expect("text")
}

fn the_log_is_shown(system: &System, certificates: &[&Path]) {
    let log = system.avouch(&["signer", "log", "--json"]).ok().stdout;
    let records: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    for certificate in certificates {
        let serial = normal(&serial(certificate));
        let intent = records.iter().find(|record| {
            record["content"]["kind"] == "certificate"
                && record["content"]["serial"].as_str().map(normal).as_ref() == Some(&serial)
        });
        assert!(intent.is_some(), "{serial} is not in the log");
    }
    // sha256sum evidence.txt
    let hash = program(system.folder(), "sha256sum", ["evidence.txt"])
        .ok()
        .stdout;
    let hash = hash.split(' ').next().expect("a hash");
    let with_evidence = records
        .iter()
        .filter(|record| record["content"]["evidence_sha256"] == hash);
    assert_eq!(with_evidence.count(), 1);
    let numbers: Vec<u64> = records
        .iter()
        .filter_map(|it| it["record"].as_u64())
        .collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64));

    let some = system
        .avouch(&["signer", "log", "--from", "3", "--to", "5"])
        .ok();
    let shown: Vec<&str> = some.stdout.lines().map(|line| line.trim_start()).collect();
    assert_eq!(shown.len(), 3, "{some:?}");
    assert!(shown[0].starts_with("3 "), "{some:?}");
    assert_eq!(
        system
            .avouch(&["signer", "log", "--last", "2"])
            .ok()
            .stdout
            .lines()
            .count(),
        2
    );
    let other = system.avouch(&["signer", "log", "--signer", "9"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains("--signer is one of 1"), "{other:?}");
}

/// A copy of everything, to be tampered with.
struct Copy(TempDir);

impl Copy {
    fn of(system: &System) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let data = system.data();
        program(folder.path(), "cp", ["-a", path(&data), "data"]).ok();
        Self(folder)
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.data().join("signer-host/signer-log-1")
    }

    fn verify(&self, more: &[&str]) -> Finished {
        let data = self.data();
        let arguments = ["--data", path(&data), "audit", "verify", "--json"];
        program(
            self.0.path(),
            binary("avouch"),
            [&arguments[..], more].concat(),
        )
    }

    /// What is found; there must be something.
    #[track_caller]
    fn faults(&self, more: &[&str]) -> Vec<Value> {
        let verified = self.verify(more);
        assert_eq!(verified.code, 1, "{verified:#?}");
        let json = verified.json();
        assert_eq!(json["holds"], false);
        json["differences"].as_array().expect("a list").clone()
    }

    fn flip_an_octet(&self) {
        let mut octets = fs::read(self.log()).expect("the log");
        let middle = octets.len() / 2;
        octets[middle] ^= 1;
        fs::write(self.log(), octets).expect("the log");
    }

    /// Cuts off everything from the certificate's announcement on.
    fn cut_the_log_before(&self, certificate: &Path) {
        let wanted = pki::Serial::from_be_bytes(certificate_of(certificate).serial().as_bytes());
        let wanted = wanted.expect("a serial number");
        let mut keep = None;
        self.each(|sequence, record| {
            if let Record::Intent {
                act: signer::journal_record::Act::Certificate { serial, .. },
                ..
            } = record
                && serial == wanted.as_bytes()
            {
                keep = Some(sequence - 1);
            }
        });
        self.cut_the_log(keep.expect("it is in the log"));
    }

    /// Keeps so many records.
    fn cut_the_log(&self, records: u64) {
        let mut end = 0;
        let mut reader = Reader::open(&self.log()).expect("the log");
        reader
            .read_on(SIGNER_JOURNAL, |offset, position, _| {
                if position.sequence == records {
                    end = offset;
                }
                std::ops::ControlFlow::Continue(())
            })
            .expect("the log");
        let file = fs::OpenOptions::new().write(true).open(self.log());
        file.and_then(|file| file.set_len(end)).expect("cut");
    }

    /// Writes the log anew, with a chain that holds, but for some records.
    fn write_anew_without(&self, leave_out: impl Fn(&Record) -> bool) {
        let mut records = Vec::new();
        self.each(|_, record| {
            if !leave_out(&record) {
                records.push(record.encode());
            }
        });
        fs::remove_file(self.log()).expect("the log");
        let mut log = Journal::create(&self.log(), SIGNER_JOURNAL, &records[0]).expect("a log");
        for record in &records[1..] {
            log.append(record).expect("room");
        }
        log.sync().expect("room");
    }

    fn each(&self, mut take: impl FnMut(u64, Record)) {
        let mut reader = Reader::open(&self.log()).expect("the log");
        reader
            .read_on(SIGNER_JOURNAL, |_, position, octets| {
                take(
                    position.sequence,
                    Record::decode(&octets).expect("a record"),
                );
                std::ops::ControlFlow::Continue(())
            })
            .expect("the log");
    }

    /// The log of a signer 2 that follows signer 1.
    fn add_standby(&self) {
        let made = Record::Created { time: 1 };
        let path = self.data().join("signer-host/signer-log-2");
        let mut log = Journal::create(&path, SIGNER_JOURNAL, &made.encode()).expect("a log");
        self.each(|sequence, record| {
            let copy = Record::Replicated {
                sequence,
                record: record.encode(),
            };
            log.append(&copy.encode()).expect("room");
        });
        log.sync().expect("room");
    }

    fn sql(&self, statements: &str) {
        let script = "import sqlite3, sys\n\
                      db = sqlite3.connect(sys.argv[1])\n\
                      db.executescript(sys.argv[2])\n\
                      db.commit()\n";
        let ledger = self.data().join("ledger/ledger.sqlite");
        program(
            self.0.path(),
            "python3",
            ["-c", script, path(&ledger), statements],
        )
        .ok();
    }
}

#[track_caller]
fn one<'a>(found: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = found.iter().filter(|it| it["kind"] == kind);
    let first = of_kind.next();
    let first = first.unwrap_or_else(|| panic!("no {kind} in {found:#?}"));
    assert!(
        of_kind.next().is_none(),
        "{kind} more than once: {found:#?}"
    );
    first
}

#[track_caller]
fn of_serial<'a>(found: &'a [Value], kind: &str, certificate: &Path) -> &'a Value {
    let serial = normal(&serial(certificate));
    let mut of_it = found.iter().filter(|it| {
        it["kind"] == kind && it["serial"].as_str().map(normal).as_ref() == Some(&serial)
    });
    of_it
        .next()
        .unwrap_or_else(|| panic!("no {kind} of {serial} in {found:#?}"))
}

fn certificate_of(file: &Path) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(file).expect("a certificate")).expect("a certificate")
}

/// In hex, capitals, all octets.
fn serial(file: &Path) -> String {
    let octets = certificate_of(file);
    let octets = octets.serial().as_bytes();
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// However it is written.
fn normal(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_uppercase()
}
