//! A relying party that fetches the CRL all the while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pki::crl::Crl;
use pki::{Clock as _, SystemClock};

use crate::http;

/// Between two fetches.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at the CRL of one issuer, until it is stopped.
#[derive(Debug)]
pub struct CrlWatcher {
    stop: Arc<AtomicBool>,
    fault: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<usize>,
}

impl CrlWatcher {
    /// At this address of an edge, which answers always, or (`may_be_away`) may be killed now and then.
    pub fn start(address: &str, issuer: &str, may_be_away: bool) -> Self {
        let (stop, fault) = (Arc::default(), Arc::default());
        let (stopped, wrong) = (Arc::clone(&stop), Arc::clone(&fault));
        let look = Look {
            address: address.to_owned(),
            path: format!("/crl/{issuer}.crl"),
            may_be_away,
        };
        Self {
            thread: thread::spawn(move || look.watch(&stopped, &wrong)),
            stop,
            fault,
        }
    }

    /// Fails the test if anything was wrong so far.
    pub fn check(&self) {
        let fault = self.fault.lock().expect("no thread panicked").clone();
        assert_eq!(fault, None);
    }

    /// How many different CRLs were seen.
    pub fn stop(self) -> usize {
        self.check();
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it did not panic")
    }
}

struct Look {
    address: String,
    path: String,
    may_be_away: bool,
}

impl Look {
    /// Always a CRL that is valid, never an older one, never two with one number.
    fn watch(&self, stop: &AtomicBool, fault: &Mutex<Option<String>>) -> usize {
        let (mut last, mut seen): (Option<Crl>, usize) = (None, 0);
        while !stop.load(Ordering::Relaxed) {
            match self.look(last.as_ref()) {
                Ok(None) => {}
                Ok(crl) => {
                    seen += 1;
                    last = crl;
                }
                Err(wrong) => *fault.lock().expect("no thread panicked") = Some(wrong),
            }
            thread::sleep(PAUSE);
        }
        seen
    }

    /// The CRL, if it is another one than the last.
    fn look(&self, last: Option<&Crl>) -> Result<Option<Crl>, String> {
        let answer = match http::get(&self.address, &self.path) {
            None if self.may_be_away => return Ok(None),
            answer => answer.ok_or("the edge does not answer")?,
        };
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
}
