//! The file of a ceremony: which CAs it makes, what else it does, and how the CAs' status is served.
//!
//! `signer ceremony` works from it; `avouch init` reads the same file for the policies in
//! `[ca.ocsp]` and `[ca.crl]`, whose fields belong to the ledger and are kept here as they stand ([`PolicyTables`]).
//!
//! ```
//! let hierarchy = hierarchy::Hierarchy::from_toml(hierarchy::DEMO).unwrap();
//! assert_eq!(hierarchy.names().collect::<Vec<_>>(), ["root", "member", "assured", "organisation"]);
//! assert!(hierarchy.root_of("member").unwrap().is_root());
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod base_url;
mod error;
mod openpgp;
mod subject;
mod tables;

use pki::{HashAlgorithm, KeyKind, SignatureAlgorithm};
use serde::Deserialize;

pub use base_url::BaseUrl;
pub use error::HierarchyError;
pub use openpgp::OpenPgp;
pub use subject::{Subject, SubjectError};
pub use tables::{
    FurtherCertificate, Link, OfflineCrl, Responder, RevokedCertificate, Shares, TokenTable,
};

/// The demo's hierarchy: an RSA-4096 root with three RSA-4096 subordinates.
pub const DEMO: &str = include_str!("../../signer/hierarchies/demo.toml");

/// The same on elliptic curves: a P-384 root with three P-256 subordinates.
pub const EC: &str = include_str!("../../signer/hierarchies/ec.toml");

/// Every field of a ceremony's file, explained, for a hierarchy of three people's shares.
pub const CEREMONY: &str = include_str!("../../signer/hierarchies/ceremony.toml");

/// The longest validity of a CA certificate.
const LONGEST_DAYS: u32 = 30 * 366;

/// All CAs that one ceremony makes.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Hierarchy {
    /// Where the status of everything here is served.
    pub base_url: BaseUrl,
    /// Whether this is for practice: the key store and every product say so.
    #[serde(default)]
    pub rehearsal: bool,
    /// Who opens the key store; absent: one passphrase in a file, for a demo.
    pub shares: Option<Shares>,
    /// The token of the CAs whose keys are in one.
    pub token: Option<TokenTable>,
    /// The key that certifies OpenPGP keys; absent: none does.
    pub openpgp: Option<OpenPgp>,
    /// The cables that get keys; absent: the one of signer 1.
    #[serde(default = "first_link", rename = "link")]
    pub links: Vec<Link>,
    /// The CAs, each after its issuer.
    #[serde(rename = "ca")]
    pub cas: Vec<Ca>,
    /// Further certificates for them.
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<FurtherCertificate>,
    /// Responder certificates of those that are offline.
    #[serde(default, rename = "responder")]
    pub responders: Vec<Responder>,
    /// CRLs of those that are offline.
    #[serde(default, rename = "crl")]
    pub crls: Vec<OfflineCrl>,
}

/// One CA.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Ca {
    /// Its name in commands, file names and URLs: a-z, 0-9, "-" and "_".
    pub name: String,
    /// Who it is.
    pub subject: Subject,
    /// The kind of its key.
    pub key: KeyKind,
    /// The hash in the signatures that it makes on CA certificates; by default the one that goes with its key.
    pub hash: Option<HashAlgorithm>,
    /// How long its certificate is valid.
    pub validity_days: u32,
    /// The name of the CA that signs its certificate; absent for a root, which signs its own.
    pub issuer: Option<String>,
    /// How many CAs may follow it in a chain; absent: any number. 0: it issues to subscribers only.
    pub path_len: Option<u8>,
    /// Whether its key is made in the token, and stays there.
    #[serde(default)]
    pub in_token: bool,
    /// OCSP policy, in the ledger's fields.
    #[serde(default)]
    ocsp: Option<toml::Table>,
    /// CRL policy, in the ledger's fields.
    #[serde(default)]
    crl: Option<toml::Table>,
}

/// The policies of one CA as they stand in the file; absent tables mean the defaults of their reader.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyTables {
    /// `[ca.ocsp]`
    pub ocsp: toml::Table,
    /// `[ca.crl]`
    pub crl: toml::Table,
}

impl Hierarchy {
    /// Reads and checks a hierarchy file.
    pub fn from_toml(text: &str) -> Result<Self, HierarchyError> {
        let hierarchy: Self = toml::from_str(text)?;
        if hierarchy.rehearsal {
            return hierarchy.into_rehearsal();
        }
        hierarchy.check()?;
        Ok(hierarchy)
    }

    /// The same for practice: every subject that does not say so by itself gets an organizationalUnit that does.
    pub fn into_rehearsal(mut self) -> Result<Self, HierarchyError> {
        self.rehearsal = true;
        let subjects = self.cas.iter_mut().map(|ca| &mut ca.subject);
        for subject in subjects.chain(self.responders.iter_mut().map(|made| &mut made.subject)) {
            subject.mark_as_rehearsal();
        }
        if let Some(openpgp) = &mut self.openpgp {
            openpgp.mark_as_rehearsal();
        }
        self.check()?;
        Ok(self)
    }

    /// The same CAs with another place for their status.
    #[must_use]
    pub fn with_base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = base_url;
        self
    }

    /// The names of the CAs, each after its issuer.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.cas.iter().map(|ca| ca.name.as_str())
    }

    /// The CA of this name.
    pub fn ca(&self, name: &str) -> Option<&Ca> {
        self.cas.iter().find(|ca| ca.name == name)
    }

    /// The root above the CA of this name.
    pub fn root_of(&self, name: &str) -> Option<&Ca> {
        self.chain(name).last()
    }

    /// The CA of this name, then its issuer, and so on up to its root.
    pub fn chain<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Ca> {
        std::iter::successors(self.ca(name), |ca| self.ca(ca.issuer.as_deref()?))
    }

    fn check(&self) -> Result<(), HierarchyError> {
        if self.cas.is_empty() {
            return Err(HierarchyError::Empty);
        }
        for (position, ca) in self.cas.iter().enumerate() {
            let earlier = &self.cas[..position];
            ca.check(earlier).map_err(|reason| HierarchyError::Ca {
                name: ca.name.clone(),
                reason,
            })?;
        }
        self.check_tables()
    }

    fn check_tables(&self) -> Result<(), HierarchyError> {
        let in_table = |table: &'static str| move |reason| HierarchyError::Table { table, reason };
        if let Some(shares) = &self.shares {
            shares.check().map_err(in_table("[shares]"))?;
        }
        if self.token.is_none() && self.cas.iter().any(|ca| ca.in_token) {
            let reason = "is missing; CAs with in_token = true need it".to_owned();
            return Err(in_table("[token]")(reason));
        }
        if let Some(openpgp) = &self.openpgp {
            openpgp.check(self).map_err(in_table("[openpgp]"))?;
        }
        for (position, link) in self.links.iter().enumerate() {
            let reason = if !(1..=127).contains(&link.signer) {
                "is not within 1 to 127"
            } else if self.links[..position].contains(link) {
                "stands twice; each signer has its own number"
            } else {
                continue;
            };
            return Err(in_table("[[link]]")(format!(
                "signer: {} {reason}",
                link.signer
            )));
        }
        for certificate in &self.certificates {
            certificate
                .check(self)
                .map_err(in_table("[[certificate]]"))?;
        }
        for responder in &self.responders {
            responder.check(self).map_err(in_table("[[responder]]"))?;
        }
        for crl in &self.crls {
            crl.check(self).map_err(in_table("[[crl]]"))?;
        }
        let mut files: Vec<_> = self.certificates.iter().map(|made| &made.file).collect();
        files.extend(self.responders.iter().map(|made| &made.file));
        files.sort();
        if let Some(twice) = files.windows(2).find(|pair| pair[0] == pair[1]) {
            let reason = format!("file: {:?} is used twice", twice[0]);
            return Err(in_table("[[certificate]], [[responder]]")(reason));
        }
        Ok(())
    }
}

impl Ca {
    /// Whether it signs its own certificate.
    pub const fn is_root(&self) -> bool {
        self.issuer.is_none()
    }

    /// The algorithm with which it signs CA certificates, its own included when it is a root.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, pki::AlgorithmError> {
        SignatureAlgorithm::for_key(
            self.key,
            self.hash.unwrap_or_else(|| self.key.default_hash()),
        )
    }

    /// The tables that the ledger reads.
    pub fn policy_tables(&self) -> PolicyTables {
        PolicyTables {
            ocsp: self.ocsp.clone().unwrap_or_default(),
            crl: self.crl.clone().unwrap_or_default(),
        }
    }

    fn check(&self, earlier: &[Self]) -> Result<(), String> {
        check_name(&self.name)?;
        if earlier.iter().any(|other| other.name == self.name) {
            return Err("the name is used twice".to_owned());
        }
        self.subject.name().map_err(|error| error.to_string())?;
        if earlier.iter().any(|other| other.subject == self.subject) {
            return Err("another CA has the same subject; clients tell CAs apart by it".to_owned());
        }
        if let KeyKind::Rsa(bits) = self.key
            && ![2048, 3072, 4096, 8192].contains(&bits)
        {
            return Err(format!(
                "key: RSA of {bits} bits; choose rsa-2048, rsa-3072, rsa-4096 or rsa-8192"
            ));
        }
        if self.key == KeyKind::MlDsa65 {
            return Err("key: ml-dsa-65 is for OCSP responders only, not for CAs".to_owned());
        }
        if self.in_token && self.key == KeyKind::Ed25519 {
            return Err(
                "key: ed25519 is not made in tokens; choose RSA or a NIST curve".to_owned(),
            );
        }
        self.signature_algorithm()
            .map_err(|error| format!("hash: {error}"))?;
        if !(1..=LONGEST_DAYS).contains(&self.validity_days) {
            return Err(format!(
                "validity_days: {} is not within 1 to {LONGEST_DAYS}",
                self.validity_days
            ));
        }
        let Some(issuer) = &self.issuer else {
            return Ok(());
        };
        let issuer = earlier
            .iter()
            .find(|other| other.name == *issuer)
            .ok_or_else(|| {
                format!("issuer: there is no CA {issuer:?} before this one; put issuers first")
            })?;
        if self.validity_days > issuer.validity_days {
            return Err(format!(
                "validity_days: {} outlives its issuer {:?} ({} days)",
                self.validity_days, issuer.name, issuer.validity_days
            ));
        }
        match (issuer.path_len, self.path_len) {
            (None, _) => Ok(()),
            (Some(0), _) => Err(format!(
                "issuer: {:?} has path_len 0 and cannot have CAs below it",
                issuer.name
            )),
            (Some(above), Some(own)) if own < above => Ok(()),
            (Some(above), _) => Err(format!(
                "path_len: must be given and below {above}, the path_len of its issuer {:?}",
                issuer.name
            )),
        }
    }
}

fn first_link() -> Vec<Link> {
    vec![Link { signer: 1 }]
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = (1..=64).contains(&name.len())
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || c == '-' || c == '_');
    if good {
        Ok(())
    } else {
        Err(
            "name: 1 to 64 of a-z, 0-9, \"-\" and \"_\", starting with a letter or digit"
                .to_owned(),
        )
    }
}
