//! Revocations and CRLs: nothing is ever taken back, and nothing is missing on a complete CRL, a delta or a part.

mod common;

use common::{Bench, Fixture, Leaf, crl_of, noon, refusal, revoke, signature};
use pki::certificate_builder::extension;
use pki::crl::build::CrlEntry;
use pki::crl::verify::Scope;
use pki::{Clock as _, CrlNumber, RevocationReason, Serial, Time, oid};
use wire::{Added, ListChange, Operation, Outcome, RefusalCode, Reply, SerialOctets, SignCrl};

const HOUR: u32 = 3_600;

/// A signer, and a host that can ask it for any CRL.
struct World {
    fixture: Fixture,
    bench: Bench,
    asked: u8,
}

impl World {
    fn new() -> Self {
        let fixture = Fixture::new();
        let bench = fixture.bench();
        Self {
            fixture,
            bench,
            asked: 0,
        }
    }

    fn ask(&mut self, operation: Operation) -> Reply {
        self.asked += 1;
        self.bench.ask(self.asked, operation)
    }

    /// A revocation of a certificate that this signer has not signed.
    fn revoked(&mut self, not_after: Option<Time>) -> CrlEntry {
        let entry = entry(self.fixture.clock.now());
        self.told(&[entry], not_after);
        entry
    }

    #[track_caller]
    fn told(&mut self, entries: &[CrlEntry], not_after: Option<Time>) {
        let reply = self.ask(revoke(entries, not_after));
        assert!(
            matches!(reply.outcome, Outcome::Remembered { .. }),
            "{reply:?}"
        );
    }

    /// A CRL of this number with these entries now, told as `change`.
    fn list(
        &mut self,
        number: u64,
        scope: Scope<'_>,
        entries: &[CrlEntry],
        change: ListChange,
    ) -> Reply {
        let mut entries = entries.to_vec();
        entries.sort_by_key(|entry| entry.serial);
        let now = self.fixture.clock.now();
        let request = SignCrl {
            entries: change,
            ..crl_of(&self.fixture.member, number, now, &entries, scope)
        };
        self.ask(Operation::SignCrl(request))
    }

    /// A complete CRL, told from nothing.
    fn complete(&mut self, number: u64, entries: &[CrlEntry], removed: &[CrlEntry]) -> Reply {
        let change = ListChange {
            from: None,
            added: Added::All,
            removed: octets(removed),
        };
        self.list(number, Scope::Complete, entries, change)
    }

    /// A delta with these entries, all of them named.
    fn delta(&mut self, number: u64, base: u64, entries: &[CrlEntry]) -> Reply {
        let base = CrlNumber::from(base);
        let scope = Scope::Delta { base: &base };
        self.list(number, scope, entries, named(None, entries))
    }

    /// A part with these entries, of which `added` are named, after the part `from`.
    fn part(
        &mut self,
        number: u64,
        name: &str,
        from: Option<u64>,
        entries: &[CrlEntry],
        added: &[CrlEntry],
    ) -> Reply {
        let uri = part(name);
        let scope = Scope::Partition { uri: &uri };
        self.list(number, scope, entries, named(from, added))
    }

    /// The program ends and starts again.
    fn restart(mut self) -> Self {
        drop(self.bench);
        self.bench = self.fixture.bench();
        self
    }

    fn pass(&mut self, seconds: u32) {
        self.bench.pass(seconds);
        self.bench.ping(self.fixture.clock.now());
    }

    /// Issues a certificate that names this part, or the complete CRL, and revokes it.
    fn issued_in(&mut self, name: Option<&str>) -> CrlEntry {
        let mut leaf = Leaf::new(&self.fixture.member);
        leaf.not_before = self.fixture.clock.now().plus_seconds(-300);
        leaf.not_after = leaf.not_before.plus_seconds(i64::from(2 * HOUR));
        if let Some(name) = name {
            let with = extension::crl_distribution_points(&part(name));
            let mut extensions = leaf.extensions.iter_mut();
            *extensions
                .find(|one| one.oid == oid::CRL_DISTRIBUTION_POINTS)
                .unwrap() = with;
        }
        signature(&self.ask(Operation::IssueCertificate(leaf.request())));
        let entry = CrlEntry {
            serial: leaf.serial,
            ..entry(self.fixture.clock.now())
        };
        self.told(&[entry], Some(leaf.not_after));
        entry
    }
}

fn part(name: &str) -> String {
    format!("http://127.0.0.1:8080/crl/member/part/{name}.crl")
}

fn entry(now: Time) -> CrlEntry {
    CrlEntry {
        serial: Serial::random_of_signer(77).unwrap(),
        revocation_date: now.plus_seconds(-60),
        reason: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    }
}

fn octets(entries: &[CrlEntry]) -> Vec<SerialOctets> {
    let mut serials: Vec<_> = entries
        .iter()
        .map(|entry| SerialOctets(entry.serial.as_bytes().to_vec()))
        .collect();
    serials.sort();
    serials
}

fn named(from: Option<u64>, added: &[CrlEntry]) -> ListChange {
    ListChange {
        from: from.map(CrlNumber::from),
        added: Added::Serials(octets(added)),
        removed: Vec::new(),
    }
}

/// What a delta says of an entry that has left.
fn left(entry: CrlEntry) -> CrlEntry {
    CrlEntry {
        reason: Some(RevocationReason::RemoveFromCrl),
        ..entry
    }
}

/// Refused because the signer would put another list together, with this text.
#[track_caller]
fn diverged(reply: &Reply, text: &str) {
    let refused = refusal(reply);
    assert_eq!(refused.code, RefusalCode::Diverged, "{refused}");
    assert!(refused.message.contains(text), "{refused}");
}

#[test]
fn what_is_revoked_stays_so() {
    let mut world = World::new();
    let first = world.revoked(None);
    // The same once more is no mistake: an answer may have been lost.
    let again = world.ask(revoke(&[first], None));
    assert!(matches!(
        again.outcome,
        Outcome::Remembered { count: 1, .. }
    ));
    let reason = |reason| CrlEntry { reason, ..first };
    let date = |revocation_date| CrlEntry {
        revocation_date,
        ..first
    };
    for (field, changed) in [
        (
            "revocations.reason",
            reason(Some(RevocationReason::RemoveFromCrl)),
        ),
        (
            "revocations.reason",
            reason(Some(RevocationReason::CertificateHold)),
        ),
        ("revocations", reason(None)),
        ("revocations", date(first.revocation_date.plus_seconds(1))),
        ("revocations.date", date(noon().plus_seconds(3_600))),
    ] {
        let refused = refusal(&world.ask(revoke(&[changed], None)));
        assert_eq!(
            (refused.code, refused.field.as_str()),
            (RefusalCode::Policy, field)
        );
    }
    // Nor is the end of its certificate another one.
    let reply = world.ask(revoke(&[first], Some(noon())));
    assert_eq!(refusal(&reply).field, "revocations");
    // All of it stands on the next CRL as it was told first.
    signature(&world.complete(1, &[first], &[]));
}

#[test]
fn grounds_and_holds() {
    let mut world = World::new();
    let hold = CrlEntry {
        reason: Some(RevocationReason::CertificateHold),
        ..entry(noon())
    };
    let on = |ground: &str, entry: &CrlEntry| match revoke(&[*entry], None) {
        Operation::Revoke(revoke) => Operation::Revoke(wire::Revoke {
            ground: ground.to_owned(),
            ..revoke
        }),
        other => other,
    };
    for ground in ["subscriber", "support", "arbitrator"] {
        let reply = world.ask(on(ground, &hold));
        assert_eq!(refusal(&reply).field, "revocations.reason", "{ground}");
    }
    assert_eq!(
        refusal(&world.ask(on("whim", &entry(noon())))).field,
        "ground"
    );
    // A CA that is taken over brings its holds, and they are never released.
    let reply = world.ask(on("imported", &hold));
    assert!(
        matches!(reply.outcome, Outcome::Remembered { count: 1, .. }),
        "{reply:?}"
    );
    signature(&world.complete(1, &[hold], &[]));
    world.pass(1);
    diverged(&world.complete(2, &[], &[hold]), "nobody knows when");
}

/// One wrong revocation in a batch, and none of it is remembered.
#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let mut world = World::new();
    let good = entry(noon());
    let bad = CrlEntry {
        reason: Some(RevocationReason::RemoveFromCrl),
        ..entry(noon())
    };
    refusal(&world.ask(revoke(&[good, bad], None)));
    signature(&world.complete(1, &[], &[]));
    world.told(&[good], None);
    world.pass(1);
    signature(&world.complete(2, &[good], &[]));
}

#[test]
fn the_end_of_its_own_certificates_is_known() {
    let mut world = World::new();
    let leaf = Leaf::new(&world.fixture.member);
    signature(&world.ask(Operation::IssueCertificate(leaf.request())));
    let entry = CrlEntry {
        serial: leaf.serial,
        ..entry(noon())
    };
    // Before its end, and the entry could leave too early.
    for end in [Some(noon()), None] {
        let reply = world.ask(revoke(&[entry], end));
        assert_eq!(refusal(&reply).field, "revocations.not_after");
    }
    world.told(&[entry], Some(leaf.not_after));
}

#[test]
fn a_complete_crl_has_everything() {
    let mut world = World::new();
    let first = world.revoked(Some(noon().plus_seconds(i64::from(HOUR))));
    let second = world.revoked(None);
    let both = [first, second];
    diverged(&world.complete(1, &[first], &[]), "2 revocations");
    let stranger = entry(noon());
    diverged(
        &world.complete(1, &[first, second, stranger], &[]),
        "2 revocations",
    );
    let chosen = named(None, &[first]);
    diverged(
        &world.list(1, Scope::Complete, &[first], chosen),
        "not a choice",
    );
    for entry in both {
        let kept: Vec<_> = both.into_iter().filter(|one| *one != entry).collect();
        diverged(&world.complete(1, &kept, &[entry]), "may not be missing");
    }
    diverged(&world.complete(1, &both, &[stranger]), "is not revoked");
    signature(&world.complete(2, &both, &[]));

    // Ended, it is shown once more, and may leave then.
    world.pass(2 * HOUR);
    diverged(
        &world.complete(3, &[second], &[first]),
        "since its certificate ended",
    );
    signature(&world.complete(3, &both, &[]));
    world.pass(1);
    signature(&world.complete(4, &[second], &[first]));
    // And the list before is what the next may be told from.
    world.pass(1);
    let third = world.revoked(None);
    let change = ListChange {
        from: Some(CrlNumber::from(4)),
        added: Added::All,
        removed: Vec::new(),
    };
    signature(&world.list(5, Scope::Complete, &[second, third], change.clone()));
    world.pass(1);
    let unknown = ListChange {
        from: Some(CrlNumber::from(99)),
        ..change
    };
    diverged(&world.list(6, Scope::Complete, &[], unknown), "2, 3, 4, 5");
}

#[test]
fn a_delta_tells_all_that_changed_since_its_base() {
    let mut world = World::new();
    let early = world.revoked(Some(noon().plus_seconds(i64::from(HOUR))));
    signature(&world.complete(1, &[early], &[]));
    world.pass(10);
    let late = world.revoked(None);
    signature(&world.complete(2, &[early, late], &[]));
    diverged(&world.delta(2, 1, &[]), "is missing");
    diverged(
        &world.delta(2, 0, &[late]),
        "no complete CRL of this number",
    );
    signature(&world.delta(2, 1, &[late]));
    // A delta between two complete CRLs goes up to now; what was told after the last one is revoked, not removed.
    world.pass(10);
    let newest = world.revoked(None);
    diverged(&world.delta(3, 1, &[late]), "is missing");
    diverged(&world.delta(3, 1, &[late, left(newest)]), "another CRL");
    signature(&world.delta(3, 1, &[late, newest]));
    // From a nearer base less is to be told; from the newest, what came after it.
    signature(&world.delta(4, 2, &[newest]));

    // What has left since the base is told as such, and only where the base has it.
    world.pass(2 * HOUR);
    signature(&world.complete(5, &[early, late, newest], &[]));
    world.pass(1);
    signature(&world.complete(6, &[late, newest], &[early]));
    diverged(&world.delta(6, 2, &[newest]), "is missing");
    diverged(&world.delta(6, 2, &[newest, early]), "another CRL");
    signature(&world.delta(6, 2, &[newest, left(early)]));
    world.pass(1);
    signature(&world.complete(7, &[late, newest], &[early]));
    signature(&world.delta(7, 6, &[]));
    // The oldest base still counts, however many CRLs came since, and after a new start.
    for number in 8..20 {
        world.pass(1);
        signature(&world.complete(number, &[late, newest], &[early]));
    }
    let mut world = world.restart();
    diverged(&world.delta(19, 1, &[late, left(early)]), "is missing");
    signature(&world.delta(19, 1, &[late, newest, left(early)]));
}

/// What came and left between base and now is no change; telling it all the same harms nobody.
#[test]
fn what_came_and_left_is_as_it_was() {
    let mut world = World::new();
    signature(&world.complete(1, &[], &[]));
    world.pass(1);
    let short = world.revoked(Some(noon().plus_seconds(5)));
    signature(&world.complete(2, &[short], &[]));
    world.pass(HOUR);
    signature(&world.complete(3, &[short], &[]));
    world.pass(1);
    signature(&world.complete(4, &[], &[short]));
    signature(&world.delta(4, 1, &[]));
    world.pass(1);
    signature(&world.complete(5, &[], &[short]));
    signature(&world.delta(5, 1, &[left(short)]));
}

#[test]
fn a_part_has_the_certificates_that_name_it_and_no_others() {
    let mut world = World::new();
    let (a, b) = (world.issued_in(Some("0")), world.issued_in(Some("1")));
    let whole = world.issued_in(None);
    // Of a CA that was taken over: who else than the host knows where it belongs?
    let foreign = world.revoked(None);
    let missing = "may not be missing";
    diverged(&world.part(1, "0", None, &[], &[]), missing);
    diverged(&world.part(1, "0", None, &[foreign], &[foreign]), missing);
    for other in [b, whole] {
        let both = [a, other];
        diverged(
            &world.part(1, "0", None, &both, &both),
            "does not belong to this part",
        );
    }
    signature(&world.part(1, "0", None, &[a, foreign], &[a, foreign]));
    signature(&world.part(1, "1", None, &[b], &[b]));
    // A part that nobody names has nothing.
    signature(&world.part(1, "2", None, &[], &[]));

    // Later only what is new crosses the cable, and none of it may be forgotten.
    world.pass(1);
    let new = world.issued_in(Some("0"));
    diverged(&world.part(2, "0", Some(1), &[a, foreign], &[]), missing);
    // After a new start of the signer the certificates still name what they named.
    let mut world = world.restart();
    diverged(&world.part(2, "0", Some(1), &[a, foreign], &[]), missing);
    diverged(
        &world.part(2, "1", Some(1), &[b, new], &[new]),
        "does not belong",
    );
    signature(&world.part(2, "0", Some(1), &[a, foreign, new], &[new]));
    signature(&world.part(2, "1", Some(1), &[b], &[]));

    // Ended and shown once more, they need not come again.
    world.pass(3 * HOUR);
    diverged(&world.part(3, "0", None, &[foreign], &[foreign]), missing);
    let all = [a, foreign, new];
    signature(&world.part(3, "0", None, &all, &all));
    world.pass(1);
    signature(&world.part(4, "0", None, &[foreign], &[foreign]));
}

/// F6: each revocation is answered, and the count and digest say what is known.
#[test]
fn buckets_say_what_is_known() {
    let mut world = World::new();
    let entries: Vec<_> = (0..40).map(|_| entry(noon())).collect();
    world.told(&entries, None);
    let issuer = "member".to_owned();
    let reply = world.ask(Operation::GetRevoked { issuer });
    let Outcome::Revoked { count, buckets } = reply.outcome else {
        panic!("{reply:?}");
    };
    assert_eq!((count, buckets.len()), (40, 256));
    let mut found = Vec::new();
    for bucket in 0..=u8::MAX {
        let reply = world.bench.ask(
            200,
            Operation::GetBucket {
                issuer: "member".to_owned(),
                bucket,
                after: None,
            },
        );
        let Outcome::Bucket { revocations, more } = reply.outcome else {
            panic!("{reply:?}");
        };
        assert!(!more);
        assert_eq!(buckets[usize::from(bucket)] == 0, revocations.is_empty());
        found.extend(revocations.into_iter().map(|revocation| revocation.serial));
    }
    found.sort();
    assert_eq!(found, octets(&entries));
}
