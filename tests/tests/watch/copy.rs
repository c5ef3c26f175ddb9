//! A copy of a system's publication with an edge of its own, in which a test publishes what is wrong with the real keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use e2e::clients::curl;
use e2e::program::{binary, program};
use e2e::system::{path, signal};
use e2e::{System, wait_for};
use keystore::{EncryptedStore, SecretString, SigningKey};
use pki::crl::Crl;
use pki::crl::build::{CrlContents, CrlEntry, assemble};
use pki::crl::verify::Scope;
use pki::{Certificate, Clock as _, CrlNumber, SignatureAlgorithm, SystemClock};
use publication::{NewManifest, NewObject, Publisher, Source};
use serde_json::Value;

pub(crate) struct Copy {
    folder: PathBuf,
    system_folder: PathBuf,
}

/// What is published of an issuer.
#[derive(Clone, Default)]
pub(crate) struct Lists {
    pub(crate) complete: Vec<CrlEntry>,
    /// With the number of its base.
    pub(crate) delta: Option<(CrlNumber, Vec<CrlEntry>)>,
    /// With its URI.
    pub(crate) part: Option<(String, Vec<CrlEntry>)>,
}

/// A daemon of the test's own.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
}

impl Copy {
    pub(crate) fn of(system: &System, name: &str) -> Self {
        let folder = system.folder().join(name);
        fs::create_dir(&folder).expect("a new folder");
        let copy = Self {
            folder,
            system_folder: system.folder().to_owned(),
        };
        copy.catch_up(system);
        copy
    }

    /// Brings the copy up to what is published now: objects first, manifests last.
    pub(crate) fn catch_up(&self, system: &System) {
        let from = system.data().join("publication");
        copy_tree(&from, &self.publication(), &|path| {
            path.components().any(|part| part.as_os_str() == "objects")
        });
        copy_tree(&from, &self.publication(), &|_| true);
    }

    /// An edge over the copy.
    pub(crate) fn edge(&self) -> Daemon {
        let data = self.system_folder.join("data");
        let state = self.folder.join("edge");
        let text = fs::read_to_string(data.join("config/ocsp-responder.toml"))
            .expect("its configuration")
            .replace(path(&data.join("publication")), path(&self.publication()))
            .replace(
                path(&data.join("run/ocsp-responder.json")),
                path(&self.folder.join("edge.json")),
            )
            .replace(path(&data.join("ocsp-responder")), path(&state));
        let mut daemon = self.start(
            "ocsp-responder",
            "edge",
            &text,
            &["--listen", "127.0.0.1:0"],
        );
        let listen = self.state("edge").expect("it announced itself")["listen"].clone();
        daemon.url = format!("{}/", listen.as_str().expect("a URL").trim_end_matches('/'));
        daemon
    }

    /// A presigner over the copy, with a copy of the ledger to which somebody has done this.
    pub(crate) fn presign(&self, system: &System, statements: &[String]) -> Daemon {
        let data = system.data();
        let ledger = self.folder.join("ledger.sqlite");
        let script = "import sqlite3, sys\n\
             live, copy, *statements = sys.argv[1:]\n\
             sqlite3.connect(live, isolation_level=None).execute('VACUUM INTO ?', (copy,))\n\
             changed = sqlite3.connect(copy, isolation_level=None)\n\
             for statement in statements: assert changed.execute(statement).rowcount == 1, statement\n";
        let live = data.join("ledger/ledger.sqlite");
        let mut arguments = vec!["-c", script, path(&live), path(&ledger)];
        arguments.extend(statements.iter().map(String::as_str));
        program(system.folder(), "python3", arguments).ok();
        let keys = self.folder.join("keys");
        copy_tree(&data.join("ocsp-presigner/keys"), &keys, &|_| true);
        let text = format!(
            "ledger = {ledger:?}\npublication = {:?}\npublication_key = {:?}\nkeys = {keys:?}\n\
             signer_socket = {:?}\n[daemon]\nstate_file = {:?}\n",
            self.publication(),
            data.join("ocsp-presigner/publication.key"),
            data.join("run/signer.sock"),
            self.folder.join("presigner.json"),
        );
        self.start("ocsp-presigner", "presigner", &text, &[])
    }

    /// Publishes a complete CRL with these entries.
    pub(crate) fn publish_crl(&self, system: &System, issuer: &str, entries: &[CrlEntry]) {
        let lists = Lists {
            complete: entries.to_vec(),
            ..Lists::default()
        };
        self.publish(system, issuer, &lists);
    }

    /// Publishes these CRLs: signed with the CA's key, published with the publication's.
    pub(crate) fn publish(&self, system: &System, issuer: &str, lists: &Lists) {
        let data = system.data();
        let passphrase = fs::read_to_string(data.join("signer/passphrase")).expect("a demo's");
        let passphrase = SecretString::from(passphrase.trim().to_owned());
        let store = EncryptedStore::open(&data.join("signer/keys"), &passphrase).expect("the keys");
        let key = store.get(issuer).expect("the CA's key");
        let text = fs::read_to_string(system.ca(issuer)).expect("the CA's certificate");
        let ca = Certificate::from_pem(&text).expect("the CA's certificate");

        let signs = SigningKey::load_plain(&data.join("crl-builder/publication.key"));
        let signs = signs.expect("the publication's key");
        let public = signs.public_key().key_bits().try_into().expect("32 octets");
        let mut publisher = Publisher::open(
            self.publication(),
            &format!("crl/{issuer}"),
            public,
            Box::new(move |octets| Ok(signs.sign(SignatureAlgorithm::Ed25519, octets)?)),
            Arc::new(SystemClock),
        )
        .expect("the channel");
        let before = publisher.current().expect("something is published").clone();
        let now = SystemClock.now();
        // Above every number before it, and rising with each one published here.
        let number = CrlNumber::from(before.generation);
        let kind = ca.public_key().kind().expect("a known key");
        let algorithm = SignatureAlgorithm::for_key(kind, kind.default_hash()).expect("it signs");
        let list = |role: &str, path: String, scope: Scope<'_>, entries: &[CrlEntry]| {
            let has_delta = scope == Scope::Complete && lists.delta.is_some();
            let contents = CrlContents {
                issuer: ca.subject(),
                authority_key_id: &ca.key_id(),
                number: &number,
                this_update: now,
                next_update: now.plus_seconds(7 * 86_400),
                signature_algorithm: algorithm,
                scope,
                freshest: has_delta.then_some("http://status.example/delta.crl"),
            };
            let tbs = contents.tbs(entries.iter().copied());
            let signature = key.sign(algorithm, &tbs).expect("a signature");
            NewObject {
                role: role.to_owned(),
                name: path.clone(),
                content_type: "application/pkix-crl".to_owned(),
                paths: vec![path],
                this_update: Some(now),
                next_update: Some(now.plus_seconds(7 * 86_400)),
                details: BTreeMap::new(),
                tail: None,
                source: Source::Bytes(assemble(&tbs, algorithm, &signature)),
            }
        };
        let certificate = before
            .object("ca-certificate")
            .expect("the CA's certificate");
        let certificate = NewObject {
            role: certificate.role.clone(),
            name: certificate.name.clone(),
            content_type: certificate.content_type.clone(),
            paths: certificate.paths.clone(),
            this_update: None,
            next_update: None,
            details: BTreeMap::new(),
            tail: None,
            source: Source::Bytes(ca.der().to_vec()),
        };
        let path = format!("/crl/{issuer}.crl");
        let mut objects = vec![
            certificate,
            list("crl", path, Scope::Complete, &lists.complete),
        ];
        if let Some((base, entries)) = &lists.delta {
            let path = format!("/crl/{issuer}.delta.crl");
            objects.push(list("crl-delta", path, Scope::Delta { base }, entries));
        }
        if let Some((uri, entries)) = &lists.part {
            let path = uri.trim_start_matches(system.status_url().trim_end_matches('/'));
            let scope = Scope::Partition { uri };
            let mut part = list("crl-partition", path.to_owned(), scope, entries);
            part.details.insert("uri".to_owned(), uri.clone());
            objects.push(part);
        }
        let manifest = NewManifest {
            as_of: before.as_of,
            issuer: issuer.to_owned(),
            ocsp_paths: Vec::new(),
            settings: BTreeMap::new(),
            objects,
        };
        publisher.publish(manifest).expect("published");
    }

    fn publication(&self) -> PathBuf {
        self.folder.join("publication")
    }

    fn start(&self, program: &str, name: &str, config: &str, more: &[&str]) -> Daemon {
        let file = self.folder.join(format!("{name}.toml"));
        fs::write(&file, config).expect("written");
        let child = Command::new(binary(program))
            .args(["--config", path(&file)])
            .args(more)
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        wait_for(|| self.state(name).is_some());
        Daemon {
            child,
            url: String::new(),
        }
    }

    fn state(&self, name: &str) -> Option<Value> {
        let file = self.folder.join(format!("{name}.json"));
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        signal("-TERM", self.child.id());
        let status = self.child.wait();
        if !std::thread::panicking() {
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}

/// The entries of a CRL as the system's own edge serves it.
pub(crate) fn entries(system: &System, issuer: &str) -> Vec<CrlEntry> {
    let url = format!("{}crl/{issuer}.crl", system.status_url());
    entries_of(&crl(system, &url).expect("a CRL"))
}

pub(crate) fn entries_of(crl: &Crl) -> Vec<CrlEntry> {
    crl.entries()
        .map(|entry| entry.expect("an entry"))
        .collect()
}

/// The CRL at a URL, if there is one.
pub(crate) fn crl(system: &System, url: &str) -> Option<Crl> {
    let answer = curl(system, url, &[]);
    (answer.status == 200).then(|| Crl::from_der(&answer.body).expect("a CRL"))
}

/// Copies files whose path fits, replacing atomically what is there.
fn copy_tree(from: &Path, to: &Path, fits: &dyn Fn(&Path) -> bool) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let (from, name) = entry
            .map(|it| (it.path(), it.file_name()))
            .expect("an entry");
        let target = to.join(&name);
        if from.is_dir() {
            copy_tree(&from, &target, fits);
        } else if fits(&from) {
            let temporary = to.join(".copied");
            fs::copy(&from, &temporary).expect("copied");
            fs::rename(&temporary, &target).expect("renamed");
        }
    }
}
