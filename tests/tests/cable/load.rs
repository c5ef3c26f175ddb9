//! Callers that issue and revoke all the time, and keep a book of what each of them was told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use e2e::{System, http};
use pki::Serial;
use serde_json::{Value, json};

use crate::ISSUER;

/// Before somebody who got no answer asks again.
const PAUSE: Duration = Duration::from_millis(20);
/// However much fails, work goes on within this time after it was mended.
const PATIENCE: Duration = Duration::from_secs(120);

/// One request for a certificate. Each names somebody else as who asks, so that the ledger tells what came of it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) actor: String,
    pub(crate) told: Told,
}

/// What the caller was told.
#[derive(Debug)]
pub(crate) enum Told {
    Certificate {
        serial: Serial,
        pem: String,
        /// Its revocation was acknowledged.
        revoked: bool,
    },
    /// Accepted: this certificate is issued when the signer is back.
    Promise(Serial),
    /// Nothing was begun, for a reason that was told.
    Refused,
    /// The issuer was gone before it answered.
    Nothing,
}

/// The callers, while they work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<Vec<Order>>>,
}

struct Shared {
    data: PathBuf,
    csr: String,
    token: String,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    /// Answers that must not be.
    wrong: Mutex<Vec<String>>,
}

impl Load {
    /// So many callers begin, of this name.
    pub(crate) fn start(system: &System, name: &str, callers: usize) -> Self {
        let csr = system.csr(
            "load",
            "ec -pkeyopt ec_paramgen_curve:P-256",
            "/CN=load.example.org",
            &["-addext", "subjectAltName=DNS:load.example.org"],
        );
        let token = system.data().join("run/api-token");
        let shared = Arc::new(Shared {
            csr: read(&csr),
            token: read(&token).trim().to_owned(),
            data: system.data(),
            stop: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            wrong: Mutex::default(),
        });
        let callers = (0..callers)
            .map(|caller| {
                let (shared, caller) = (Arc::clone(&shared), format!("{name} {caller}"));
                thread::spawn(move || shared.work(&caller))
            })
            .collect();
        Self { shared, callers }
    }

    /// How many certificates and revocations were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until so many more are acknowledged.
    #[track_caller]
    pub(crate) fn goes_on(&self, system: &System, more: u64) {
        let wanted = self.acknowledged() + more;
        let began = Instant::now();
        while self.acknowledged() < wanted {
            self.check();
            assert!(
                began.elapsed() < PATIENCE,
                "nothing is issued any more: {}\n{}",
                system.avouch(&["signer", "state"]).output(),
                system.said()
            );
            thread::sleep(PAUSE);
        }
    }

    /// Fails the test if somebody got an answer that must not be.
    #[track_caller]
    pub(crate) fn check(&self) {
        let wrong = self.shared.wrong.lock().expect("no thread panicked");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Everybody finishes what they are at; gives all requests, with what was told.
    #[track_caller]
    pub(crate) fn stop(self) -> Vec<Order> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let orders = self
            .callers
            .into_iter()
            .flat_map(|caller| caller.join().expect("a caller does not panic"))
            .collect();
        let wrong = self.shared.wrong.lock().expect("no thread panicked");
        assert!(wrong.is_empty(), "{wrong:#?}");
        orders
    }
}

impl Shared {
    /// Two of three certificates are revoked again.
    fn work(&self, caller: &str) -> Vec<Order> {
        let mut orders = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            let actor = format!("{caller}, order {}", orders.len());
            let mut told = self.order(&actor);
            match &mut told {
                Told::Certificate {
                    serial, revoked, ..
                } => {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    if !orders.len().is_multiple_of(3) {
                        *revoked = self.revoke(serial);
                    }
                }
                Told::Promise(serial) => self.fetch(serial),
                Told::Refused | Told::Nothing => thread::sleep(PAUSE),
            }
            orders.push(Order { actor, told });
        }
        orders
    }

    fn order(&self, actor: &str) -> Told {
        let body =
            json!({ "issuer": ISSUER, "profile": "server", "csr": self.csr, "actor": actor });
        let Some((status, answer)) = self.post("/v1/certificates", &body) else {
            return Told::Nothing;
        };
        let reason = answer["error"]["message"].as_str().unwrap_or_default();
        match (status, serial(&answer), serial(&answer["pending"])) {
            (201, Some(serial), _) => Told::Certificate {
                serial,
                pem: answer["certificate"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                revoked: false,
            },
            (503, _, Some(serial)) if !reason.is_empty() => Told::Promise(serial),
            (503, _, None) if !reason.is_empty() => Told::Refused,
            _ => {
                self.is_wrong(format!("{actor}: {status} {answer}"));
                Told::Refused
            }
        }
    }

    /// Looks again and again whether what was promised is there.
    fn fetch(&self, serial: &Serial) {
        let path = format!("/v1/certificates/{ISSUER}/{serial}");
        let is_there = || {
            let answer = http::api(&api(&self.data)?, &self.token, "GET", &path, None)?;
            Some(answer.status == 200)
        };
        while !self.stop.load(Ordering::SeqCst) {
            if is_there() == Some(true) {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Repeated until it is acknowledged. Whether it was.
    fn revoke(&self, serial: &Serial) -> bool {
        let body = json!({
            "issuer": ISSUER,
            "serial": serial,
            "ground": "subscriber",
            "reason": "superseded",
            "actor": "load",
        });
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.post("/v1/revocations", &body) {
                Some((200, _)) => {
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    return true;
                }
                None | Some((503, _)) => thread::sleep(PAUSE),
                Some((status, answer)) => {
                    self.is_wrong(format!("revocation of {serial}: {status} {answer}"));
                    return false;
                }
            }
        }
        self.is_wrong(format!("{serial} cannot be revoked"));
        false
    }

    /// `None` where there is no issuer, or no longer.
    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let answer = http::api(&api(&self.data)?, &self.token, "POST", path, Some(body))?;
        let said = serde_json::from_slice(&answer.body);
        Some((answer.status, said.unwrap_or_default()))
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().expect("no thread panicked").push(what);
    }
}

/// Where the issuer's API is now: a restarted one may be elsewhere.
pub(crate) fn api(data: &Path) -> Option<String> {
    let endpoints = fs::read(data.join("run/endpoints.json")).ok()?;
    let endpoints: Value = serde_json::from_slice(&endpoints).ok()?;
    let url = endpoints["api"].as_str()?.strip_prefix("http://")?;
    Some(url.trim_end_matches('/').to_owned())
}

fn serial(value: &Value) -> Option<Serial> {
    value["serial"].as_str()?.parse().ok()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
