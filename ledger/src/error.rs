//! What can go wrong, and what to do about it.

use std::path::PathBuf;

use pki::Serial;

use crate::audit::AuditFault;

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no ledger.
    #[error("there is no ledger at {}; run `avouch init` first, or point --data at the right directory", path.display())]
    NotInitialised {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The ledger was written by a later version.
    #[error("the ledger {} has schema {found}, this program knows {known}; use the newer version of Avouch", path.display())]
    NewerSchema {
        /// The ledger.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error(
        "the schema of the ledger cannot be brought up to date: {0}; restore the ledger from its backup or report this"
    )]
    Migration(String),
    /// Somebody else holds the write lock.
    #[error(
        "the ledger stayed locked by another process for too long; nothing was written, try again (and look for a process that hangs)"
    )]
    Locked,
    /// No room.
    #[error("the disk that holds the ledger is full; nothing was written, make room and try again")]
    DiskFull,
    /// No right to write.
    #[error("the ledger cannot be written: {0}; check the owner and mode of its directory")]
    ReadOnly(String),
    /// The file is damaged.
    #[error("the ledger is damaged: {0}; stop everything and restore it from its backup")]
    Damaged(String),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Any other failure of the database.
    #[error("the ledger's database failed: {0}")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// No issuer of that name.
    #[error("there is no issuer named {0:?}; `avouch status` lists them")]
    UnknownIssuer(String),
    /// The name, or the CA name and key, is taken.
    #[error("the issuer {0:?} is there already; update it instead of adding it")]
    IssuerExists(String),
    /// The serial number was used before.
    #[error("{issuer} has used the serial number {serial} before; choose another at random")]
    SerialTaken {
        /// Name of the issuer.
        issuer: String,
        /// The serial number.
        serial: Serial,
    },
    /// The key may not be certified any more (I5).
    #[error("this key is known to be compromised; make a new one")]
    KeyBlocked,
    /// The request id was used before.
    #[error("the request id {0} was used before; a signing request needs a fresh one")]
    RequestIdTaken(String),
    /// No certificate with that serial number.
    #[error("{issuer} has issued no certificate with the serial number {serial}")]
    UnknownSerial {
        /// Name of the issuer.
        issuer: String,
        /// The serial number.
        serial: Serial,
    },
    /// The serial number has no open reservation.
    #[error(
        "{issuer} has no open reservation of the serial number {serial}; reserve it before it is signed"
    )]
    NotReserved {
        /// Name of the issuer.
        issuer: String,
        /// The serial number.
        serial: Serial,
    },
    /// What is asked for breaks a rule.
    #[error("{message} ({rule})")]
    Refused {
        /// The rule or field.
        rule: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The audit chain does not hold.
    #[error("{0}")]
    Audit(#[from] AuditFault),
}

impl LedgerError {
    pub(crate) fn refused(rule: &'static str, message: impl Into<String>) -> Self {
        Self::Refused {
            rule,
            message: message.into(),
        }
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::Damaged(message.into())
    }
}
