//! The client against a scripted signer.

use std::path::Path;
use std::time::Duration;

use pki::Time;
use signer_client::{Fate, IssueCertificate, Mode, RefusalCode, SignerClient, SignerError, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use wire::local::{CableState, HostAnswer, HostQuestion, HostState, LineState};
use wire::{Operation, Outcome, Refused, Reply, Request, SignedResult, frame};

fn listen(socket: &Path) -> UnixListener {
    UnixListener::bind(socket).unwrap()
}

async fn read(stream: &mut UnixStream) -> Request {
    Request::decode(&read_octets(stream).await).unwrap()
}

async fn read_octets(stream: &mut UnixStream) -> Vec<u8> {
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).await.unwrap();
    let mut message = vec![0; frame::length(header).unwrap()];
    stream.read_exact(&mut message).await.unwrap();
    message
}

async fn write(stream: &mut UnixStream, request: &Request, outcome: Outcome) {
    let reply = Reply {
        id: request.id,
        outcome,
        receipt: None,
    };
    let framed = frame::encode(&reply.encode().unwrap()).unwrap();
    stream.write_all(&framed).await.unwrap();
}

fn issue() -> IssueCertificate {
    IssueCertificate {
        issuer: "member".to_owned(),
        profile: "server".to_owned(),
        signature_algorithm: pki::SignatureAlgorithm::RsaSha256,
        tbs: vec![1],
        csr: None,
        evidence: None,
    }
}

fn signed(octet: u8) -> Outcome {
    Outcome::Signed {
        signature: vec![octet],
    }
}

#[tokio::test]
async fn no_signer_is_unavailable_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"));
    assert!(matches!(
        client.ping().await,
        Err(SignerError::Unavailable(_))
    ));
    // It comes up: the same client works.
    let listener = listen(client.socket());
    let signer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read(&mut stream).await;
        write(&mut stream, &request, Outcome::Pong(status())).await;
    });
    assert_eq!(client.ping().await, Ok(status()));
    signer.await.unwrap();
    // What serial numbers begin with is known from now on, also while nobody answers.
    assert_eq!(client.signer_id().await, Ok(3));
}

fn status() -> Status {
    Status {
        time: Time::from_unix(5),
        mode: Mode::Active,
        reason: String::new(),
        head: wire::Receipt {
            sequence: 7,
            head: [1; 32],
        },
        archived: 7,
        host_ahead_milliseconds: 0,
        signatures_left: 9,
        strikes: 0,
        epoch: 1,
        replicated: 0,
        signer_id: 3,
        winding_down: false,
    }
}

#[tokio::test]
async fn callers_share_a_connection_and_get_their_own_answers() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"));
    let listener = listen(client.socket());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut requests = Vec::new();
        for _ in 0..8 {
            requests.push(read(&mut stream).await);
        }
        // Answers in the reverse order.
        for request in requests.iter().rev() {
            write(&mut stream, request, signed(request.id.0[0])).await;
        }
    });
    let calls: Vec<_> = (0..8)
        .map(|octet| {
            let client = client.clone();
            tokio::spawn(async move { client.issue_certificate([octet; 16], issue()).await })
        })
        .collect();
    for (octet, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap(), Ok(vec![octet]));
    }
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_the_request_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"));
    let listener = listen(client.socket());
    let signer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = read(&mut stream).await;
        drop(stream);
        let (mut stream, _) = listener.accept().await.unwrap();
        let second = read(&mut stream).await;
        assert_eq!(first, second);
        write(&mut stream, &second, signed(1)).await;
    });
    assert_eq!(
        client.issue_certificate([1; 16], issue()).await,
        Ok(vec![1])
    );
    signer.await.unwrap();
}

#[tokio::test]
async fn refused_busy_and_results() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"));
    let listener = listen(client.socket());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let refused = Refused {
            code: RefusalCode::Policy,
            field: "tbs".to_owned(),
            message: "no".to_owned(),
            above: None,
        };
        let request = read(&mut stream).await;
        write(&mut stream, &request, Outcome::Busy { milliseconds: 1 }).await;
        let again = read(&mut stream).await;
        assert_eq!(request, again);
        write(&mut stream, &again, Outcome::Refused(refused.clone())).await;
        let request = read(&mut stream).await;
        assert!(matches!(request.operation, Operation::GetResult { .. }));
        let results = vec![SignedResult::Unknown, SignedResult::Refused(refused)];
        write(&mut stream, &request, Outcome::Results { results }).await;
    });
    let error = client
        .issue_certificate([1; 16], issue())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SignerError::Refused {
                code: RefusalCode::Policy,
                ..
            }
        ),
        "{error}"
    );
    let fates = client.results(&[[2; 16], [1; 16]]).await.unwrap();
    assert_eq!(fates[0], Fate::Unknown);
    assert!(matches!(fates[1], Fate::Refused(_)));
}

#[tokio::test]
async fn a_deadline_passes_and_the_next_call_works() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"))
        .with_deadline(Duration::from_millis(50));
    let listener = listen(client.socket());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _unanswered = read(&mut stream).await;
        let request = read(&mut stream).await;
        write(&mut stream, &request, signed(2)).await;
        std::future::pending::<()>().await;
    });
    let error = client
        .issue_certificate([1; 16], issue())
        .await
        .unwrap_err();
    assert!(matches!(error, SignerError::Unavailable(_)), "{error}");
    let client = client.with_deadline(Duration::from_secs(30));
    assert_eq!(
        client.issue_certificate([1; 16], issue()).await,
        Ok(vec![2])
    );
}

/// Who waited in vain hears what the host knows.
#[tokio::test]
async fn a_deadline_says_why_no_signer_gets_the_request() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"))
        .with_deadline(Duration::from_millis(50));
    let listener = listen(client.socket());
    tokio::spawn(async move {
        let (mut silent, _) = listener.accept().await.unwrap();
        let _unanswered = read(&mut silent).await;
        let (mut asked, _) = listener.accept().await.unwrap();
        let question = HostQuestion::decode(&read_octets(&mut asked).await).unwrap();
        assert_eq!(question, HostQuestion::State);
        let answer = HostAnswer::State(locked()).encode().unwrap();
        let framed = frame::encode(&answer).unwrap();
        asked.write_all(&framed).await.unwrap();
        std::future::pending::<()>().await;
    });
    let Err(SignerError::Unavailable(why)) = client.issue_certificate([1; 16], issue()).await
    else {
        panic!("nobody answers");
    };
    assert_eq!(
        why,
        "nothing within 0.05 s; signer 1 is locked: somebody locked it"
    );
}

/// A host whose only signer is locked.
fn locked() -> HostState {
    let cable = CableState {
        signer_id: 1,
        device_open: true,
        up: true,
        reason: "signer 1 is locked: somebody locked it".to_owned(),
        build: None,
        status: None,
        status_age: 0,
        ping: 0,
        clock_offset: 0,
        log_head: 0,
        log_archived: 0,
        log_replicated: None,
        unanswered: 0,
        backlog: 0,
        line: LineState::default(),
    };
    HostState {
        time: Time::from_unix(1_795_255_200),
        cables: vec![cable],
        active: None,
        epoch: 0,
        queues: Vec::new(),
        open_octets: 0,
        outbox_octets: 0,
        alarms: Vec::new(),
        refused_count: 0,
        refused: Vec::new(),
    }
}

#[tokio::test]
async fn garbage_from_the_signer_breaks_the_connection_only() {
    let directory = tempfile::tempdir().unwrap();
    let client = SignerClient::new(directory.path().join("signer.sock"));
    let listener = listen(client.socket());
    tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            read(&mut stream).await;
            stream.write_all(&[0, 0, 0, 1, 0xff]).await.unwrap();
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read(&mut stream).await;
        write(&mut stream, &request, signed(3)).await;
    });
    let error = client
        .issue_certificate([1; 16], issue())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("bad reply"), "{error}");
    assert_eq!(
        client.issue_certificate([1; 16], issue()).await,
        Ok(vec![3])
    );
}
