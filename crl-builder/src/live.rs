//! What is published of one issuer.

use aws_lc_rs::digest::{SHA256, digest};
use pki::crl::Crl;
use pki::{CrlNumber, Time};
use publication::{Publisher, Refusal};

use crate::schedule::Window;

/// The role of the CRL among a manifest's objects.
pub(crate) const CRL_ROLE: &str = "crl";

/// A published CRL.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) number: Option<CrlNumber>,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
    pub(crate) sha256: [u8; 32],
    /// The event of the ledger it holds everything up to.
    pub(crate) as_of: u64,
}

impl Live {
    /// What this CRL is once it is published.
    pub(crate) fn of(crl: &Crl, as_of: u64) -> Self {
        Self {
            number: crl.number().cloned(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            sha256: sha256(crl.der()),
            as_of,
        }
    }

    pub(crate) fn window(&self) -> Option<Window> {
        Some(Window {
            this_update: self.this_update,
            next_update: self.next_update?,
            as_of: self.as_of,
        })
    }
}

/// The CRL that a channel holds, and its `as_of`; `None` if there is none or it is no CRL.
pub(crate) fn read(publisher: &Publisher) -> Result<Option<(Crl, u64)>, Refusal> {
    let Some(manifest) = publisher.current() else {
        return Ok(None);
    };
    let Some(object) = manifest.object(CRL_ROLE) else {
        return Ok(None);
    };
    let crl = match Crl::from_der(&publisher.object_bytes(object)?) {
        Ok(crl) => crl,
        Err(violation) => {
            tracing::warn!(
                "what channel {} holds is no CRL and will be replaced: {violation}",
                publisher.channel()
            );
            return Ok(None);
        }
    };
    Ok(Some((crl, manifest.as_of)))
}

/// SHA-256 of a CRL.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, der).as_ref());
    hash
}
