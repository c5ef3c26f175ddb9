//! A new process takes the place of a running edge: nobody notices.

mod common;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use common::authority::serial;
use common::client::{Client, base64};
use common::wait_until;
use common::world::{World, good};
use pki::HashAlgorithm;
use pki::ocsp::response::CertStatus;
use serde_json::Value;

/// Configurations of edges that follow one publication.
struct Edges {
    world: World,
}

impl Edges {
    fn new() -> Self {
        Self {
            world: World::published(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.temporary.path().join(name)
    }

    fn state_file(&self) -> PathBuf {
        self.path("run.json")
    }

    /// The command of an edge with that state directory and address, trusting that key.
    fn command(&self, state: &str, listen: &str, key: [u8; 32]) -> Command {
        let key = hex::encode(key);
        let text = format!(
            "listen = '{listen}'\npublication = {:?}\nstate = {:?}\ncores = 2\n\
             [[trust]]\nprefix = 'ocsp/'\npublic_key = '{key}'\n[[trust]]\nprefix = 'crl/'\npublic_key = '{key}'\n\
             [daemon]\nstate_file = {:?}\n",
            self.world.root(),
            self.path(state),
            self.state_file(),
        );
        let config = self.path(&format!("{state}-{}.toml", key.get(..8).unwrap()));
        fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocsp-responder"));
        command.arg("--config").arg(config).stderr(Stdio::piped());
        command
    }

    fn usual(&self) -> Command {
        self.command("state", "127.0.0.1:0", self.world.public_key())
    }

    /// Starts an edge and waits until the state file is its own.
    fn start(&self, command: &mut Command) -> Daemon {
        let daemon = Daemon(command.stderr(Stdio::null()).spawn().unwrap());
        let pid = daemon.0.id();
        wait_until("the state file", || {
            read(&self.state_file()).is_some_and(|state| state["pid"] == pid)
        });
        daemon
    }

    fn address(&self, which: &str) -> SocketAddr {
        let state = read(&self.state_file()).unwrap();
        let url = state[which].as_str().unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        address.parse().unwrap()
    }

    fn target(&self, number: u32) -> String {
        let request = self
            .world
            .authority
            .request(HashAlgorithm::Sha1, &serial(number));
        format!("/{}", base64(&request))
    }

    /// Publishes one more certificate, and waits until it is answered for.
    fn publish(&self, number: u32, address: SocketAddr) {
        let delta = [(serial(number), Some(CertStatus::Good))];
        let delta = self.world.authority.answers(&delta, self.world.times());
        self.world
            .publish_answers(vec![self.world.usual_answers(), delta]);
        let target = self.target(number);
        wait_until("the new certificate is answered for", || {
            let mut client = Client::connect(address);
            client.request("GET", &target, "", b"").body.len() > 5
        });
    }
}

fn read(state_file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(state_file).ok()?).ok()
}

struct Daemon(Child);

impl Daemon {
    fn has_ended_well(mut self) {
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Clients that never rest: over connections that are kept, and over one for each request.
struct Load {
    clients: Vec<JoinHandle<()>>,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Load {
    fn start(edges: &Edges, address: SocketAddr) -> Self {
        let (answered, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let request = edges.world.authority.request(HashAlgorithm::Sha1, &good());
        let client = |index: usize| {
            let close = if index.is_multiple_of(2) {
                ""
            } else {
                "Connection: close\r\n"
            };
            let get = format!("GET {} HTTP/1.1\r\nHost: e\r\n{close}\r\n", edges.target(1));
            let head = format!(
                "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: {}\r\n{close}\r\n",
                request.len()
            );
            let crl = format!("GET /crl/member.crl HTTP/1.1\r\nHost: e\r\n{close}\r\n");
            let post = [head.as_bytes(), &request].concat();
            // Each asks for one thing only: a connection that once asked for a CRL stays with hyper.
            let octets = vec![get.into_bytes(), post, crl.into_bytes()].swap_remove(index / 2);
            let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut kept = None;
                while !stop.load(Ordering::Relaxed) {
                    let mut client = kept.take().unwrap_or_else(|| Client::connect(address));
                    client.stream.write_all(&octets).unwrap();
                    let reply = client.reply(false).expect("an answer to every request");
                    assert_eq!(reply.status, 200);
                    assert!(reply.body.len() > 5);
                    answered.fetch_add(1, Ordering::Relaxed);
                    if reply.header("connection") != "close" {
                        kept = Some(client);
                    }
                }
            })
        };
        let clients = (0..6).map(client).collect();
        Self {
            clients,
            answered,
            stop,
        }
    }

    /// Waits for some more answers.
    fn go_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait_until("answers", || {
            self.answered.load(Ordering::Relaxed) > before + 200
        });
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no request failed");
        }
    }
}

#[test]
fn an_edge_is_replaced_twice_under_load_without_a_failed_request() {
    let edges = Edges::new();
    let first = edges.start(&mut edges.usual());
    let (address, admin) = (edges.address("listen"), edges.address("admin"));
    let load = Load::start(&edges, address);
    load.go_on();
    let second = edges.start(edges.usual().arg("--take-over"));
    first.has_ended_well();
    load.go_on();
    assert_eq!(
        (edges.address("listen"), edges.address("admin")),
        (address, admin)
    );
    edges.publish(100, address);
    let third = edges.start(edges.usual().arg("--take-over"));
    second.has_ended_well();
    load.go_on();
    load.finish();
    edges.publish(101, address);
    let ready = Client::connect(admin).request("GET", "/readyz", "", b"");
    assert_eq!(ready.status, 200);
    assert_eq!(edges.address("listen"), address);
    drop(third);
}

#[test]
fn one_that_serves_less_does_not_take_over() {
    let edges = Edges::new();
    let mut first = edges.start(&mut edges.usual());
    let address = edges.address("listen");
    let load = Load::start(&edges, address);
    // It trusts another key, so it has nothing to serve.
    let stranger = World::new().public_key();
    let mut command = edges.command("state", "127.0.0.1:0", stranger);
    let output = command.arg("--take-over").output().unwrap();
    assert_refused(
        &output,
        "this one generation 0 (0: none); the running one goes on",
    );
    load.go_on();
    assert!(first.runs());
    edges.publish(100, address);
    load.finish();
    // Who only connects is no successor either.
    drop(std::os::unix::net::UnixStream::connect(edges.path("state/take-over.sock")).unwrap());
    let second = edges.start(edges.usual().arg("--take-over"));
    first.has_ended_well();
    edges.publish(101, address);
    drop(second);
}

#[test]
fn without_a_running_edge_there_is_nothing_to_take() {
    let edges = Edges::new();
    for _ in 0..2 {
        let mut daemon = edges.start(edges.usual().arg("--take-over"));
        edges.publish(100, edges.address("listen"));
        // Killed: its lock goes with it, its socket stays behind.
        daemon.0.kill().unwrap();
        daemon.0.wait().unwrap();
        fs::remove_file(edges.state_file()).unwrap();
    }
}

#[test]
fn two_edges_in_one_place_clash_and_are_told() {
    let edges = Edges::new();
    let mut first = edges.start(&mut edges.usual());
    let pid = first.0.id();
    let output = edges.usual().output().unwrap();
    assert_refused(
        &output,
        &format!("an edge (process {pid}) runs with the state"),
    );
    let listen = edges.address("listen").to_string();
    let output = edges
        .command("other", &listen, edges.world.public_key())
        .output()
        .unwrap();
    assert_refused(
        &output,
        &format!("cannot be bound to {listen}; stop what listens there"),
    );
    assert!(first.runs());
}

fn assert_refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(why), "{text}");
}
