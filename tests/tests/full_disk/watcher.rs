//! A relying party that fetches the CRL all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use e2e::http;
use pki::crl::Crl;
use pki::{Clock as _, SystemClock};

/// Between two fetches.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    fault: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<usize>,
}

impl Watcher {
    pub(crate) fn start(address: &str) -> Self {
        let (stop, fault) = (Arc::default(), Arc::default());
        let (stopped, wrong) = (Arc::clone(&stop), Arc::clone(&fault));
        let address = address.to_owned();
        Self {
            thread: thread::spawn(move || watch(&address, &stopped, &wrong)),
            stop,
            fault,
        }
    }

    /// Fails the test if anything was wrong so far.
    pub(crate) fn check(&self) {
        let fault = self.fault.lock().expect("no thread panicked").clone();
        assert_eq!(fault, None);
    }

    /// How many different CRLs were seen.
    pub(crate) fn stop(self) -> usize {
        self.check();
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it did not panic")
    }
}

/// Always a CRL that is valid, never an older one, never two with one number.
fn watch(address: &str, stop: &AtomicBool, fault: &Mutex<Option<String>>) -> usize {
    let (mut last, mut seen): (Option<Crl>, usize) = (None, 0);
    while !stop.load(Ordering::Relaxed) {
        let wrong = match look(address, last.as_ref()) {
            Ok(None) => None,
            Ok(crl) => {
                seen += 1;
                last = crl;
                None
            }
            Err(wrong) => Some(wrong),
        };
        if wrong.is_some() {
            *fault.lock().expect("no thread panicked") = wrong;
        }
        thread::sleep(PAUSE);
    }
    seen
}

/// The CRL, if it is another one than the last.
fn look(address: &str, last: Option<&Crl>) -> Result<Option<Crl>, String> {
    let answer = http::get(address, "/crl/member.crl").ok_or("the edge does not answer")?;
    if answer.status != 200 {
        return Err(format!("HTTP {}", answer.status));
    }
    let crl = Crl::from_der(&answer.body).map_err(|violation| violation.to_string())?;
    let now = SystemClock.now();
    if crl.this_update() > now || crl.next_update().is_none_or(|end| end <= now) {
        return Err(format!("number {:?} is not valid now", crl.number()));
    }
    match last {
        Some(last) if last.der() == crl.der() => Ok(None),
        Some(last) if last.number() >= crl.number() => Err(format!(
            "number {:?} and then {:?} with other content",
            last.number(),
            crl.number()
        )),
        _ => Ok(Some(crl)),
    }
}
