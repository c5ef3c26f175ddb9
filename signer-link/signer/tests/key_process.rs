//! `signer key`: unlocked by people at a terminal or by a file, confined, and asked to sign.

mod common;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::pty::Pty;
use common::{Fixture, PASSPHRASE, SIGNER, openssl, write_secret};
use hierarchy::Hierarchy;
use keystore::{
    Cost, EncryptedStore, Holder, NewStore, Purpose, SealedShare, SecretString, Sharing,
    SigningKey, Token, TokenEntry,
};
use pki::{Certificate, KeyKind, SignatureAlgorithm};
use signer::ca_certificate::{self, Signer};
use signer::key::{Client, ClientError, Open, RefusalCode, TokenAccess};
use signer::keyring::save_certificate;
use tempfile::TempDir;

const CHEAP: Cost = Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

fn start() -> (Client, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(SIGNER)
        .arg("key")
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone().unwrap())))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    (Client::new(ours), child)
}

/// With this terminal as its own; standard error goes to a file, since the socket comes in its place.
fn start_at(terminal: &Pty, log: &Path) -> (Client, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new("setsid")
        .args([
            "--ctty",
            "sh",
            "-c",
            "exec \"$0\" key <&2 >&2 2>\"$1\"",
            SIGNER,
        ])
        .arg(log)
        .stdin(Stdio::from(terminal.end()))
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("setsid (util-linux)");
    (Client::new(ours), child)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>, expected: RefusalCode, says: &str) {
    match result {
        Err(ClientError::Refused { code, text }) => {
            assert_eq!(code, expected, "{text}");
            assert!(text.contains(says), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

fn field_of_status(child: &Child, file: &str, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("{name} in {text}"))[name.len()..]
        .trim()
        .to_owned()
}

/// A CA in the store: key and certificate.
fn ca(store: &EncryptedStore, key: &SigningKey, name: &str) -> Certificate {
    let hierarchy = Hierarchy::from_toml(hierarchy::EC).unwrap();
    let mut ca = hierarchy.ca("root").unwrap().clone();
    ca.name = name.to_owned();
    ca.key = key.kind();
    ca.hash = None;
    let signer = Signer {
        ca: &ca,
        key,
        certificate: None,
    };
    let now = common::noon();
    let certificate =
        ca_certificate::make(&ca, key.public_key(), &signer, &hierarchy.base_url, now).unwrap();
    save_certificate(store.directory(), name, &certificate).unwrap();
    certificate
}

#[test]
fn it_signs_guarded_and_confined() {
    let fixture = Fixture::new();
    let secret = fixture.directory.path().join("secret");
    write_secret(&secret, &format!("{PASSPHRASE}\n"));
    let (mut client, mut child) = start();
    let open = Open {
        store: fixture.keys(),
        secret_file: Some(secret),
        ..Open::default()
    };
    refused(
        client.sign("member", SignatureAlgorithm::EcdsaSha256, b"message"),
        RefusalCode::NotOpen,
        "unlock",
    );
    let opened = client.open(&open).unwrap();
    let names: Vec<_> = opened
        .keys
        .issuers
        .iter()
        .map(|issuer| issuer.name.as_str())
        .collect();
    assert_eq!(names, ["member", "root"]);
    assert_eq!(opened.keys.issuers[0].certificate, fixture.member);
    assert!(opened.unattended && !opened.rehearsal);
    let program = pki::HashAlgorithm::Sha256.digest(&fs::read(SIGNER).unwrap());
    assert_eq!(opened.executable[..], program[..]);
    refused(client.open(&open), RefusalCode::AlreadyOpen, "open");

    let signature = client
        .sign("member", SignatureAlgorithm::EcdsaSha256, b"message")
        .unwrap();
    let key = fixture.member.public_key();
    key.verify(SignatureAlgorithm::EcdsaSha256, b"message", &signature)
        .unwrap();
    // As long as the longest CRL that comes.
    let long = vec![0x30; 48 * 1024 * 1024];
    let signature = client
        .sign("root", SignatureAlgorithm::EcdsaSha384, &long)
        .unwrap();
    let key = fixture.root.public_key();
    key.verify(SignatureAlgorithm::EcdsaSha384, &long, &signature)
        .unwrap();
    refused(
        client.sign("member", SignatureAlgorithm::RsaSha256, b"message"),
        RefusalCode::Algorithm,
        "p-256",
    );
    refused(
        client.sign("nobody", SignatureAlgorithm::EcdsaSha256, b"message"),
        RefusalCode::NoSuchIssuer,
        "nobody",
    );

    // What the kernel says of the process.
    assert_eq!(field_of_status(&child, "status", "Seccomp:"), "2");
    assert_eq!(field_of_status(&child, "status", "NoNewPrivs:"), "1");
    let cores = field_of_status(&child, "limits", "Max core file size");
    assert!(cores.starts_with("0 "), "{cores}");
    let locked = field_of_status(&child, "status", "VmLck:");
    assert_eq!(
        locked == "0 kB",
        opened
            .warnings
            .iter()
            .any(|warning| warning.contains("LimitMEMLOCK"))
    );

    // A key that comes while it runs, and one that is no good.
    let store = EncryptedStore::open(&fixture.keys(), &SecretString::from(PASSPHRASE)).unwrap();
    let new = SigningKey::generate(KeyKind::P384).unwrap();
    let certificate = ca(&store, &new, "new");
    store.insert("new", &new).unwrap();
    store.insert("bare", &new).unwrap();
    let keys = client.reload().unwrap();
    assert_eq!(keys.issuers.len(), 3);
    assert_eq!(keys.faulty.len(), 1);
    assert!(keys.faulty[0].0 == "bare" && keys.faulty[0].1.contains("no certificate"));
    let signature = client
        .sign("new", SignatureAlgorithm::EcdsaSha384, b"x")
        .unwrap();
    certificate
        .public_key()
        .verify(SignatureAlgorithm::EcdsaSha384, b"x", &signature)
        .unwrap();

    client.wipe().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(matches!(client.reload(), Err(ClientError::Gone(_))));
}

#[test]
fn it_ends_with_its_partner_and_with_nonsense() {
    let (client, mut child) = start();
    drop(client);
    assert!(child.wait().unwrap().success());

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(SIGNER)
        .arg("key")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut ours, &[0, 0, 0, 1, 77]).unwrap();
    assert!(!child.wait().unwrap().success());

    let by_hand = common::signer(Path::new("."), &["key"]);
    common::failed(&by_hand, 1, "is started by `signer run`");
}

fn shared_store(directory: &Path) -> (EncryptedStore, Vec<SealedShare>) {
    let holders = ["Alice", "Bob", "Carol"].map(|name| Holder {
        name: name.to_owned(),
        passphrase: SecretString::from(format!("the passphrase of {name}")),
    });
    let sharing = Sharing::new(2, 3).unwrap();
    let new = NewStore::prepare(directory, sharing, Purpose::Rehearsal, &holders, CHEAP).unwrap();
    let shares = new.shares().to_vec();
    (new.commit().unwrap(), shares)
}

#[test]
fn people_unlock_it_at_the_terminal() {
    let directory = TempDir::new().unwrap();
    let [keys, sticks, log] = ["keys", "sticks", "log"].map(|name| directory.path().join(name));
    let (store, shares) = shared_store(&keys);
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    store.insert("ca", &key).unwrap();
    ca(&store, &key, "ca");
    fs::create_dir(&sticks).unwrap();
    for share in &shares[..2] {
        fs::write(sticks.join(share.file_name()), share.to_text()).unwrap();
    }
    let carol = directory.path().join("carol.share");
    fs::write(&carol, shares[2].to_text()).unwrap();
    // Another store's share in the same folder, and one that is damaged.
    let (_, foreign) = shared_store(&directory.path().join("other"));
    fs::write(sticks.join("foreign.share"), foreign[0].to_text()).unwrap();
    fs::write(
        sticks.join("broken.share"),
        shares[0].to_text().replace("Alice", "Alibe"),
    )
    .unwrap();

    let mut terminal = Pty::new();
    let (mut client, mut child) = start_at(&terminal, &log);
    let open = Open {
        store: keys,
        shares: vec![sticks],
        ..Open::default()
    };
    let asked = std::thread::spawn(move || {
        let opened = client.open(&open);
        (client, opened)
    });
    terminal.expect("broken.share: the checksum does not match");
    terminal.expect("opened by 2 of 3 shares");
    terminal.expect("1  Alice");
    terminal.expect("2  Bob");
    terminal.expect("Whose share");
    terminal.type_line("7");
    terminal.expect("There is no share \"7\"");
    terminal.expect("Whose share");
    terminal.type_line("1");
    terminal.expect("Passphrase of share 1 of Alice: ");
    terminal.type_line("a wrong guess");
    terminal.expect("the passphrase does not open share 1 of Alice; try again");
    terminal.expect("Whose share");
    terminal.type_line("1");
    terminal.expect("Passphrase of share 1 of Alice: ");
    terminal.type_line("the passphrase of Alice");
    terminal.expect("share 1 of Alice: open. Still needed: 1.");
    terminal.expect("Whose share");
    terminal.type_line(
        directory
            .path()
            .join("other/store.header")
            .to_str()
            .unwrap(),
    );
    terminal.expect("BEGIN AVOUCH KEY SHARE");
    terminal.expect("Whose share");
    terminal.type_line(carol.to_str().unwrap());
    terminal.expect("Passphrase of share 3 of Carol: ");
    terminal.type_line("the passphrase of Carol");
    terminal.expect("share 3 of Carol: open. Still needed: 0.");

    let (mut client, opened) = asked.join().unwrap();
    let opened = opened.unwrap();
    assert_eq!(opened.holders, ["Alice", "Carol"]);
    assert_eq!(opened.sharing, "2 of 3");
    assert!(opened.rehearsal && !opened.unattended);
    assert_eq!(opened.keys.issuers[0].name, "ca");
    assert!(
        !terminal.seen().contains("the passphrase of"),
        "{}",
        terminal.seen()
    );
    client
        .sign("ca", SignatureAlgorithm::EcdsaSha256, b"x")
        .unwrap();
    client.wipe().unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wrong_secret_or_none_is_refused_and_can_be_tried_again() {
    let fixture = Fixture::new();
    let secret = fixture.directory.path().join("secret");
    write_secret(&secret, "wrong\n");
    let (mut client, mut child) = start();
    let mut open = Open {
        store: fixture.keys(),
        secret_file: Some(secret.clone()),
        ..Open::default()
    };
    refused(client.open(&open), RefusalCode::Unlock, "wrong passphrase");
    open.secret_file = Some("none".into());
    refused(
        client.open(&open),
        RefusalCode::Unlock,
        "none cannot be read",
    );
    let shared = TempDir::new().unwrap();
    let (_, _) = shared_store(shared.path());
    open.store = shared.path().to_owned();
    open.secret_file = Some(secret.clone());
    refused(
        client.open(&open),
        RefusalCode::Unlock,
        "2 of 3 shares open this key store",
    );
    open.store = fixture.keys();
    write_secret(&secret, PASSPHRASE);
    client.open(&open).unwrap();
    drop(client);
    assert!(child.wait().unwrap().success());
}

#[test]
fn keys_in_a_token_sign_while_the_process_is_confined() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let modules = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    const IN_CHILD: &str = "AVOUCH_TEST_TOKEN";
    if let Some(directory) = std::env::var_os(IN_CHILD) {
        let module = modules
            .into_iter()
            .find(|module| Path::new(module).exists());
        return with_token(Path::new(&directory), Path::new(module.expect("SoftHSM")));
    }
    fs::create_dir(path("tokens")).unwrap();
    let configuration = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        path("tokens").display()
    );
    fs::write(path("softhsm2.conf"), configuration).unwrap();
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "avouch",
            "--so-pin",
            "314159",
            "--pin",
            "271828",
        ])
        .env("SOFTHSM2_CONF", path("softhsm2.conf"))
        .status()
        .expect("softhsm2-util (Debian package softhsm2)");
    assert!(made.success());
    // SoftHSM reads its configuration from the environment of the process.
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "keys_in_a_token_sign_while_the_process_is_confined",
            "--nocapture",
        ])
        .env("SOFTHSM2_CONF", path("softhsm2.conf"))
        .env(IN_CHILD, directory.path())
        .status()
        .unwrap();
    assert!(child.success());
}

fn with_token(directory: &Path, module: &Path) {
    let (keys, secret) = (directory.join("keys"), directory.join("secret"));
    write_secret(&secret, PASSPHRASE);
    let store = EncryptedStore::create_with(&keys, &SecretString::from(PASSPHRASE), CHEAP).unwrap();
    let token = Token::with_pin(PathBuf::from(module), "avouch", "271828".into());
    let key = token.generate(KeyKind::Rsa(2048), "ca").unwrap();
    let entry = TokenEntry {
        module: module.to_owned(),
        token: "avouch".to_owned(),
        id: key.token_id().unwrap().to_vec(),
        pin: "271828".into(),
    };
    store.insert_token_key("ca", &entry).unwrap();
    let certificate = ca(&store, &key, "ca");
    let (mut client, mut child) = start();
    let opened = client
        .open(&Open {
            store: keys,
            secret_file: Some(secret),
            token: Some(TokenAccess {
                paths: vec![directory.join("tokens")],
                sockets: false,
            }),
            ..Open::default()
        })
        .unwrap();
    assert_eq!(opened.keys.issuers.len(), 1, "{:?}", opened.keys.faulty);
    for message in 0..20_u8 {
        let signature = client
            .sign("ca", SignatureAlgorithm::RsaSha256, &[message])
            .unwrap();
        let key = certificate.public_key();
        key.verify(SignatureAlgorithm::RsaSha256, &[message], &signature)
            .unwrap();
    }
    client.wipe().unwrap();
    assert!(child.wait().unwrap().success());
    let pem = directory.join("keys/ca.pem");
    openssl(
        directory,
        &[
            "verify",
            "-CAfile",
            pem.to_str().unwrap(),
            pem.to_str().unwrap(),
        ],
    );
}
