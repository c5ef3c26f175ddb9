//! What differs: suspected at first, an alarm once it has lasted longer than is promised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ledger::StatusRow;
use pki::{Serial, Time};

use crate::config::Promise;
use crate::difference::{Difference, Kind, Product};
use crate::memory::Open;
use crate::metrics::Metrics;
use crate::which::Which;

/// More than this many of one CRL, or of one issuer by OCSP, at one edge are not kept: the sweep finds the others again.
const MOST: usize = 1000;
/// How often a suspect is looked at again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often what is an alarm already is looked at again.
const AGAIN_WHEN_KNOWN: Duration = Duration::from_secs(5);
/// With very many findings it is less often, so that the sweep gets its share of the questions.
const EACH: Duration = Duration::from_millis(10);

/// What a finding is about. `serial` is absent for a whole CRL.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    pub(crate) edge: Arc<str>,
    pub(crate) issuer: Arc<str>,
    /// Which CRL; none: OCSP.
    pub(crate) list: Option<Which>,
    pub(crate) serial: Option<Serial>,
}

impl Key {
    pub(crate) const fn product(&self) -> Product {
        match self.list {
            Some(_) => Product::Crl,
            None => Product::Ocsp,
        }
    }

    /// What differs, for people.
    pub(crate) fn what(&self) -> String {
        match &self.list {
            None | Some(Which::Complete) => self.product().as_str().to_owned(),
            Some(which) => which.to_string(),
        }
    }
}

/// One thing that differs.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Since when the ledger has said the same thing and the edge another.
    since: Instant,
    /// When it was first seen to differ: the start of what `shown_after` tells.
    first: Instant,
    next: Instant,
    /// What the ledger said then.
    row: Option<StatusRow>,
    difference: Option<Difference>,
    pub(crate) alarmed: Option<Kind>,
    at: Time,
}

/// What looking at a finding again led to.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// It agrees; `true` if it had been an alarm.
    Agrees { was_alarm: bool, after: Duration },
    /// It differs now for longer than is promised: an alarm that was none before.
    Alarm,
    /// Nothing new.
    Same,
}

/// All findings of all edges.
#[derive(Debug)]
pub(crate) struct Findings {
    promise: Promise,
    metrics: Metrics,
    all: Mutex<BTreeMap<Key, Finding>>,
}

impl Findings {
    pub(crate) fn new(promise: Promise, metrics: Metrics) -> Self {
        Self {
            promise,
            metrics,
            all: Mutex::default(),
        }
    }

    /// What differed at the last start is an alarm until it is seen to agree.
    pub(crate) fn remember(&self, key: Key, open: &Open, at: Time) {
        let now = Instant::now();
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == open.kind)
            .unwrap_or(Kind::Status);
        let finding = Finding {
            since: now,
            first: now,
            next: now,
            row: None,
            difference: None,
            alarmed: Some(kind),
            at,
        };
        self.lock().insert(key, finding);
    }

    /// Something differs; it is looked at again until it agrees. What is suspected already stays as it is.
    pub(crate) fn suspect(
        &self,
        key: Key,
        row: Option<StatusRow>,
        difference: Difference,
        at: Time,
    ) {
        let mut all = self.lock();
        if all.contains_key(&key) {
            return;
        }
        let same = |other: &&Key| {
            other.edge == key.edge && other.issuer == key.issuer && other.list == key.list
        };
        if all.keys().filter(same).count() >= MOST {
            return;
        }
        let now = Instant::now();
        let finding = Finding {
            since: now,
            first: now,
            next: now + AGAIN.min(self.patience(key.product(), difference.kind)),
            row,
            difference: Some(difference),
            alarmed: None,
            at,
        };
        all.insert(key, finding);
    }

    /// Those of one edge whose time to be looked at has come.
    pub(crate) fn due(&self, edge: &str) -> Vec<Key> {
        let now = Instant::now();
        let all = self.lock();
        all.iter()
            .filter(|(key, finding)| &*key.edge == edge && finding.next <= now)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Could not be looked at: later.
    pub(crate) fn later(&self, key: &Key) {
        if let Some(finding) = self.lock().get_mut(key) {
            finding.next = Instant::now() + AGAIN;
        }
    }

    /// It was looked at again.
    pub(crate) fn looked(
        &self,
        key: &Key,
        row: Option<StatusRow>,
        difference: Option<Difference>,
    ) -> Turn {
        let now = Instant::now();
        let mut all = self.lock();
        let share = EACH * u32::try_from(all.len()).unwrap_or(u32::MAX);
        let Some(finding) = all.get_mut(key) else {
            return Turn::Same;
        };
        let Some(difference) = difference else {
            let turn = Turn::Agrees {
                was_alarm: finding.alarmed.is_some(),
                after: now.duration_since(finding.first),
            };
            all.remove(key);
            return turn;
        };
        if finding.row != row {
            // The ledger has said something else in the meantime: from now on that counts.
            finding.row = row;
            if finding.alarmed.is_none() {
                finding.since = now;
            }
        }
        let kind = difference.kind;
        let patience = self.patience(key.product(), kind);
        finding.difference = Some(difference);
        if finding.alarmed.is_some() {
            finding.alarmed = Some(kind);
            finding.next = now + AGAIN_WHEN_KNOWN.max(share);
            return Turn::Same;
        }
        let left = (finding.since + patience).saturating_duration_since(now);
        finding.next = now + AGAIN.max(share).min(left);
        if !left.is_zero() {
            return Turn::Same;
        }
        finding.alarmed = Some(kind);
        finding.next = now + AGAIN_WHEN_KNOWN.max(share);
        Turn::Alarm
    }

    /// How long a difference may last before it is an alarm.
    fn patience(&self, product: Product, kind: Kind) -> Duration {
        let ms = match (kind.may_be_delay(), product) {
            (true, Product::Crl) => self.promise.crl_ms,
            (true, Product::Ocsp) if kind == Kind::Missing => self.promise.new_ms,
            // Nothing that is promised explains it, only the moment between two looks.
            _ => self.promise.ocsp_ms,
        };
        Duration::from_millis(ms.into())
    }

    /// How many alarms each issuer has, and one of them in words, without its serial number.
    pub(crate) fn alarms(&self) -> BTreeMap<Arc<str>, (usize, String)> {
        let mut alarms: BTreeMap<Arc<str>, (usize, String)> = BTreeMap::new();
        for (key, finding) in self.lock().iter() {
            let Some(kind) = finding.alarmed else {
                continue;
            };
            let (number, _) = alarms.entry(Arc::clone(&key.issuer)).or_insert_with(|| {
                (
                    0,
                    format!("{} at {}: {}", key.what(), key.edge, kind.as_str()),
                )
            });
            *number += 1;
        }
        alarms
    }

    /// The alarms of one edge, for the next start.
    pub(crate) fn open(&self, edge: &str) -> Vec<Open> {
        let all = self.lock();
        all.iter()
            .filter(|(key, _)| &*key.edge == edge)
            .filter_map(|(key, finding)| {
                Some(Open {
                    issuer: key.issuer.to_string(),
                    product: key.product(),
                    list: key.list.as_ref().and_then(Which::remembered),
                    serial: key.serial,
                    kind: finding.alarmed?.as_str().to_owned(),
                    since: finding.at,
                })
            })
            .collect()
    }

    /// All alarms with their values, for a report.
    pub(crate) fn report(&self) -> Vec<(Key, Option<Difference>)> {
        let all = self.lock();
        all.iter()
            .filter(|(_, finding)| finding.alarmed.is_some())
            .map(|(key, finding)| (key.clone(), finding.difference.clone()))
            .collect()
    }

    /// How many of one edge are suspected and no alarm yet.
    pub(crate) fn suspected(&self, edge: &str) -> usize {
        let all = self.lock();
        all.iter()
            .filter(|(key, finding)| &*key.edge == edge && finding.alarmed.is_none())
            .count()
    }

    /// Brings the metrics of one edge up to date.
    pub(crate) fn tell(&self, edge: &str, issuers: &[Arc<str>]) {
        let mut counts: BTreeMap<(&str, Product, Kind), i64> = BTreeMap::new();
        let all = self.lock();
        for (key, finding) in all.iter().filter(|(key, _)| &*key.edge == edge) {
            if let Some(kind) = finding.alarmed {
                *counts
                    .entry((&key.issuer, key.product(), kind))
                    .or_default() += 1;
            }
        }
        for issuer in issuers {
            for product in [Product::Crl, Product::Ocsp] {
                for kind in Kind::ALL {
                    let number = counts.get(&(&**issuer, product, kind)).copied();
                    self.metrics
                        .open(edge, issuer, product, kind, number.unwrap_or(0));
                }
            }
        }
        drop(all);
        self.metrics.suspects(edge, self.suspected(edge));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Finding>> {
        // Unwrap safety: nothing panics while the lock is held.
        self.all.lock().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promising(ms: u32) -> Findings {
        let promise = Promise {
            ocsp_ms: ms,
            crl_ms: ms,
            new_ms: ms,
        };
        Findings::new(promise, Metrics::new(&prometheus::Registry::new()).unwrap())
    }

    fn key() -> Key {
        Key {
            edge: "http://edge/".into(),
            issuer: "member".into(),
            list: None,
            serial: Some(Serial::from_be_bytes(&[7]).unwrap()),
        }
    }

    fn row(revoked: i64) -> Option<StatusRow> {
        let reason = pki::RevocationReason::Superseded;
        Some(StatusRow {
            serial: Serial::from_be_bytes(&[7]).unwrap(),
            not_after: None,
            revoked: Some((Time::from_unix(revoked), reason)),
            invalidity_date: None,
        })
    }

    fn differs() -> Difference {
        Difference::new(Kind::Status, "revoked", "good")
    }

    #[test]
    fn what_is_within_the_promise_is_no_alarm() {
        let findings = promising(3_600_000);
        findings.suspect(key(), row(1), differs(), Time::from_unix(1));
        assert_eq!(findings.looked(&key(), row(1), Some(differs())), Turn::Same);
        assert!(findings.alarms().is_empty());
        let turn = findings.looked(&key(), row(1), None);
        assert!(matches!(
            turn,
            Turn::Agrees {
                was_alarm: false,
                ..
            }
        ));
        assert_eq!(findings.suspected("http://edge/"), 0);
    }

    #[test]
    fn what_lasts_is_an_alarm_once_and_until_it_agrees() {
        let findings = promising(0);
        findings.suspect(key(), row(1), differs(), Time::from_unix(1));
        // One look never suffices.
        assert!(findings.alarms().is_empty());
        assert_eq!(
            findings.looked(&key(), row(1), Some(differs())),
            Turn::Alarm
        );
        assert_eq!(findings.looked(&key(), row(1), Some(differs())), Turn::Same);
        assert_eq!(findings.alarms()["member"].0, 1);
        assert!(!findings.alarms()["member"].1.contains("07"));
        let turn = findings.looked(&key(), row(1), None);
        assert!(matches!(
            turn,
            Turn::Agrees {
                was_alarm: true,
                ..
            }
        ));
        assert!(findings.alarms().is_empty());
    }

    #[test]
    fn when_the_ledger_says_something_new_the_promise_begins_anew() {
        let findings = promising(3_600_000);
        findings.suspect(key(), None, differs(), Time::from_unix(1));
        let before = findings.lock()[&key()].since;
        findings.looked(&key(), row(1), Some(differs()));
        assert!(findings.lock()[&key()].since > before);
    }

    #[test]
    fn a_restart_forgets_no_alarm() {
        let findings = promising(0);
        findings.suspect(key(), row(1), differs(), Time::from_unix(1));
        findings.looked(&key(), row(1), Some(differs()));
        let open = findings.open("http://edge/");
        let again = promising(3_600_000);
        again.remember(key(), &open[0], open[0].since);
        assert_eq!(again.alarms()["member"].0, 1);
        assert_eq!(again.looked(&key(), row(1), Some(differs())), Turn::Same);
        assert_eq!(again.alarms()["member"].0, 1);
    }
}
