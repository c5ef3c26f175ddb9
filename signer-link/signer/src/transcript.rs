//! What a ceremony leaves in writing: names and hashes that witnesses can compare and sign.

use std::fmt::Write as _;
use std::path::Path;

use hierarchy::Hierarchy;
use keystore::{EncryptedStore, Purpose};
use pki::{Certificate, HashAlgorithm, Time};
use wire::Receipt;

use crate::pgp::key::PgpKey;

/// A transcript in the making.
#[derive(Clone, Debug)]
pub struct Transcript {
    text: String,
    files: Vec<String>,
}

impl Transcript {
    /// Begins one.
    pub fn new(hierarchy: &Hierarchy, now: Time) -> Self {
        let mut transcript = Self {
            text: String::new(),
            files: Vec::new(),
        };
        if hierarchy.rehearsal {
            transcript.say("REHEARSAL: nothing that was made here may be trusted\n");
        }
        transcript.say(&format!("Key ceremony, begun {now}"));
        transcript.say(&format!("signer {}", env!("CARGO_PKG_VERSION")));
        transcript.say(&format!("base URL                  {}", hierarchy.base_url));
        transcript
    }

    /// One line.
    pub fn say(&mut self, line: &str) {
        // Writing into a String does not fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// A file that was read.
    pub fn came_in(&mut self, path: &Path, octets: &[u8]) {
        self.file("in ", path, octets);
    }

    /// A file that was written.
    pub fn went_out(&mut self, path: &Path, octets: &[u8]) {
        self.file("out", path, octets);
    }

    /// The key store, made now or opened.
    pub fn key_store(&mut self, store: &EncryptedStore, kept: bool) {
        let what = match store.purpose() {
            Purpose::Production => "",
            Purpose::Rehearsal => ", for rehearsal",
        };
        self.say(&format!(
            "key store                 set {}, {} shares open it{what}{}",
            store.set(),
            store.sharing(),
            made(!kept)
        ));
    }

    /// A certificate that was signed.
    pub fn certificate(&mut self, name: &str, certificate: &Certificate, is_new: bool) {
        let key = certificate.public_key();
        self.say(&format!("\n{name}{}", made(is_new)));
        let mut line = |what: &str, value: &dyn std::fmt::Display| {
            self.say(&format!("  {what:<22}  {value}"));
        };
        line("subject", certificate.subject());
        line("issuer", certificate.issuer());
        line("serial number", certificate.serial());
        line(
            "valid",
            &format!(
                "{} to {}",
                certificate.not_before(),
                certificate.not_after()
            ),
        );
        if let (Ok(kind), Ok(algorithm)) = (key.kind(), certificate.signature_algorithm()) {
            line("key", &format!("{kind}, signed with {algorithm}"));
        }
        line("key identifier", &hex::encode(key.key_id()));
        line("public key, SHA-256", &hex::encode(key.fingerprint()));
        line("certificate, SHA-256", &sha256(certificate.der()));
        self.say("");
    }

    /// The key that certifies OpenPGP keys.
    pub fn openpgp(&mut self, name: &str, user_id: &str, key: &PgpKey, is_new: bool) {
        self.say(&format!("\n{name}{}", made(is_new)));
        self.say(&format!("  OpenPGP user id         {user_id}"));
        self.say(&format!("  OpenPGP fingerprint     {}", key.key));
        self.say(&format!("  made                    {}", key.key.created()));
        if let Some(end) = key.expires {
            self.say(&format!("  valid to                {end}"));
        }
        self.say("");
    }

    /// The whole text.
    pub fn finish(mut self, journal: &Receipt, now: Time) -> String {
        self.say("\nfiles, SHA-256");
        for file in std::mem::take(&mut self.files) {
            self.say(&file);
        }
        self.say(&format!(
            "\njournal, record {}          {}",
            journal.sequence,
            hex::encode(journal.head)
        ));
        self.say(&format!(
            "finished {now}\n\nCheck with: sha256sum FILE; openssl x509 -in NAME.pem -noout -fingerprint -sha256; gpg \
             --show-keys NAME.asc"
        ));
        self.text
    }

    fn file(&mut self, way: &str, path: &Path, octets: &[u8]) {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let line = format!("  {way}  {}  {}", sha256(octets), name.display());
        if !self.files.contains(&line) {
            self.files.push(line);
        }
    }
}

const fn made(is_new: bool) -> &'static str {
    if is_new {
        ""
    } else {
        " (kept from an earlier run)"
    }
}

fn sha256(octets: &[u8]) -> String {
    hex::encode(HashAlgorithm::Sha256.digest(octets))
}
