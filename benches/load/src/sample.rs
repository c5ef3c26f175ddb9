//! Some responses are kept during the run and judged after it, so that judging disturbs nothing.

use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::{Certificate, Clock as _, HashAlgorithm, Serial, SystemClock, Time};
use synthetic::mix;

use crate::Samples;

/// An even choice of all responses, of bounded size (Vitter's algorithm R).
#[derive(Debug)]
pub(crate) struct Reservoir {
    kept: Vec<Kept>,
    room: usize,
    seen: u64,
}

#[derive(Debug)]
struct Kept {
    serial: Serial,
    body: Vec<u8>,
    at: Time,
}

impl Reservoir {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            kept: Vec::with_capacity(room),
            room,
            seen: 0,
        }
    }

    /// Keeps a response or does not; whom it is about is asked only if it is kept.
    pub(crate) fn offer(&mut self, body: &[u8], serial: impl FnOnce() -> Serial) {
        if self.room == 0 {
            return;
        }
        self.seen += 1;
        let place = if self.kept.len() < self.room {
            self.kept.len()
        } else {
            ((u128::from(mix(self.seen)) * u128::from(self.seen)) >> 64) as usize
        };
        if place >= self.room {
            return;
        }
        let kept = Kept {
            serial: serial(),
            body: body.to_vec(),
            at: SystemClock.now(),
        };
        match self.kept.get_mut(place) {
            Some(slot) => *slot = kept,
            None => self.kept.push(kept),
        }
    }

    /// Verifies everything that was kept: signature, delegation, times, CertID, form.
    pub(crate) fn judge(&self, ca: &Certificate, hash: HashAlgorithm) -> Samples {
        let mut samples = Samples::default();
        for kept in &self.kept {
            let expected = Expected {
                ca,
                hash,
                serial: &kept.serial,
                now: kept.at,
                status: None,
                rules: Rules::default(),
            };
            samples.verified += 1;
            match verify_response(&kept.body, &expected).map(|verified| verified.status) {
                Ok(CertStatus::Good) => samples.good += 1,
                Ok(CertStatus::Revoked { .. }) => samples.revoked += 1,
                Err(violation) => {
                    samples.bad += 1;
                    let text = violation.to_string();
                    if !samples.violations.contains(&text) {
                        samples.violations.push(text);
                    }
                }
            }
        }
        samples
    }
}
