//! What a caller can get instead of a signature.

use std::time::Duration;

use pki::CrlNumber;
use wire::local::{CableState, HostState};
use wire::{RefusalCode, Refused, WireError};

use crate::connection::CallError;

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The signer judged the request and refused it. It must not be sent again.
    #[error("the signer refused {field} ({code}): {message}")]
    Refused {
        /// The kind of reason.
        code: RefusalCode,
        /// The part of the request that is refused.
        field: String,
        /// What was found, and the rule.
        message: String,
        /// Of a CRL whose number does not rise: the number that it must be above.
        above: Option<CrlNumber>,
    },
    /// There was no answer. The same request, with the same id, is to be sent again later.
    #[error("the signer gives no answer: {0}")]
    Unavailable(String),
}

impl SignerError {
    /// With what `host` says about signers that get no requests.
    pub(crate) fn late(deadline: Duration, host: Option<&HostState>) -> Self {
        let mut text = format!("nothing within {} s", deadline.as_secs_f32());
        if let Some(HostState {
            active: None,
            cables,
            ..
        }) = host
        {
            for CableState { reason, .. } in cables {
                text.push_str("; ");
                text.push_str(reason);
            }
        }
        Self::Unavailable(text)
    }

    pub(crate) fn busy(deadline: Duration) -> Self {
        Self::Unavailable(format!(
            "signer-host has been busy for {} s; `avouch signer state` and its log say why",
            deadline.as_secs_f32()
        ))
    }

    pub(crate) fn unsendable(error: WireError) -> Self {
        Self::Refused {
            code: RefusalCode::Malformed,
            field: "request".to_owned(),
            message: error.to_string(),
            above: None,
        }
    }
}

impl From<Refused> for SignerError {
    fn from(refused: Refused) -> Self {
        Self::Refused {
            code: refused.code,
            field: refused.field,
            message: refused.message,
            above: refused.above,
        }
    }
}

impl From<CallError> for SignerError {
    fn from(error: CallError) -> Self {
        Self::Unavailable(match error {
            CallError::Broken(reason) => reason,
            CallError::InProgress => "the same request is on its way already".to_owned(),
        })
    }
}
