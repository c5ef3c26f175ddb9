//! A good certificate is accepted and a revoked one refused by clients that know nothing of Avouch.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use e2e::clients::{self, Verdict, curl};
use e2e::system::{EC, RSA};
use e2e::{System, program};

/// One issuer of a running system with a good and a revoked certificate.
struct Issued {
    system: System,
    good: PathBuf,
    revoked: PathBuf,
}

const ISSUER: &str = "member";

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

    fn check(&self, client: impl Fn(&System, &PathBuf) -> Verdict) {
        assert_eq!(client(&self.system, &self.good), Verdict::Good);
        assert_eq!(client(&self.system, &self.revoked), Verdict::Revoked);
    }

    fn every_client(&self) {
        for options in [
            &["-no_nonce"][..],
            &[],
            &["-no_nonce", "-sha256"],
            &["-sha256"],
        ] {
            self.check(|system, certificate| {
                clients::openssl_ocsp(system, ISSUER, certificate, options)
            });
        }
        self.check(|system, certificate| clients::openssl_crl(system, ISSUER, certificate));
        self.check(|system, certificate| clients::gnutls_ocsp(system, ISSUER, certificate));
        for method in ["ocsp", "crl"] {
            self.check(|system, certificate| clients::nss(system, ISSUER, certificate, method));
            self.check(|system, certificate| clients::java(system, ISSUER, certificate, method));
        }
    }

    /// Everything served and issued, before pkilint.
    fn lint(&self) {
        let system = &self.system;
        for issuer in ["root", "member", "assured", "organisation"] {
            let crl = clients::fetch_crl(system, issuer);
            let findings = clients::pkilint(system, "lint_crl", &["-t", "CRL", "-p", "PKIX"], &crl);
            assert!(findings.is_empty(), "CRL of {issuer}: {findings:#?}");
            let findings = clients::pkilint(system, "lint_pkix_cert", &[], &system.ca(issuer));
            assert!(
                findings.is_empty(),
                "certificate of {issuer}: {findings:#?}"
            );
        }
        for certificate in [&self.good, &self.revoked] {
            let response = self.ocsp_response(certificate, &[]);
            let findings = clients::pkilint(system, "lint_ocsp_response", &[], &response);
            assert!(findings.is_empty(), "{findings:#?}");
        }
        let responder = self.responder();
        let client = self.issue("client", "/CN=Jan Novák", "email:jan@example.org");
        let code = self.issue(
            "code-signing",
            "/C=CZ/O=Spolek/CN=Spolek",
            "email:s@example.org",
        );
        for certificate in [&self.good, &self.revoked, &responder, &client, &code] {
            let findings = clients::pkilint(system, "lint_pkix_cert", &[], certificate);
            assert!(findings.is_empty(), "{certificate:?}: {findings:#?}");
        }
    }

    /// A certificate of another profile.
    fn issue(&self, profile: &str, subject: &str, alt_name: &str) -> PathBuf {
        let key = "ec -pkeyopt ec_paramgen_curve:P-256";
        let alt_name = format!("subjectAltName={alt_name}");
        let csr = self
            .system
            .csr(profile, key, subject, &["-addext", &alt_name]);
        let out = csr.with_extension("pem");
        let (csr, file) = (e2e::system::path(&csr), e2e::system::path(&out));
        let arguments = ["issue", "--profile", profile, "--issuer", ISSUER, "--csr"];
        self.system
            .avouch(&[&arguments[..], &[csr, "--out", file]].concat())
            .ok();
        out
    }

    /// The certificate of the responder, as openssl finds it in a response.
    fn responder(&self) -> PathBuf {
        let response = self.ocsp_response(&self.good, &[]);
        let response = e2e::system::path(&response);
        let arguments = ["ocsp", "-respin", response, "-noverify", "-resp_text"];
        let text = program(self.system.folder(), "openssl", arguments)
            .ok()
            .stdout;
        let der = pki::pem::decode(&text, "CERTIFICATE").expect("a certificate in the response");
        let out = self.system.folder().join("responder.pem");
        std::fs::write(&out, pki::pem::encode("CERTIFICATE", &der)).expect("written");
        out
    }

    /// The OCSP request for a certificate, made by openssl.
    fn ocsp_request(&self, certificate: &Path, options: &[&str]) -> Vec<u8> {
        let out = certificate.with_extension("ocsp-request");
        let ca = self.system.ca(ISSUER);
        let mut arguments = vec!["ocsp", "-no_nonce", "-issuer", e2e::system::path(&ca)];
        arguments.extend(options);
        arguments.extend([
            "-cert",
            e2e::system::path(certificate),
            "-reqout",
            e2e::system::path(&out),
        ]);
        program(self.system.folder(), "openssl", arguments).ok();
        std::fs::read(out).expect("openssl wrote the request")
    }

    /// The OCSP response for a certificate, as a file.
    fn ocsp_response(&self, certificate: &Path, options: &[&str]) -> PathBuf {
        let out = certificate.with_extension("ocsp-response");
        let ca = self.system.ca(ISSUER);
        let mut arguments = vec![
            "ocsp",
            "-no_nonce",
            "-noverify",
            "-url",
            self.system.status_url(),
        ];
        arguments.extend(["-issuer", e2e::system::path(&ca)]);
        arguments.extend(options);
        arguments.extend([
            "-cert",
            e2e::system::path(certificate),
            "-respout",
            e2e::system::path(&out),
        ]);
        program(self.system.folder(), "openssl", arguments).ok();
        out
    }
}

#[test]
fn elliptic_curve_issuers() {
    let issued = Issued::new(EC);
    issued.every_client();
    issued.lint();
}

#[test]
fn rsa_issuers() {
    let issued = Issued::new(RSA);
    issued.every_client();
    issued.lint();
}

/// HTTP-02 to HTTP-05: one request, in every spelling that was seen from clients.
#[test]
fn get_in_every_spelling() {
    let issued = Issued::new(EC);
    let system = &issued.system;
    for options in [&[][..], &["-sha256"]] {
        let request = issued.ocsp_request(&issued.revoked, options);
        let expected =
            std::fs::read(issued.ocsp_response(&issued.revoked, options)).expect("a response");
        let standard = base64(system, &request);
        let escaped = standard
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        let spellings = [
            standard.clone(),
            escaped.clone(),
            escaped
                .replace("%2B", "%2b")
                .replace("%2F", "%2f")
                .replace("%3D", "%3d"),
            standard.trim_end_matches('=').to_owned(),
            standard.replace('+', "-").replace('/', "_"),
            standard
                .replace('+', "-")
                .replace('/', "_")
                .trim_end_matches('=')
                .to_owned(),
            format!("/{standard}"),
            format!("//{escaped}"),
            standard.replace('/', "%2F"),
        ];
        for spelling in spellings {
            let url = format!("{}{spelling}", system.status_url());
            let response = curl(system, &url, &[]);
            assert_eq!(response.status, 200, "{url}");
            assert_eq!(
                response.header("content-type"),
                Some("application/ocsp-response"),
                "{url}"
            );
            assert!(
                response.body == expected,
                "{url} gave other bytes than POST"
            );
        }
    }
}

fn base64(system: &System, bytes: &[u8]) -> String {
    let file = system.folder().join("request.der");
    std::fs::write(&file, bytes).expect("it can be written");
    let arguments = ["base64", "-A", "-in", e2e::system::path(&file)];
    program(system.folder(), "openssl", arguments)
        .ok()
        .stdout
        .trim()
        .to_owned()
}
