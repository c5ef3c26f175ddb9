//! Whether the daemon can do its work: readiness, part by part.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, RwLock};

/// The readiness of a daemon. Clones share one state.
///
/// A daemon registers its parts (`issuer member`, `ledger`) and tells how each is. By default it is ready when it has
/// announced itself and no part has failed; `/readyz?issuer=NAME` looks at the part `issuer NAME` alone. A daemon for
/// which that is too simple installs its own rule.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    parts: Mutex<BTreeMap<String, Option<String>>>,
    rule: RwLock<Option<Rule>>,
}

type Rule = Box<dyn Fn(Option<&str>) -> Readiness + Send + Sync>;

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// 503, with the reasons, one a line.
    NotReady(Vec<String>),
    /// 200.
    Ready,
    /// 404: no such issuer here.
    UnknownIssuer,
}

impl Health {
    /// A daemon without parts, ready by default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The part of that name, registered as "starting" (not ready) if it is new.
    pub fn part(&self, name: &str) -> Part {
        self.parts()
            .entry(name.to_owned())
            .or_insert_with(|| Some("starting".to_owned()));
        Part {
            health: self.clone(),
            name: name.to_owned(),
        }
    }

    /// Installs the daemon's own rule: called with the issuer asked about, or `None` for the whole daemon.
    pub fn set_rule(&self, rule: impl Fn(Option<&str>) -> Readiness + Send + Sync + 'static) {
        // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
        *self.0.rule.write().unwrap() = Some(Box::new(rule));
    }

    /// Whether the daemon, or one issuer of it, is ready now.
    pub fn readiness(&self, issuer: Option<&str>) -> Readiness {
        // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
        match &*self.0.rule.read().unwrap() {
            Some(rule) => rule(issuer),
            None => self.readiness_of_parts(issuer),
        }
    }

    /// The default rule, for rules that build on it: every part (or the issuer's own) must be ready.
    pub fn readiness_of_parts(&self, issuer: Option<&str>) -> Readiness {
        let parts = self.parts();
        let failures: Vec<String> = match issuer {
            None => parts
                .iter()
                .filter_map(|(name, failure)| Some(format!("{name}: {}", failure.as_ref()?)))
                .collect(),
            Some(issuer) => {
                let name = format!("issuer {issuer}");
                let Some(failure) = parts.get(&name) else {
                    return Readiness::UnknownIssuer;
                };
                failure
                    .iter()
                    .map(|failure| format!("{name}: {failure}"))
                    .collect()
            }
        };
        if failures.is_empty() {
            Readiness::Ready
        } else {
            Readiness::NotReady(failures)
        }
    }

    fn set(&self, name: &str, failure: Option<String>) {
        let previous = self.parts().insert(name.to_owned(), failure.clone());
        match (previous.flatten(), failure) {
            (Some(_), None) => tracing::info!("{name}: ready"),
            (previous, Some(failure)) if previous.as_ref() != Some(&failure) => {
                tracing::warn!("{name}: not ready: {failure}");
            }
            _ => {}
        }
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<String>>> {
        // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
        self.0.parts.lock().unwrap()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("parts", &*self.parts())
            .finish_non_exhaustive()
    }
}

/// One thing a daemon needs in order to do its work.
#[derive(Clone, Debug)]
pub struct Part {
    health: Health,
    name: String,
}

impl Part {
    /// It works. Changes are logged.
    pub fn set_ready(&self) {
        self.health.set(&self.name, None);
    }

    /// It does not work, and why. Changes are logged.
    pub fn set_failed(&self, why: impl Into<String>) {
        self.health.set(&self.name, Some(why.into()));
    }

    /// It is no longer needed.
    pub fn remove(self) {
        self.health.parts().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_decide_by_default() {
        let health = Health::new();
        assert_eq!(health.readiness(None), Readiness::Ready);
        let ledger = health.part("ledger");
        assert_eq!(
            health.readiness(None),
            Readiness::NotReady(vec!["ledger: starting".to_owned()])
        );
        ledger.set_ready();
        let member = health.part("issuer member");
        member.set_failed("its answers end in 3 h");
        assert_eq!(
            health.readiness(Some("member")),
            Readiness::NotReady(vec!["issuer member: its answers end in 3 h".to_owned()])
        );
        assert_eq!(health.readiness(Some("root")), Readiness::UnknownIssuer);
        member.remove();
        assert_eq!(health.readiness(None), Readiness::Ready);
    }

    #[test]
    fn registering_a_part_again_keeps_its_state() {
        let health = Health::new();
        health.part("ledger").set_ready();
        health.part("ledger");
        assert_eq!(health.readiness(None), Readiness::Ready);
    }

    #[test]
    fn an_own_rule_replaces_the_default() {
        let health = Health::new();
        health.part("issuer member").set_failed("stale");
        let parts = health.clone();
        health.set_rule(move |issuer| match issuer {
            Some(_) => parts.readiness_of_parts(issuer),
            None => Readiness::Ready,
        });
        assert_eq!(health.readiness(None), Readiness::Ready);
        assert!(matches!(
            health.readiness(Some("member")),
            Readiness::NotReady(_)
        ));
    }
}
