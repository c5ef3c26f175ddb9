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
mod openpgp;
mod order;
mod recover;
mod responder;
mod signer;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::Ledger;
use pki::Clock;
use pki::name_rules::IdnPolicy;
use signer_client::SignerClient;

pub use error::IssuanceError;
pub use openpgp::{PgpCertified, PgpError, PgpIssuance, PgpIssuer, PgpOrder, PgpWaiting};
pub use order::{Issued, Order};
pub use recover::Recovered;
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
    /// The request ids on their way in this process, which recovery leaves alone.
    in_flight: Arc<Mutex<HashSet<[u8; 16]>>>,
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
            in_flight: Arc::default(),
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

    fn in_flight(&self) -> MutexGuard<'_, HashSet<[u8; 16]>> {
        // Nothing panics while it holds the lock, so a poisoned set is a whole one.
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
