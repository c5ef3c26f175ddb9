//! The log, standbys, maintenance, and what is bounded: strikes, budgets, what may wait.

use wire::{FromHost, LogRecord, Mode, Operation, Outcome, Receipt, RefusalCode, Reply, RequestId};

use crate::attack::Attack;
use crate::host::{new_id, request, status_in};
use crate::names::good_person;
use crate::scene::Scene;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        not_allowed(
            "acknowledging records that do not exist yet",
            "archived",
            |scene| acknowledge(scene, |head| head.sequence += 1_000),
        ),
        not_allowed("acknowledging another log", "archived", |scene| {
            acknowledge(scene, |head| head.head[0] ^= 1)
        }),
        not_allowed("taking an acknowledgement back", "archived", |scene| {
            let early = scene.host.greeting.as_ref().unwrap().log;
            scene.issue_honestly();
            scene.host.connect();
            scene.archive();
            scene.host.ask(Operation::AckLog { archived: early })
        }),
        not_allowed(
            "a forged journal for one that is no standby",
            "operation",
            |scene| {
                let records = vec![LogRecord(b"forged".to_vec())];
                scene.host.ask(Operation::Replicate { after: 0, records })
            },
        ),
        not_allowed("maintenance for a year", "seconds", |scene| {
            let seconds = 365 * 86_400;
            scene.host.ask(Operation::Maintenance { seconds })
        }),
        not_allowed("maintenance twice", "seconds", |scene| {
            let first = scene.host.ask(Operation::Maintenance { seconds: 60 });
            assert_eq!(first.outcome, Outcome::Done);
            scene.host.ask(Operation::Maintenance { seconds: 60 })
        }),
        not_allowed("more certificates than a day has", "profile", |scene| {
            for _ in 0..3 {
                assert!(matches!(person(scene).outcome, Outcome::Signed { .. }));
                scene.count_honest();
            }
            person(scene)
        })
        .with_limits("certificates_a_day = 3"),
        Attack::suspended(
            "an archive that acknowledges nothing",
            "not archived",
            exhaust,
        )
        .with_limits("unarchived_records = 40"),
        Attack::suspended("more signatures than were budgeted", "budget", exhaust)
            .with_limits("signatures = 5")
            .for_good(),
        Attack::locked(
            "a flood of refused requests",
            "20 requests were refused",
            |scene| {
                for _ in 0..20 {
                    drop(scene.issue(|leaf| drop(leaf.extensions.pop())));
                }
            },
        )
        .with_limits("strikes = 20"),
        Attack::locked(
            "a flood of repeated serial numbers",
            "20 requests were refused",
            |scene| {
                let used = scene.issue_honestly();
                for _ in 0..20 {
                    drop(scene.issue(|leaf| leaf.serial = used));
                }
            },
        )
        .with_limits("strikes = 20"),
        Attack::locked(
            "one refusal where the owner is strict",
            "refused by policy",
            |scene| {
                drop(scene.issue(|leaf| drop(leaf.extensions.pop())));
            },
        )
        .with_limits("strict = true"),
        Attack::locked(
            "the host's own order to lock",
            "the host asked: going home",
            |scene| {
                let reason = "going home".to_owned();
                scene.host.ask(Operation::Lock { reason });
            },
        ),
        Attack::harmless("one request fifty times at once", |scene| {
            let operation = Operation::IssueCertificate(scene.leaf().request());
            let id = new_id();
            for _ in 0..50 {
                scene.host.say(&request(id, operation.clone()));
            }
            let replies: Vec<_> = (0..50).map(|_| scene.host.reply()).collect();
            let mut signatures: Vec<_> = replies.iter().filter_map(signature).collect();
            signatures.dedup();
            assert_eq!(signatures.len(), 1, "one id was signed twice, or never");
            assert!(
                replies
                    .iter()
                    .all(|reply| signature(reply).is_some() || is_busy(reply))
            );
            scene.count_honest();
        }),
        Attack::harmless(
            "thousands of questions whose answers nobody takes",
            |scene| {
                let ids = vec![RequestId([7; 16]); 256];
                let question = request(new_id(), Operation::GetResult { ids });
                let question = stream_of(&question);
                let flood: Vec<_> = std::iter::repeat_n(question, 6).flatten().collect();
                let (cable, session) = scene.host.parts();
                // As much as goes without taking a single frame of the signer.
                session.send_stream(cable, &flood[..flood.len().min(14 * 2_032)]);
                scene.host.connect();
            },
        ),
        Attack::harmless("a thousand questions in one record", |scene| {
            let ping = scene.host.ping(0);
            assert_eq!(status_in(&ping).mode, Mode::Active);
            let questions: Vec<_> = (0..60)
                .flat_map(|_| stream_of(&request(new_id(), Operation::Info)))
                .collect();
            let (cable, session) = scene.host.parts();
            session.send_stream(cable, &questions);
            for _ in 0..60 {
                assert!(matches!(scene.host.reply().outcome, Outcome::Info { .. }));
            }
        }),
    ]
}

fn not_allowed(
    name: &'static str,
    field: &'static str,
    asks: impl Fn(&mut Scene) -> Reply + 'static,
) -> Attack {
    Attack::refused(name, RefusalCode::NotAllowed, field, asks)
}

/// Acknowledges the log as it was when the session began, changed.
fn acknowledge(scene: &mut Scene, change: impl FnOnce(&mut Receipt)) -> Reply {
    let mut archived = scene.host.greeting.as_ref().unwrap().log;
    change(&mut archived);
    scene.host.ask(Operation::AckLog { archived })
}

/// Has certificates signed until nothing is signed any more.
fn exhaust(scene: &mut Scene) -> Reply {
    for _ in 0..100 {
        let (_, reply) = scene.try_honestly();
        if is_busy(&reply) {
            return scene.host.ping(0);
        }
        assert!(signature(&reply).is_some(), "{reply:?}");
        scene.count_honest();
    }
    panic!("it signs for ever");
}

fn person(scene: &mut Scene) -> Reply {
    let request = good_person(scene);
    scene.host.ask(Operation::IssueCertificate(request))
}

fn signature(reply: &Reply) -> Option<&[u8]> {
    match &reply.outcome {
        Outcome::Signed { signature } => Some(signature),
        _ => None,
    }
}

const fn is_busy(reply: &Reply) -> bool {
    matches!(reply.outcome, Outcome::Busy { .. })
}

/// A message as it goes into the stream.
fn stream_of(message: &FromHost) -> Vec<u8> {
    let message = message.encode().unwrap();
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], &message].concat()
}
