//! A CA that openssl made, as one that is taken over or goes on elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clients::{self, Verdict};
use crate::program::program;
use crate::system::{System, path};

/// A CA as `openssl ca` keeps it, with a good, a revoked and a held certificate and a CRL.
#[derive(Debug)]
pub struct OldCa {
    /// Where it keeps everything.
    pub folder: PathBuf,
    /// A certificate that is not revoked.
    pub good: PathBuf,
    /// One that is superseded.
    pub revoked: PathBuf,
    /// One on hold.
    pub held: PathBuf,
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
    /// Makes it, with keys in the words of `openssl req -newkey`.
    #[track_caller]
    pub fn new(folder: &Path, key: &str) -> Self {
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

    /// Issues `{name}.pem` with the extensions of a section, such as `leaf` or `responder`.
    #[track_caller]
    pub fn issue(&self, name: &str, key: &str, extensions: &str) {
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

    /// Signs a CSR.
    #[track_caller]
    pub fn sign(&self, csr: &str, out: &str, extensions: &str) {
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

    /// Runs openssl in its folder.
    #[track_caller]
    pub fn openssl(&self, arguments: &[&str]) {
        program(&self.folder, "openssl", arguments).ok();
    }

    /// The path of one of its files, as text.
    #[track_caller]
    pub fn file(&self, name: &str) -> String {
        path(&self.folder.join(name)).to_owned()
    }

    /// What openssl's own client says at `url`.
    #[track_caller]
    pub fn ask(&self, system: &System, url: &str, certificate: &Path) -> Verdict {
        let ca = self.folder.join("ca.pem");
        clients::openssl_ocsp_at(system, url, &ca, &ca, certificate, &[])
    }

    /// The three certificates have their statuses at `url`.
    #[track_caller]
    pub fn check_statuses(&self, system: &System, url: &str) {
        assert_eq!(self.ask(system, url, &self.good), Verdict::Good);
        assert_eq!(self.ask(system, url, &self.revoked), Verdict::Revoked);
        assert_eq!(self.ask(system, url, &self.held), Verdict::Revoked);
    }

    /// Revokes one of its certificates; `reason` in openssl's words.
    #[track_caller]
    pub fn revoke(&self, name: &str, reason: &str) {
        let file = format!("{name}.pem");
        self.openssl(&[
            "ca",
            "-config",
            "ca.cnf",
            "-batch",
            "-revoke",
            &file,
            "-crl_reason",
            reason,
        ]);
    }

    /// Makes a CRL with this number that ends after so many seconds; DER.
    #[track_caller]
    pub fn crl(&self, number: u32, seconds: u32) -> Vec<u8> {
        self.gencrl("ca.cnf", number, seconds)
    }

    /// Makes a delta CRL on the base with that number (RFC 5280 section 5.2.4), which revokes or releases just these
    /// certificates; DER. openssl knows no deltas, so it is told what the extension's octets are.
    #[track_caller]
    pub fn delta(&self, number: u32, base: u32, seconds: u32, entries: &[(&str, &str)]) -> Vec<u8> {
        let indicator = format!(
            "[crl]\n2.5.29.27 = critical,DER:02:02:{:02x}:{:02x}\n",
            base >> 8,
            base & 0xff
        );
        let configuration = CONFIGURATION
            .replace("[crl]\n", &indicator)
            .replace("database = index.txt", "database = delta.txt");
        fs::write(self.folder.join("delta.cnf"), configuration).expect("written");
        fs::write(self.folder.join("delta.txt"), "").expect("written");
        for (name, reason) in entries {
            let file = format!("{name}.pem");
            self.openssl(&[
                "ca",
                "-config",
                "delta.cnf",
                "-batch",
                "-revoke",
                &file,
                "-crl_reason",
                reason,
            ]);
        }
        self.gencrl("delta.cnf", number, seconds)
    }

    fn gencrl(&self, configuration: &str, number: u32, seconds: u32) -> Vec<u8> {
        let even = |text: String| {
            if text.len().is_multiple_of(2) {
                text
            } else {
                format!("0{text}")
            }
        };
        let number = even(format!("{number:X}"));
        fs::write(self.folder.join("crlnumber"), format!("{number}\n")).expect("written");
        let seconds = seconds.to_string();
        self.openssl(&[
            "ca",
            "-config",
            configuration,
            "-gencrl",
            "-crlsec",
            &seconds,
            "-out",
            "made.crl",
        ]);
        let text = fs::read_to_string(self.folder.join("made.crl")).expect("a CRL");
        pki::pem::decode(&text, "X509 CRL").expect("PEM")
    }
}
