//! Every CA key in a PKCS#11 token: issuing, revoking, CRLs and OCSP through the whole system, and after a new start.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::clients::{self, Verdict};
use e2e::program::{binary, repository};
use e2e::system::{EC, path};
use e2e::{System, program};

const PIN: &str = "271828";
const ISSUERS: [&str; 4] = ["root", "member", "assured", "organisation"];
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];
/// Where SoftHSM finds its configuration.
const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// SoftHSM reads its configuration from the environment: the test runs in a child process of this program.
#[test]
fn a_system_whose_ca_keys_are_in_a_token() {
    if let Some(configuration) = std::env::var_os(CONFIGURATION) {
        return run(Path::new(&configuration));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let configuration = directory.path().join("softhsm2.conf");
    let tokens = directory.path().join("tokens");
    fs::create_dir(&tokens).expect("a directory");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&configuration, text).expect("a file");
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "avouch"])
        .args(["--so-pin", "314159", "--pin", PIN])
        .env(CONFIGURATION, &configuration)
        .output()
        .expect("softhsm2-util (Debian package softhsm2)");
    let stderr = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{stderr}");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "a_system_whose_ca_keys_are_in_a_token",
            "--nocapture",
        ])
        .env(CONFIGURATION, &configuration)
        .status()
        .expect("this program runs");
    assert!(child.success(), "{child}");
}

fn run(configuration: &Path) {
    let mut system = System::start_prepared(ceremony, |system| {
        // What the module needs while it signs; the key process may reach nothing else.
        let tokens = configuration.with_file_name("tokens");
        let file = system.data().join("config/signer.toml");
        let mut text = fs::read_to_string(&file).expect("the signer's configuration");
        text.push_str(&format!("\n[token]\npaths = [{:?}]\n", path(&tokens)));
        fs::write(&file, text).expect("the signer's configuration");
    });
    for issuer in ISSUERS.iter().chain(&["openpgp"]) {
        let key = system.data().join(format!("signer/keys/{issuer}.key"));
        let key = fs::read(key).expect("an entry in the key store");
        assert!(key.starts_with(b"avouch-key 2 aes-256-gcm content=token "));
    }
    for issuer in &ISSUERS[1..] {
        check(&system, issuer, "before");
    }
    // The issuer verifies the certification before it gives it out; what GnuPG says of one is openpgp.rs's.
    let key = repository().join("pki/fuzz/corpus/fuzz_openpgp_key/ed25519");
    let out = system.folder().join("certified.asc");
    let verified = ["--level", "member", "--email", "anna@example.org"];
    let sign = ["pgp", "sign", "--key", path(&key), "--out", path(&out)];
    system.avouch(&[&sign[..], &verified].concat()).ok();

    // The key process opens the token anew.
    let address = system.status_url().trim_start_matches("http://");
    let address = address.trim_end_matches('/').to_owned();
    system.stop();
    system.up(&address);
    check(&system, "member", "after");
    system.avouch(&["audit", "verify"]).ok();
}

/// Issues and revokes, and asks OCSP and the CRL.
fn check(system: &System, issuer: &str, when: &str) {
    let good = system.issue_server(issuer, &format!("good-{when}.example.org"));
    let revoked = system.issue_server(issuer, &format!("revoked-{when}.example.org"));
    let chain = system.chain(issuer);
    let arguments = [
        "verify",
        "-x509_strict",
        "-CAfile",
        path(&chain),
        path(&good),
    ];
    program(system.folder(), "openssl", arguments).ok();
    system.revoke(&revoked);
    for (certificate, verdict) in [(&good, Verdict::Good), (&revoked, Verdict::Revoked)] {
        assert_eq!(
            clients::openssl_ocsp(system, issuer, certificate, &[]),
            verdict
        );
        assert_eq!(clients::openssl_crl(system, issuer, certificate), verdict);
    }
}

/// Holds the ceremony, with every key in the token, where `avouch init` will find what it made.
fn ceremony(system: &System, base_url: &str) -> PathBuf {
    let module = MODULES.iter().find(|module| Path::new(module).exists());
    let module = module.expect("SoftHSM (Debian package softhsm2)");
    let text = fs::read_to_string(repository().join(EC)).expect("the hierarchy");
    let lines = text.lines().map(|line| match line {
        line if line.starts_with("base_url") => {
            format!("base_url = {base_url:?}\n\n[token]\nmodule = {module:?}\nlabel = \"avouch\"\n")
        }
        line if line.starts_with("key = ") => format!("{line}\nin_token = true\n"),
        line => format!("{line}\n"),
    });
    let hierarchy = system.folder().join("hierarchy.toml");
    fs::write(&hierarchy, lines.collect::<String>()).expect("a file");

    let signer = system.data().join("signer");
    fs::create_dir_all(&signer).expect("a directory");
    let (passphrase, pin) = (signer.join("passphrase"), system.folder().join("pin"));
    for (file, text) in [(&passphrase, "correct horse\n"), (&pin, PIN)] {
        fs::write(file, text).expect("a file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a file");
    }
    let (keys, journal) = (signer.join("keys"), signer.join("journal"));
    let out = system.data().join("ca");
    let mut arguments = vec!["ceremony", "--rehearsal", path(&hierarchy)];
    arguments.extend(["--keys", path(&keys), "--journal", path(&journal)]);
    arguments.extend(["--out", path(&out), "--passphrase-file", path(&passphrase)]);
    arguments.extend(["--pin-file", path(&pin)]);
    program(system.folder(), binary("signer"), &arguments).ok();
    hierarchy
}
