//! What can go wrong with a key, and with a store of keys.

use std::io;
use std::path::{Path, PathBuf};

use pki::{KeyKind, SignatureAlgorithm};

use crate::{ShareError, Sharing};

/// Why a private key could not be read, made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is of another kind than the algorithm asked for.
    #[error("a {key} key cannot sign with {algorithm}; ask for an algorithm of its kind")]
    AlgorithmMismatch {
        /// The key's kind.
        key: KeyKind,
        /// What was asked for.
        algorithm: SignatureAlgorithm,
    },
    /// The cryptographic library refused.
    #[error("the cryptographic library failed while {0}")]
    Crypto(&'static str),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// PEM encryption of the time before PKCS#8 (`Proc-Type: 4,ENCRYPTED`): unsalted MD5 of the passphrase.
    #[error(
        "the key is encrypted in the legacy PEM form, which is weak and not read; convert it: \
         openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem"
    )]
    LegacyEncryption,
    /// Broken PEM or DER.
    #[error("not a private key that can be read: {0}")]
    Malformed(String),
    /// No private key in the text.
    #[error("no private key in it (found: {found}); expected a PEM block such as \"PRIVATE KEY\"")]
    NoPrivateKey {
        /// The labels of the blocks that were there, or "no PEM block".
        found: String,
    },
    /// Encrypted, and no passphrase was given.
    #[error("the key is encrypted; give its passphrase")]
    PassphraseNeeded,
    /// The key is in a token and cannot be copied.
    #[error("the key is in a PKCS#11 token and never leaves it")]
    StaysInToken,
    /// A PKCS#11 token did not do what it was asked.
    #[error(
        "the PKCS#11 token {token:?} failed at {doing}: {reason}; see that it is connected, and that module, token and \
         pin_file are right"
    )]
    Token {
        /// Its label.
        token: String,
        /// What it was asked.
        doing: &'static str,
        /// What the module said.
        reason: String,
    },
    /// A signature that this key made did not verify; it was not released.
    #[error(
        "a signature just made does not verify and was thrown away; suspect the machine's memory or processor"
    )]
    SelfCheck,
    /// More than one private key in the text.
    #[error("{0} private keys in one text; give one")]
    Several(usize),
    /// A key of a kind or size that is not used here.
    #[error(
        "unsupported key: {0}; supported are RSA of 2048 to 8192 bits, P-256, P-384, P-521, Ed25519 and ML-DSA-65"
    )]
    Unsupported(String),
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key (or the key's encryption is damaged)")]
    WrongPassphrase,
}

impl KeyError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// Why a store of encrypted keys could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The shares are whole, but what they give is not the key of this store.
    #[error(
        "{path}: the shares of {holders} do not give the key of this store; one of them, or the store's header, was made \
         wrongly or exchanged: try other shares, or restore the header from a copy",
        path = path.display()
    )]
    Commitment {
        /// The header.
        path: PathBuf,
        /// Whose shares they are.
        holders: String,
    },
    /// There is a store or a key of this name already.
    #[error("{path}: is there already; keys are never overwritten", path = .0.display())]
    Exists(PathBuf),
    /// The store is open, but this file does not open; or its header is not one.
    #[error(
        "{path}: {reason}; the file was altered, damaged or renamed: restore it from a copy",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key file whose header names another store.
    #[error(
        "{path}: made in another key store, under another key; import the key itself into this one",
        path = .0.display()
    )]
    ForeignKey(PathBuf),
    /// The key inside could not be used.
    #[error("{path}: {source}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        source: KeyError,
    },
    /// A name that cannot be a file name here.
    #[error(
        "{0:?} is no name for a key: 1 to 64 of a-z, 0-9, \"-\" and \"_\", starting with a letter or digit"
    )]
    Name(String),
    /// There is no store in the directory.
    #[error("{path}: no key store there; make one with `avouch init` or `signer ceremony`", path = .0.display())]
    NoStore(PathBuf),
    /// There is no key of this name.
    #[error("{path}: no such key in the store", path = .0.display())]
    NotFound(PathBuf),
    /// A share does not help.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Not enough shares.
    #[error("{path}: {sharing} shares open this key store, {given} were given", path = path.display())]
    SharesMissing {
        /// The store.
        path: PathBuf,
        /// How many are needed.
        sharing: Sharing,
        /// How many were given.
        given: usize,
    },
    /// A format or parameter of another version.
    #[error("{path}: {reason}", path = path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not understood.
        reason: String,
    },
    /// The passphrase is not the one the store was made with.
    #[error("{path}: wrong passphrase for this key store", path = .0.display())]
    WrongPassphrase(PathBuf),
}

impl StoreError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(crate) fn key(path: &Path) -> impl FnOnce(KeyError) -> Self {
        let path = path.to_owned();
        move |source| Self::Key { path, source }
    }
}
