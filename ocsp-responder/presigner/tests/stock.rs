//! Responder certificates issued ahead: status goes on for weeks without a signer (S9).

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use common::{HASHES, Mood, World, all_answers, assert_complete, none_ahead, openssl_says, serial};
use ledger::{ChangeKind, IssuerPolicy, IssuerUpdate};
use ocsp_presigner::{Backends, Inbox, Worker};
use pki::profile::RuleSet;
use pki::{Certificate, KeyKind, Time};
use telemetry::Readiness;

const EC: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// One in use, and nine that begin in the four weeks to come, every 71 hours.
const FULL: usize = 10;

/// An issuer and its presigner.
struct Site {
    world: World,
    ca: Certificate,
    /// There is none only while it is started anew.
    worker: Option<Worker>,
    inbox: Arc<Inbox>,
    cursor: u64,
}

impl Site {
    async fn new(rule_set: RuleSet, policy: IssuerPolicy) -> Self {
        let world = World::under(rule_set, Backends::default()).await;
        let ca = world.add_issuer("member", EC, true, policy).await;
        world.import("member", 1..200, None).await;
        let (worker, inbox) = world.worker("member").await;
        let cursor = world.ledger.head().await.unwrap();
        // The stock waits until everything else has started.
        world.clock.advance(10);
        Self {
            world,
            ca,
            worker: Some(worker),
            inbox,
            cursor,
        }
    }

    fn worker(&self) -> &Worker {
        self.worker.as_ref().unwrap()
    }

    fn worker_mut(&mut self) -> &mut Worker {
        self.worker.as_mut().unwrap()
    }

    async fn settle(&mut self) {
        self.worker_mut().settle().await;
        self.world.feed(&self.inbox, &mut self.cursor).await;
        self.worker_mut().settle().await;
    }

    async fn change(&mut self, policy: IssuerPolicy) {
        let update = IssuerUpdate {
            policy: Some(policy),
            ..IssuerUpdate::default()
        };
        let ledger = &self.world.ledger;
        ledger
            .update_issuer("member", update, "test")
            .await
            .unwrap();
        self.inbox.put(ChangeKind::IssuerChanged, None);
        self.settle().await;
    }

    async fn restart(&mut self) {
        self.worker = None;
        let (worker, inbox) = self.world.worker("member").await;
        (self.worker, self.inbox) = (Some(worker), inbox);
        self.cursor = self.world.ledger.head().await.unwrap();
        self.world.clock.advance(10);
        self.settle().await;
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.world.path().join("keys/member")).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        files.sort();
        files
    }

    /// Those in the key directory that have not ended, by their beginning.
    fn certificates(&self) -> Vec<Certificate> {
        let read = |path: PathBuf| Certificate::from_der(&fs::read(path).unwrap()).unwrap();
        let mut found: Vec<_> = self.files("cer").into_iter().map(read).collect();
        found.retain(|certificate| certificate.not_after() > self.world.now());
        found.sort_by_key(Certificate::not_before);
        found
    }

    fn metric(&self, name: &str) -> i64 {
        let families = self.world.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.unwrap().get_metric()[0].get_gauge().get_value() as i64
    }

    fn stock_left(&self) -> i64 {
        self.metric("avouch_presigner_responder_stock_seconds_left")
    }

    fn readiness(&self) -> Readiness {
        self.world.health.readiness(Some("member"))
    }

    fn is_ready(&self) -> bool {
        self.readiness() == Readiness::Ready
    }

    /// An hour goes by, and what was published before still holds at its end.
    async fn an_hour(&mut self) {
        self.world.clock.advance(HOUR);
        let now = self.world.now();
        assert!(
            all_answers(self.worker().published().view()).all(|answer| answer.is_current(now)),
            "a gap before {now}"
        );
        self.settle().await;
    }

    /// Every answer that was signed in the last hour, and how long it is valid.
    fn shortest(&self) -> i64 {
        let now = self.world.now();
        all_answers(self.worker().published().view())
            .filter(|answer| answer.this_update().seconds_until(now) < HOUR)
            .map(|answer| answer.this_update().seconds_until(answer.next_update()))
            .min()
            .unwrap_or(i64::MAX)
    }
}

/// The point of it all: the signer is away for four weeks.
#[tokio::test(flavor = "multi_thread")]
async fn four_weeks_without_a_signer() {
    let mut site = Site::new(RuleSet::Community, IssuerPolicy::default()).await;
    site.settle().await;
    let stock = site.certificates();
    assert_eq!(stock.len(), FULL);
    let now = site.world.now();
    for (place, certificate) in stock.iter().enumerate() {
        let (begins, ends) = (certificate.not_before(), certificate.not_after());
        assert_eq!(begins.seconds_until(ends), 7 * DAY - 1);
        assert!(now.seconds_until(begins) <= 28 * DAY);
        let after = stock[0].not_before().seconds_until(begins);
        let turns = i64::try_from(place).unwrap() * 71 * HOUR;
        assert!(
            (turns - 60..=turns + 300).contains(&after),
            "{place}: {after}"
        );
    }
    let keys: BTreeSet<_> = stock
        .iter()
        .map(|certificate| certificate.public_key().fingerprint())
        .collect();
    assert_eq!(keys.len(), FULL, "each has a key of its own");
    let last = stock.last().unwrap().not_after();
    assert_eq!(site.stock_left(), now.seconds_until(last));
    assert!(site.stock_left() > 33 * DAY);
    let wanted = "avouch_presigner_responder_stock_wanted_seconds";
    assert_eq!(site.metric(wanted), 28 * DAY);

    site.world.signer.set(Mood::Away);
    let asked = site.world.signer.asked();
    let issued = site.world.ledger.counts("member").await.unwrap().issued;
    let mut signers = BTreeSet::new();
    for hour in 0..28 * 24 {
        site.an_hour().await;
        let now = site.world.now();
        let responder = site.worker().responder().unwrap();
        assert!(responder.not_before() <= now, "never one before its time");
        signers.insert(responder.der().to_vec());
        assert!(site.shortest() >= 84 * HOUR, "cut short by its responder");
        if hour % 24 == 0 {
            assert_complete(&site.world, site.worker(), "member", &site.ca).await;
            for hash in HASHES {
                let said = openssl_says(&site.world, site.worker(), "member", serial(7), hash);
                assert_eq!(said, "good");
            }
        }
        if hour == 300 {
            // In the middle of it the presigner is started anew.
            site.restart().await;
        }
        // While there are enough, nobody calls the presigner broken.
        assert_eq!(site.is_ready(), site.stock_left() >= 7 * DAY, "hour {hour}");
    }
    assert_eq!(signers.len(), FULL, "each had its turn");
    assert_eq!(site.world.signer.asked(), asked);
    let still = site.world.ledger.counts("member").await.unwrap().issued;
    assert_eq!(still, issued, "nothing is reserved for nobody");
    assert!(site.stock_left() < 7 * DAY);

    // And it comes back.
    site.world.signer.set(Mood::There);
    site.an_hour().await;
    assert!(site.is_ready());
    assert!(site.stock_left() > 30 * DAY);
    assert_eq!(site.world.signer.asked() - asked, FULL - 1);
    for _ in 0..7 * 24 {
        site.an_hour().await;
        assert!(site.shortest() >= 84 * HOUR);
        assert!(site.stock_left() > 30 * DAY);
    }
    assert_complete(&site.world, site.worker(), "member", &site.ca).await;
    // What has ended a month ago is gone.
    assert!(site.files("cer").len() < 2 * FULL + 3);
    assert_eq!(site.files("key").len(), site.files("cer").len());
}

/// With everything used up, answers end with the last certificate, and not a second later or sooner. In its last hours
/// nothing is renewed, since that would gain nothing, and what changes is told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_stock_is_the_end() {
    let mut policy = IssuerPolicy::default();
    policy.ocsp.responder_ahead_days = Some(3);
    let mut site = Site::new(RuleSet::Community, policy).await;
    site.settle().await;
    assert_eq!(site.certificates().len(), 2);
    site.world.signer.set(Mood::Away);
    let last = site.certificates()[1].not_after();
    while site.world.now().seconds_until(last) > 9 * HOUR {
        site.an_hour().await;
        let view = site.worker().published().view();
        assert!(all_answers(view).all(|answer| answer.next_update() <= last));
    }
    site.an_hour().await;
    let signatures = site.world.shared.metrics.signatures.clone();
    let signed = || signatures.with_label_values(&["member"]).get();
    let before = signed();
    while site.world.now().seconds_until(last) > 2 * HOUR {
        site.an_hour().await;
        assert_complete(&site.world, site.worker(), "member", &site.ca).await;
    }
    assert_eq!(signed(), before);
    assert!(!site.is_ready());
    site.world.revoke("member", serial(7)).await;
    site.settle().await;
    for hash in HASHES {
        let said = openssl_says(&site.world, site.worker(), "member", serial(7), hash);
        assert_eq!(said, "revoked");
    }
    let answers = all_answers(site.worker().published().view()).count();
    site.world.clock.set(last.plus_seconds(-2));
    site.settle().await;
    let now = site.world.now();
    let view = site.worker().published().view();
    assert_eq!(all_answers(view).count(), answers);
    assert!(all_answers(view).all(|answer| answer.is_current(now)));
    site.world.clock.set(last.plus_seconds(1));
    site.settle().await;
    assert_eq!(site.stock_left(), 0);
    assert!(site.worker().responder().is_none());
    site.world.signer.set(Mood::There);
    site.inbox.put(ChangeKind::IssuerChanged, None);
    site.settle().await;
    assert_complete(&site.world, site.worker(), "member", &site.ca).await;
    assert_eq!(site.readiness(), Readiness::Ready);
}

/// OCSP-65: under the CA/Browser Forum's rules each begins when it is signed. What is left of it then is what status has.
#[tokio::test(flavor = "multi_thread")]
async fn none_ahead_under_the_rules_of_the_forum() {
    let mut site = Site::new(RuleSet::Cabf, IssuerPolicy::default()).await;
    site.settle().await;
    let wanted = "avouch_presigner_responder_stock_wanted_seconds";
    assert_eq!(site.metric(wanted), 0);
    for _ in 0..10 * 24 {
        site.an_hour().await;
        let now = site.world.now();
        let latest = site.certificates().pop().unwrap();
        assert!(latest.not_before() <= now);
        assert!(site.stock_left() >= 96 * HOUR);
        assert!(site.shortest() >= 84 * HOUR);
    }
    assert_eq!(site.world.signer.asked(), 4, "one in 71 hours");
}

/// Between any two steps of making one: the key is there, the order is on its way, it is issued and not saved.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_neither_loses_nor_doubles_any() {
    let mut policy = IssuerPolicy::default();
    policy.ocsp.responder_ahead_days = Some(7);
    let mut site = Site::new(RuleSet::Community, policy).await;
    site.settle().await;
    assert_eq!(site.certificates().len(), 3);
    let issued = async |site: &Site| {
        let asked = site.world.signer.asked();
        (asked, site.certificates().len())
    };

    // A key whose certificate was never asked for is used.
    let last = site.files("cer")[2].clone();
    let keys = site.files("key");
    let certificate = Certificate::from_der(&fs::read(&last).unwrap()).unwrap();
    // Issued and not saved: the ledger has it.
    fs::remove_file(&last).unwrap();
    site.restart().await;
    assert_eq!(issued(&site).await, (3, 3));
    assert_eq!(fs::read(&last).unwrap(), certificate.der());
    assert_eq!(site.files("key"), keys);

    // The order was on its way: it is finished by recovery, as the issuer does it, and found then.
    site.world.signer.set(Mood::Dies);
    while issued(&site).await.0 == 3 {
        site.an_hour().await;
    }
    let waiting = site.world.ledger.pending_reservations(0, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    for _ in 0..5 {
        site.restart().await;
        site.an_hour().await;
    }
    assert_eq!(issued(&site).await.0, 4, "asked once");
    site.world.signer.set(Mood::There);
    let issuance = issuance::Issuance::new(
        site.world.ledger.clone(),
        site.world.signer.clone(),
        Arc::clone(&site.world.shared.clock),
    );
    issuance.recover(0).await.unwrap();
    site.restart().await;
    let certificates = site.certificates();
    assert!(
        certificates
            .iter()
            .any(|one| *one.serial() == waiting[0].1.serial)
    );
    assert_eq!(issued(&site).await, (5, certificates.len()));

    // A key and nothing more: what was before the order.
    let (before, keys) = (site.files("cer").len(), site.files("key").len());
    let free = keystore::SigningKey::generate(KeyKind::P256).unwrap();
    let name = hex::encode(free.public_key().fingerprint());
    let path = site.world.path().join("keys/member").join(name);
    free.save_plain(&path.with_extension("key")).unwrap();
    while site.files("cer").len() == before {
        site.an_hour().await;
    }
    assert!(path.with_extension("cer").exists());
    assert_eq!(site.files("key").len(), keys + 1);
}

/// What the policy wants no more is replaced, and stays until it is.
#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_key_makes_the_stock_anew() {
    let mut site = Site::new(RuleSet::Community, IssuerPolicy::default()).await;
    site.settle().await;
    let before = site.stock_left();
    site.world.signer.set(Mood::Away);
    let mut policy = IssuerPolicy::default();
    policy.ocsp.responder_key = Some(KeyKind::P384);
    site.change(policy).await;
    // Not to be had now: better another kind of key than no status.
    assert_eq!(site.certificates().len(), FULL);
    assert_eq!(site.stock_left(), before);
    assert!(!site.is_ready(), "the operator wants to know");

    site.world.signer.set(Mood::There);
    site.inbox.put(ChangeKind::IssuerChanged, None);
    site.settle().await;
    let kind = |certificate: &Certificate| certificate.public_key().kind().unwrap();
    let certificates = site.certificates();
    let (new, old): (Vec<_>, Vec<_>) = certificates
        .iter()
        .partition(|certificate| kind(certificate) == KeyKind::P384);
    assert_eq!((new.len(), old.len()), (FULL, 1), "the old one has signed");
    assert_eq!(kind(site.worker().responder().unwrap()), KeyKind::P384);
    assert!(site.is_ready());
    assert_eq!(site.files("key").len(), FULL + 1);
    assert_complete(&site.world, site.worker(), "member", &site.ca).await;
}

/// A certificate in stock that was revoked never signs, and another one takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn one_in_stock_is_revoked() {
    let mut site = Site::new(RuleSet::Community, IssuerPolicy::default()).await;
    site.settle().await;
    let revoked = site.certificates()[2].clone();
    site.world.revoke("member", *revoked.serial()).await;
    site.an_hour().await;
    let takes_its_place = |one: &&Certificate| {
        one.not_before() == revoked.not_before() && one.serial() != revoked.serial()
    };
    let certificates = site.certificates();
    assert_eq!(certificates.len(), FULL + 1);
    let other = certificates.iter().find(takes_its_place);
    assert!(other.is_some());
    while site.world.now() < revoked.not_after() {
        site.an_hour().await;
        let responder = site.worker().responder().unwrap();
        assert_ne!(responder.serial(), revoked.serial());
    }
}

/// A signer that keeps other rules counts its refusals and locks after too many: it is asked once a day.
#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_is_not_pestered() {
    let mut site = Site::new(RuleSet::Community, none_ahead()).await;
    site.settle().await;
    site.world.signer.set(Mood::Refuses);
    site.change(IssuerPolicy::default()).await;
    let asked = site.world.signer.asked();
    for _ in 0..48 {
        site.an_hour().await;
    }
    assert_eq!(site.world.signer.asked() - asked, 2);
    let left = Time::from_unix(site.stock_left());
    assert!(left < Time::from_unix(7 * DAY) && !site.is_ready());
}
