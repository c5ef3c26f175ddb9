//! Answers that are signed while somebody waits.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{HASHES, World, openssl, serial};
use ledger::{IssuerPolicy, IssuerUpdate, NoncePolicy};
use live_link::{Client, Outcome};
use ocsp_presigner::{Endpoint, Inbox, LiveConfig, LiveMetrics, TlsConfig, Worker};
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::{OcspRequest, build};
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::ocsp::verify::{ExpectedAnswer, ExpectedFresh, Rules, fresh_violations};
use pki::{Certificate, Clock, HashAlgorithm};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use telemetry::Stopper;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

const PATIENT: Duration = Duration::from_secs(60);
const EC: &str = "EC -pkeyopt ec_paramgen_curve:P-256";

/// A world with one issuer, its worker, and an edge's connection to it.
struct Live {
    world: World,
    ca: Certificate,
    worker: Worker,
    inbox: Arc<Inbox>,
    /// The events that the worker has heard of.
    cursor: u64,
    client: Client,
    stop: Stopper,
}

impl Live {
    /// Serials 1 to 29 of an issuer "own"; every tenth is revoked.
    async fn new(policy: IssuerPolicy) -> Self {
        let world = World::new().await;
        let ca = world.add_issuer("own", EC, true, policy).await;
        world.import("own", 1..30, None).await;
        let (mut worker, inbox) = world.worker("own").await;
        let cursor = world.ledger.head().await.unwrap();
        worker.settle().await;
        world.shared.standings.ledger_read(world.now());
        let stop = Stopper::new();
        let socket = world.path().join("live.sock");
        let config = LiveConfig {
            socket: Some(socket.clone()),
            ..LiveConfig::default()
        };
        let endpoint = bind(&world, &config).await.unwrap();
        let until = stop.clone();
        tokio::spawn(async move { endpoint.serve(&until).await });
        Self {
            world,
            ca,
            worker,
            inbox,
            cursor,
            client: Client::new(socket, PATIENT),
            stop,
        }
    }

    /// Lets the worker do what the ledger asks for.
    async fn catch_up(&mut self) {
        self.world.feed(&self.inbox, &mut self.cursor).await;
        self.worker.settle().await;
    }

    fn request(&self, hash: HashAlgorithm, numbers: &[u64], nonce: Option<&[u8]>) -> Vec<u8> {
        let serials: Vec<_> = numbers.iter().copied().map(serial).collect();
        build(&IssuerHashes::of(hash, &self.ca), &serials, nonce)
    }

    async fn answered(&self, request: &[u8]) -> Vec<u8> {
        match self.client.ask(request).await {
            Outcome::Answered(response) => response.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    /// Every rule that the answer to a request breaks.
    async fn violations(&self, request: &[u8], statuses: &[CertStatus]) -> Vec<String> {
        let response = self.answered(request).await;
        let asked = OcspRequest::parse(request).unwrap();
        self.judge(&response, request, statuses, asked.nonce_value())
    }

    fn judge(
        &self,
        response: &[u8],
        request: &[u8],
        statuses: &[CertStatus],
        nonce: Option<&[u8]>,
    ) -> Vec<String> {
        let asked = OcspRequest::parse(request).unwrap();
        assert_eq!(asked.count(), statuses.len());
        let answers: Vec<_> = asked
            .cert_ids()
            .zip(statuses)
            .map(|(id, &status)| ExpectedAnswer {
                hash: id.hash.unwrap(),
                serial: id.serial_number().unwrap(),
                status: Some(status),
            })
            .collect();
        let expected = ExpectedFresh {
            ca: &self.ca,
            answers: &answers,
            nonce,
            now: self.world.now(),
            rules: Rules::default(),
        };
        let found = fresh_violations(response, &expected).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    fn status(&self, number: u64) -> CertStatus {
        let view = self.worker.published().view();
        let answer = view.get(serial(number).as_bytes()).unwrap();
        answer.unwrap().status()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

async fn bind(world: &World, config: &LiveConfig) -> anyhow::Result<Endpoint> {
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let metrics = LiveMetrics::new(&prometheus::Registry::new())?;
    let standings = Arc::clone(&world.shared.standings);
    Endpoint::bind(config, standings, clock, metrics).await
}

/// Clients live on one thread.
async fn with(policy: IssuerPolicy, test: impl AsyncFnOnce(Live)) {
    LocalSet::new()
        .run_until(async { test(Live::new(policy).await).await })
        .await;
}

fn error(status: ErrorStatus) -> Outcome {
    Outcome::Answered(status.der().to_vec().into())
}

#[tokio::test]
async fn nonces_of_every_length_are_echoed() {
    with(IssuerPolicy::default(), async |live| {
        for length in [1, 8, 16, 23, 32, 128] {
            for hash in HASHES {
                let request = live.request(hash, &[1], Some(&vec![0x5a; length]));
                let found = live.violations(&request, &[CertStatus::Good]).await;
                assert!(found.is_empty(), "{length} octets, {hash}: {found:?}");
            }
        }
        for length in [0, 129] {
            let request = live.request(HashAlgorithm::Sha1, &[1], Some(&vec![0x5a; length]));
            let said = live.client.ask(&request).await;
            assert_eq!(said, error(ErrorStatus::MalformedRequest));
        }
    })
    .await;
}

/// OCSP-17: without the inner OCTET STRING, as it came.
#[tokio::test]
async fn a_historic_nonce_is_echoed_as_it_came() {
    with(IssuerPolicy::default(), async |live| {
        let mut request = live.request(HashAlgorithm::Sha1, &[1], Some(&[0x5a; 16]));
        // 04 12 04 10 5a…: the inner octet string becomes two more octets of a raw nonce.
        let inner = request.windows(2).rposition(|two| two == [4, 16]).unwrap();
        request[inner] = 0x77;
        let parsed = OcspRequest::parse(&request).unwrap();
        assert_eq!(parsed.nonce().unwrap().len(), 18);
        let found = live.violations(&request, &[CertStatus::Good]).await;
        assert_eq!(found, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn several_certificates_are_answered_in_their_order() {
    with(IssuerPolicy::default(), async |live| {
        let numbers = [29, 10, 1, 20, 1];
        let statuses = numbers.map(|number| live.status(number));
        assert!(matches!(statuses[1], CertStatus::Revoked { .. }));
        for hash in HASHES {
            for nonce in [None, Some(&[7; 16][..])] {
                let request = live.request(hash, &numbers, nonce);
                assert_eq!(live.violations(&request, &statuses).await, [""; 0]);
            }
        }
        // As many as there are.
        let numbers: Vec<u64> = (1..30).collect();
        let statuses: Vec<_> = numbers.iter().map(|&number| live.status(number)).collect();
        let request = live.request(HashAlgorithm::Sha256, &numbers, Some(&[1; 32]));
        assert_eq!(live.violations(&request, &statuses).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn without_a_record_of_each_there_is_no_answer_at_all() {
    with(IssuerPolicy::default(), async |live| {
        let unauthorized = error(ErrorStatus::Unauthorized);
        for numbers in [&[77][..], &[1, 77], &[77, 1], &[1, 10, 77]] {
            let request = live.request(HashAlgorithm::Sha1, numbers, Some(&[7; 8]));
            assert_eq!(live.client.ask(&request).await, unauthorized, "{numbers:?}");
        }
        // Another issuer's certificate beside one of ours, and a hash that nothing is signed for.
        let other = live
            .world
            .add_issuer("other", EC, true, IssuerPolicy::default())
            .await;
        let ours = IssuerHashes::of(HashAlgorithm::Sha1, &live.ca);
        let theirs = IssuerHashes::of(HashAlgorithm::Sha1, &other);
        let hybrid = IssuerHashes {
            key_hash: theirs.key_hash.clone(),
            ..ours.clone()
        };
        let odd = IssuerHashes::of(HashAlgorithm::Sha384, &live.ca);
        for second in [&theirs, &hybrid, &odd] {
            let request = two_issuers(&ours, second);
            assert_eq!(live.client.ask(&request).await, unauthorized);
        }
        // An issuer that does not stand here: what was signed ahead may do.
        let request = build(&theirs, &[serial(1)], Some(&[7; 8]));
        assert_eq!(live.client.ask(&request).await, Outcome::Away);
        let malformed = error(ErrorStatus::MalformedRequest);
        for octets in [&b"\x30"[..], b"GET / HTTP/1.1", &[0x30, 0], &[0xff; 300]] {
            assert_eq!(live.client.ask(octets).await, malformed);
        }
    })
    .await;
}

/// Serial number 1 of each.
fn two_issuers(first: &IssuerHashes, second: &IssuerHashes) -> Vec<u8> {
    let list = |issuer| {
        let der = build(issuer, &[serial(1)], None);
        // OCSPRequest, tbsRequest and requestList have short lengths.
        der[6..].to_vec()
    };
    let requests = [list(first), list(second)].concat();
    let tlv = |content: Vec<u8>| match u8::try_from(content.len()).unwrap() {
        short @ ..0x80 => [vec![0x30, short], content].concat(),
        long => [vec![0x30, 0x81, long], content].concat(),
    };
    let der = tlv(tlv(tlv(requests)));
    assert_eq!(OcspRequest::parse(&der).unwrap().count(), 2);
    der
}

#[tokio::test]
async fn a_revocation_shows_as_soon_as_it_is_published() {
    with(IssuerPolicy::default(), async |mut live| {
        live.world.revoke("own", serial(7)).await;
        let request = live.request(HashAlgorithm::Sha1, &[7], Some(&[7; 16]));
        let good = [CertStatus::Good];
        assert_eq!(live.violations(&request, &good).await, [""; 0]);
        live.catch_up().await;
        let status = live.status(7);
        assert!(matches!(status, CertStatus::Revoked { .. }));
        assert_eq!(live.violations(&request, &[status]).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_policy_may_ignore_nonces() {
    let mut policy = IssuerPolicy::default();
    policy.ocsp.nonce = NoncePolicy::Ignore;
    with(policy, async |mut live| {
        let request = live.request(HashAlgorithm::Sha1, &[1, 2], Some(&[7; 16]));
        let good = [CertStatus::Good; 2];
        let response = live.answered(&request).await;
        assert_eq!(live.judge(&response, &request, &good, None), [""; 0]);

        let update = IssuerUpdate {
            policy: Some(IssuerPolicy::default()),
            ..IssuerUpdate::default()
        };
        live.world
            .ledger
            .update_issuer("own", update, "test")
            .await
            .unwrap();
        live.catch_up().await;
        assert_eq!(live.violations(&request, &good).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_now_is_not_signed_now() {
    with(IssuerPolicy::default(), async |live| {
        let request = live.request(HashAlgorithm::Sha1, &[1], Some(&[7; 16]));
        let fits = async |what: &str| {
            let found = live.violations(&request, &[CertStatus::Good]).await;
            assert_eq!(found, [""; 0], "{what}");
        };
        fits("at once").await;
        live.world.clock.advance(60);
        fits("the ledger was read a minute ago").await;
        live.world.clock.advance(1);
        assert_eq!(live.client.ask(&request).await, Outcome::Away);
        live.world.shared.standings.ledger_read(live.world.now());
        fits("the ledger was read").await;
        // Nobody renews what is published.
        live.world.clock.advance(97 * 3600);
        live.world.shared.standings.ledger_read(live.world.now());
        assert_eq!(
            live.client.ask(&request).await,
            error(ErrorStatus::TryLater)
        );
    })
    .await;
}

/// V8, and an issuer whose responder has ended stands no more.
#[tokio::test]
async fn no_answer_outlives_its_responder() {
    let mut policy = IssuerPolicy::default();
    policy.ocsp.responder_validity_days = 3;
    with(policy, async |mut live| {
        let request = live.request(HashAlgorithm::Sha1, &[1], Some(&[7; 16]));
        let ends = live.worker.responder().unwrap().not_after();
        // Three days are less than the four of the policy: OCSP-38 is among the rules.
        assert_eq!(
            live.violations(&request, &[CertStatus::Good]).await,
            [""; 0]
        );
        let left = live.world.now().seconds_until(ends);
        // Too short for any answer by OCSP-35: then none is sent, rather than one that breaks a rule.
        live.world.clock.advance(left - 8 * 3600 + 1);
        live.world.shared.standings.ledger_read(live.world.now());
        assert_eq!(live.client.ask(&request).await, Outcome::Away);
        // The worker gets a successor, and with it the issuer stands again.
        live.worker.settle().await;
        live.world.shared.standings.ledger_read(live.world.now());
        assert!(live.worker.responder().unwrap().not_after() > ends);
        assert_eq!(
            live.violations(&request, &[CertStatus::Good]).await,
            [""; 0]
        );
    })
    .await;
}

#[tokio::test]
async fn the_socket_is_for_the_group_and_for_one_presigner() {
    with(IssuerPolicy::default(), async |live| {
        let socket = live.world.path().join("live.sock");
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let config = LiveConfig {
            socket: Some(socket.clone()),
            ..LiveConfig::default()
        };
        let error = bind(&live.world, &config).await.unwrap_err().to_string();
        assert!(error.contains("another process listens"), "{error}");
        // One that a dead process left is replaced.
        let left = live.world.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert!(left.exists());
        let config = LiveConfig {
            socket: Some(left.clone()),
            ..LiveConfig::default()
        };
        drop(bind(&live.world, &config).await.unwrap());
        assert!(!left.exists(), "and goes with its endpoint");
    })
    .await;
}

/// A certificate below a root of its own, by openssl.
fn certify(live: &Live, root: &str, name: &str) {
    let path = live.world.path();
    if !path.join(format!("{root}.pem")).exists() {
        openssl(path, &format!("genpkey -out {root}.key -algorithm {EC}"));
        openssl(
            path,
            &format!("req -x509 -key {root}.key -out {root}.pem -days 30 -subj /CN={root}"),
        );
    }
    openssl(path, &format!("genpkey -out {name}.key -algorithm {EC}"));
    openssl(
        path,
        &format!(
            "req -new -key {name}.key -out {name}.csr -subj /CN={name} -addext subjectAltName=DNS:{name}"
        ),
    );
    openssl(
        path,
        &format!(
            "x509 -req -in {name}.csr -CA {root}.pem -CAkey {root}.key -days 9 -copy_extensions copy -out {name}.pem"
        ),
    );
}

fn file(live: &Live, name: &str) -> PathBuf {
    live.world.path().join(name)
}

/// Asks over TLS as a client that has the certificate `client`, if any; what comes back, without its frame.
async fn ask_over_tls(
    live: &Live,
    address: std::net::SocketAddr,
    client: Option<&str>,
    request: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut roots = rustls::RootCertStore::empty();
    let root = CertificateDer::from_pem_file(file(live, "presigners.pem")).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let certificate = CertificateDer::from_pem_file(file(live, &format!("{name}.pem")));
            let key = PrivateKeyDer::from_pem_file(file(live, &format!("{name}.key")));
            let chain = vec![certificate.unwrap()];
            builder.with_client_auth_cert(chain, key.unwrap()).unwrap()
        }
    };
    let name = ServerName::try_from("presigner").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(b"avouch live 1\n").await?;
    let length = u32::try_from(request.len() + 10).unwrap().to_be_bytes();
    let head = [&length[..], &1_u64.to_be_bytes(), &60_000_u16.to_be_bytes()].concat();
    stream.write_all(&[&head, request].concat()).await?;
    stream.flush().await?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame.split_off(8))
}

#[tokio::test]
async fn forwarders_show_a_certificate() {
    with(IssuerPolicy::default(), async |live| {
        certify(&live, "presigners", "presigner");
        certify(&live, "forwarders", "forwarder");
        certify(&live, "strangers", "stranger");
        let config = LiveConfig {
            tls: Some(TlsConfig {
                listen: "127.0.0.1:0".parse().unwrap(),
                certificate: file(&live, "presigner.pem"),
                key: file(&live, "presigner.key"),
                client_ca: file(&live, "forwarders.pem"),
            }),
            ..LiveConfig::default()
        };
        let endpoint = bind(&live.world, &config).await.unwrap();
        let address = endpoint.tls_address().unwrap();
        let until = live.stop.clone();
        tokio::spawn(async move { endpoint.serve(&until).await });

        let request = live.request(HashAlgorithm::Sha1, &[1, 10], Some(&[7; 16]));
        let statuses = [1, 10].map(|number| live.status(number));
        let nonce = OcspRequest::parse(&request).unwrap().nonce_value();
        let ask = async |client| ask_over_tls(&live, address, client, &request).await;
        let response = ask(Some("forwarder")).await.unwrap();
        assert_eq!(live.judge(&response, &request, &statuses, nonce), [""; 0]);
        ask(None).await.unwrap_err();
        ask(Some("stranger")).await.unwrap_err();
        // What does not even begin with TLS is cut, and others are served meanwhile.
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"avouch live 1\n").await.unwrap();
        let silent = TcpStream::connect(address).await.unwrap();
        ask(Some("forwarder")).await.unwrap();
        let mut said = Vec::new();
        // An alert, or nothing, or a reset.
        let _ = plain.read_to_end(&mut said).await;
        drop(silent);

        // A renewed file counts for the next connection.
        let root = fs::read(file(&live, "strangers.pem")).unwrap();
        fs::write(file(&live, "forwarders.pem"), root).unwrap();
        ask(Some("stranger")).await.unwrap();
        ask(Some("forwarder")).await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_an_error_at_the_start() {
    with(IssuerPolicy::default(), async |live| {
        certify(&live, "presigners", "presigner");
        certify(&live, "presigners", "other");
        let good = TlsConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            certificate: file(&live, "presigner.pem"),
            key: file(&live, "presigner.key"),
            client_ca: file(&live, "presigners.pem"),
        };
        let wrong = [
            TlsConfig {
                certificate: file(&live, "absent.pem"),
                ..good.clone()
            },
            TlsConfig {
                key: file(&live, "other.key"),
                ..good.clone()
            },
            TlsConfig {
                key: file(&live, "presigner.pem"),
                ..good.clone()
            },
            TlsConfig {
                client_ca: file(&live, "presigner.key"),
                ..good.clone()
            },
        ];
        for tls in wrong {
            let config = LiveConfig {
                tls: Some(tls),
                ..LiveConfig::default()
            };
            let error = bind(&live.world, &config).await.unwrap_err().to_string();
            assert!(
                error.contains(live.world.path().to_str().unwrap()),
                "{error}"
            );
        }
        let config = LiveConfig {
            tls: Some(good),
            ..LiveConfig::default()
        };
        bind(&live.world, &config).await.unwrap();
    })
    .await;
}

/// Far more than there is time for: each gets an answer or is turned away, and a revocation is published as always.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_keeps_no_revocation_back() {
    with(IssuerPolicy::default(), async |mut live| {
        let request = live.request(HashAlgorithm::Sha1, &[1], Some(&[7; 16]));
        let flood = all_at_once(&live.client, &request, 2000);
        let revoke = async {
            live.world.revoke("own", serial(7)).await;
            live.world.feed(&live.inbox, &mut live.cursor).await;
            let begun = Instant::now();
            live.worker.settle().await;
            begun.elapsed()
        };
        let (outcomes, took) = tokio::join!(flood, revoke);
        assert!(took < Duration::from_secs(2), "{took:?}");
        let answered = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Answered(_)))
            .count();
        let away = outcomes
            .iter()
            .filter(|&outcome| *outcome == Outcome::Away)
            .count();
        assert_eq!(answered + away, outcomes.len());
        assert!(answered > 0);
    })
    .await;
}

async fn all_at_once(client: &Client, request: &[u8], count: usize) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut asked: Vec<_> = (0..count).map(|_| Box::pin(client.ask(request))).collect();
    std::future::poll_fn(|cx| {
        asked.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            std::task::Poll::Pending => true,
        });
        if asked.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outcomes
}
