use std::fs;
use std::process::Command;

use answers::Batch;
use keystore::SigningKey;
use ledger::{IssuerPolicy, Origin};
use pki::ocsp::response::CertStatus;
use pki::{KeyKind, Serial, SignatureAlgorithm, SystemClock};
use publication::Manifest;

use super::*;
use crate::publication_key::PublicationKey;

/// Published layers in a directory of their own. What the answers are signed with plays no part here.
struct World {
    directory: tempfile::TempDir,
    published: Published,
    key: SigningKey,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem".split(' '))
            .args("-days 900 -subj /O=Test/CN=CA -addext keyUsage=critical,keyCertSign".split(' '))
            .current_dir(path)
            .output();
        assert!(made.unwrap().status.success());
        let ca = Certificate::from_pem(&fs::read_to_string(path.join("ca.pem")).unwrap()).unwrap();
        let signing = SigningKey::generate(KeyKind::Ed25519).unwrap();
        let signing = Arc::new(PublicationKey::new(signing).unwrap());
        let publisher = Publisher::open(
            path.join("publication"),
            "ocsp/member",
            signing.public(),
            signing.signer(),
            Arc::new(SystemClock),
        );
        let issuer = Issuer {
            name: "member".to_owned(),
            certificate: ca.der().to_vec(),
            chain: Vec::new(),
            origin: Origin::Own,
            signs: true,
            ocsp_paths: Vec::new(),
            crl_paths: Vec::new(),
            certificate_paths: Vec::new(),
            policy: IssuerPolicy::default(),
        };
        Self {
            published: Published::open(issuer, ca, publisher.unwrap())
                .await
                .unwrap(),
            key: SigningKey::load_plain(&path.join("ca.key")).unwrap(),
            directory,
        }
    }

    /// Publishes good answers for these serial numbers.
    async fn publish(&mut self, numbers: std::ops::Range<u32>) {
        let ca = self.published.ca.clone();
        let mut builder = Builder::new(&ca, &HASHES).unwrap();
        let this_update = ca.not_before().plus_seconds(i64::from(numbers.start));
        let batch = builder.batch(Batch {
            this_update,
            next_update: this_update.plus_seconds(9000),
            refresh_at: this_update.plus_seconds(5000),
            responder: None,
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        });
        let batch = batch.unwrap();
        let signature = self
            .key
            .sign(SignatureAlgorithm::EcdsaSha256, b"any")
            .unwrap();
        let signatures = [signature.clone(), signature];
        for number in numbers {
            let serial = Serial::from_be_bytes(&number.to_be_bytes()).unwrap();
            builder
                .answer(serial, CertStatus::Good, batch, &signatures)
                .unwrap();
        }
        let set = AnswerSet::from_bytes(builder.finish().unwrap(), &ca).unwrap();
        self.published.publish(Some(set), 1).await.unwrap();
    }

    async fn publish_folded(&mut self) {
        let folded = self.published.folded().await;
        self.published.publish_folded(folded).await.unwrap();
    }

    fn manifest(&self) -> Manifest {
        lock(&self.published.publisher).current().unwrap().clone()
    }

    /// How many sets are answered from, and how many are announced.
    fn roles(&self) -> (usize, usize) {
        let manifest = self.manifest();
        let count = |role| manifest.objects_of(role).count();
        (count(answers::ROLE), count(answers::ROLE_AHEAD))
    }

    fn objects(&self) -> PathBuf {
        self.directory
            .path()
            .join("publication/ocsp/member/objects")
    }
}

#[tokio::test]
async fn a_large_folded_set_is_announced_before_it_is_used() {
    let mut world = World::new().await;
    world.published.announce_from = 0;
    // Too many to be folded into the empty base at once.
    world.publish(1..6000).await;
    assert_eq!(world.roles(), (2, 0));
    world.publish_folded().await;
    assert_eq!(world.roles(), (2, 1));
    let ahead = world
        .manifest()
        .object(answers::ROLE_AHEAD)
        .unwrap()
        .clone();
    // Whatever comes meanwhile does not wait.
    world.publish(6000..6001).await;
    assert_eq!(world.roles(), (3, 1));
    assert_eq!(world.published.view().totals().all(), 6000);
    world.publish_folded().await;
    assert_eq!(world.roles(), (2, 0));
    let manifest = world.manifest();
    let base = manifest.object(answers::ROLE).unwrap();
    assert_eq!(base.sha256, ahead.sha256);
    assert_eq!(world.published.view().totals().all(), 6000);
    let staging = lock(&world.published.publisher).staging().unwrap();
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}

/// Somebody removed or cut off what is published: it is at hand, so it is written again.
#[tokio::test]
async fn an_object_that_is_gone_is_written_again() {
    let mut world = World::new().await;
    world.publish(1..3000).await;
    world.publish(3000..6000).await;
    while world.published.is_folding() {
        world.publish_folded().await;
    }
    let base = world.manifest().object(answers::ROLE).unwrap().clone();
    let file = world.objects().join(&base.sha256);
    let before = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    world.publish(6000..6001).await;
    assert_eq!(fs::read(&file).unwrap(), before);
    fs::remove_file(&file).unwrap();
    fs::write(&file, &before[1..]).unwrap();
    world.publish(6001..6002).await;
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(world.manifest().object(answers::ROLE), Some(&base));
}
