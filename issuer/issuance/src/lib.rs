//! From a decided order to a recorded certificate.
//!
//! Who may have which certificate is decided before; this is the one path on which it comes to be:
//!
//! 1. The TBSCertificate is built from the order and its profile, and linted (CERT-33).
//! 2. Serial number and bytes are **reserved** in the ledger, durably, under a fresh request id (V6).
//! 3. The **signer** is asked under that id. It judges for itself.
//! 4. The certificate is **assembled** and **verified** under the CA's certificate.
//! 5. It is **recorded**, which is the event that the makers of OCSP answers and CRLs follow.
//!
//! A crash or an absent signer between 2 and 5 leaves a reservation; [`Issuance::recover`] asks again
//! under the same id, to which the signer gives the same answer, and goes on. A refusal ends the
//! reservation; its serial number stays used.
#![forbid(unsafe_code)]

mod build;
mod complete;
mod error;
mod in_flight;
mod openpgp;
mod order;
mod recover;
mod responder;
mod signer;

use std::sync::Arc;

use ledger::Ledger;
use pki::Clock;
use pki::name_rules::IdnPolicy;
use signer_client::SignerClient;

use in_flight::InFlight;

pub use error::IssuanceError;
pub use openpgp::{PgpCertified, PgpError, PgpIssuance, PgpIssuer, PgpOrder, PgpWaiting};
pub use order::{Issued, Order};
pub use recover::{Recovered, Recovery};
pub use responder::{Found, ResponderOrder};
pub use signer::Signer;

/// Issues certificates; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Issuance<S = SignerClient> {
    ledger: Ledger,
    signer: S,
    clock: Arc<dyn Clock>,
    base_url: Option<String>,
    idn: IdnPolicy,
    in_flight: InFlight,
}

impl<S: Signer> Issuance<S> {
    /// Issues over this ledger and signer.
    pub fn new(ledger: Ledger, signer: S, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger,
            signer,
            clock,
            base_url: None,
            idn: IdnPolicy::default(),
            in_flight: InFlight::default(),
        }
    }

    /// Where OCSP, CRLs and CA certificates are served; needed for profiles whose certificates say so.
    #[must_use]
    pub fn with_base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// Where domain names may mix scripts (I10).
    #[must_use]
    pub fn with_idn_policy(mut self, idn: IdnPolicy) -> Self {
        self.idn = idn;
        self
    }
}

#[cfg(test)]
mod tests;
