//! Answers signed while a client waits: nonces, several certificates, and what is left when the presigner is away.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::system::{EC, RSA, path, signal};
use e2e::{Finished, System, program, wait_for};
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::build;
use pki::{Certificate, HashAlgorithm, der_encode};

const ISSUER: &str = "member";
const NO_NONCE: &str = "no nonce in response";

/// A system with a good and a revoked certificate.
struct Issued {
    system: System,
    good: PathBuf,
    revoked: PathBuf,
}

impl Issued {
    fn new(hierarchy: &str) -> Self {
        let system = System::start(hierarchy);
        let [good, revoked] = system.issue_good_and_revoked(ISSUER);
        Self {
            system,
            good,
            revoked,
        }
    }

    /// `openssl ocsp` about these certificates, which must verify.
    fn openssl(&self, options: &[&str], certificates: &[&Path]) -> String {
        let (ca, chain) = (self.system.ca(ISSUER), self.system.chain(ISSUER));
        let mut arguments = vec!["ocsp", "-issuer", path(&ca), "-CAfile", path(&chain)];
        arguments.extend(["-url", self.system.status_url()]);
        arguments.extend(options);
        for certificate in certificates {
            arguments.extend(["-cert", path(certificate)]);
        }
        program(self.system.folder(), "openssl", arguments).output()
    }

    /// A question that the edge may find too busy a machine for once, but not for ever.
    fn until_fresh(&self, options: &[&str], certificates: &[&Path]) -> String {
        let mut said = String::new();
        wait_for(|| {
            said = self.openssl(options, certificates);
            said.contains("Response verify OK") && !said.contains(NO_NONCE)
        });
        said
    }
}

#[test]
fn openssl_and_gnutls_get_their_nonces_back() {
    for hierarchy in [EC, RSA] {
        let issued = Issued::new(hierarchy);
        for options in [&["-nonce"][..], &["-nonce", "-sha256"]] {
            let said = issued.until_fresh(options, &[&issued.good]);
            assert!(said.contains("good.example.org.pem: good"), "{said}");
            let said = issued.until_fresh(options, &[&issued.revoked]);
            assert!(said.contains("revoked.example.org.pem: revoked"), "{said}");
        }
        // Several certificates in one request, with a nonce and without.
        for options in [&["-nonce"][..], &["-no_nonce"]] {
            let said = issued.until_fresh(options, &[&issued.good, &issued.revoked]);
            assert!(said.contains("good.example.org.pem: good"), "{said}");
            assert!(said.contains("revoked.example.org.pem: revoked"), "{said}");
        }
        for (certificate, status) in [(&issued.good, "good"), (&issued.revoked, "revoked")] {
            gnutls(&issued, certificate, status);
        }
    }
}

/// GnuTLS sends 23 octets and looks whether they come back.
fn gnutls(issued: &Issued, certificate: &Path, status: &str) {
    let (system, ca) = (&issued.system, issued.system.ca(ISSUER));
    let (ask, status) = (
        format!("--ask={}", system.status_url()),
        format!("Certificate Status: {status}"),
    );
    let arguments = [
        &ask,
        "--nonce",
        "--load-issuer",
        path(&ca),
        "--load-cert",
        path(certificate),
        "--load-trust",
        path(&ca),
    ];
    wait_for(|| {
        let said = program(system.folder(), "ocsptool", arguments).output();
        let verified = said.contains("Verifying OCSP Response: Success");
        verified && said.contains(&status) && said.contains("Nonce: ")
    });
}

/// From 1 octet to 128; FreeRADIUS sends 8. `openssl` compares.
#[test]
fn nonces_of_every_length() {
    let issued = Issued::new(EC);
    let read = |file: &Path| {
        let text = fs::read_to_string(file).expect("a certificate");
        Certificate::from_pem(&text).expect("a certificate")
    };
    let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &read(&issued.system.ca(ISSUER)));
    let serial = *read(&issued.good).serial();
    let folder = issued.system.folder();
    let (request, response) = (folder.join("request.der"), folder.join("response.der"));
    for length in [1, 8, 16, 32, 128] {
        let nonce = vec![0x5a; length];
        fs::write(&request, build(&issuer, &[serial], Some(&nonce))).expect("written");
        // Without -cert, and with -no_nonce, it asks what is in the file, and compares the nonce that comes back.
        let options = [
            "-no_nonce",
            "-reqin",
            path(&request),
            "-respout",
            path(&response),
        ];
        issued.until_fresh(&options, &[]);
        // In its OCTET STRING.
        let octets = fs::read(&response).expect("openssl wrote it");
        let value = der_encode::octet_string(&nonce);
        let echoed = octets.windows(value.len()).any(|window| window == value);
        assert!(echoed, "{length}");
    }
}

/// The presigner is killed: everybody still gets an answer, and after its return their nonces as well.
#[test]
fn without_the_presigner_answers_come_without_nonces() {
    let issued = Issued::new(EC);
    issued.until_fresh(&["-nonce"], &[&issued.good]);
    let killed = issued.system.pid("ocsp-presigner");
    // Stopped, not killed: nobody starts it again, and its socket is still there.
    signal("-STOP", killed);
    let mut said = String::new();
    wait_for(|| {
        said = issued.openssl(&["-nonce"], &[&issued.good]);
        said.contains(NO_NONCE)
    });
    assert!(
        said.contains("Response verify OK") && said.contains(": good"),
        "{said}"
    );
    let said = issued.openssl(&["-nonce"], &[&issued.good, &issued.revoked]);
    assert!(said.contains("trylater"), "{said}");
    signal("-CONT", killed);
    signal("-KILL", killed);
    let said = issued.openssl(&["-nonce"], &[&issued.good]);
    assert!(said.contains("Response verify OK"), "{said}");
    issued.until_fresh(&["-nonce"], &[&issued.good]);
    assert_ne!(issued.system.pid("ocsp-presigner"), killed);
}

/// Apache with `SSLOCSPEnable`, which refuses a good certificate when its nonce does not come back.
#[test]
fn apache_lets_good_clients_in() {
    let mut issued = Issued::new(RSA);
    let apache = Apache::start(&issued);
    issued.good = client_certificate(&issued.system, "good.client");
    issued.revoked = client_certificate(&issued.system, "revoked.client");
    issued.system.revoke(&issued.revoked);
    wait_for(|| apache.get(&issued.system, &issued.good).code == 0);
    let refused = apache.get(&issued.system, &issued.revoked);
    assert_ne!(refused.code, 0, "{refused:?}");
    let log = fs::read_to_string(issued.system.folder().join("apache-error.log")).expect("a log");
    assert!(
        log.contains("Certificate Verification: Error (23): certificate revoked"),
        "{log}"
    );
}

struct Apache {
    process: Child,
    port: u16,
}

impl Apache {
    fn start(issued: &Issued) -> Self {
        let system = &issued.system;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let folder = system.folder();
        let modules = "/usr/lib/apache2/modules";
        let config = format!(
            "ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {folder}/apache.pid\n\
             ErrorLog {folder}/apache-error.log\nLogLevel info\nDocumentRoot {folder}/htdocs\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
             LoadModule authz_core_module {modules}/mod_authz_core.so\n\
             LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so\n\
             LoadModule ssl_module {modules}/mod_ssl.so\n\
             SSLEngine on\nSSLCertificateFile {good}\nSSLCertificateKeyFile {key}\n\
             SSLCACertificateFile {chain}\nSSLVerifyClient require\nSSLVerifyDepth 3\n\
             SSLOCSPEnable leaf\nSSLOCSPDefaultResponder {url}\nSSLOCSPOverrideResponder on\n",
            folder = path(folder),
            good = path(&issued.good),
            key = path(&issued.good.with_extension("key")),
            chain = path(&system.chain(ISSUER)),
            url = system.status_url(),
        );
        fs::create_dir_all(folder.join("htdocs")).expect("a folder");
        fs::write(folder.join("htdocs/index.html"), "inside\n").expect("written");
        let file = folder.join("apache.conf");
        fs::write(&file, config).expect("written");
        let process = Command::new("/usr/sbin/apache2")
            .args(["-D", "FOREGROUND", "-f", path(&file)])
            .stdin(Stdio::null())
            .spawn()
            .expect("apache2 is installed");
        let apache = Self { process, port };
        wait_for(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        apache
    }

    /// Fetches a page as the client with that certificate.
    fn get(&self, system: &System, certificate: &Path) -> Finished {
        let url = format!("https://127.0.0.1:{}/index.html", self.port);
        let key = certificate.with_extension("key");
        let arguments = [
            "--silent",
            "--show-error",
            "--fail",
            "--insecure",
            "--noproxy",
            "*",
            "--cert",
            path(certificate),
            "--key",
            path(&key),
            &url,
        ];
        program(system.folder(), "curl", arguments)
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // Its children end with it.
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
    }
}

/// A certificate of the profile for clients.
fn client_certificate(system: &System, name: &str) -> PathBuf {
    let key = "ec -pkeyopt ec_paramgen_curve:P-256";
    let alt_name = format!("subjectAltName=email:{name}@example.org");
    let csr = system.csr(name, key, "/CN=Jan", &["-addext", &alt_name]);
    let out = system.folder().join(format!("{name}.pem"));
    let arguments = ["issue", "--profile", "client", "--issuer", ISSUER];
    let files = ["--csr", path(&csr), "--out", path(&out)];
    system.avouch(&[&arguments[..], &files].concat()).ok();
    out
}
