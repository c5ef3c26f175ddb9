//! The API over a real socket, a real ledger and a signer in the same process.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use keystore::SigningKey;
use ledger::{Issuer, IssuerPolicy, Origin};
use pki::certificate_builder::{TbsCertificate, assemble, extension, subject_der};
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::{
    Certificate, Clock as _, KeyKind, KeyUsage, Name, Serial, SignatureAlgorithm, SystemClock,
};
use serde_json::{Value, json};
use signer_client::{IssueCertificate, SignerError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[derive(Clone)]
struct TestSigner {
    key: Arc<SigningKey>,
    away: Arc<AtomicBool>,
}

impl Signer for TestSigner {
    async fn issue_certificate(
        &self,
        _id: [u8; 16],
        request: IssueCertificate,
    ) -> Result<Vec<u8>, SignerError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(SignerError::Unavailable("away".to_owned()));
        }
        Ok(self
            .key
            .sign(request.signature_algorithm, &request.tbs)
            .expect("signed"))
    }

    async fn signer_id(&self) -> Result<u8, SignerError> {
        Ok(1)
    }
}

struct Server {
    address: std::net::SocketAddr,
    away: Arc<AtomicBool>,
    ledger: Ledger,
    issuance: Issuance<TestSigner>,
    ca: Certificate,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start(rule_set: RuleSet) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path, Arc::new(SystemClock))
            .await
            .expect("a ledger");
        let key = SigningKey::generate(KeyKind::P256).expect("a key");
        let ca = ca_certificate(&key);
        let issuer = Issuer {
            name: "member".to_owned(),
            certificate: ca.der().to_vec(),
            chain: Vec::new(),
            origin: Origin::Own,
            signs: true,
            ocsp_paths: Vec::new(),
            crl_paths: Vec::new(),
            certificate_paths: Vec::new(),
            policy: IssuerPolicy::default(),
        };
        ledger.add_issuer(issuer, "test").await.expect("added");

        let away = Arc::new(AtomicBool::new(false));
        let signer = TestSigner {
            key: Arc::new(key),
            away: Arc::clone(&away),
        };
        let issuance = Issuance::new(ledger.clone(), signer, Arc::new(SystemClock))
            .with_base_url("http://status.example");
        let health = telemetry::Health::new();
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
        let router = router(Arc::new(Api {
            ledger: ledger.clone(),
            issuance: issuance.clone(),
            // No signer is there: what needs one says so.
            openpgp: PgpIssuance::new(
                ledger.clone(),
                signer_client::SignerClient::new(directory.path().join("none")),
                Arc::new(SystemClock),
            ),
            profiles: Profiles::load(shipped.as_ref(), rule_set, health.part("profiles"))
                .expect("profiles"),
            rule_set,
            idn: IdnPolicy::default(),
            debian: None,
            metrics: Metrics::new(&prometheus::Registry::new()).expect("metrics"),
            token: Token::new(TOKEN),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            away,
            ledger,
            issuance,
            ca,
            _directory: directory,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send("POST", path, Some(TOKEN), &body.to_string())
            .await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send("GET", path, Some(TOKEN), "").await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> (StatusCode, Value) {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: issuer\r\nConnection: close\r\n{}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            authorization.unwrap_or_default(),
            body.len(),
        );
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("a status");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

fn ca_certificate(key: &SigningKey) -> Certificate {
    let subject = [SubjectAttribute::new(AttributeKind::CommonName, "Test CA").expect("valid")];
    let name = Name::from_der(&subject_der(&subject)).expect("a name");
    let now = SystemClock.now();
    let tbs = TbsCertificate {
        serial: Serial::random().expect("random"),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        issuer: &name,
        not_before: now.plus_seconds(-86_400),
        not_after: now.plus_seconds(4000 * 86_400),
        subject: &subject,
        public_key: key.public_key(),
        extensions: &[
            extension::subject_key_identifier(key.public_key()),
            extension::basic_constraints_ca(None),
            extension::key_usage(&[KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]),
        ],
    }
    .to_der();
    let signature = key
        .sign(SignatureAlgorithm::EcdsaSha256, &tbs)
        .expect("signed");
    Certificate::from_der(&assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &signature))
        .expect("a certificate")
}

fn csr(subject: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new("openssl")
        .current_dir(directory.path())
        .args([
            "req", "-new", "-utf8", "-nodes", "-newkey", "ec", "-pkeyopt",
        ])
        .args([
            "ec_paramgen_curve:P-256",
            "-keyout",
            "key.pem",
            "-subj",
            subject,
        ])
        .output()
        .expect("openssl");
    String::from_utf8(output.stdout).expect("PEM")
}

fn request(profile: &str, subject: &str) -> Value {
    json!({ "issuer": "member", "profile": profile, "csr": csr(subject), "actor": "anna" })
}

#[tokio::test]
async fn issue_show_revoke() {
    let server = Server::start(RuleSet::Community).await;
    let (status, issued) = server
        .post(
            "/v1/certificates",
            &request("server", "/O=Acme/CN=www.example.org"),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{issued}");
    let pem = issued["certificate"].as_str().expect("PEM");
    let certificate = Certificate::from_pem(pem).expect("a certificate");
    assert_eq!(certificate.verify_signed_by(server.ca.public_key()), Ok(()));
    assert_eq!(issued["serial"], certificate.serial().to_string());
    assert_eq!(issued["not_after"], certificate.not_after().to_string());
    assert_eq!(issued["chain"], server.ca.to_pem());
    assert_eq!(issued["dropped"][0]["what"], "subject attribute O=Acme");

    let path = format!("/v1/certificates/member/{}", certificate.serial());
    let (status, shown) = server.get(&path).await;
    assert_eq!(
        (status, &shown["state"]),
        (StatusCode::OK, &json!("issued"))
    );
    assert_eq!(shown["certificate"], pem);
    assert_eq!(shown["requested_by"], "anna");

    let revocation = json!({
        "issuer": "member", "serial": certificate.serial(), "ground": "subscriber",
        "reason": "keyCompromise", "actor": "anna", "case": "a1"
    });
    let (status, revoked) = server.post("/v1/revocations", &revocation).await;
    assert_eq!(status, StatusCode::OK, "{revoked}");
    assert_eq!(revoked["already_revoked"], false);
    assert_eq!(revoked["reason"], "keyCompromise");
    let (_, again) = server.post("/v1/revocations", &revocation).await;
    assert_eq!(again["already_revoked"], true);
    assert_eq!(again["revoked_at"], revoked["revoked_at"]);
    assert_eq!(server.get(&path).await.1["state"], "revoked");
}

#[tokio::test]
async fn a_compromised_key_is_refused() {
    let server = Server::start(RuleSet::Community).await;
    let request = request("server", "/CN=www.example.org");
    let (_, issued) = server.post("/v1/certificates", &request).await;
    let (status, _) = server
        .post(
            "/v1/revocations",
            &json!({
                "issuer": "member", "serial": issued["serial"], "ground": "support",
                "reason": "keyCompromise", "actor": "anna"
            }),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, refused) = server.post("/v1/certificates", &request).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        (&refused["error"]["rule"], &refused["error"]["field"]),
        (&json!("I5"), &json!("publicKey"))
    );
}

#[tokio::test]
async fn refusals_say_rule_field_message_and_remedy() {
    let server = Server::start(RuleSet::Community).await;
    let good = request("server", "/CN=www.example.org");
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    for (body, status, rule, field) in [
        (with("hash", json!("sha1")), 422, "I6", "hash"),
        (with("hash", json!("md5")), 422, "I6", "hash"),
        (with("hash", json!("sha512")), 422, "I6", "hash"),
        (with("days", json!(731)), 422, "CERT-05", "days"),
        (with("days", json!(0)), 422, "CERT-05", "days"),
        (with("profile", json!("nonsense")), 404, "API", "profile"),
        (with("profile", json!("../server")), 404, "API", "profile"),
        (
            with("profile", json!("ocsp-responder")),
            422,
            "OCSP-60",
            "profile",
        ),
        (with("issuer", json!("nobody")), 404, "API", "issuer"),
        (with("actor", json!("")), 422, "I9", "actor"),
        (with("csr", json!("nonsense")), 422, "I4", "csr"),
        (with("surplus", json!(1)), 422, "API", "body"),
        (json!([]), 422, "API", "body"),
        (
            request("server", "/CN=exa_mple.org"),
            422,
            "I9",
            "subject.commonName",
        ),
    ] {
        let (found, answer) = server.post("/v1/certificates", &body).await;
        let error = &answer["error"];
        assert_eq!(found.as_u16(), status, "{answer}");
        assert_eq!(
            (&error["rule"], &error["field"]),
            (&json!(rule), &json!(field)),
            "{answer}"
        );
        for part in ["message", "remedy"] {
            assert!(
                error[part].as_str().is_some_and(|text| !text.is_empty()),
                "{answer}"
            );
        }
    }
    // An honest request afterwards is served.
    assert_eq!(
        server.post("/v1/certificates", &good).await.0,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn revocations_are_checked() {
    let server = Server::start(RuleSet::Community).await;
    let good =
        json!({ "issuer": "member", "serial": "4A01", "ground": "support", "actor": "anna" });
    let with = |field: &str, value: &str| {
        let mut changed = good.clone();
        changed[field] = json!(value);
        changed
    };
    for (body, status) in [
        (good.clone(), 404),
        (with("issuer", "nobody"), 404),
        (with("ground", "imported"), 422),
        (with("ground", "whim"), 422),
        (with("reason", "certificateHold"), 422),
        (with("reason", "removeFromCRL"), 422),
        (with("reason", "nonsense"), 422),
        (with("serial", "xyz"), 422),
        (with("serial", "00"), 422),
        (with("actor", "a\u{202E}b"), 422),
    ] {
        let (found, answer) = server.post("/v1/revocations", &body).await;
        assert_eq!(found.as_u16(), status, "{body}: {answer}");
        assert!(answer["error"]["remedy"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn the_forum_s_reasons() {
    let server = Server::start(RuleSet::Cabf).await;
    let body = json!({
        "issuer": "member", "serial": "4A01", "ground": "support", "actor": "anna", "reason": "caCompromise"
    });
    let (_, answer) = server.post("/v1/revocations", &body).await;
    assert_eq!(answer["error"]["rule"], "CRL-13", "{answer}");
}

#[tokio::test]
async fn an_absent_signer_is_told_and_the_certificate_fetched_later() {
    let server = Server::start(RuleSet::Community).await;
    server.away.store(true, Ordering::SeqCst);
    let (status, answer) = server
        .post(
            "/v1/certificates",
            &request("server", "/CN=www.example.org"),
        )
        .await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["error"]["rule"], "I16");
    let serial = answer["pending"]["serial"]
        .as_str()
        .expect("a serial number");

    let path = format!("/v1/certificates/member/{serial}");
    let (status, shown) = server.get(&path).await;
    assert_eq!(
        (status, &shown["state"]),
        (StatusCode::ACCEPTED, &json!("pending"))
    );

    server.away.store(false, Ordering::SeqCst);
    let recovered = server.issuance.recover(0).await.expect("recovered");
    assert_eq!(recovered.items.len(), 1);
    let (status, shown) = server.get(&path).await;
    assert_eq!(
        (status, &shown["state"]),
        (StatusCode::OK, &json!("issued"))
    );
}

#[tokio::test]
async fn a_request_refused_while_it_waited_says_why() {
    let server = Server::start(RuleSet::Community).await;
    server.away.store(true, Ordering::SeqCst);
    let body = request("server", "/CN=www.example.org");
    let (_, answer) = server.post("/v1/certificates", &body).await;
    let serial = answer["pending"]["serial"]
        .as_str()
        .expect("a serial number");
    let given_up = server
        .ledger
        .abandon_reservation("member", &serial.parse().expect("one"), "it is too late")
        .await;
    given_up.expect("given up");
    let (status, shown) = server
        .get(&format!("/v1/certificates/member/{serial}"))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&shown["state"], &shown["why"]),
        (&json!("refused"), &json!("it is too late"))
    );
}

#[tokio::test]
async fn nothing_without_the_token() {
    let server = Server::start(RuleSet::Community).await;
    for (method, path) in [
        ("GET", "/v1/issuers"),
        ("GET", "/v1/profiles"),
        ("GET", "/v1/certificates/member/4A01"),
        ("POST", "/v1/certificates"),
        ("POST", "/v1/revocations"),
        ("GET", "/nonsense"),
    ] {
        for token in [None, Some(""), Some("wrong"), Some(&TOKEN[..31])] {
            let (status, answer) = server.send(method, path, token, "{}").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer["error"]["field"], "authorization");
        }
    }
}

#[tokio::test]
async fn odd_requests_get_json_errors() {
    let server = Server::start(RuleSet::Community).await;
    assert_eq!(server.get("/nonsense").await.0, StatusCode::NOT_FOUND);
    let (status, answer) = server.get("/v1/revocations").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer["error"]["rule"], "API");
    let (status, _) = server.get("/v1/certificates/member/zz").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = server.get("/v1/certificates/nobody/4A01").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, answer) = server
        .send("POST", "/v1/certificates", Some(TOKEN), "{not json")
        .await;
    assert_eq!(
        (status, &answer["error"]["field"]),
        (StatusCode::BAD_REQUEST, &json!("body"))
    );
    let huge = format!("{{\"csr\":\"{}\"}}", "A".repeat(200_000));
    let (status, answer) = server
        .send("POST", "/v1/certificates", Some(TOKEN), &huge)
        .await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
}

#[tokio::test]
async fn lists() {
    let server = Server::start(RuleSet::Community).await;
    let (_, issuers) = server.get("/v1/issuers").await;
    assert_eq!(issuers["issuers"][0]["name"], "member");
    assert_eq!(issuers["issuers"][0]["key"], "p-256");
    let (_, profiles) = server.get("/v1/profiles").await;
    let names: Vec<&Value> = profiles["profiles"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["name"])
        .collect();
    assert_eq!(names, ["client", "code-signing", "server"]);
}
