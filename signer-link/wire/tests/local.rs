//! What a local process asks of the host is nothing that a signer understands, and the other way round.

use pki::{SignatureAlgorithm, Time};
use wire::local::{HostAnswer, HostQuestion, HostState};
use wire::{FromHost, IssueCertificate, Operation, Reply, Request, RequestId};

fn requests() -> [Request; 3] {
    let issue = IssueCertificate {
        issuer: "member".to_owned(),
        profile: "server".to_owned(),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        tbs: vec![0x30, 0x00],
        csr: None,
        evidence: Some([5; 32]),
    };
    [
        Operation::Info,
        Operation::Ping {
            time: Time::from_unix(1),
        },
        Operation::IssueCertificate(issue),
    ]
    .map(|operation| Request {
        id: RequestId([0; 16]),
        operation,
    })
}

#[test]
fn nothing_is_both() {
    let question = HostQuestion::State.encode().unwrap();
    assert_eq!(HostQuestion::decode(&question), Ok(HostQuestion::State));
    assert!(Request::decode(&question).is_err());
    assert!(FromHost::decode(&question).is_err());
    for request in requests() {
        let octets = request.encode().unwrap();
        assert!(HostQuestion::decode(&octets).is_err());
        assert_eq!(Request::decode(&octets), Ok(request));
    }
}

#[test]
fn an_answer_comes_back_as_it_was() {
    let answer = HostAnswer::State(HostState {
        time: Time::from_unix(1),
        cables: Vec::new(),
        active: Some(1),
        epoch: 2,
        queues: Vec::new(),
        open_octets: 3,
        outbox_octets: 4,
        alarms: Vec::new(),
        refused_count: 0,
        refused: Vec::new(),
    });
    let octets = answer.encode().unwrap();
    assert_eq!(HostAnswer::decode(&octets), Ok(answer));
    assert!(Reply::decode(&octets).is_err());
}

/// The hash of the evidence is the last field; without it the message is as short as before.
#[test]
fn evidence_is_carried_or_left_out() {
    let [.., with] = requests();
    let Operation::IssueCertificate(issue) = with.operation.clone() else {
        unreachable!("the last one");
    };
    let without = Request {
        id: with.id,
        operation: Operation::IssueCertificate(IssueCertificate {
            evidence: None,
            ..issue
        }),
    };
    let (with, without) = (with.encode().unwrap(), without.encode().unwrap());
    assert_eq!(
        &with[with.len() - 34..],
        [&[0x58, 32][..], &[5; 32]].concat()
    );
    // The absent request before it is then said to be so.
    assert_eq!(with.len(), without.len() + 34 + 1);
}
