//! An attack: what is tried, and what must come of it.

use std::fmt;
use std::thread;
use std::time::Instant;

use signer::journal_record::Record;
use wire::{Mode, Outcome, RefusalCode, Reply};

use crate::cable::PATIENCE;
use crate::host::status_in;
use crate::scene::Scene;

/// One attack of a table.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    expected: Expected,
    /// Lines of `[limits]` in the signer's configuration; with any it gets a signer of its own.
    limits: &'static str,
    for_good: bool,
}

type Asks = Box<dyn Fn(&mut Scene) -> Reply>;
type Does = Box<dyn Fn(&mut Scene)>;

/// What signer.md says of it, and the attempt.
enum Expected {
    /// The request is refused with this code and field, and that is in the journal.
    Refused(RefusalCode, &'static str, Asks),
    /// It is dropped, and changes nothing.
    Noise(Does),
    /// It is served as far as it may be and gains nothing: the attempt itself looks.
    Harmless(Does),
    /// No session comes of it; the journal has the attempt.
    Stranger(Does),
    /// The signer signs nothing, for a reason with these words, which is in the journal, until an honest host is back.
    Suspended(&'static str, Asks),
    /// The keys are wiped, for a reason with these words, which is in the journal.
    Locked(&'static str, Does),
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.expected {
            Expected::Refused(code, field, _) => write!(f, "refused, {field} ({code})"),
            Expected::Noise(_) => f.write_str("dropped as noise"),
            Expected::Harmless(_) => f.write_str("gains nothing"),
            Expected::Stranger(_) => f.write_str("no session"),
            Expected::Suspended(why, _) => write!(f, "suspended, {why}"),
            Expected::Locked(why, _) => write!(f, "locked, {why}"),
        }
    }
}

/// Tries them one after the other: those that lock each on a signer of its own, the others all on one.
pub(crate) fn try_all(attacks: Vec<Attack>) {
    let mut shared = None;
    for attack in &attacks {
        println!("{attack}");
        let locks = matches!(attack.expected, Expected::Locked(..));
        if locks || !attack.limits.is_empty() {
            attack.try_on(&mut Scene::start(attack.limits));
        } else {
            attack.try_on(shared.get_or_insert_with(|| Scene::start("")));
        }
    }
}

impl Attack {
    pub(crate) fn refused(
        name: &'static str,
        code: RefusalCode,
        field: &'static str,
        asks: impl Fn(&mut Scene) -> Reply + 'static,
    ) -> Self {
        Self::new(name, Expected::Refused(code, field, Box::new(asks)))
    }

    /// Refused by policy.
    pub(crate) fn policy(
        name: &'static str,
        field: &'static str,
        asks: impl Fn(&mut Scene) -> Reply + 'static,
    ) -> Self {
        Self::refused(name, RefusalCode::Policy, field, asks)
    }

    pub(crate) fn noise(name: &'static str, does: impl Fn(&mut Scene) + 'static) -> Self {
        Self::new(name, Expected::Noise(Box::new(does)))
    }

    pub(crate) fn harmless(name: &'static str, does: impl Fn(&mut Scene) + 'static) -> Self {
        Self::new(name, Expected::Harmless(Box::new(does)))
    }

    pub(crate) fn stranger(name: &'static str, does: impl Fn(&mut Scene) + 'static) -> Self {
        Self::new(name, Expected::Stranger(Box::new(does)))
    }

    pub(crate) fn suspended(
        name: &'static str,
        why: &'static str,
        asks: impl Fn(&mut Scene) -> Reply + 'static,
    ) -> Self {
        Self::new(name, Expected::Suspended(why, Box::new(asks)))
    }

    pub(crate) fn locked(
        name: &'static str,
        why: &'static str,
        does: impl Fn(&mut Scene) + 'static,
    ) -> Self {
        Self::new(name, Expected::Locked(why, Box::new(does)))
    }

    fn new(name: &'static str, expected: Expected) -> Self {
        Self {
            name,
            expected,
            limits: "",
            for_good: false,
        }
    }

    pub(crate) fn with_limits(mut self, limits: &'static str) -> Self {
        self.limits = limits;
        self
    }

    /// Only the console ends the suspension.
    pub(crate) fn for_good(mut self) -> Self {
        self.for_good = true;
        self
    }

    /// The attempt, what must come of it, and the next honest request.
    fn try_on(&self, scene: &mut Scene) {
        scene.host.connect();
        let before = scene.journal().len();
        match &self.expected {
            Expected::Refused(code, field, asks) => {
                let reply = asks(scene);
                self.is_refused(scene, before, &reply, *code, field);
                scene.issue_honestly();
            }
            Expected::Noise(does) => {
                does(scene);
                assert_eq!(scene.host.status().mode, Mode::Active, "{self}");
                let after = scene.journal();
                assert_eq!(after.len(), before, "{self}: {:?}", &after[before..]);
                scene.issue_honestly();
            }
            Expected::Harmless(does) => {
                does(scene);
                scene.issue_honestly();
            }
            Expected::Stranger(does) => {
                does(scene);
                self.wait_for_notice(scene, before, "does not have the host's keys");
                scene.host.connect();
                scene.issue_honestly();
            }
            Expected::Suspended(why, asks) => {
                let status = status_in(&asks(scene));
                assert_eq!(status.mode, Mode::Suspended, "{self}");
                assert!(status.reason.contains(why), "{self}: {}", status.reason);
                self.signs_nothing(scene);
                self.wait_for_notice(scene, before, why);
                if !self.for_good {
                    scene.host.connect();
                    scene.archive();
                    scene.issue_honestly();
                }
            }
            Expected::Locked(why, does) => {
                does(scene);
                let status = scene.host.connect();
                assert_eq!(status.mode, Mode::Locked, "{self}");
                assert!(status.reason.contains(why), "{self}: {}", status.reason);
                self.signs_nothing(scene);
                let journal = scene.journal();
                let locked = journal[before..].iter().find_map(|record| match record {
                    Record::Locked { reason, .. } => Some(reason),
                    _ => None,
                });
                assert_eq!(locked, Some(&status.reason), "{self}");
            }
        }
        scene.check_signatures();
    }

    fn is_refused(
        &self,
        scene: &Scene,
        before: usize,
        reply: &Reply,
        code: RefusalCode,
        field: &str,
    ) {
        let Outcome::Refused(refused) = &reply.outcome else {
            panic!("{self}: {:?}", reply.outcome);
        };
        assert_eq!(
            (refused.code, refused.field.as_str()),
            (code, field),
            "{self}: {refused}"
        );
        assert!(!refused.message.is_empty(), "{self}");
        let written = scene.journal()[before..].iter().any(|record| match record {
            Record::Refused {
                id,
                refused: written,
                ..
            } => *id == reply.id && written == refused,
            // What is no act has no id in the journal.
            Record::Noticed { what, .. } => what.contains(&refused.to_string()),
            _ => false,
        });
        assert!(written, "{self}: it is not in the journal");
    }

    fn signs_nothing(&self, scene: &mut Scene) {
        let (_, reply) = scene.try_honestly();
        assert!(
            matches!(reply.outcome, Outcome::Busy { .. }),
            "{self}: {reply:?}"
        );
    }

    /// The policy process writes while the host may say something already.
    fn wait_for_notice(&self, scene: &Scene, before: usize, words: &str) {
        let end = Instant::now() + PATIENCE;
        let noticed = |record: &Record| matches!(record, Record::Noticed { what, .. } if what.contains(words));
        while !scene.journal()[before..].iter().any(noticed) {
            assert!(
                Instant::now() < end,
                "{self}: {words:?} is not in the journal"
            );
            thread::yield_now();
        }
    }
}
