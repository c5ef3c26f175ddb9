//! F6: a revocation that does not get through is seen by whoever asked for it. F8: a CRL that is out of step heals.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use e2e::clients::{Verdict, openssl_crl, openssl_ocsp};
use e2e::system::{EC, path, signal};
use e2e::{System, wait_for};
use pki::Certificate;
use wire::{
    Operation, Outcome, Reply, Request, RequestId, Revocation, Revoke, SerialOctets, frame,
};

/// The signer stands still: the ledger has the revocation, and nobody says that the CRL shows it.
#[test]
fn a_revocation_that_no_crl_shows_is_told() {
    let system = System::start(EC);
    let certificate = system.issue_server("member", "www.example.org");
    let signer = system.pid("signer");
    signal("-STOP", signer);
    let revoke = [
        "revoke",
        "--cert",
        path(&certificate),
        "--ground",
        "subscriber",
        "--reason",
        "keyCompromise",
        "--wait",
        "--timeout",
        "5",
    ];
    let told = system.avouch(&revoke);
    // The signer goes on whatever the test finds.
    signal("-CONT", signer);
    assert_eq!(told.code, 1, "{told:#?}");
    for part in ["is recorded and stands", "does not list it", "what to do"] {
        assert!(told.stderr.contains(part), "{part:?} is not in {told:#?}");
    }
    // And it gets there by itself, without anybody asking again.
    wait_for(|| openssl_crl(&system, "member", &certificate) == Verdict::Revoked);
}

/// The signer knows of a revocation that the ledger has lost: the next CRL differs from the builder's. Both get it again,
/// and so do OCSP and CRL.
#[test]
fn a_crl_that_is_out_of_step_heals() {
    let system = System::start(EC);
    let [lost, other] =
        ["lost.example.org", "other.example.org"].map(|host| system.issue_server("member", host));
    let text = std::fs::read_to_string(&lost).expect("a certificate");
    let certificate = Certificate::from_pem(&text).expect("a certificate");
    let told = ask(
        &system,
        Operation::Revoke(Revoke {
            issuer: "member".to_owned(),
            actor: "a ledger that was restored since".to_owned(),
            ground: "subscriber".to_owned(),
            case: None,
            revocations: vec![Revocation {
                serial: SerialOctets(certificate.serial().as_bytes().to_vec()),
                date: certificate.not_before().plus_seconds(60),
                reason: pki::RevocationReason::KeyCompromise.code(),
                not_after: Some(certificate.not_after()),
                invalidity_date: None,
            }],
        }),
    );
    assert!(
        matches!(told.outcome, Outcome::Remembered { count: 1, .. }),
        "{told:?}"
    );
    system.revoke(&other);
    wait_for(|| openssl_crl(&system, "member", &lost) == Verdict::Revoked);
    wait_for(|| openssl_ocsp(&system, "member", &lost, &["-no_nonce"]) == Verdict::Revoked);
}

/// Asks the signer as any process of this user may.
fn ask(system: &System, operation: Operation) -> Reply {
    let socket = system.data().join("run/signer.sock");
    let mut stream = UnixStream::connect(socket).expect("signer-host listens");
    let request = Request {
        id: RequestId([8; 16]),
        operation,
    };
    let message = request.encode().expect("a message");
    let message = frame::encode(&message).expect("a message");
    stream.write_all(&message).expect("it is taken");
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).expect("an answer");
    let mut message = vec![0; frame::length(header).expect("a length")];
    stream.read_exact(&mut message).expect("an answer");
    Reply::decode(&message).expect("an answer")
}
