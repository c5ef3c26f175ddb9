//! Requests that no answer signed ahead can satisfy, with a presigner that answers, is slow, or is away.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::authority::{Authority, serial};
use common::client::{Reply, base64};
use common::edge::TestEdge;
use common::wait_until;
use common::world::{World, good};
use live_link::{Listener, Question, serve};
use ocsp_responder::Config;
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::build;
use pki::ocsp::response::ErrorStatus;
use pki::{Clock, HashAlgorithm, KeyKind};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

/// What the presigner below says to everything: the edge judges no more of it than that it is a response.
const FRESH: &[u8] = &[0x30, 3, 0x0a, 1, 0];

/// A presigner on a thread of its own, gone when dropped.
struct Presigner {
    asked: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Presigner {
    fn start(socket: &Path, answer: impl Fn(Question) + Clone + Send + 'static) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let socket = socket.to_owned();
        let (stop, stopped) = oneshot::channel();
        let (bound, is_bound) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
                .unwrap();
            runtime.block_on(async move {
                let listener = Listener::bind(&socket).unwrap();
                bound.send(()).unwrap();
                let listen = async {
                    loop {
                        let stream = listener.accept().await.unwrap();
                        let (counted, answer) = (Arc::clone(&counted), answer.clone());
                        spawn_local(serve(stream, 1024, move |question| {
                            counted.fetch_add(1, Ordering::Relaxed);
                            answer(question);
                        }));
                    }
                };
                tokio::select! {
                    () = listen => {}
                    _ = stopped => {}
                }
            });
        });
        is_bound.recv().unwrap();
        Self {
            asked,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Presigner {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answering(question: Question) {
    question.reply.send(FRESH.to_vec());
}

fn socket(world: &World) -> PathBuf {
    world.temporary.path().join("live.sock")
}

/// An edge of one thread, whose connections all share a breaker.
fn edge(world: &World, change: impl FnOnce(&mut Config)) -> TestEdge {
    TestEdge::with(world, |config| {
        config.cores = Some(1);
        config.fresh.socket = Some(socket(world));
        config.fresh.deadline_ms = 30_000;
        change(config);
    })
}

fn request(world: &World, numbers: &[u32], nonce: Option<&[u8]>) -> Vec<u8> {
    let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &world.authority.ca);
    let serials: Vec<_> = numbers.iter().copied().map(serial).collect();
    build(&issuer, &serials, nonce)
}

fn with_nonce(world: &World) -> Vec<u8> {
    request(world, &[1], Some(&[7; 16]))
}

fn is_fresh(reply: &Reply) -> bool {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/ocsp-response");
    let fresh = reply.body == FRESH;
    if fresh {
        assert_eq!(reply.header("cache-control"), "no-store, no-cache");
        assert!(!reply.headers.contains_key("etag") && !reply.headers.contains_key("expires"));
    }
    fresh
}

/// Octet for octet what a request without a nonce gets, with its caching.
fn is_presigned(reply: &Reply, edge: &TestEdge, world: &World) -> bool {
    let usual = edge.ask(world, &good());
    reply.body == usual.body && reply.header("etag") == usual.header("etag")
}

fn counted(edge: &TestEdge, outcome: &str) -> u64 {
    let line =
        format!("avouch_edge_fresh_answers_total{{issuer=\"member\",outcome=\"{outcome}\"}} ");
    let metrics = edge.metrics();
    let found = metrics.lines().find_map(|found| found.strip_prefix(&line));
    found.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn the_presigner_answers_nonces_and_several_certificates_and_nothing_else() {
    let world = World::published();
    let presigner = Presigner::start(&socket(&world), answering);
    let edge = edge(&world, |_| {});
    let wishes = [
        with_nonce(&world),
        request(&world, &[1], Some(&[7])),
        request(&world, &[1], Some(&[7; 128])),
        request(&world, &[1, 2], None),
        request(&world, &[2, 1, 2], Some(&[7; 8])),
        // Known to nobody, which is for the presigner to say.
        request(&world, &[1000], Some(&[7; 8])),
    ];
    for wish in &wishes {
        assert!(is_fresh(&edge.post(wish)));
        assert!(is_fresh(&edge.get(&format!("/{}", base64(wish)))));
    }
    assert_eq!(presigner.asked(), 2 * wishes.len());
    assert_eq!(counted(&edge, "answered"), 2 * wishes.len() as u64);
    let fresh = "hash=\"sha1\",issuer=\"member\",method=\"post\",outcome=\"fresh\"} 6";
    assert!(edge.metrics().contains(fresh), "{}", edge.metrics());

    let usual = request(&world, &[1], None);
    assert!(is_presigned(&edge.post(&usual), &edge, &world));
    let bad = request(&world, &[1], Some(&[7; 129]));
    assert_eq!(edge.post(&bad).body, ErrorStatus::MalformedRequest.der());
    assert_eq!(presigner.asked(), 2 * wishes.len(), "not asked");
}

/// OCSP-10: nobody signs for two issuers, and a partial answer is none.
#[test]
fn several_certificates_of_different_issuers_are_unauthorized() {
    let world = World::published();
    let presigner = Presigner::start(&socket(&world), answering);
    let edge = edge(&world, |_| {});
    let other = Authority::new("Other CA", KeyKind::P256, world.clock.now());
    let list = |ca, hash| {
        let mut der = &build(&IssuerHashes::of(hash, ca), &[good()], None)[..];
        // The heads of OCSPRequest, tbsRequest and requestList.
        for _ in 0..3 {
            der = &der[if der[1] < 0x80 { 2 } else { 3 }..];
        }
        der.to_vec()
    };
    let request = |first: Vec<u8>, second: Vec<u8>| {
        let sequence = |content: Vec<u8>| {
            let length = u8::try_from(content.len()).unwrap();
            [vec![0x30, 0x81, length], content].concat()
        };
        sequence(sequence(sequence([first, second].concat())))
    };
    let ours = |hash| list(&world.authority.ca, hash);
    let theirs = list(&other.ca, HashAlgorithm::Sha1);
    for (first, second) in [
        (ours(HashAlgorithm::Sha1), theirs.clone()),
        (theirs.clone(), ours(HashAlgorithm::Sha1)),
        (theirs.clone(), theirs),
        (ours(HashAlgorithm::Sha1), ours(HashAlgorithm::Sha384)),
    ] {
        let said = edge.post(&request(first, second));
        assert_eq!(said.body, ErrorStatus::Unauthorized.der());
    }
    assert_eq!(presigner.asked(), 0);
    // By two hashes, but of one issuer.
    let both = request(ours(HashAlgorithm::Sha1), ours(HashAlgorithm::Sha256));
    assert!(is_fresh(&edge.post(&both)));
}

#[test]
fn over_budget_it_is_what_was_signed_ahead() {
    let world = World::published();
    let presigner = Presigner::start(&socket(&world), answering);
    for (per_second, per_network_per_second) in [(3, 1000), (1000, 3)] {
        let edge = edge(&world, |config| {
            config.fresh.per_second = per_second;
            config.fresh.per_network_per_second = per_network_per_second;
        });
        let before = presigner.asked();
        let begun = Instant::now();
        let wish = with_nonce(&world);
        let mut client = edge.client();
        // On one connection, so that it is answered on both ways.
        let replies: Vec<_> = (0..100)
            .map(|_| client.request("POST", "/", "", &wish))
            .collect();
        let fresh = replies.iter().filter(|reply| is_fresh(reply)).count();
        let most = 3 + (begun.elapsed().as_secs_f64() * 3.0) as usize;
        assert!((3..=most).contains(&fresh), "{fresh} of {most}");
        for reply in replies.iter().filter(|reply| !is_fresh(reply)) {
            assert!(is_presigned(reply, &edge, &world));
        }
        let several = request(&world, &[1, 2], Some(&[7; 8]));
        let said = edge.post(&several);
        if !is_fresh(&said) {
            assert_eq!(said.body, ErrorStatus::TryLater.der());
            assert_eq!(said.header("cache-control"), "no-store, no-cache");
        }
        let asked = (presigner.asked() - before) as u64;
        assert_eq!(counted(&edge, "answered"), asked);
        assert_eq!(counted(&edge, "over_budget"), 101 - asked);
    }
}

#[test]
fn a_flood_over_budget_stays_on_the_short_way() {
    let world = World::published();
    let _presigner = Presigner::start(&socket(&world), answering);
    let edge = edge(&world, |config| config.fresh.per_second = 0);
    for _ in 0..20 {
        assert!(is_presigned(&edge.post(&with_nonce(&world)), &edge, &world));
        let said = edge.post(&request(&world, &[1, 2], None));
        assert_eq!(said.body, ErrorStatus::TryLater.der());
    }
    assert!(!edge.metrics().contains("event=\"long_way\"} 1"));
    assert_eq!(counted(&edge, "over_budget"), 40);
}

#[test]
fn a_presigner_that_is_away_is_found_again() {
    let world = World::published();
    let edge = edge(&world, |_| {});
    let wish = with_nonce(&world);
    for _ in 0..20 {
        assert!(is_presigned(&edge.post(&wish), &edge, &world));
    }
    assert_eq!(
        edge.post(&request(&world, &[1, 2], None)).body,
        ErrorStatus::TryLater.der()
    );
    assert_eq!(counted(&edge, "away"), 21);
    let presigner = Presigner::start(&socket(&world), answering);
    wait_until("it is asked", || is_fresh(&edge.post(&wish)));
    drop(presigner);
    assert!(is_presigned(&edge.post(&wish), &edge, &world));
    let _presigner = Presigner::start(&socket(&world), answering);
    wait_until("it is asked again", || is_fresh(&edge.post(&wish)));
}

#[test]
fn a_slow_presigner_keeps_nobody_longer_than_the_deadline() {
    let world = World::published();
    let held = Arc::new(std::sync::Mutex::new(Vec::new()));
    let holding = {
        let held = Arc::clone(&held);
        move |question| held.lock().unwrap().push(question)
    };
    let presigner = Presigner::start(&socket(&world), holding);
    let deadline = Duration::from_millis(40);
    let edge = edge(&world, |config| config.fresh.deadline_ms = 40);
    let wish = with_nonce(&world);
    for _ in 0..5 {
        let begun = Instant::now();
        assert!(is_presigned(&edge.post(&wish), &edge, &world));
        assert!(begun.elapsed() >= deadline);
    }
    assert_eq!(counted(&edge, "late"), 5);
    // Now it is taken for away, and nobody waits for it any more.
    assert!(is_presigned(&edge.post(&wish), &edge, &world));
    assert_eq!((presigner.asked(), counted(&edge, "away")), (5, 1));
    drop(presigner);
    let _presigner = Presigner::start(&socket(&world), answering);
    wait_until("it is asked again", || is_fresh(&edge.post(&wish)));
}

/// What it says by a dropped reply: not now.
#[test]
fn a_presigner_that_says_nothing_useful_is_not_quoted() {
    let world = World::published();
    for nonsense in [
        &b"HTTP/1.1 500\r\n"[..],
        &[0x30, 0],
        b"",
        &[0x30, 3, 0x0a, 1, 4],
    ] {
        let saying = move |question: Question| question.reply.send(nonsense.to_vec());
        let _presigner = Presigner::start(&socket(&world), saying);
        let edge = edge(&world, |_| {});
        assert!(is_presigned(&edge.post(&with_nonce(&world)), &edge, &world));
        assert_eq!(counted(&edge, "away"), 1);
    }
    for status in [ErrorStatus::Unauthorized, ErrorStatus::TryLater] {
        let saying = move |question: Question| question.reply.send(status.der().to_vec());
        let _presigner = Presigner::start(&socket(&world), saying);
        let edge = edge(&world, |_| {});
        let said = edge.post(&request(&world, &[1, 2], None));
        assert_eq!(said.body, status.der());
    }
}

#[test]
fn a_policy_may_ignore_nonces() {
    let mut world = World::new();
    world
        .settings
        .insert("nonce".to_owned(), "ignore".to_owned());
    world.publish_usual();
    let presigner = Presigner::start(&socket(&world), answering);
    let edge = edge(&world, |_| {});
    assert!(is_presigned(&edge.post(&with_nonce(&world)), &edge, &world));
    assert_eq!((presigner.asked(), counted(&edge, "ignored")), (0, 1));
    assert!(is_fresh(&edge.post(&request(
        &world,
        &[1, 2],
        Some(&[7; 8])
    ))));
    // The policy changes with the next manifest.
    world.settings.clear();
    let generation = world.publish_answers(vec![world.usual_answers()]);
    edge.wait_for("ocsp/member", generation);
    assert!(is_fresh(&edge.post(&with_nonce(&world))));
}

#[test]
fn without_a_presigner_everything_is_signed_ahead() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    assert!(is_presigned(&edge.post(&with_nonce(&world)), &edge, &world));
    let said = edge.post(&request(&world, &[1, 2], None));
    assert_eq!(said.body, ErrorStatus::Unauthorized.der());
    assert_eq!(counted(&edge, "ignored"), 1);
}
