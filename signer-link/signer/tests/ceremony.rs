//! Key ceremonies from one file, with people at a terminal, openssl as the judge of what they make.

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::pty::Pty;
use common::{SIGNER, failed, openssl, signer, write_secret};
use keystore::{LinkEnd, LinkKeys, SealedShare};
use pki::{Certificate, Clock as _, SystemClock, Time};
use tempfile::TempDir;

/// A root and a subordinate, for the fast curves.
const CAS: &str = r#"
base_url = "http://status.example.org"

[[ca]]
name = "root"
subject = { common_name = "Example Root CA", organization = "Example" }
key = "p-384"
validity_days = 7305

[[ca]]
name = "member"
subject = { common_name = "Example Member CA", organization = "Example" }
key = "p-256"
validity_days = 3652
issuer = "root"
path_len = 0
"#;

const SHARES: &str = r#"
[shares]
threshold = 2
of = 3
holders = ["Alice", "Bob", "Carol"]
"#;

const ARGUMENTS: [&str; 6] = [
    "ceremony",
    "ceremony.toml",
    "--keys",
    "signer/keys",
    "--out",
    "ca",
];

/// With a passphrase in a file, for everything that is not about people.
fn unattended(directory: &Path, text: &str, more: &[&str]) -> std::process::Output {
    fs::write(directory.join("ceremony.toml"), text).unwrap();
    write_secret(&directory.join("passphrase"), "correct horse\n");
    let arguments = [&ARGUMENTS[..], &["--passphrase-file", "passphrase"], more].concat();
    signer(directory, &arguments)
}

#[track_caller]
fn succeeded(output: &std::process::Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

fn at_terminal(terminal: &Pty, directory: &Path, arguments: &[&str]) -> Child {
    Command::new("setsid")
        .args(["--ctty", SIGNER])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::from(terminal.end()))
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("stderr")).unwrap())
        .spawn()
        .expect("setsid (util-linux)")
}

fn certificate(directory: &Path, name: &str) -> Certificate {
    let path = directory.join(format!("ca/{name}.pem"));
    Certificate::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

fn transcript(directory: &Path) -> String {
    fs::read_to_string(directory.join("ca/transcript.txt")).unwrap()
}

fn passphrase(name: &str) -> String {
    format!("{name} likes long words")
}

#[test]
fn people_hold_a_ceremony_and_take_it_up_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let text = CAS.to_owned() + SHARES;
    fs::write(
        path.join("ceremony.toml"),
        text.replace("[shares]", "[[link]]\nsigner = 7\n[shares]"),
    )
    .unwrap();

    let mut terminal = Pty::new();
    let mut child = at_terminal(&terminal, path, &ARGUMENTS);
    terminal.expect("2 of 3 shares will open it");
    terminal.expect("New passphrase of Alice (at least 10 characters): ");
    terminal.type_line("short");
    terminal.expect("too short");
    terminal.expect("New passphrase of Alice");
    terminal.type_line("Alice makes a slip");
    terminal.expect("The same again: ");
    terminal.type_line("Alice makes a slap");
    terminal.expect("The two differ");
    for name in ["Alice", "Bob", "Carol"] {
        terminal.expect(&format!(
            "New passphrase of {name} (at least 10 characters): "
        ));
        terminal.type_line(&passphrase(name));
        terminal.expect("The same again: ");
        terminal.type_line(&passphrase(name));
    }
    terminal.expect("Restore drill");
    terminal.expect("Passphrase of share 1 of Alice: ");
    terminal.type_line("not the right one");
    terminal.expect("does not open share 1 of Alice");
    for (number, name) in ["Alice", "Bob", "Carol"].into_iter().enumerate() {
        terminal.expect(&format!("Passphrase of share {} of {name}: ", number + 1));
        terminal.type_line(&passphrase(name));
    }
    let status = child.wait().unwrap();
    assert!(
        status.success(),
        "{}",
        fs::read_to_string(path.join("stderr")).unwrap()
    );
    assert!(
        !terminal.seen().contains("likes long words"),
        "{}",
        terminal.seen()
    );

    let told = transcript(path);
    for part in [
        "2 of 3 shares open it",
        "restore drill: each of 3 sets of shares (Alice + Bob; Alice + Carol; Bob + Carol) opened the store",
        "all 2 keys belong to their certificates",
        "link 7: public keys, signer ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    // Every file of which it tells has the hash that it tells.
    let mut files = 0;
    for line in told
        .lines()
        .filter(|line| line.starts_with("  in   ") || line.starts_with("  out  "))
    {
        let (hash, name) = line[7..].split_once("  ").unwrap();
        let found = ["", "ca", "signer", "signer/keys"].map(|folder| path.join(folder).join(name));
        let octets = fs::read(found.iter().find(|file| file.exists()).unwrap()).unwrap();
        assert_eq!(
            hex::encode(pki::HashAlgorithm::Sha256.digest(&octets)),
            hash,
            "{name}"
        );
        files += 1;
    }
    assert_eq!(files, 1 + 3 + 4 + 2, "{told}");
    openssl(
        path,
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca/root.pem",
            "ca/member.pem",
        ],
    );
    let signer_end =
        LinkKeys::load(&path.join("signer/link-signer-7.key"), LinkEnd::Signer).unwrap();
    let host_end = LinkKeys::load(&path.join("signer/link-host-7.key"), LinkEnd::Host).unwrap();
    assert_eq!(signer_end.public().unwrap(), *host_end.peer());
    assert_eq!(
        (signer_end.psk(), signer_end.signer().get()),
        (host_end.psk(), 7)
    );

    // As after a kill before the subordinate was signed; two of the three are there.
    let before = certificate(path, "root");
    for file in ["signer/keys/member.pem", "signer/keys/member.key"] {
        fs::remove_file(path.join(file)).unwrap();
    }
    fs::remove_dir_all(path.join("ca")).unwrap();
    let mut child = at_terminal(&terminal, path, &ARGUMENTS);
    for (number, name) in [("3", "Carol"), ("2", "Bob")] {
        terminal.expect("Whose share");
        terminal.type_line(number);
        terminal.expect(&format!("Passphrase of share {number} of {name}: "));
        terminal.type_line(&passphrase(name));
    }
    terminal.expect("Restore drill");
    terminal.expect("Passphrase of share 1 of Alice: ");
    terminal.type_line("");
    for (number, name) in [("2", "Bob"), ("3", "Carol")] {
        terminal.expect(&format!("Passphrase of share {number} of {name}: "));
        terminal.type_line(&passphrase(name));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(certificate(path, "root").der(), before.der());
    let told = transcript(path);
    for part in [
        "key store opened by Carol, Bob",
        "(kept from an earlier run)",
        "each of 1 sets of shares (Bob + Carol)",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    openssl(path, &["verify", "-CAfile", "ca/root.pem", "ca/member.pem"]);

    // A key that is taken over comes in at the same console, opened by the same people.
    openssl(
        path,
        &[
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Old", "-keyout",
            "old.key", "-out", "old.pem",
        ],
    );
    let import = [
        "import",
        "--keys",
        "signer/keys",
        "--name",
        "old",
        "--key",
        "old.key",
        "--certificate",
        "old.pem",
    ];
    let mut child = at_terminal(&terminal, path, &import);
    for (number, name) in [("1", "Alice"), ("3", "Carol")] {
        terminal.expect("Whose share");
        terminal.type_line(number);
        terminal.expect(&format!("Passphrase of share {number} of {name}: "));
        terminal.type_line(&passphrase(name));
    }
    assert!(child.wait().unwrap().success());
    let told = fs::read_to_string(path.join("stderr")).unwrap();
    assert!(told.contains("rsa-2048 key of CN=Old imported"), "{told}");
}

#[test]
fn a_ceremony_without_people_says_so() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    fs::write(path.join("ceremony.toml"), CAS).unwrap();
    failed(
        &signer(path, &ARGUMENTS),
        1,
        "describe [shares], or give --passphrase-file",
    );
    let both = unattended(path, &(CAS.to_owned() + SHARES), &[]);
    failed(&both, 1, "leave out one of the two");
    let few = CAS.to_owned() + &SHARES.replace("threshold = 2", "threshold = 1");
    fs::write(path.join("ceremony.toml"), &few).unwrap();
    failed(&signer(path, &ARGUMENTS), 1, "choose 2 of 3");
    let fewer = CAS.to_owned() + &SHARES.replace(", \"Carol\"", "");
    failed(&unattended(path, &fewer, &[]), 1, "2 names for 3 shares");
    assert!(!path.join("signer").exists(), "something was made");

    let told = succeeded(&unattended(path, CAS, &[]));
    assert!(told.contains("WARNING: one passphrase in a file"), "{told}");
    assert!(transcript(path).contains("restore drill: the one passphrase opened the store"));
    assert!(path.join("signer/link-signer-1.key").exists());
}

#[test]
fn a_rehearsal_marks_all_that_it_makes() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let told = succeeded(&unattended(path, CAS, &["--rehearsal"]));
    assert!(
        told.contains("REHEARSAL") && !told.contains("WARNING"),
        "{told}"
    );
    assert!(transcript(path).starts_with("REHEARSAL: nothing that was made here may be trusted"));
    let subject = openssl(
        path,
        &[
            "x509",
            "-in",
            "ca/member.pem",
            "-noout",
            "-subject",
            "-nameopt",
            "RFC2253",
        ],
    );
    assert_eq!(
        subject.trim(),
        "subject=CN=Example Member CA,OU=REHEARSAL,O=Example"
    );
    openssl(
        path,
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca/root.pem",
            "ca/member.pem",
        ],
    );
    let share = fs::read_dir(path.join("signer/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let share = share.filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "share")
    });
    let share = SealedShare::load(&share.last().unwrap()).unwrap();
    assert!(share.to_text().contains("\nPurpose: rehearsal\n"));
    // What was rehearsed is never taken for real.
    failed(&unattended(path, CAS, &[]), 1, "was made in a rehearsal");
}

#[test]
fn a_key_is_certified_again_and_by_another_root() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let two_roots = CAS.replace(
        "[[ca]]\nname = \"member\"",
        r#"[[ca]]
name = "old-root"
subject = { common_name = "Old Root CA", organization = "Example" }
key = "rsa-2048"
hash = "sha384"
validity_days = 3652

[[ca]]
name = "member""#,
    );
    succeeded(&unattended(path, &two_roots, &[]));
    let first = certificate(path, "member");
    let further = two_roots.clone()
        + r#"
[[certificate]]
file = "member-2031"
ca = "member"
validity_days = 1826
current = true

[[certificate]]
file = "member-by-old-root"
ca = "member"
issuer = "old-root"
validity_days = 1000

[[certificate]]
file = "root-2040"
ca = "root"
validity_days = 9000
"#;
    let told = succeeded(&unattended(path, &further, &[]));
    assert!(told.contains("member: uses certificate"), "{told}");
    let (renewed, crossed) = (
        certificate(path, "member-2031"),
        certificate(path, "member-by-old-root"),
    );
    assert_eq!(certificate(path, "member").der(), renewed.der());
    for other in [&renewed, &crossed] {
        assert_eq!(other.public_key(), first.public_key());
        assert_eq!(other.subject(), first.subject());
        assert_ne!(other.serial(), first.serial());
    }
    assert_eq!(crossed.issuer(), certificate(path, "old-root").subject());
    assert_eq!(
        certificate(path, &format!("member-{}", first.serial())).der(),
        first.der()
    );
    let root = certificate(path, "root-2040");
    assert_eq!(
        (root.issuer(), root.subject()),
        (root.subject(), certificate(path, "root").subject())
    );

    // A subscriber's certificate, which openssl signs here with a key of its own, would chain to both; the CA's do.
    for (anchor, pem) in [
        ("root", "member"),
        ("root", "member-2031"),
        ("root-2040", "member-2031"),
        ("old-root", "member-by-old-root"),
    ] {
        let [anchor, pem] = [anchor, pem].map(|name| format!("ca/{name}.pem"));
        openssl(path, &["verify", "-x509_strict", "-CAfile", &anchor, &pem]);
    }
    let text = openssl(
        path,
        &[
            "x509",
            "-in",
            "ca/member-by-old-root.pem",
            "-noout",
            "-text",
        ],
    );
    assert!(
        text.contains("/crl/old-root.crl") && text.contains("sha384WithRSAEncryption"),
        "{text}"
    );

    // Again: everything is kept.
    let before = fs::read(path.join("ca/chain-member.pem")).unwrap();
    let told = succeeded(&unattended(path, &further, &[]));
    assert!(
        told.contains("member-2031: certificate") && told.contains("kept"),
        "{told}"
    );
    assert!(!told.contains("signed by"), "{told}");
    assert_eq!(fs::read(path.join("ca/chain-member.pem")).unwrap(), before);

    let wrong = two_roots
        + "\n[[certificate]]\nfile = \"x\"\nca = \"root\"\nissuer = \"member\"\nvalidity_days = 9\n";
    failed(&unattended(path, &wrong, &[]), 1, "path_len 0");
}

#[test]
fn an_offline_root_leaves_a_responder_and_a_crl() {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    openssl(
        path,
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=any",
            "-keyout",
            "responder.key",
            "-out",
            "responder.csr",
        ],
    );
    let text = CAS.to_owned()
        + r#"
[[responder]]
file = "root-responder"
issuer = "root"
csr = "responder.csr"
subject = { common_name = "Example Root Responder", organization = "Example" }
validity_days = 365

[[crl]]
file = "root-2026"
issuer = "root"
validity_days = 365
"#;
    succeeded(&unattended(path, &text, &[]));
    openssl(
        path,
        &[
            "crl",
            "-inform",
            "DER",
            "-in",
            "ca/root-2026.crl",
            "-CAfile",
            "ca/root.pem",
            "-noout",
            "-verify",
        ],
    );
    openssl(
        path,
        &[
            "verify",
            "-x509_strict",
            "-purpose",
            "ocsphelper",
            "-CAfile",
            "ca/root.pem",
            "ca/root-responder.pem",
        ],
    );
    let said = openssl(
        path,
        &["x509", "-in", "ca/root-responder.pem", "-noout", "-text"],
    );
    for part in [
        "OCSP No Check",
        "OCSP Signing",
        "CN = Example Root Responder",
        "Digital Signature",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    // The whole of it, as openssl's responder uses it.
    let member = certificate(path, "member");
    fs::write(
        path.join("index.txt"),
        format!(
            "V\t400101000000Z\t\t{}\tunknown\t/CN=x\n",
            member.serial().to_string().to_uppercase()
        ),
    )
    .unwrap();
    openssl(
        path,
        &[
            "ocsp",
            "-issuer",
            "ca/root.pem",
            "-cert",
            "ca/member.pem",
            "-no_nonce",
            "-reqout",
            "request.der",
        ],
    );
    openssl(
        path,
        &[
            "ocsp",
            "-index",
            "index.txt",
            "-CA",
            "ca/root.pem",
            "-rsigner",
            "ca/root-responder.pem",
            "-rkey",
            "responder.key",
            "-reqin",
            "request.der",
            "-respout",
            "answer.der",
            "-ndays",
            "7",
        ],
    );
    let answer = openssl(
        path,
        &[
            "ocsp",
            "-issuer",
            "ca/root.pem",
            "-cert",
            "ca/member.pem",
            "-no_nonce",
            "-respin",
            "answer.der",
            "-CAfile",
            "ca/root.pem",
        ],
    );
    assert!(answer.contains("ca/member.pem: good"), "{answer}");

    // A year later: the next CRL, with the next number; what is revoked stays so.
    let revoked = |file: &str, revoked: &str| {
        format!(
            "{text}\n[[crl]]\nfile = \"{file}\"\nissuer = \"root\"\nvalidity_days = 365\nrevoked = [{revoked}]\n"
        )
    };
    let entry = |time: &Time| {
        let serial = member.serial();
        format!("{{ serial = \"{serial}\", time = \"{time}\", reason = \"cessationOfOperation\" }}")
    };
    let now = SystemClock.now();
    let future = revoked("root-2027", &entry(&now.plus_seconds(86_400)));
    failed(&unattended(path, &future, &[]), 1, "CRL-32");
    assert!(
        !path.join("signer/keys/root-2027.crl").exists(),
        "what breaks a rule was kept"
    );
    let entry = entry(&now);
    succeeded(&unattended(path, &revoked("root-2027", &entry), &[]));
    let said = openssl(
        path,
        &[
            "crl",
            "-inform",
            "DER",
            "-in",
            "ca/root-2027.crl",
            "-CAfile",
            "ca/root.pem",
            "-noout",
            "-text",
            "-crlnumber",
        ],
    );
    assert!(
        said.contains("crlNumber=0x03") && said.contains("Cessation Of Operation"),
        "{said}"
    );
    failed(
        &unattended(path, &revoked("root-2028", ""), &[]),
        1,
        "revocation is for ever",
    );

    let long = text.replace(
        "[[crl]]\nfile = \"root-2026\"\nissuer = \"root\"\nvalidity_days = 365",
        "[[crl]]\nfile = \"x\"\nissuer = \"root\"\nvalidity_days = 400",
    );
    failed(
        &unattended(path, &long, &[]),
        1,
        "400 is not within 1 to 366",
    );
    // CRL-06: ten days for a CA with subscribers.
    let member_crl =
        text.clone() + "\n[[crl]]\nfile = \"member-1\"\nissuer = \"member\"\nvalidity_days = 60\n";
    failed(&unattended(path, &member_crl, &[]), 1, "CRL-06");
    // A request that somebody changed.
    let request = fs::read_to_string(path.join("responder.csr")).unwrap();
    let mut bad = pki::pem::decode(&request, "CERTIFICATE REQUEST").unwrap();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(
        path.join("responder.csr"),
        pki::pem::encode("CERTIFICATE REQUEST", &bad),
    )
    .unwrap();
    let other = text.replace("file = \"root-responder\"", "file = \"other\"");
    failed(&unattended(path, &other, &[]), 1, "responder.csr");
}

#[test]
fn keys_are_made_in_a_token() {
    const MODULES: [&str; 3] = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    let configuration = path.join("softhsm2.conf");
    fs::create_dir(path.join("tokens")).unwrap();
    fs::write(
        &configuration,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            path.join("tokens").display()
        ),
    )
    .unwrap();
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
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("softhsm2-util (Debian package softhsm2)");
    assert!(made.status.success());
    let module = MODULES
        .iter()
        .find(|module| Path::new(module).exists())
        .expect("SoftHSM");
    let text = CAS.replace("[[ca]]\nname = \"root\"", &format!("[token]\nmodule = \"{module}\"\nlabel = \"avouch\"\n\n[[ca]]\nname = \"root\"\nin_token = true"));
    fs::write(path.join("ceremony.toml"), &text).unwrap();
    write_secret(&path.join("passphrase"), "correct horse\n");
    write_secret(&path.join("pin"), "271828\n");
    let hold = || {
        Command::new(SIGNER)
            .args(ARGUMENTS)
            .args(["--passphrase-file", "passphrase", "--pin-file", "pin"])
            .env("SOFTHSM2_CONF", &configuration)
            .current_dir(path)
            .output()
            .unwrap()
    };
    succeeded(&hold());
    let root = certificate(path, "root");
    openssl(
        path,
        &[
            "verify",
            "-x509_strict",
            "-CAfile",
            "ca/root.pem",
            "ca/member.pem",
        ],
    );
    let listed = fs::read(path.join("signer/keys/root.key")).unwrap();
    assert!(listed.starts_with(b"avouch-key 2 aes-256-gcm content=token "));
    // Broken off after the key was made in the token, before the store had its name.
    for file in ["root.key", "root.pem", "member.pem"] {
        fs::remove_file(path.join("signer/keys").join(file)).unwrap();
    }
    succeeded(&hold());
    let again = certificate(path, "root");
    assert_eq!(again.public_key(), root.public_key());
    write_secret(&path.join("pin"), "000000\n");
    fs::remove_file(path.join("signer/keys/root.key")).unwrap();
    failed(&hold(), 1, "PinIncorrect");
}
