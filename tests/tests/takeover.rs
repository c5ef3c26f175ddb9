//! Taking over a CA that openssl made: its certificates, statuses, URLs, CRL numbers and responder (R4).
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use e2e::clients::{self, Verdict, curl};
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};

/// A CA as `openssl ca` keeps it, with a good, a revoked and a held certificate and a CRL.
struct OldCa {
    folder: PathBuf,
    good: PathBuf,
    revoked: PathBuf,
    held: PathBuf,
}

const CONFIGURATION: &str = "
[ca]
default_ca = old
[old]
dir = .
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 365
default_crl_days = 7
policy = anything
unique_subject = no
copy_extensions = copy
x509_extensions = leaf
crl_extensions = crl
[anything]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[responder]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[crl]
authorityKeyIdentifier = keyid
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[req]
distinguished_name = dn
[dn]
";

impl OldCa {
    fn new(folder: &Path, key: &str) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let ca = Self {
            folder: folder.to_path_buf(),
            good: folder.join("good.pem"),
            revoked: folder.join("revoked.pem"),
            held: folder.join("held.pem"),
        };
        fs::write(folder.join("ca.cnf"), CONFIGURATION).expect("written");
        fs::write(folder.join("index.txt"), "").expect("written");
        fs::write(folder.join("serial"), "1000\n").expect("written");
        fs::write(folder.join("crlnumber"), "0123\n").expect("written");
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-newkey"];
        arguments.extend(key.split(' '));
        arguments.extend([
            "-subj",
            "/C=AT/O=Old CA/CN=Old CA Root",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        arguments.extend(["-config", "ca.cnf", "-extensions", "root"]);
        ca.openssl(&arguments);
        for name in ["good", "revoked", "held"] {
            ca.issue(name, key, "leaf");
        }
        ca.openssl(&[
            "ca",
            "-config",
            "ca.cnf",
            "-batch",
            "-revoke",
            "revoked.pem",
            "-crl_reason",
            "superseded",
        ]);
        ca.openssl(&[
            "ca",
            "-config",
            "ca.cnf",
            "-batch",
            "-revoke",
            "held.pem",
            "-crl_hold",
            "holdInstructionReject",
        ]);
        ca.openssl(&["ca", "-config", "ca.cnf", "-gencrl", "-out", "ca.crl"]);
        ca
    }

    fn issue(&self, name: &str, key: &str, extensions: &str) {
        let (csr, key_file, out) = (
            format!("{name}.csr"),
            format!("{name}.key"),
            format!("{name}.pem"),
        );
        let subject = format!("/CN={name}.example.org");
        let mut arguments = vec![
            "req", "-new", "-nodes", "-subj", &subject, "-out", &csr, "-keyout", &key_file,
        ];
        arguments.push("-newkey");
        arguments.extend(key.split(' '));
        self.openssl(&arguments);
        self.sign(&csr, &out, extensions);
    }

    fn sign(&self, csr: &str, out: &str, extensions: &str) {
        let arguments = [
            "ca",
            "-config",
            "ca.cnf",
            "-batch",
            "-notext",
            "-in",
            csr,
            "-out",
            out,
            "-extensions",
            extensions,
        ];
        self.openssl(&arguments);
    }

    fn openssl(&self, arguments: &[&str]) {
        program(&self.folder, "openssl", arguments).ok();
    }

    fn file(&self, name: &str) -> String {
        path(&self.folder.join(name)).to_owned()
    }

    /// What openssl's own client says at `url`.
    fn ask(&self, system: &System, url: &str, certificate: &Path) -> Verdict {
        let ca = self.folder.join("ca.pem");
        clients::openssl_ocsp_at(system, url, &ca, &ca, certificate, &[])
    }

    fn check_statuses(&self, system: &System, url: &str) {
        assert_eq!(self.ask(system, url, &self.good), Verdict::Good);
        assert_eq!(self.ask(system, url, &self.revoked), Verdict::Revoked);
        assert_eq!(self.ask(system, url, &self.held), Verdict::Revoked);
    }
}

fn with_key(key: &str) {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), key);
    system
        .avouch(&[
            "import",
            "ca",
            "--name",
            "old",
            "--cert",
            &old.file("ca.pem"),
            "--key",
            &old.file("ca.key"),
            "--index",
            &old.file("index.txt"),
            "--crl",
            &old.file("ca.crl"),
            "--certs",
            &old.file("good.pem"),
            "--ocsp-path",
            "/old-ocsp/",
            "--crl-path",
            "/old.crl",
            "--cert-path",
            "/old.crt",
        ])
        .ok();
    let url = format!("{}old-ocsp/", system.status_url());
    wait_for(|| old.ask(&system, &url, &old.good) == Verdict::Good);
    old.check_statuses(&system, &url);
    old.check_statuses(&system, system.status_url());

    // CRLs are ours from here on, above the imported number 0x0123, with the hold kept.
    let crl_url = format!("{}old.crl", system.status_url());
    wait_for(|| crl_text(&system, &crl_url).contains("Certificate Hold"));
    let text = crl_text(&system, &crl_url);
    let number = text
        .lines()
        .skip_while(|line| !line.contains("X509v3 CRL Number"))
        .nth(1)
        .and_then(|line| line.trim().parse::<u64>().ok())
        .expect("a CRL number");
    assert!(number > 0x123, "{text}");
    assert!(text.contains("Superseded"), "{text}");

    // A revocation after the take-over shows in both.
    system.revoke_serial_of(&old.good, "old");
    wait_for(|| old.ask(&system, &url, &old.good) == Verdict::Revoked);
    let certificate = curl(&system, &format!("{}old.crt", system.status_url()), &[]);
    assert_eq!(
        certificate.header("content-type"),
        Some("application/pkix-cert")
    );
}

#[test]
fn rsa_with_its_key() {
    with_key("rsa:2048");
}

#[test]
fn p256_with_its_key() {
    with_key("ec -pkeyopt ec_paramgen_curve:P-256");
}

/// Without the CA key: the given responder answers, the old CRL is served byte for byte.
#[test]
fn with_its_own_responder() {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), "rsa:2048");
    old.issue("responder", "rsa:2048", "responder");
    let arguments = [
        "import",
        "ca",
        "--name",
        "old",
        "--cert",
        &old.file("ca.pem"),
        "--index",
        &old.file("index.txt"),
        "--crl",
        &old.file("ca.crl"),
        "--responder-cert",
        &old.file("responder.pem"),
        "--responder-key",
        &old.file("responder.key"),
        "--crl-path",
        "/rsa.crl",
    ];
    system.avouch(&arguments).ok();
    wait_for(|| old.ask(&system, system.status_url(), &old.good) == Verdict::Good);
    old.check_statuses(&system, system.status_url());
    let crl_url = format!("{}rsa.crl", system.status_url());
    wait_for(|| curl(&system, &crl_url, &[]).status == 200);
    let imported = fs::read_to_string(old.file("ca.crl")).expect("the CRL");
    let imported = pki::pem::decode(&imported, "X509 CRL").expect("PEM");
    assert!(curl(&system, &crl_url, &[]).body == imported);
}

/// With neither key nor responder: the command prints a CSR, and its certificate finishes the work.
#[test]
fn with_a_responder_certified_by_the_old_ca() {
    let system = System::start(EC);
    let old = OldCa::new(&system.folder().join("old"), "rsa:2048");
    let (ca, index) = (old.file("ca.pem"), old.file("index.txt"));
    let import = [
        "import", "ca", "--name", "old", "--cert", &ca, "--index", &index,
    ];
    let printed = system.avouch(&import).ok().stdout;
    let start = printed
        .find("-----BEGIN CERTIFICATE REQUEST-----")
        .expect("a CSR is printed");
    fs::write(old.folder.join("responder.csr"), &printed[start..]).expect("written");
    old.sign("responder.csr", "responder.pem", "responder");
    system
        .avouch(&[
            "import",
            "ca",
            "--name",
            "old",
            "--cert",
            &ca,
            "--responder-cert",
            &old.file("responder.pem"),
        ])
        .ok();
    wait_for(|| old.ask(&system, system.status_url(), &old.good) == Verdict::Good);
    old.check_statuses(&system, system.status_url());
}

fn crl_text(system: &System, url: &str) -> String {
    let response = curl(system, url, &[]);
    if response.status != 200 {
        return String::new();
    }
    let file = system.folder().join("fetched.crl");
    fs::write(&file, response.body).expect("written");
    program(
        system.folder(),
        "openssl",
        [
            "crl",
            "-inform",
            "DER",
            "-in",
            path(&file),
            "-noout",
            "-text",
        ],
    )
    .ok()
    .stdout
}
