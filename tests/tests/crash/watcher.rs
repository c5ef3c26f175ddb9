//! Two threads that look at the edge all the time: one asks OCSP, one fetches the CRL. Everything that is served must
//! verify, must be fresh, and must never go back.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use e2e::http;
use e2e::program::program;
use e2e::system::path;
use pki::crl::Crl;
use pki::crl::verify::{self as crl_verify, OwnRules, Profile, Scope, verify_crl};
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, Clock, CrlNumber, HashAlgorithm, Serial, SystemClock};

use crate::book::{Book, Entry, ISSUER};
use crate::machine::Machine;

/// How long after the last kill everything has to be published.
const SETTLE: Duration = Duration::from_secs(60);
/// Every so many answers, openssl judges one too.
const OPENSSL_EVERY: usize = 100;
/// The certificates that are asked about most: the newest.
const NEWEST: usize = 8;

/// What was seen at the edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) statuses: HashMap<Serial, CertStatus>,
    pub(crate) crl: Option<(CrlNumber, Vec<u8>)>,
    delta: Option<(CrlNumber, Vec<u8>)>,
    deltas: usize,
    answers: usize,
    unanswered: usize,
    crls: usize,
    faults: Vec<String>,
}

pub(crate) struct Watcher {
    threads: Vec<JoinHandle<()>>,
    look: Look,
}

/// What both threads share.
#[derive(Clone)]
struct Look {
    address: String,
    folder: PathBuf,
    ca_file: PathBuf,
    ca: Certificate,
    entries: Arc<RwLock<Vec<Entry>>>,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Watcher {
    pub(crate) fn start(machine: &Machine, book: &Book) -> Self {
        let ca_file = machine.ca(ISSUER);
        let ca = Certificate::from_pem(&fs::read_to_string(&ca_file).expect("the CA certificate"));
        let look = Look {
            address: machine.address(),
            folder: machine.folder().to_owned(),
            ca_file,
            ca: ca.expect("the CA certificate"),
            entries: book.entries(),
            seen: Arc::default(),
            stop: Arc::default(),
        };
        let (ocsp, crl) = (look.clone(), look.clone());
        let threads = vec![
            std::thread::spawn(move || ocsp.ask()),
            std::thread::spawn(move || crl.fetch()),
        ];
        Self { threads, look }
    }

    /// Fails the test when something wrong was served.
    pub(crate) fn check(&self) {
        let faults = self.look.with_seen(|seen| seen.faults.clone());
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// Waits until everything acknowledged is published.
    pub(crate) fn settle(&self, book: &Book) {
        let began = Instant::now();
        let mut waiting = book.snapshot();
        while !waiting.is_empty() {
            self.check();
            assert!(began.elapsed() < SETTLE, "never published: {waiting:#?}");
            std::thread::sleep(Duration::from_millis(5));
            let seen = self.look.with_seen(|seen| seen.clone());
            let crl = seen
                .crl
                .as_ref()
                .and_then(|(_, der)| Crl::from_der(der).ok());
            waiting.retain(|entry| {
                let revoked = matches!(
                    seen.statuses.get(&entry.serial),
                    Some(CertStatus::Revoked { .. })
                );
                let listed = crl
                    .as_ref()
                    .is_some_and(|crl| crl.find(&entry.serial).is_some());
                let known = seen.statuses.contains_key(&entry.serial);
                !(known && revoked == entry.revoked && listed == entry.revoked)
            });
        }
    }

    pub(crate) fn stop(self) -> Seen {
        self.look.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("the watcher does not panic");
        }
        let seen = self.look.with_seen(|seen| seen.clone());
        assert!(seen.faults.is_empty(), "{:#?}", seen.faults);
        seen
    }
}

impl Seen {
    pub(crate) fn tell(&self) -> String {
        let mut text = format!(
            "{} OCSP answers, {} complete and {} delta CRLs were served and verified",
            self.answers, self.crls, self.deltas
        );
        let _ = write!(text, "; {} times nobody answered", self.unanswered);
        text
    }
}

impl Look {
    fn with_seen<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        what(&mut self.seen.lock().expect("no thread panicked"))
    }

    fn fault(&self, fault: String) {
        self.with_seen(|seen| seen.faults.push(fault));
    }

    fn ask(&self) {
        let never_issued = Serial::random().expect("random numbers");
        let mut turn = 0_usize;
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            let hash = [HashAlgorithm::Sha1, HashAlgorithm::Sha256][turn / 2 % 2];
            if turn.is_multiple_of(50) {
                self.ask_about_nothing(&never_issued, hash);
                continue;
            }
            match self.choose(turn) {
                Some(entry) => self.ask_about(&entry, hash),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Now a new one, now any.
    fn choose(&self, turn: usize) -> Option<Entry> {
        let entries = self.entries.read().expect("no thread panicked");
        let newest = &entries[entries.len().saturating_sub(NEWEST)..];
        let from = if turn.is_multiple_of(2) {
            newest
        } else {
            &entries
        };
        from.get((turn / 2).checked_rem(from.len())?).cloned()
    }

    fn ask_about(&self, entry: &Entry, hash: HashAlgorithm) {
        let serial = &entry.serial;
        let question = request::build(&IssuerHashes::of(hash, &self.ca), &[*serial], None);
        let before = self.with_seen(|seen| seen.statuses.get(serial).copied());
        let Some(answer) = http::post_ocsp(&self.address, &question) else {
            self.with_seen(|seen| seen.unanswered += 1);
            return;
        };
        if answer.status != 200 {
            return self.fault(format!("HTTP {} about {serial}", answer.status));
        }
        if answer.body == ErrorStatus::Unauthorized.der() && before.is_none() {
            return; // not published yet
        }
        let expected = Expected {
            ca: &self.ca,
            hash,
            serial,
            now: SystemClock.now(),
            status: None,
            rules: Rules::default(),
        };
        match verify_response(&answer.body, &expected) {
            Err(violation) => self.fault(format!(
                "{violation} in {:02x?} about {serial}",
                answer.body
            )),
            Ok(verified) => {
                if matches!(before, Some(CertStatus::Revoked { .. }))
                    && before != Some(verified.status)
                {
                    self.fault(format!(
                        "{serial} went from {before:?} to {:?}",
                        verified.status
                    ));
                }
                let answers = self.with_seen(|seen| {
                    seen.statuses.insert(*serial, verified.status);
                    seen.answers += 1;
                    seen.answers
                });
                if answers.is_multiple_of(OPENSSL_EVERY) {
                    self.let_openssl_judge(entry, &answer.body);
                }
            }
        }
    }

    fn ask_about_nothing(&self, serial: &Serial, hash: HashAlgorithm) {
        let question = request::build(&IssuerHashes::of(hash, &self.ca), &[*serial], None);
        match http::post_ocsp(&self.address, &question) {
            None => self.with_seen(|seen| seen.unanswered += 1),
            Some(answer) if answer.body == ErrorStatus::Unauthorized.der() => {}
            Some(answer) => self.fault(format!("never issued, and answered: {answer:02x?}")),
        }
    }

    fn let_openssl_judge(&self, entry: &Entry, response: &[u8]) {
        let file = self.folder.join("sample.ors");
        fs::write(&file, response).expect("the sample is written");
        let chain = self.ca_file.with_file_name(format!("chain-{ISSUER}.pem"));
        let arguments = [
            "ocsp",
            "-respin",
            path(&file),
            "-issuer",
            path(&self.ca_file),
        ];
        let more = ["-cert", path(&entry.certificate), "-CAfile", path(&chain)];
        let finished = program(&self.folder, "openssl", [&arguments[..], &more].concat());
        // Without a request openssl does not know the CertID's hash; the signature and the times are its part here.
        if !finished.output().contains("Response verify OK") {
            self.fault(format!("openssl refuses: {finished:#?}"));
        }
    }

    fn fetch(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            match http::get(&self.address, &format!("/crl/{ISSUER}.crl")) {
                None => self.with_seen(|seen| seen.unanswered += 1),
                Some(answer) if answer.status == 200 => self.judge_crl(&answer.body),
                Some(answer) => self.fault(format!("HTTP {} for the CRL", answer.status)),
            }
            // There is none before the second CRL.
            if let Some(answer) = http::get(&self.address, &format!("/crl/{ISSUER}.delta.crl"))
                && answer.status == 200
            {
                self.judge_delta(&answer.body);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn judge_crl(&self, der: &[u8]) {
        let last = self.with_seen(|seen| seen.crl.clone());
        if let Some(number) = self.judge_list(der, Scope::Complete, last) {
            self.with_seen(|seen| {
                seen.crls += 1;
                seen.crl = Some((number, der.to_vec()));
            });
        }
    }

    fn judge_delta(&self, der: &[u8]) {
        let last = self.with_seen(|seen| seen.delta.clone());
        let delta = Crl::from_der(der).expect("a delta CRL");
        let Some(base) = delta.base_number() else {
            return self.fault("a delta CRL that is none".to_owned());
        };
        if let Some(number) = self.judge_list(der, Scope::Delta { base }, last) {
            self.with_seen(|seen| {
                seen.deltas += 1;
                seen.delta = Some((number, der.to_vec()));
            });
        }
    }

    /// The number of a CRL that was not seen before and follows the last one.
    fn judge_list(
        &self,
        der: &[u8],
        scope: Scope<'_>,
        last: Option<(CrlNumber, Vec<u8>)>,
    ) -> Option<CrlNumber> {
        if last.as_ref().is_some_and(|(_, last)| last == der) {
            return None;
        }
        let expected = crl_verify::Expected {
            ca: &self.ca,
            now: SystemClock.now(),
            scope,
            previous: None,
            profile: Profile::Own(OwnRules::default()),
        };
        let verified = match verify_crl(der, &expected) {
            Ok(verified) => verified,
            Err(violation) => {
                self.fault(format!("{scope:?} CRL: {violation}"));
                return None;
            }
        };
        let Some(number) = verified.crl.number().cloned() else {
            self.fault("a CRL without a number".to_owned());
            return None;
        };
        if let Some((before, _)) = last
            && number <= before
        {
            self.fault(format!(
                "{scope:?} CRL number {before} and then, with other content, {number}"
            ));
            return None;
        }
        Some(number)
    }
}
