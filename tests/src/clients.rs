//! Independent clients, asked the question that browsers and servers ask: is this certificate still
//! good? Each answers from its own program's mouth.

use std::path::{Path, PathBuf};

use crate::program::{Finished, program, repository};
use crate::system::{System, path};

/// What a client made of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Accepted.
    Good,
    /// Refused because it is revoked.
    Revoked,
    /// Anything else, with everything the client said.
    Other(String),
}

impl Verdict {
    fn of(finished: &Finished, good: &[&str], revoked: &[&str]) -> Self {
        let output = finished.output();
        if revoked.iter().all(|mark| output.contains(mark)) {
            Self::Revoked
        } else if good.iter().all(|mark| output.contains(mark)) {
            Self::Good
        } else {
            Self::Other(output)
        }
    }
}

/// `openssl ocsp`; `options` go before `-cert`, such as `-sha256` or `-no_nonce`.
pub fn openssl_ocsp(
    system: &System,
    issuer: &str,
    certificate: &Path,
    options: &[&str],
) -> Verdict {
    let (ca, chain) = (system.ca(issuer), system.chain(issuer));
    openssl_ocsp_at(
        system,
        system.status_url(),
        &ca,
        &chain,
        certificate,
        options,
    )
}

/// The same for a CA and a URL of one's own.
pub fn openssl_ocsp_at(
    system: &System,
    url: &str,
    ca: &Path,
    chain: &Path,
    certificate: &Path,
    options: &[&str],
) -> Verdict {
    let mut arguments = vec![
        "ocsp",
        "-issuer",
        path(ca),
        "-CAfile",
        path(chain),
        "-url",
        url,
    ];
    arguments.extend(options);
    arguments.extend(["-cert", path(certificate)]);
    let finished = program(system.folder(), "openssl", arguments);
    Verdict::of(
        &finished,
        &["Response verify OK", ": good"],
        &["Response verify OK", ": revoked"],
    )
}

/// `openssl verify -crl_check` with the CRL as served.
pub fn openssl_crl(system: &System, issuer: &str, certificate: &Path) -> Verdict {
    let crl = fetch_crl(system, issuer);
    let chain = system.chain(issuer);
    let finished = program(
        system.folder(),
        "openssl",
        [
            "verify",
            "-crl_check",
            "-CAfile",
            path(&chain),
            "-CRLfile",
            path(&crl),
            path(certificate),
        ],
    );
    Verdict::of(&finished, &[": OK"], &["certificate revoked"])
}

/// GnuTLS `ocsptool`.
pub fn gnutls_ocsp(system: &System, issuer: &str, certificate: &Path) -> Verdict {
    let (ca, url) = (system.ca(issuer), system.status_url().to_owned());
    let ask = format!("--ask={url}");
    let finished = program(
        system.folder(),
        "ocsptool",
        [
            &ask,
            "--load-issuer",
            path(&ca),
            "--load-cert",
            path(certificate),
            "--load-trust",
            path(&ca),
        ],
    );
    Verdict::of(
        &finished,
        &[
            "Verifying OCSP Response: Success",
            "Certificate Status: good",
        ],
        &[
            "Verifying OCSP Response: Success",
            "Certificate Status: revoked",
        ],
    )
}

/// NSS `vfychain`, fetching from the URLs in the certificates with this method, `ocsp` or `crl`.
pub fn nss(system: &System, issuer: &str, certificate: &Path, method: &str) -> Verdict {
    let database = tempfile::tempdir_in(system.folder()).expect("a temporary directory");
    let folder = format!("sql:{}", path(database.path()));
    let root = system.ca("root");
    let run = |name: &str, arguments: &[&str]| program(system.folder(), name, arguments);
    run("certutil", &["-N", "-d", &folder, "--empty-password"]).ok();
    run(
        "certutil",
        &[
            "-A",
            "-d",
            &folder,
            "-n",
            "root",
            "-t",
            "CT,C,C",
            "-a",
            "-i",
            path(&root),
        ],
    )
    .ok();
    let leaf = der(system, certificate);
    let intermediate = der(system, &system.ca(issuer));
    let finished = run(
        "vfychain",
        &[
            "-d",
            &folder,
            "-pp",
            "-u",
            "1",
            "-g",
            "leaf",
            "-h",
            "requireFreshInfo",
            "-m",
            method,
            "-s",
            "failIfNoInfo",
            path(&leaf),
            path(&intermediate),
        ],
    );
    Verdict::of(
        &finished,
        &["Chain is good!"],
        &["Chain is bad!", "revoked"],
    )
}

/// Java's PKIX checker with one source only, `ocsp` or `crl`, over the whole chain.
pub fn java(system: &System, issuer: &str, certificate: &Path, source: &str) -> Verdict {
    let class = repository().join("tests/interop/Revocation.java");
    let (root, ca) = (system.ca("root"), system.ca(issuer));
    let finished = program(
        system.folder(),
        "java",
        [
            path(&class),
            source,
            path(&root),
            path(certificate),
            path(&ca),
        ],
    );
    Verdict::of(&finished, &["GOOD"], &["REVOKED at 0"])
}

/// GETs a URL with curl as it is spelled; gives status line, headers and body separately.
pub fn curl(system: &System, url: &str, options: &[&str]) -> Response {
    let folder = tempfile::tempdir_in(system.folder()).expect("a temporary directory");
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let mut arguments = vec![
        "--silent",
        "--show-error",
        "--path-as-is",
        "--max-time",
        "20",
    ];
    arguments.extend(["--dump-header", path(&head), "--output", path(&body)]);
    arguments.extend(options);
    arguments.push(url);
    program(system.folder(), "curl", arguments).ok();
    let head = std::fs::read_to_string(head).expect("curl wrote the header");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status line");
    let headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Response {
        status,
        headers,
        body: std::fs::read(body).unwrap_or_default(),
    }
}

/// What curl received.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The CRL as served, as a PEM file.
pub fn fetch_crl(system: &System, issuer: &str) -> PathBuf {
    let url = format!("{}crl/{issuer}.crl", system.status_url());
    let response = curl(system, &url, &[]);
    assert_eq!(response.status, 200, "{url}");
    let crl = system.folder().join(format!("{issuer}.crl"));
    std::fs::write(&crl, pki::pem::encode("X509 CRL", &response.body)).expect("it can be written");
    crl
}

/// The DER of a PEM certificate, as a file.
pub fn der(system: &System, certificate: &Path) -> PathBuf {
    let text = std::fs::read_to_string(certificate).expect("a certificate");
    let out = tempfile::Builder::new()
        .suffix(".der")
        .tempfile_in(system.folder())
        .expect("a file");
    let (_, path) = out.keep().expect("it can be kept");
    std::fs::write(&path, pki::pem::decode(&text, "CERTIFICATE").expect("PEM"))
        .expect("it can be written");
    path
}

/// Runs a pkilint command over a file; what it finds at NOTICE or above, one finding a line.
pub fn pkilint(system: &System, command: &str, options: &[&str], file: &Path) -> Vec<String> {
    let tool = repository().join("target/python/bin").join(command);
    let mut arguments = vec!["lint"];
    arguments.extend(options);
    arguments.extend(["-s", "NOTICE", "-f", "CSV", path(file)]);
    let finished = program(system.folder(), tool, arguments);
    assert!(finished.stderr.is_empty(), "{command}: {}", finished.stderr);
    let lines = finished.stdout.lines().skip(1);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
