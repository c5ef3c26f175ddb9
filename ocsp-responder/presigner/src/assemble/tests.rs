use std::fs;
use std::process::Command;
use std::sync::Arc;

use keystore::SigningKey;
use ledger::{OcspPolicy, Subjects};
use pki::{RevocationReason, SystemClock};

use super::*;
use crate::backends::Backends;
use crate::pool::{SignPool, Urgency};
use crate::responder::Responder;
use crate::schedule::Schedule;

struct Signer {
    ca: Certificate,
    responder: Arc<Responder>,
    pool: SignPool,
}

impl Signer {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let run = |arguments: &str| {
            let output = Command::new("openssl")
                .args(arguments.split_whitespace())
                .current_dir(path)
                .output();
            let output = output.unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let extensions = "extendedKeyUsage = OCSPSigning\nnoCheck = ignored\nkeyUsage = critical, digitalSignature\n\
                          authorityKeyIdentifier = keyid\n";
        fs::write(path.join("responder.ext"), extensions).unwrap();
        for name in ["ca", "responder"] {
            run(&format!(
                "genpkey -out {name}.key -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
            ));
        }
        run(
            "req -x509 -key ca.key -out ca.pem -days 900 -subj /O=Test/CN=CA -addext keyUsage=critical,keyCertSign",
        );
        run("req -new -key responder.key -out responder.csr -subj /O=Test/CN=Responder");
        run(
            "x509 -req -in responder.csr -CA ca.pem -CAkey ca.key -days 90 -extfile responder.ext -out responder.pem",
        );
        let certificate =
            |file: &str| Certificate::from_pem(&fs::read_to_string(path.join(file)).unwrap());
        let ca = certificate("ca.pem").unwrap();
        let key = SigningKey::load_plain(&path.join("responder.key")).unwrap();
        let now = ca.not_before().plus_seconds(60);
        let responder = Responder::new(
            key,
            certificate("responder.pem").unwrap(),
            &ca,
            now,
            &Backends::default(),
        );
        Self {
            ca,
            responder: Arc::new(responder.unwrap()),
            pool: SignPool::start(1, Arc::new(SystemClock)).unwrap(),
        }
    }

    async fn sign(&self, rows: &[Row]) -> Vec<Signed> {
        let schedule = Schedule::new(&OcspPolicy::default(), Subjects::Subscribers);
        let signed = self
            .pool
            .sign(Urgency::Now, &self.responder, &schedule, rows);
        signed.await.into_iter().map(Result::unwrap).collect()
    }

    fn assemble(&self, signed: &[Signed]) -> (AnswerSet, Vec<(Serial, String)>) {
        let now = signed[0].batch.this_update;
        assemble(signed, &[], &self.ca, Rules::default(), now).unwrap()
    }
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number]).unwrap()
}

fn rows(revoked: Option<RevocationReason>) -> Vec<Row> {
    let time = Time::from_unix(1_700_000_000);
    let revoked = CertStatus::Revoked {
        time,
        reason: revoked,
    };
    (1..=9)
        .map(|number| Row {
            serial: serial(number),
            status: if number % 3 == 0 {
                revoked
            } else {
                CertStatus::Good
            },
        })
        .collect()
}

#[tokio::test]
async fn good_signatures_pass() {
    let signer = Signer::new();
    let signed = signer.sign(&rows(Some(RevocationReason::Superseded))).await;
    let (set, unfit) = signer.assemble(&signed);
    assert_eq!(unfit, []);
    assert_eq!((set.good(), set.revoked(), set.removed()), (6, 3, 0));
}

/// V9: a signature that does not verify never leaves, and takes an older answer for its certificate away.
#[tokio::test]
async fn a_wrong_signature_is_not_published() {
    let signer = Signer::new();
    let other = signer
        .sign(&[Row {
            serial: serial(99),
            status: CertStatus::Good,
        }])
        .await;
    for wrong in [0, 2] {
        for slot in [0, 1] {
            let mut signed = signer.sign(&rows(None)).await;
            signed[0].spoil(2 * wrong + slot, other[0].signatures(0)[slot]);
            let (set, unfit) = signer.assemble(&signed);
            assert_eq!(unfit.len(), 1, "{unfit:?}");
            assert_eq!(unfit[0].0, signed[0].rows[wrong].0.serial);
            assert_eq!((set.len(), set.removed()), (9, 1));
        }
    }
}

/// V12: what cannot be said about one certificate does not keep the others from being answered.
#[tokio::test]
async fn a_hold_that_nobody_took_over_is_left_out() {
    let signer = Signer::new();
    let signed = signer
        .sign(&rows(Some(RevocationReason::CertificateHold)))
        .await;
    let (set, unfit) = signer.assemble(&signed);
    assert_eq!(
        (unfit.len(), set.good(), set.removed()),
        (3, 6, 3),
        "{unfit:?}"
    );
}
