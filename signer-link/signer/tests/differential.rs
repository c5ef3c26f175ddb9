//! The judge and two other readers of certificates, over some thousand good and spoilt ones: what the judge accepts both
//! others read, and read as it does. So whatever one of them refuses, the judge refuses too.

mod common;

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Fixture, SIGNER_ID, csr, noon, policy, profile};
use keystore::SigningKey;
use pki::certificate_builder::{GeneralName, TbsCertificate, assemble};
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::profile::{CertifiedNames, StatusUrls};
use pki::{Certificate, KeyKind, Serial, SignatureAlgorithm, der_encode, oid};
use signer::judge::judge_certificate;
use signer::policy::Policy;
use wire::{CsrAroundKey, IssueCertificate};

const SEED: u64 = 20_261_122;
/// Certificates, and spoilt ones of each.
const GOOD: usize = 240;
const SPOILT: usize = 20;
const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

#[test]
fn what_is_accepted_two_other_readers_read_alike() {
    let fixture = Fixture::new();
    let mut forge = Forge::new(&fixture);
    let mut cases = Vec::new();
    for _ in 0..GOOD {
        let good = forge.good();
        forge
            .judge(&good)
            .unwrap_or_else(|refused| panic!("{refused}: {good:?}"));
        for _ in 0..SPOILT {
            let spoilt = IssueCertificate {
                tbs: forge.spoil(&good.tbs),
                ..good.clone()
            };
            let accepted = forge.judge(&spoilt).is_ok();
            cases.push((spoilt.tbs, accepted));
        }
        cases.push((good.tbs, true));
    }
    let accepted = cases.iter().filter(|(_, accepted)| *accepted).count();
    let others = read_by_others(cases.iter().map(|(tbs, _)| whole(tbs)));
    assert_eq!(others.len(), cases.len());
    let mut taken = [0; 2];
    for ((tbs, accepted), (cryptography, openssl)) in cases.iter().zip(&others) {
        for (taken, other) in taken.iter_mut().zip([cryptography, openssl]) {
            *taken += usize::from(!other.starts_with("refused"));
        }
        if *accepted {
            let found = Certificate::from_der(&whole(tbs)).unwrap();
            assert_eq!(
                *cryptography,
                as_cryptography_says(&found),
                "{}",
                hex::encode(tbs)
            );
            assert_eq!(*openssl, as_openssl_says(&found), "{}", hex::encode(tbs));
        }
    }
    println!(
        "{} certificates: the judge accepts {accepted}, cryptography reads {}, OpenSSL {}",
        cases.len(),
        taken[0],
        taken[1]
    );
    // Some changes are as good as what was there: another serial number, another second.
    assert!(accepted > GOOD + 50, "{accepted}");
    assert!(accepted < cases.len() / 2, "{accepted}");
    assert!(taken.into_iter().all(|taken| taken >= accepted));
}

/// As a certificate; the signature plays no part.
fn whole(tbs: &[u8]) -> Vec<u8> {
    assemble(tbs, ALGORITHM, &[0])
}

/// One process reads all of them.
fn read_by_others(certificates: impl Iterator<Item = Vec<u8>>) -> Vec<(String, String)> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut python = Command::new(repository.join("target/python/bin/python"))
        .arg(repository.join("tests/interop/certificates.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python with cryptography; tests/run installs it into target/python");
    let lines: Vec<_> = certificates.map(|der| hex::encode(der) + "\n").collect();
    let mut input = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.concat().as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| {
        let (one, other) = line.split_once('\t').unwrap();
        (one.to_owned(), other.to_owned())
    };
    text.lines().map(pair).collect()
}

fn as_cryptography_says(found: &Certificate) -> String {
    let extension = |extension: &pki::Extension| {
        let critical = u8::from(extension.critical);
        format!(
            "{}:{critical}:{}",
            extension.oid,
            hex::encode(&extension.value)
        )
    };
    let fields = [
        serial(found),
        hex::encode(found.issuer().as_der()),
        hex::encode(found.subject().as_der()),
        found.not_before().unix().to_string(),
        found.not_after().unix().to_string(),
        hex::encode(found.public_key().spki_der()),
        joined(found.extensions().iter().map(extension)),
        alternative_names(found),
        hex::encode(found.tbs_der()),
    ];
    fields.join(" ")
}

fn as_openssl_says(found: &Certificate) -> String {
    let fields = [
        serial(found),
        found.not_before().unix().to_string(),
        found.not_after().unix().to_string(),
        alternative_names(found),
    ];
    fields.join(" ")
}

fn serial(found: &Certificate) -> String {
    let text = hex::encode(found.serial().as_bytes());
    text.trim_start_matches('0').to_owned()
}

fn alternative_names(found: &Certificate) -> String {
    let Some(extension) = found.extension(oid::SUBJECT_ALT_NAME) else {
        return "-".to_owned();
    };
    let names = GeneralName::read_all(&extension.value).unwrap();
    joined(names.iter().map(|name| match name {
        GeneralName::Dns(name) => format!("dns={name}"),
        GeneralName::Email(address) => format!("email={address}"),
        GeneralName::Ip(IpAddr::V4(address)) => format!("ip={}", hex::encode(address.octets())),
        GeneralName::Ip(IpAddr::V6(address)) => format!("ip={}", hex::encode(address.octets())),
        other => panic!("a name that no profile has: {other:?}"),
    }))
}

fn joined(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<_> = fields.collect();
    match fields.is_empty() {
        true => "-".to_owned(),
        false => fields.join(","),
    }
}

/// Makes requests, good and spoilt, the same ones from one seed but for keys.
struct Forge<'a> {
    fixture: &'a Fixture,
    policy: Policy,
    keys: Vec<(SigningKey, Vec<u8>)>,
    random: fastrand::Rng,
}

impl<'a> Forge<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        let kinds = [
            KeyKind::P256,
            KeyKind::P384,
            KeyKind::P521,
            KeyKind::Ed25519,
            KeyKind::Rsa(3072),
        ];
        let key = |kind| {
            let key = SigningKey::generate(kind).unwrap();
            let csr = csr(&key);
            (key, csr)
        };
        Self {
            fixture,
            policy: policy(),
            keys: kinds.map(key).into(),
            random: fastrand::Rng::with_seed(SEED),
        }
    }

    fn judge(&self, request: &IssueCertificate) -> Result<Serial, wire::Refused> {
        let ca = &self.fixture.member;
        judge_certificate(request, ca, &self.policy, SIGNER_ID, noon()).map(|judged| judged.serial)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())].clone()
    }

    /// A request that the signer accepts, of any profile and key.
    fn good(&mut self) -> IssueCertificate {
        let name = self.pick(&["server", "client", "code-signing", "ocsp-responder"]);
        let (subject, alt_names, kinds, days) = match name {
            "server" => {
                let names = self.hosts();
                let GeneralName::Dns(first) = &names[0] else {
                    panic!("an address before the names");
                };
                let common = self.random.bool().then(|| vec![common_name(first)]);
                (common.unwrap_or_default(), names, 5, 700)
            }
            "client" => (self.person(), self.addresses(), 5, 700),
            "code-signing" => (self.person(), Vec::new(), 3, 700),
            _ => (vec![common_name("OCSP Responder")], Vec::new(), 5, 7),
        };
        // RSA keys, the last ones, take the place of Ed25519 where that is not allowed.
        let at = self.random.usize(..kinds);
        let at = if kinds == 3 && at == 2 { 4 } else { at };
        let (key, csr) = &self.keys[at];
        let names = CertifiedNames {
            alt_names: &alt_names,
            subject_is_empty: subject.is_empty(),
        };
        let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
        let ca = &self.fixture.member;
        let extensions = profile(name).extensions_for(ca, key.public_key(), names, &urls);
        let not_before = noon().plus_seconds(-self.random.i64(0..3_000));
        let mut serial = [SIGNER_ID; 20];
        let length = self.random.usize(16..=20);
        self.random.fill(&mut serial[1..length]);
        let tbs = TbsCertificate {
            serial: Serial::from_be_bytes(&serial[..length]).unwrap(),
            signature_algorithm: ALGORITHM,
            issuer: ca.subject(),
            not_before,
            not_after: not_before.plus_seconds(self.random.i64(3_600..days * 86_400)),
            subject: &subject,
            public_key: key.public_key(),
            extensions: &extensions.unwrap(),
        }
        .to_der();
        let csr = CsrAroundKey::cut(csr, key.public_key().spki_der());
        IssueCertificate {
            issuer: "member".to_owned(),
            profile: name.to_owned(),
            signature_algorithm: ALGORITHM,
            tbs,
            csr: (name != "ocsp-responder").then_some(csr),
            evidence: None,
        }
    }

    fn hosts(&mut self) -> Vec<GeneralName> {
        let hosts = [
            "www.example.org",
            "*.example.org",
            "xn--bcher-kva.example.de",
            "xn--jxalpdlp.gr",
            "a.b.c.d.example.net",
            "localhost",
        ];
        let mut names = hosts.map(|host| GeneralName::Dns(host.to_owned())).to_vec();
        self.random.shuffle(&mut names);
        names.truncate(self.random.usize(1..=4));
        for address in ["192.0.2.7", "2001:db8::1"] {
            if self.random.u8(..4) == 0 {
                names.push(GeneralName::Ip(address.parse().unwrap()));
            }
        }
        names
    }

    fn addresses(&mut self) -> Vec<GeneralName> {
        let mut names = [
            "zuzana@example.cz",
            "o'brien+ca@mail.example.org",
            "x@xn--bcher-kva.de",
        ]
        .map(|address| GeneralName::Email(address.to_owned()))
        .to_vec();
        names.truncate(self.random.usize(..=3));
        names
    }

    fn person(&mut self) -> Vec<SubjectAttribute> {
        let name = self.pick(&[
            "Zuzana Příkladová",
            "山田 太郎",
            "Αλέξανδρος ὁ Μέγας",
            "O'Brien \"the Rock\", #1 = \\ +",
            "Ana",
        ]);
        let mut subject = Vec::new();
        for (kind, text) in [
            (AttributeKind::CountryName, "CZ"),
            (AttributeKind::StateOrProvinceName, "Středočeský kraj"),
            (AttributeKind::LocalityName, "Kolín"),
            (AttributeKind::OrganizationName, "Příklad, a. s."),
        ] {
            if self.random.bool() {
                subject.push(SubjectAttribute::new(kind, text).unwrap());
            }
        }
        subject.push(common_name(name));
        subject
    }

    /// Some octets changed, or some value inside, with all lengths around it right.
    fn spoil(&mut self, tbs: &[u8]) -> Vec<u8> {
        match self.random.bool() {
            true => self.spoil_octets(tbs),
            false => self.spoil_value(tbs),
        }
    }

    fn spoil_octets(&mut self, tbs: &[u8]) -> Vec<u8> {
        let mut tbs = tbs.to_vec();
        let at = self.random.usize(..tbs.len());
        let octet = self.random.u8(..);
        match self.random.u8(..6) {
            0 => tbs[at] ^= 1 << (octet % 8),
            1 => tbs[at] = octet,
            2 => tbs.insert(at, octet),
            3 => drop(tbs.remove(at)),
            4 => tbs.truncate(at),
            _ => {
                let end = (at + usize::from(octet % 40)).min(tbs.len());
                let piece = tbs[at..end].to_vec();
                tbs.splice(at..at, piece);
            }
        }
        tbs
    }

    fn spoil_value(&mut self, tbs: &[u8]) -> Vec<u8> {
        let mut value = Value::read(tbs).expect("a good TBSCertificate").0;
        let mut at = self.random.usize(..value.count());
        value.change(&mut at, &mut self.random);
        value.encode()
    }
}

fn common_name(text: &str) -> SubjectAttribute {
    SubjectAttribute::new(AttributeKind::CommonName, text).unwrap()
}

/// A DER value, taken apart.
struct Value {
    tag: u8,
    content: Content,
    /// Octets of length more than needed.
    long: usize,
}

enum Content {
    Octets(Vec<u8>),
    Values(Vec<Value>),
    /// An OCTET STRING with DER in it, as each extension is.
    Inside(Box<Value>),
}

impl Value {
    /// The first value, and what follows it.
    fn read(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&tag, rest) = octets.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first > 0x80 {
            let (octets, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            length = octets
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        let inside = |content| match Self::read(content) {
            Some((value, [])) => Some(value),
            _ => None,
        };
        let content = match tag {
            0x04 => match inside(content) {
                Some(value) => Content::Inside(Box::new(value)),
                None => Content::Octets(content.to_vec()),
            },
            _ if tag & 0x20 != 0 => {
                let (mut values, mut left) = (Vec::new(), content);
                while !left.is_empty() {
                    let (value, after) = Self::read(left)?;
                    values.push(value);
                    left = after;
                }
                Content::Values(values)
            }
            _ => Content::Octets(content.to_vec()),
        };
        let value = Self {
            tag,
            content,
            long: 0,
        };
        Some((value, rest))
    }

    fn encode(&self) -> Vec<u8> {
        let content = match &self.content {
            Content::Octets(octets) => octets.clone(),
            Content::Values(values) => values.iter().flat_map(Self::encode).collect(),
            Content::Inside(value) => value.encode(),
        };
        if self.long == 0 {
            return der_encode::tlv(self.tag, &content);
        }
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[self.tag, 0x84], &length[..], &content].concat()
    }

    fn count(&self) -> usize {
        1 + match &self.content {
            Content::Octets(_) => 0,
            Content::Values(values) => values.iter().map(Self::count).sum(),
            Content::Inside(value) => value.count(),
        }
    }

    /// Changes the value of this number, counted down to 0 from the outermost on.
    fn change(&mut self, at: &mut usize, random: &mut fastrand::Rng) {
        if *at == 0 {
            *at = usize::MAX;
            self.change_this(random);
            return;
        }
        *at -= 1;
        match &mut self.content {
            Content::Octets(_) => {}
            Content::Values(values) => {
                for value in values {
                    if *at != usize::MAX {
                        value.change(at, random);
                    }
                }
            }
            Content::Inside(value) => value.change(at, random),
        }
    }

    fn change_this(&mut self, random: &mut fastrand::Rng) {
        let octet = random.u8(..);
        match &mut self.content {
            _ if octet < 16 => self.long = 1,
            _ if octet < 40 => {
                let tags = [
                    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1e,
                    0x30, 0x31, 0xa0,
                ];
                self.tag = tags[random.usize(..tags.len())];
            }
            Content::Octets(octets) if octets.is_empty() => octets.push(octet),
            Content::Octets(octets) => {
                let at = random.usize(..octets.len());
                match random.u8(..7) {
                    // Digits and letters stay some; the rest becomes anything.
                    0 | 1 if octets[at].is_ascii_digit() => octets[at] = b'0' + octet % 10,
                    0 | 1 if octets[at].is_ascii_lowercase() => octets[at] = b'a' + octet % 26,
                    0..=2 => octets[at] = octet,
                    3 => octets.insert(0, 0),
                    4 => octets.push(octet),
                    5 => drop(octets.pop()),
                    _ => octets.clear(),
                }
            }
            Content::Values(values) if values.is_empty() => {}
            Content::Values(values) => {
                let at = random.usize(..values.len());
                match random.u8(..4) {
                    0 => drop(values.remove(at)),
                    1 => values.swap(0, at),
                    2 => {
                        let octets = values[at].encode();
                        values.extend(Self::read(&octets).map(|(value, _)| value));
                    }
                    _ => values.reverse(),
                }
            }
            Content::Inside(value) => {
                let mut octets = value.encode();
                octets.push(octet);
                self.content = Content::Octets(octets);
            }
        }
    }
}
