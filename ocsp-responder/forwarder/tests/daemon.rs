//! The binary between an edge and a presigner that is there, away, and there again.
#![forbid(unsafe_code)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use live_link::{Client, Outcome, serve};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinHandle, spawn_local};
use tokio_rustls::TlsAcceptor;

const BINARY: &str = env!("CARGO_BIN_EXE_ocsp-forwarder");
/// Longer than any test takes.
const PATIENT: Duration = Duration::from_secs(60);

/// A directory with a root and a certificate for each side.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        bench.openssl("genpkey -out root.key -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
        bench.openssl("req -x509 -key root.key -out root.pem -days 30 -subj /CN=root");
        for (name, alt_name) in [
            ("presigner", "DNS:presigner.test"),
            ("forwarder", "DNS:edge"),
        ] {
            bench.openssl(&format!(
                "genpkey -out {name}.key -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
            ));
            bench.openssl(&format!(
                "req -new -key {name}.key -out {name}.csr -subj /CN={name} -addext subjectAltName={alt_name}"
            ));
            bench.openssl(&format!(
                "x509 -req -in {name}.csr -CA root.pem -CAkey root.key -days 9 -copy_extensions copy -out {name}.pem"
            ));
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }

    /// Starts the binary and waits until it serves.
    fn forwarder(&self, presigner: SocketAddr, more: &str) -> Running {
        let state = self.path("state.json");
        let config = format!(
            "socket = {:?}\npresigner = \"{presigner}\"\ncertificate = {:?}\nkey = {:?}\nserver_ca = {:?}\n{more}\n\
             [daemon]\nstate_file = {state:?}\nadmin = \"127.0.0.1:0\"\n",
            self.path("live.sock"),
            self.path("forwarder.pem"),
            self.path("forwarder.key"),
            self.path("root.pem"),
        );
        fs::write(self.path("config.toml"), config).unwrap();
        let child = Command::new(BINARY)
            .arg("--config")
            .arg(self.path("config.toml"))
            .spawn()
            .unwrap();
        let mut running = Running(child);
        while !state.exists() {
            assert!(running.0.try_wait().unwrap().is_none(), "it ended");
            std::thread::yield_now();
        }
        running
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let certificate = |name| CertificateDer::from_pem_file(self.path(name)).unwrap();
        roots.add(certificate("root.pem")).unwrap();
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let key = PrivateKeyDer::from_pem_file(self.path("presigner.key")).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate("presigner.pem")], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn client(&self) -> Client {
        Client::new(self.path("live.sock"), PATIENT)
    }
}

struct Running(Child);

impl Running {
    fn terminate(mut self) -> i32 {
        let kill = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone if the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A presigner that gives back what it is asked.
fn presigner(listener: TcpListener, acceptor: TlsAcceptor) -> JoinHandle<()> {
    spawn_local(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn_local(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let echo = |question: live_link::Question| {
                        question.reply.send(question.request.to_vec());
                    };
                    let _ = serve(stream, 8, echo).await;
                }
            });
        }
    })
}

async fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn run(test: impl AsyncFnOnce()) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    runtime.block_on(test());
}

async fn until_answered(client: &Client) {
    let answer = Outcome::Answered(b"?".to_vec().into());
    while client.ask(b"?").await != answer {
        tokio::task::yield_now().await;
    }
}

#[test]
fn usage() {
    let help = Command::new(BINARY).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--config"));
    for arguments in [&[][..], &["--nonsense"], &["--config", "/does/not/exist"]] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn questions_are_carried_and_a_presigner_that_was_away_is_found_again() {
    run(async || {
        let bench = Bench::new();
        let (listener, address) = listen("127.0.0.1:0").await;
        let there = presigner(listener, bench.acceptor());
        let forwarder = bench.forwarder(address, "server_name = \"presigner.test\"");
        let client = bench.client();
        let long = vec![0x30; live_link::MAX_QUESTION];
        for request in [&b"?"[..], &long, b"another"] {
            let answer = Outcome::Answered(request.to_vec().into());
            assert_eq!(client.ask(request).await, answer);
        }
        there.abort();
        assert!(there.await.unwrap_err().is_cancelled());
        while client.ask(b"?").await != Outcome::Away {}
        let (listener, _) = listen(&address.to_string()).await;
        presigner(listener, bench.acceptor());
        until_answered(&client).await;
        assert_eq!(forwarder.terminate(), 0);
        assert!(!bench.path("live.sock").exists());
    });
}

#[test]
fn a_presigner_with_another_name_gets_no_question() {
    run(async || {
        let bench = Bench::new();
        let (listener, address) = listen("127.0.0.1:0").await;
        presigner(listener, bench.acceptor());
        // By default its certificate must name the host, which is 127.0.0.1 here.
        let forwarder = bench.forwarder(address, "");
        let client = bench.client();
        assert_eq!(client.ask(b"?").await, Outcome::Away);
        assert!(client.is_away());
        assert_eq!(forwarder.terminate(), 0);
    });
}

#[test]
fn files_that_cannot_be_used_are_an_error_at_the_start() {
    let bench = Bench::new();
    fs::write(bench.path("state.json"), "").unwrap();
    let fails = |changed: &Path| {
        let kept = fs::read(changed).unwrap();
        fs::write(changed, "nothing").unwrap();
        let mut forwarder = bench.forwarder(([127, 0, 0, 1], 1).into(), "");
        assert_eq!(forwarder.0.wait().unwrap().code(), Some(1), "{changed:?}");
        fs::write(changed, kept).unwrap();
        fs::write(bench.path("state.json"), "").unwrap();
    };
    for name in ["root.pem", "forwarder.pem", "forwarder.key"] {
        fails(&bench.path(name));
    }
}
