//! The process that has the CA keys: `signer key`.
//!
//! The policy process starts it and is its only partner, over one socket pair which is its standard input and output.
//! It parses nothing that comes from the cable: only the few short fields below, with a message to be signed that it
//! does not look into. It asks for the passphrases itself, at `/dev/tty`, so that the policy process never sees them.
//! Its memory is in no core dump, under no debugger and on no swap (`memory`), and once the keys are open it may do
//! nothing but read its store and answer ([`crate::confine`]). Every signature has been verified before it leaves
//! ([`keystore::SigningKey::sign`]).
//!
//! # Protocol
//! One request, one reply, in turn. Each is a frame: its length in four octets, big-endian, without themselves; one
//! octet of kind; fields. A field is its length in four octets, big-endian, and its octets; text is UTF-8. A list is a
//! field with the number of its elements in four octets, and the elements' fields after it.
//!
//! | request | kind | fields | reply |
//! | --- | --- | --- | --- |
//! | Open | 1 | store, list of shares, secret file or nothing, list of the token's paths, sockets (`1`, or nothing) | Opened |
//! | Sign | 2 | issuer, algorithm, message of at most 256 MiB | Signed |
//! | Reload | 3 | | Keys |
//! | Wipe | 4 | | Wiped, and the end of the process |
//!
//! | reply | kind | fields |
//! | --- | --- | --- |
//! | Opened | 129 | hash of the program, list of holders, sharing, purpose, what is enforced, list of warnings, then as Keys |
//! | Signed | 130 | signature |
//! | Keys | 131 | list of issuers (name, certificate, kind of key: three fields each), list of keys for OpenPGP (name, public key, its octets as they lie in the store), list of faults (name, reason) |
//! | Wiped | 132 | |
//! | Refused | 255 | code, text |
//!
//! A frame that is not so ends the process: its partner is not the one it trusts. So does the end of the input.

mod client;
mod executable;
mod memory;
pub mod message;
mod server;
mod unlock;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use pki::{Certificate, KeyKind, PublicKey};
use serde::Deserialize;

pub use client::{Client, ClientError};
pub(crate) use memory::guard as guard_memory;
pub use server::{main, serve};
pub(crate) use unlock::{ask_people, find as shares_in};

/// What opens the keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Open {
    /// The directory of the encrypted store.
    pub store: PathBuf,
    /// Files of shares, or folders in which they lie; none: the store's own folder. More can be named at the terminal.
    pub shares: Vec<PathBuf>,
    /// A file with the passphrase of a store that one share opens: nobody is asked. For a demo only.
    pub secret_file: Option<PathBuf>,
    /// What the module of a PKCS#11 token needs, if keys are in one.
    pub token: Option<TokenAccess>,
}

/// What the key process may still do for the sake of a PKCS#11 module, once it is confined.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TokenAccess {
    /// Files, folders and devices that the module reads and writes.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
    /// Whether it talks to its device or daemon through sockets.
    #[serde(default)]
    pub sockets: bool,
}

/// What an opening brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The keys.
    pub keys: Keys,
    /// SHA-256 of the program that has them, for the journal.
    pub executable: [u8; 32],
    /// Who gave shares, for the journal.
    pub holders: Vec<String>,
    /// As in "2 of 3".
    pub sharing: String,
    /// Whether one passphrase in a file opened them: whoever copies the disk has the keys.
    pub unattended: bool,
    /// Whether the store was made by a rehearsal: nothing that it signs may be trusted.
    pub rehearsal: bool,
    /// What the kernel enforces on the key process.
    pub enforced: String,
    /// What is not as it should be, such as memory that cannot be locked.
    pub warnings: Vec<String>,
}

/// The CAs whose keys are open.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keys {
    /// By name.
    pub issuers: Vec<IssuerKey>,
    /// Those that certify OpenPGP keys, by name.
    pub pgp: Vec<PgpIssuerKey>,
    /// Keys in the store that cannot be used, and why.
    pub faulty: Vec<(String, String)>,
}

/// One key that certifies OpenPGP keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PgpIssuerKey {
    /// Its name, with which [`Client::sign`] asks for it.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
    /// What lies beside it in the store. The process that has the keys does not look into it.
    pub transferable: Vec<u8>,
}

/// One CA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerKey {
    /// Its name, with which [`Client::sign`] asks for it.
    pub name: String,
    /// Its certificate, which belongs to the key and is a CA's.
    pub certificate: Certificate,
    /// The kind of its key.
    pub kind: KeyKind,
}

/// Why the key process did not do what it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RefusalCode {
    /// The key is of another kind than the algorithm.
    Algorithm,
    /// The keys are open already.
    AlreadyOpen,
    /// The process could not be confined.
    Confinement,
    /// A key could not sign.
    Key,
    /// There is no open key of this name.
    NoSuchIssuer,
    /// The keys are not open.
    NotOpen,
    /// A signature did not verify and was thrown away: suspect the machine.
    SelfCheck,
    /// The store cannot be read.
    Store,
    /// The token does not answer as it should.
    Token,
    /// The shares or passphrases did not open the store.
    Unlock,
}

impl RefusalCode {
    const ALL: [Self; 10] = [
        Self::Algorithm,
        Self::AlreadyOpen,
        Self::Confinement,
        Self::Key,
        Self::NoSuchIssuer,
        Self::NotOpen,
        Self::SelfCheck,
        Self::Store,
        Self::Token,
        Self::Unlock,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm",
            Self::AlreadyOpen => "already-open",
            Self::Confinement => "confinement",
            Self::Key => "key",
            Self::NoSuchIssuer => "no-such-issuer",
            Self::NotOpen => "not-open",
            Self::SelfCheck => "self-check",
            Self::Store => "store",
            Self::Token => "token",
            Self::Unlock => "unlock",
        }
    }
}

impl FromStr for RefusalCode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or(())
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
