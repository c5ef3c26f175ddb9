//! Both halves together, and each against another side that does not keep to the rules.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use live_link::{Client, FrameError, Outcome, Question, ServeError, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

const GREETING: &[u8] = b"avouch live 1\n";
/// Longer than any test takes, for questions that must be answered.
const PATIENT: Duration = Duration::from_secs(60);
const HASTY: Duration = Duration::from_millis(20);

fn run(test: impl AsyncFnOnce(PathBuf)) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(test(directory.path().join("live.sock")));
}

/// Serves every connection with `take`.
fn serve_all(socket: &Path, take: impl Fn(Question) + Clone + 'static) {
    let listener = UnixListener::bind(socket).unwrap();
    spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn_local(serve(stream, 1024, take.clone()));
        }
    });
}

fn echo(question: Question) {
    let response = [&b"answer to "[..], &question.request].concat();
    question.reply.send(response);
}

#[test]
fn answers_find_their_questions_in_whatever_order_they_come() {
    run(async |socket| {
        let held = Rc::new(RefCell::new(Vec::new()));
        serve_all(&socket, {
            let held = Rc::clone(&held);
            move |question| {
                held.borrow_mut().push(question);
                if held.borrow().len() == 100 {
                    held.take().into_iter().rev().for_each(echo);
                }
            }
        });
        let client = Rc::new(Client::new(socket, PATIENT));
        let asked: Vec<_> = (0..100)
            .map(|number| {
                let client = Rc::clone(&client);
                spawn_local(async move { client.ask(format!("{number}").as_bytes()).await })
            })
            .collect();
        for (number, outcome) in asked.into_iter().enumerate() {
            let answer = format!("answer to {number}");
            assert_eq!(outcome.await.unwrap(), Outcome::Answered(answer.into()));
        }
    });
}

#[test]
fn long_questions_and_long_answers() {
    run(async |socket| {
        serve_all(&socket, |question| {
            question
                .reply
                .send(question.request.repeat(4).into_iter().collect());
        });
        let client = Client::new(socket, PATIENT);
        let request = vec![7; live_link::MAX_QUESTION];
        let answer = vec![7; live_link::MAX_ANSWER];
        assert_eq!(client.ask(&request).await, Outcome::Answered(answer.into()));
        let longer = vec![7; live_link::MAX_QUESTION + 1];
        assert_eq!(client.ask(&longer).await, Outcome::Away);
        assert_eq!(client.ask(&[]).await, Outcome::Away);
        assert!(!client.is_away());
    });
}

#[test]
fn the_patience_of_the_client_reaches_the_server() {
    run(async |socket| {
        let begun = Instant::now();
        serve_all(&socket, move |question| {
            let left = question.until.duration_since(begun);
            assert!(left >= Duration::from_secs(50) && question.until <= Instant::now() + PATIENT);
            question.reply.send(vec![1]);
        });
        let answered = Client::new(socket, PATIENT).ask(b"?").await;
        assert!(matches!(answered, Outcome::Answered(_)));
    });
}

#[test]
fn a_reply_that_is_dropped_says_not_now() {
    run(async |socket| {
        serve_all(&socket, drop);
        let client = Client::new(socket, PATIENT);
        for _ in 0..20 {
            assert_eq!(client.ask(b"?").await, Outcome::Away);
        }
        assert!(!client.is_away(), "it is there, and says so");
    });
}

#[test]
fn nobody_listens_and_then_somebody_does() {
    run(async |socket| {
        let client = Client::new(socket.clone(), PATIENT);
        assert_eq!(client.ask(b"?").await, Outcome::Away);
        assert!(client.is_away());
        serve_all(&socket, echo);
        while !matches!(client.ask(b"?").await, Outcome::Answered(_)) {
            tokio::task::yield_now().await;
        }
        assert!(!client.is_away());
    });
}

#[test]
fn a_connection_that_ends_is_made_anew() {
    run(async |socket| {
        let listener = UnixListener::bind(&socket).unwrap();
        let client = Client::new(socket, PATIENT);
        for _ in 0..3 {
            let served = async {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, 8, echo).await
            };
            let asked = async {
                while !matches!(client.ask(b"?").await, Outcome::Answered(_)) {
                    tokio::task::yield_now().await;
                }
            };
            // Asking ends first, and the connection with it.
            tokio::select! {
                _ = served => panic!("the client keeps its connection"),
                () = asked => {}
            }
        }
    });
}

#[test]
fn whoever_says_nothing_is_left_alone_after_a_while() {
    run(async |socket| {
        let held = Rc::new(RefCell::new(Vec::new()));
        serve_all(&socket, move |question| held.borrow_mut().push(question));
        let client = Client::new(socket, HASTY);
        let mut late = 0;
        while !client.is_away() {
            let begun = Instant::now();
            assert_eq!(client.ask(b"?").await, Outcome::Late);
            assert!(begun.elapsed() >= HASTY);
            late += 1;
        }
        assert_eq!(late, 5);
        let begun = Instant::now();
        assert_eq!(client.ask(b"?").await, Outcome::Away);
        assert!(begun.elapsed() < HASTY, "no waiting any more");
    });
}

#[test]
fn a_server_that_breaks_the_format_is_left() {
    for hostile in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0, 0, 0, 0],
        &[0xff; 64],
        &[0, 0, 0, 8, 0, 0],
        &[],
    ] {
        run(async |socket| {
            let listener = UnixListener::bind(&socket).unwrap();
            spawn_local(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(hostile).await.unwrap();
            });
            let client = Client::new(socket, PATIENT);
            assert_eq!(client.ask(b"?").await, Outcome::Away, "{hostile:?}");
            assert!(client.is_away());
        });
    }
}

#[test]
fn answers_that_nobody_asked_for_reach_nobody() {
    run(async |socket| {
        let listener = UnixListener::bind(&socket).unwrap();
        spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Ids are given in order: 1 is asked, 2 and 0 are not.
            for id in [0, 2, u8::MAX, 1, 1] {
                stream
                    .write_all(&[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, id, id])
                    .await
                    .unwrap();
            }
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let client = Client::new(socket, PATIENT);
        assert_eq!(client.ask(b"?").await, Outcome::Answered(vec![1].into()));
    });
}

/// What `serve` says to a client that sends these octets and then closes its side.
fn said_to(octets: &'static [u8]) -> Result<usize, ServeError> {
    let said = Rc::new(RefCell::new(None));
    let result = Rc::clone(&said);
    run(async move |_| {
        let (mut client, server) = UnixStream::pair().unwrap();
        client.write_all(octets).await.unwrap();
        client.shutdown().await.unwrap();
        let mut taken = 0;
        let ended = serve(server, 4, |_| taken += 1).await;
        said.replace(Some(ended.map(|()| taken)));
    });
    result.take().unwrap()
}

#[test]
fn a_client_that_breaks_the_format_loses_its_connection() {
    let question = b"\0\0\0\x0b\0\0\0\0\0\0\0\x01\0\x32?";
    assert_eq!(said_to(b"").unwrap(), 0);
    assert_eq!(said_to(b"avouch li").unwrap(), 0, "half a greeting");
    assert_eq!(said_to(GREETING).unwrap(), 0);
    assert_eq!(said_to(b"avouch live 1\n\0\0\0\x0b\0\0").unwrap(), 0);
    let whole: &'static [u8] = Box::leak([GREETING, question].concat().into_boxed_slice());
    assert_eq!(said_to(whole).unwrap(), 1);
    let refused = |octets| match said_to(octets) {
        Err(ServeError::Frame(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b"GET / HTTP/1.1\r\n\r\n"), FrameError::Greeting);
    assert_eq!(refused(b"\x16\x03\x01\x02\x00"), FrameError::Greeting);
    assert_eq!(
        refused(b"avouch live 1\n\0\0\0\x0a123456789012"),
        FrameError::Length(10)
    );
    assert_eq!(
        refused(b"avouch live 1\n\x7f\xff\xff\xff"),
        FrameError::Length(0x7fff_ffff)
    );
}

#[test]
fn of_a_client_with_enough_open_questions_no_more_are_read() {
    run(async |_| {
        let (mut client, server) = UnixStream::pair().unwrap();
        let (sender, mut taken) = tokio::sync::mpsc::unbounded_channel();
        spawn_local(serve(server, 3, move |question| {
            // Nobody receives any more only when the test is over.
            let _ = sender.send(question);
        }));
        client.write_all(GREETING).await.unwrap();
        for id in 0..10 {
            client
                .write_all(&[0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, id, 0, 50, b'?'])
                .await
                .unwrap();
        }
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(taken.recv().await.unwrap());
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(taken.try_recv().is_err());
        open.pop().unwrap().reply.send(vec![0x30, 0]);
        let mut answer = [0; 14];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 2, 0x30, 0]);
        taken.recv().await.unwrap();
    });
}
