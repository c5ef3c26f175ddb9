//! The shipped binary: its configuration, its files, its end; and that it is keyless (V2).

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};

use common::client::Client;
use common::wait_until;
use common::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_runs_alone_from_its_configuration() {
    let world = World::published();
    let directory = world.temporary.path();
    let (state_file, config) = (directory.join("run.json"), directory.join("edge.toml"));
    let key = hex::encode(world.public_key());
    let text = format!(
        "listen = '192.0.2.1:80'\npublication = {:?}\nstate = {:?}\n\
         [[trust]]\nprefix = 'ocsp/'\npublic_key = '{key}'\n[[trust]]\nprefix = 'crl/'\npublic_key = '{key}'\n\
         [daemon]\nstate_file = {state_file:?}\n",
        world.root(),
        directory.join("state"),
    );
    fs::write(&config, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_ocsp-responder"))
        .arg("--config")
        .arg(&config)
        .args(["--listen", "127.0.0.1:0"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut daemon = Daemon(child);
    wait_until("the state file", || state_file.exists());
    let state: Value = serde_json::from_slice(&fs::read(&state_file).unwrap()).unwrap();
    let get = |base: &str, path: &str| {
        let address = base
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .unwrap();
        let mut client = Client::connect(address);
        client.request("GET", path, "", b"").status
    };
    let (listen, admin) = (
        state["listen"].as_str().unwrap(),
        state["admin"].as_str().unwrap(),
    );
    assert_eq!(get(listen, "/crl/member.crl"), 200);
    for path in ["/metrics", "/healthz", "/readyz", "/readyz?issuer=member"] {
        assert_eq!(get(admin, path), 200, "{path}");
    }
    assert_eq!(get(admin, "/readyz?issuer=nobody"), 404);
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    assert!(!state_file.exists());
}

#[test]
fn a_wrong_key_in_the_configuration_is_told() {
    let world = World::new();
    let config = world.temporary.path().join("edge.toml");
    fs::write(
        &config,
        "listen = '127.0.0.1:0'\npublication = 'p'\nstate = 's'\n[[trust]]\nprefix = 'ocsp/'\npublic_key = 'abc'\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ocsp-responder"))
        .current_dir(world.temporary.path())
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("public_key is not 32 octets"), "{text}");
}

#[test]
fn the_edge_reaches_neither_a_private_key_nor_a_database() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "ocsp-responder",
            "--edges",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(
        text.contains("hyper v"),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    for line in text.lines() {
        let package = line.split(' ').next().unwrap();
        let forbidden = [
            "ledger",
            "keystore",
            "issuance",
            "signer-client",
            "wire",
            "signer",
            "ring",
            "openssl-sys",
        ];
        assert!(
            !forbidden.contains(&package)
                && !package.starts_with("sqlx")
                && !package.starts_with("libsqlite"),
            "the edge must not depend on {package}"
        );
    }
}
