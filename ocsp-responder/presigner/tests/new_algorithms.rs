//! Responder keys that the policy of an issuer asks for, and that are of another kind than its CA key.

mod common;

use std::fs;
use std::process::Command;

use ledger::{ChangeKind, IssuerPolicy, IssuerUpdate, OcspPolicy};
use pki::{HashAlgorithm, KeyKind, SignatureAlgorithm};

use common::{World, assert_complete, none_ahead, openssl_says, serial};

fn policy(kind: KeyKind) -> IssuerPolicy {
    IssuerPolicy {
        ocsp: OcspPolicy {
            responder_key: Some(kind),
            ..none_ahead().ocsp
        },
        ..IssuerPolicy::default()
    }
}

/// `assert_complete` has our own verifier judge; the cryptography package is asked beside it, since openssl knows
/// ML-DSA only from version 3.5 on.
#[tokio::test]
async fn ml_dsa_65() {
    let world = World::new().await;
    let ca = world
        .add_issuer(
            "pq",
            "EC -pkeyopt ec_paramgen_curve:P-256",
            true,
            policy(KeyKind::MlDsa65),
        )
        .await;
    world.import("pq", 1..100, None).await;
    let (mut worker, _) = world.worker("pq").await;
    worker.settle().await;
    assert_complete(&world, &worker, "pq", &ca).await;
    let responder = worker.responder().unwrap();
    assert_eq!(responder.public_key().kind(), Ok(KeyKind::MlDsa65));
    let spki = responder.public_key().spki_der();
    // RFC 9881 section 4: the identifier without parameters, then 1952 octets.
    let algorithm = SignatureAlgorithm::MlDsa65.algorithm_identifier();
    assert_eq!(spki[4..4 + algorithm.len()], *algorithm);
    assert_eq!(responder.public_key().key_bits().len(), 1952);

    let serial = serial(10);
    let answer = worker.published().view().get(serial.as_bytes());
    let response = answer
        .unwrap()
        .unwrap()
        .response(HashAlgorithm::Sha256)
        .unwrap();
    fs::write(world.path().join("response.der"), response).unwrap();
    let output = Command::new("python3")
        .args(["-c", JUDGE, "response.der"])
        .current_dir(world.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        // The package is installed by tests/run; another python3 may be without it.
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("ModuleNotFoundError"), "{error}");
        println!(
            "NOBODY ELSE JUDGES ML-DSA HERE: python3 has no cryptography package of version 47 or later"
        );
        return;
    }
    assert_eq!(said.trim(), "REVOKED, verified");
}

/// Takes the response apart, and verifies its signature with the key of the responder certificate in it.
const JUDGE: &str = r#"
import sys
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509 import ocsp
response = ocsp.load_der_ocsp_response(open(sys.argv[1], "rb").read())
assert response.signature_algorithm_oid.dotted_string == "2.16.840.1.101.3.4.3.18"
key = response.certificates[0].public_key()
assert isinstance(key, mldsa.MLDSA65PublicKey), key
key.verify(response.signature, response.tbs_response_bytes)
print(response.certificate_status.name + ", verified")
"#;

#[tokio::test]
async fn ed25519_and_a_change_of_mind() {
    let world = World::new().await;
    let ca = world
        .add_issuer(
            "ec",
            "EC -pkeyopt ec_paramgen_curve:P-384",
            true,
            policy(KeyKind::Ed25519),
        )
        .await;
    world.import("ec", 1..100, None).await;
    let (mut worker, inbox) = world.worker("ec").await;
    worker.settle().await;
    assert_complete(&world, &worker, "ec", &ca).await;
    assert_eq!(
        worker.responder().unwrap().public_key().kind(),
        Ok(KeyKind::Ed25519)
    );
    let says = openssl_says(&world, &worker, "ec", serial(7), HashAlgorithm::Sha1);
    assert_eq!(says, "good");

    // Another kind of key is made as soon as the policy wants one; answers of the old one may stay until their time.
    let update = IssuerUpdate {
        policy: Some(policy(KeyKind::P256)),
        ..IssuerUpdate::default()
    };
    world
        .ledger
        .update_issuer("ec", update, "test")
        .await
        .unwrap();
    let mut cursor = world.ledger.head().await.unwrap();
    inbox.put(ChangeKind::IssuerChanged, None);
    worker.settle().await;
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(
        worker.responder().unwrap().public_key().kind(),
        Ok(KeyKind::P256)
    );
    assert_complete(&world, &worker, "ec", &ca).await;
}
