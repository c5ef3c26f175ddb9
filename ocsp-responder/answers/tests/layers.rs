//! Layers decide by age, and folding them changes nothing.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use answers::{AnswerSet, Layered, Removals, Totals, merge};
use common::{Authority, HASHES, revoked, serial};
use pki::ocsp::response::CertStatus;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::p256("Layers"));

#[test]
fn the_newest_layer_decides() {
    let base = Arc::new(AUTHORITY.set(
        0,
        &[
            (1, CertStatus::Good),
            (2, CertStatus::Good),
            (3, CertStatus::Good),
        ],
        &[],
    ));
    let older = Arc::new(AUTHORITY.set(10, &[(2, revoked()), (4, CertStatus::Good)], &[3]));
    let newer = Arc::new(AUTHORITY.set(20, &[(3, revoked()), (4, revoked())], &[1]));
    let layered = Layered::new(base, vec![newer, older]).unwrap();
    let status = |number| {
        layered
            .get(serial(number).as_bytes())
            .unwrap()
            .map(|answer| answer.status())
    };
    assert_eq!(
        [1, 2, 3, 4, 5].map(status),
        [
            None,
            Some(revoked()),
            Some(revoked()),
            Some(revoked()),
            None
        ]
    );
    assert_eq!(
        layered.totals(),
        Totals {
            good: 0,
            revoked: 3
        }
    );
    // Nothing of the base is visible any more: its times do not count.
    assert_eq!(
        layered.oldest_this_update(),
        Some(AUTHORITY.batch(10).this_update)
    );
    assert_eq!(
        layered.oldest_next_update(),
        Some(AUTHORITY.batch(10).next_update)
    );
    assert_eq!(
        layered.earliest_refresh(),
        Some(AUTHORITY.batch(10).refresh_at)
    );
    assert_eq!(layered.cert_ids().len(), 2);
}

#[test]
fn folding_drops_what_no_answer_uses() {
    let base = Arc::new(AUTHORITY.set(0, &[(1, CertStatus::Good)], &[]));
    let delta = Arc::new(AUTHORITY.set(10, &[(1, revoked())], &[]));
    let folded = open(merge(&[delta, base], Removals::Drop).unwrap());
    assert_eq!((folded.len(), folded.windows().len()), (1, 1));
    assert_eq!(folded.responders().len(), 1);
}

#[test]
fn sets_of_several_keys_fold() {
    let name = "Several";
    let ec = Authority::p256(name);
    // Another responder of the same CA, with a wider signature.
    let rsa = {
        let path = ec.directory.path();
        common::openssl(
            path,
            "genpkey -out rsa.key -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        );
        common::openssl(
            path,
            "req -new -key rsa.key -out rsa.csr -subj /O=Test/CN=Responder2",
        );
        common::openssl(
            path,
            "x509 -req -in rsa.csr -CA ca.pem -CAkey ca.key -days 3000 -extfile responder.ext -set_serial 79 -out rsa.pem",
        );
        let read = |file: &str| std::fs::read_to_string(path.join(file)).unwrap();
        Authority {
            ca: ec.ca.clone(),
            responder: pki::Certificate::from_pem(&read("rsa.pem")).unwrap(),
            key: keystore::SigningKey::from_pem(&read("rsa.key")).unwrap(),
            algorithm: pki::SignatureAlgorithm::RsaSha256,
            directory: tempfile::tempdir().unwrap(),
        }
    };
    let base = Arc::new(ec.set(600, &[(1, CertStatus::Good), (2, CertStatus::Good)], &[]));
    let delta = Arc::new(rsa.set(
        600,
        &[(0x1_0000, CertStatus::Good), (2, CertStatus::Good)],
        &[],
    ));
    let folded = AnswerSet::from_bytes(
        merge(&[Arc::clone(&delta), Arc::clone(&base)], Removals::Drop).unwrap(),
        &ec.ca,
    )
    .unwrap();
    assert_same(
        &Layered::new(base, vec![delta]).unwrap(),
        &Layered::new(Arc::new(folded), Vec::new()).unwrap(),
    );
    // And back to the narrow ones when the wide ones are gone.
    let narrow = Arc::new(ec.set(700, &[(2, CertStatus::Good)], &[0x1_0000]));
    let wide = Arc::new(rsa.set(
        600,
        &[(0x1_0000, CertStatus::Good), (2, CertStatus::Good)],
        &[],
    ));
    let folded = merge(&[narrow, wide], Removals::Drop).unwrap();
    assert!(folded.len() < 2000 + 300, "{}", folded.len());
    AnswerSet::from_bytes(folded, &ec.ca).unwrap();
}

fn open(octets: Vec<u8>) -> AnswerSet {
    AnswerSet::from_bytes(octets, &AUTHORITY.ca).unwrap()
}

fn assert_same(one: &Layered, other: &Layered) {
    let all = |layered: &Layered| -> Vec<_> {
        layered
            .answers_after(None)
            .unwrap()
            .map(|answer| {
                let answer = answer.unwrap();
                (
                    answer.serial(),
                    answer.status(),
                    HASHES.map(|hash| answer.response(hash)),
                )
            })
            .collect()
    };
    assert_eq!(all(one), all(other));
    assert_eq!(one.totals(), other.totals());
    assert_eq!(one.oldest_next_update(), other.oldest_next_update());
}

#[derive(Clone, Debug)]
enum Change {
    Good,
    Revoked,
    Gone,
}

fn layer() -> impl Strategy<Value = BTreeMap<u64, Change>> {
    let change = prop_oneof![
        Just(Change::Good),
        Just(Change::Revoked),
        Just(Change::Gone)
    ];
    prop::collection::btree_map(1..24u64, change, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happened in whatever order: layers say what a plain map says, and so does every way of folding them.
    #[test]
    fn layers_are_a_map(history in prop::collection::vec(layer(), 1..6), fold in 0..6usize) {
        let mut model: BTreeMap<u64, CertStatus> = BTreeMap::new();
        let mut layers: Vec<Arc<AnswerSet>> = Vec::new();
        for (age, changes) in history.iter().enumerate() {
            let (mut answers, mut removed) = (Vec::new(), Vec::new());
            for (number, change) in changes {
                let status = match change {
                    Change::Good => CertStatus::Good,
                    Change::Revoked => revoked(),
                    Change::Gone => {
                        model.remove(number);
                        // A base has no removals.
                        if age > 0 {
                            removed.push(*number);
                        }
                        continue;
                    }
                };
                model.insert(*number, status);
                answers.push((*number, status));
            }
            layers.insert(0, Arc::new(AUTHORITY.set(age as i64, &answers, &removed)));
        }
        let stack = |mut layers: Vec<Arc<AnswerSet>>| {
            let base = layers.pop().unwrap();
            Layered::new(base, layers).unwrap()
        };
        let layered = stack(layers.clone());
        let said: BTreeMap<_, _> = layered
            .answers_after(None)
            .unwrap()
            .map(|answer| answer.unwrap())
            .map(|answer| (answer.serial(), answer.status()))
            .collect();
        assert!(said.iter().map(|(serial, status)| (*serial, *status)).eq(
            model.iter().map(|(number, status)| (serial(*number), *status))
        ));
        let totals = layered.totals();
        assert_eq!(totals.all(), model.len() as u64);
        assert_eq!(totals.good, model.values().filter(|status| **status == CertStatus::Good).count() as u64);
        for after in 0..25u64 {
            let answers = layered.answers_after((after > 0).then(|| serial(after))).unwrap();
            let serials = answers.map(|answer| answer.unwrap().serial());
            assert!(serials.eq(model.range(after + 1..).map(|(number, _)| serial(*number))));
        }

        let count = fold.clamp(1, layers.len());
        let removals = if count == layers.len() { Removals::Drop } else { Removals::Keep };
        let folded = Arc::new(open(merge(&layers[..count], removals).unwrap()));
        let mut shorter = vec![folded];
        shorter.extend(layers[count..].iter().cloned());
        let folded = stack(shorter.clone());
        assert_same(&layered, &folded);
        // Whatever is changed to it comes out the same, by way of the layers that both have.
        let base = shorter.pop().unwrap();
        let changed = layered.changed_to(base, shorter, || {}).unwrap();
        assert_same(&changed, &folded);
        assert_eq!(changed.contributions(), folded.contributions());
        assert_eq!(changed.totals(), folded.totals());
    }
}
