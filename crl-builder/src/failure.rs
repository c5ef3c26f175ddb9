//! What went wrong for one issuer. It is tried again; what was published stays.

use ledger::LedgerError;
use pki::{CrlNumber, DerError, Serial, Time, Violation};
use publication::{PublishError, Refusal};
use signer_client::{RefusalCode, SignerError};

use crate::own::GateRefusal;

/// Why there is no new CRL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The ledger cannot be read or written.
    #[error("the ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The CA's certificate in the ledger is no certificate.
    #[error("the CA certificate in the ledger cannot be read: {0}")]
    Certificate(#[from] DerError),
    /// No CRL can be signed any more.
    #[error("{0}")]
    Ended(String),
    /// The signer is away or refuses.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The ledger says something else about a revocation than the signer was told.
    #[error(
        "the ledger says that {serial} was revoked at {ledger}, the signer was told {told} or another reason; what it was \
         told stands for ever (CRL-15): correct the ledger"
    )]
    Contradiction {
        /// Whose.
        serial: Serial,
        /// The date that the signer has.
        told: Time,
        /// The date in the ledger.
        ledger: Time,
    },
    /// What came back from the signer, or was imported, breaks a rule.
    #[error("{what} is not published: {violation}")]
    Unfit {
        /// Which CRL.
        what: String,
        /// The rule.
        violation: Violation,
    },
    /// It is not what should follow the published CRL.
    #[error("{what} is not published: {refusal}")]
    Refused {
        /// Which CRL.
        what: String,
        /// Why.
        refusal: GateRefusal,
    },
    /// The imported CRL cannot be read.
    #[error("{path} cannot be read: {source}")]
    Imported {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The publication cannot be written.
    #[error(transparent)]
    Publication(#[from] PublishError),
    /// What is published cannot be read back.
    #[error("what is published cannot be read: {0}")]
    Published(#[from] Refusal),
}

impl Failure {
    /// The step that failed, for the metric.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            Self::Ledger(_) | Self::Certificate(_) => "ledger",
            Self::Ended(_) => "ended",
            Self::Signer(_) => "signer",
            Self::Unfit { .. } => "verification",
            Self::Refused { .. } | Self::Contradiction { .. } => "gate",
            Self::Imported { .. } => "imported",
            Self::Publication(_) | Self::Published(_) => "publication",
        }
    }

    /// Whether the signer has put together another CRL than the one asked for.
    pub(crate) fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::Signer(SignerError::Refused {
                code: RefusalCode::Diverged,
                ..
            })
        )
    }

    /// The number that the next CRL must be above, if the signer has told it.
    pub(crate) fn above(&self) -> Option<&CrlNumber> {
        match self {
            Self::Signer(SignerError::Refused { above, .. }) => above.as_ref(),
            _ => None,
        }
    }

    /// Whether the signer has signed a higher number than the one asked for.
    pub(crate) fn is_number_too_low(&self) -> bool {
        matches!(
            self,
            Self::Signer(SignerError::Refused {
                code: RefusalCode::CrlNotNewer,
                ..
            })
        )
    }
}
