//! User ids of OpenPGP keys, certified by the whole system and judged by GnuPG (I13).
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::system::{EC, RSA, path};
use e2e::{System, repository, wait_for};
use serde_json::Value;

const ANNA: &str = "Anna Žluťoučká";
const DAY: i64 = 86_400;

/// GnuPG with a home of its own.
struct Gpg {
    home: PathBuf,
}

impl Gpg {
    fn new(folder: &Path, name: &str) -> Self {
        let home = folder.join(name);
        fs::create_dir(&home).expect("a directory");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("a directory");
        Self { home }
    }

    /// What it prints.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(&self.home)
            .args(["--batch", "--no-tty", "--pinentry-mode", "loopback"])
            .args(["--passphrase", ""])
            .args(arguments)
            .output()
            .expect("gpg (Debian package gnupg)");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("gpg prints UTF-8")
    }

    /// Makes a key with these user ids; gives its fingerprint and the file of its public half.
    fn key(&self, algorithm: &str, user_ids: &[&str]) -> (String, PathBuf) {
        let [first, more @ ..] = user_ids else {
            panic!("a key has a user id")
        };
        self.run(&[
            "--quick-generate-key",
            first,
            algorithm,
            "cert,sign",
            "never",
        ]);
        let listed = self.run(&["--with-colons", "--list-keys"]);
        let fingerprint = listed
            .lines()
            .filter_map(|line| line.strip_prefix("fpr:::::::::"))
            .next_back()
            .and_then(|line| line.strip_suffix(':'))
            .expect("a fingerprint")
            .to_owned();
        for user_id in more {
            self.run(&["--quick-add-uid", &fingerprint, user_id]);
        }
        (fingerprint.clone(), self.export(&fingerprint))
    }

    fn export(&self, fingerprint: &str) -> PathBuf {
        let file = self.home.join(format!("{fingerprint}.asc"));
        let text = self.run(&["--armor", "--export", fingerprint]);
        fs::write(&file, text).expect("a file");
        file
    }

    /// The certifications by `by` on the key, as `--check-signatures` judges them: user id, verdict, class, and how many
    /// seconds each lasts.
    fn certifications(&self, key: &str, by: &str) -> Vec<(String, String, String, i64)> {
        let checked = self.run(&["--with-colons", "--check-signatures", key]);
        let mut user_id = String::new();
        let mut found = Vec::new();
        for line in checked.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            match fields[0] {
                "uid" => user_id = fields[9].replace("\\x3a", ":"),
                "sig" if by.ends_with(fields[4]) => {
                    let number = |field: usize| fields[field].parse::<i64>().expect("a time");
                    let class = fields[10].trim_end_matches('x').to_owned();
                    let lasts = number(6) - number(5);
                    found.push((user_id.clone(), fields[1].to_owned(), class, lasts));
                }
                _ => {}
            }
        }
        found
    }
}

impl Drop for Gpg {
    /// Its agent outlives it otherwise.
    fn drop(&mut self) {
        let kill = Command::new("gpgconf")
            .arg("--homedir")
            .arg(&self.home)
            .args(["--kill", "all"])
            .status();
        drop(kill);
    }
}

/// Runs `avouch pgp sign` for Anna.
fn sign(system: &System, key: &Path, more: &[&str]) -> (PathBuf, Value) {
    let out = key.with_extension("signed");
    let base = [
        "--json",
        "pgp",
        "sign",
        "--key",
        path(key),
        "--out",
        path(&out),
    ];
    let answer = system.avouch(&[&base[..], more].concat()).ok().json();
    (out, answer)
}

/// A home that knows the CA's key, as somebody who relies on it.
fn relying(system: &System, name: &str) -> (Gpg, String) {
    let gpg = Gpg::new(system.folder(), name);
    let printed = system.avouch(&["pgp", "key"]).ok().stdout;
    let file = system.folder().join(format!("{name}.asc"));
    fs::write(&file, printed).expect("a file");
    gpg.run(&["--import", path(&file)]);
    let told = system.avouch(&["--json", "pgp", "key"]).ok().json();
    let fingerprint = told["keys"][0]["fingerprint"]
        .as_str()
        .expect("a fingerprint");
    let listed = gpg.run(&["--with-colons", "--list-keys"]);
    assert!(
        listed.contains(&format!("fpr:::::::::{fingerprint}:")),
        "{listed}"
    );
    (gpg, fingerprint.to_owned())
}

#[test]
fn gnupg_finds_good_just_what_was_verified() {
    let system = System::start(EC);
    let (relying, ca) = relying(&system, "relying");
    // The ceremony has told the same fingerprint.
    let transcript = fs::read_to_string(system.data().join("ca/transcript.txt"));
    assert!(transcript.expect("a transcript").contains(&ca));
    let with_address = format!("{ANNA} <anna@example.org>");
    let commented = format!("{ANNA} (work) <anna@example.org>");
    let unverified = format!("{ANNA} <anna@example.net>");
    let user_ids = [
        with_address.as_str(),
        ANNA,
        "anna@example.org",
        commented.as_str(),
        unverified.as_str(),
        "Zofie Example <zofie@example.org>",
    ];
    let evidence = system.folder().join("evidence.txt");
    fs::write(&evidence, "seen by three assurers").expect("a file");
    for algorithm in ["ed25519", "rsa3072", "nistp256"] {
        let anna = Gpg::new(system.folder(), algorithm);
        let (fingerprint, key) = anna.key(algorithm, &user_ids);
        let verified = [
            "--level",
            "assured",
            "--name",
            ANNA,
            "--email",
            "anna@example.org",
        ];
        let more = ["--evidence", path(&evidence)];
        let (signed, answer) = sign(&system, &key, &[&verified[..], &more].concat());
        assert_eq!(answer["fingerprint"], fingerprint);
        assert_eq!(answer["by"], ca);
        assert_eq!(
            answer["certified"].as_array().map(Vec::len),
            Some(3),
            "{answer}"
        );
        let left_out = answer["left_out"].as_array().expect("a list");
        assert_eq!(left_out.len(), 3, "{answer}");
        for out in left_out {
            assert_eq!(out["rule"], "I13", "{out}");
        }
        relying.run(&["--import", path(&signed)]);
        let two_years = 730 * DAY;
        // As they are sorted.
        let expected = [
            (ANNA.to_owned(), "!", "13", two_years),
            (with_address.clone(), "!", "13", two_years),
            ("anna@example.org".to_owned(), "!", "10", two_years),
        ];
        let found = relying.certifications(&fingerprint, &ca);
        let mut found: Vec<_> = found
            .iter()
            .map(|(user_id, verdict, class, lasts)| (user_id.clone(), &**verdict, &**class, *lasts))
            .collect();
        found.sort();
        assert_eq!(found, expected, "{algorithm}");
        // What was not certified is not handed on either.
        let listed = relying.run(&["--with-colons", "--list-keys", &fingerprint]);
        assert!(
            !listed.contains("work") && !listed.contains("Zofie"),
            "{listed}"
        );
    }

    // By mail only: addresses, for half a year at most.
    let bob = Gpg::new(system.folder(), "bob");
    let (fingerprint, key) = bob.key("ed25519", &["bob@example.org", "Bob Example"]);
    let verified = ["--level", "member", "--email", "bob@example.org"];
    let (signed, answer) = sign(&system, &key, &verified);
    assert_eq!(answer["left_out"][0]["user_id"], "Bob Example", "{answer}");
    relying.run(&["--import", path(&signed)]);
    let certification = (
        "bob@example.org".to_owned(),
        "!".to_owned(),
        "10".to_owned(),
        183 * DAY,
    );
    assert_eq!(relying.certifications(&fingerprint, &ca), [certification]);

    // Everything is in the signer's log and in the ledger, and the two agree.
    let verified = system.avouch(&["--json", "audit", "verify"]).ok().json();
    assert_eq!(verified["compared"]["certifications"], 10, "{verified}");
    let log = system.avouch(&["signer", "log"]).ok().stdout;
    assert!(
        log.contains(&format!(
            "user id of the OpenPGP key {fingerprint} by openpgp"
        )),
        "{log}"
    );
    let hash = pki::HashAlgorithm::Sha256.digest(b"seen by three assurers");
    let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(log.contains(&hash), "{log}");
    let shown = system
        .avouch(&["--json", "pgp", "show", &fingerprint])
        .ok()
        .json();
    assert_eq!(shown["requests"][0]["state"], "certified", "{shown}");
}

#[test]
fn a_bad_key_is_refused_with_its_reason_and_blocks_nothing() {
    let system = System::start(EC);
    let anna = |algorithm: &str| {
        let gpg = Gpg::new(system.folder(), algorithm);
        let (fingerprint, key) = gpg.key(algorithm, &["anna@example.org"]);
        (gpg, fingerprint, key)
    };
    let (_, _, good) = anna("ed25519");
    let file = |name: &str, octets: &[u8]| {
        let file = system.folder().join(name);
        fs::write(&file, octets).expect("a file");
        file
    };
    let armoured = fs::read(&good).expect("a key");
    let damaged = String::from_utf8_lossy(&armoured).replacen("mD", "mE", 1);
    let (_, _, dsa) = anna("dsa2048");
    let (_, _, weak) = anna("rsa1024");
    let (owner, fingerprint, _) = anna("nistp256");
    let secret = owner.run(&["--armor", "--export-secret-keys", &fingerprint]);
    let certificate = owner
        .home
        .join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let text = fs::read_to_string(certificate).expect("a revocation");
    let certificate = file(
        "revocation",
        text.replace(":-----BEGIN", "-----BEGIN").as_bytes(),
    );
    owner.run(&["--import", path(&certificate)]);
    let one = fs::read_to_string(&good).expect("a key");
    let bad = [
        (file("empty", b""), 64, "PUBLIC KEY BLOCK"),
        (file("damaged", damaged.as_bytes()), 64, "armour"),
        (file("cut", &[0x99, 0xff, 0xff, 4]), 1, "cut off"),
        (file("secret", secret.as_bytes()), 64, "SECRET"),
        (
            file("two", format!("{one}{one}").as_bytes()),
            64,
            "more than one",
        ),
        (dsa, 1, "DSA"),
        (weak, 1, "1024 bits"),
        (owner.export(&fingerprint), 1, "revoked"),
    ];
    let out = system.folder().join("out.asc");
    let arguments = |key: &Path| {
        let key = path(key).to_owned();
        [
            "pgp",
            "sign",
            "--level",
            "member",
            "--email",
            "anna@example.org",
            "--key",
            &key,
            "--out",
            path(&out),
        ]
        .map(str::to_owned)
    };
    for (key, code, says) in &bad {
        let arguments = arguments(key);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let refused = system.avouch(&arguments);
        assert_eq!(refused.code, *code, "{refused:?}");
        assert!(refused.stderr.contains(says), "{says}: {refused:?}");
        assert!(!out.exists());
        // The next one is served at once.
        let (signed, answer) = sign(
            &system,
            &good,
            &["--level", "member", "--email", "anna@example.org"],
        );
        assert_eq!(
            answer["certified"].as_array().map(Vec::len),
            Some(1),
            "{answer}"
        );
        fs::remove_file(signed).expect("the signed key");
    }
    let state = system.avouch(&["--json", "signer", "state"]).ok().json();
    assert_eq!(state["signers"][0]["mode"], "active", "{state}");
    assert_eq!(
        state["refused_count"], 0,
        "nothing of that reached the signer: {state}"
    );
}

#[test]
fn an_rsa_key_certifies_and_what_waits_for_the_signer_is_finished() {
    let mut system = System::start_prepared(with_rsa_key, |_| {});
    let members = Gpg::new(system.folder(), "members");
    let (relying, ca) = relying(&system, "relying");
    let (fingerprint, key) = members.key("ed25519", &["anna@example.org"]);
    let verified = ["--level", "member", "--email", "anna@example.org"];
    let (signed, _) = sign(&system, &key, &[&verified[..], &["--days", "30"]].concat());
    relying.run(&["--import", path(&signed)]);
    let days = |days| {
        (
            "anna@example.org".to_owned(),
            "!".to_owned(),
            "10".to_owned(),
            days * DAY,
        )
    };
    assert_eq!(relying.certifications(&fingerprint, &ca), [days(30)]);

    // The signer is away: the request is kept, and finished when it is back.
    let out = system.folder().join("later.asc");
    signal("-STOP", system.pid("signer"));
    let ask = ["pgp", "sign", "--key", path(&key), "--out", path(&out)];
    let away = system.avouch(&[&ask[..], &verified].concat());
    signal("-CONT", system.pid("signer"));
    assert_eq!(away.code, 1, "{away:?}");
    assert!(away.stderr.contains("is kept"), "{away:?}");
    let states = || {
        let shown = system
            .avouch(&["--json", "pgp", "show", &fingerprint])
            .ok()
            .json();
        let requests = shown["requests"].as_array().expect("a list").clone();
        let states = requests.iter().map(|request| request["state"].clone());
        states.collect::<Vec<Value>>()
    };
    assert_eq!(states().len(), 2);
    wait_for(|| states() == ["certified", "certified"]);
    let show = ["pgp", "show", &fingerprint, "--out", path(&out)];
    system.avouch(&show).ok();
    relying.run(&["--import", path(&out)]);
    let mut found = relying.certifications(&fingerprint, &ca);
    found.sort();
    assert_eq!(found, [days(30), days(183)]);
    system.avouch(&["audit", "verify"]).ok();

    // The key is the same after a new start.
    let address = system.address();
    system.stop();
    system.up(&address);
    let told = system.avouch(&["--json", "pgp", "key"]).ok().json();
    assert_eq!(told["keys"][0]["fingerprint"], ca);
}

/// The hierarchy of RSA keys, with one for OpenPGP.
fn with_rsa_key(system: &System, _base_url: &str) -> PathBuf {
    let text = fs::read_to_string(repository().join(RSA)).expect("a hierarchy");
    let file = system.folder().join("hierarchy.toml");
    let openpgp = "\n[openpgp]\nuser_id = \"Test CA <openpgp@example.org>\"\nkey = \"rsa-3072\"\nvalidity_days = 3652\n";
    fs::write(&file, text + openpgp).expect("a file");
    file
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill").success());
}
