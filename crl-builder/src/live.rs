//! What is published of one issuer.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use pki::crl::Crl;
use pki::{CrlNumber, Time};
use publication::{Publisher, Refusal};

use crate::schedule::Window;

/// The role of the CRL among a manifest's objects.
pub(crate) const CRL_ROLE: &str = "crl";
/// The role of its parts, each of which names its URI.
pub(crate) const PARTITION_ROLE: &str = "crl-partition";
pub(crate) const PARTITION_URI: &str = "uri";

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

/// The parts that a channel holds, by their URIs. One that cannot be read is left out.
pub(crate) fn read_parts(publisher: &Publisher) -> BTreeMap<String, Crl> {
    let manifest = publisher.current().into_iter();
    let parts = manifest.flat_map(|manifest| manifest.objects_of(PARTITION_ROLE));
    parts
        .filter_map(|part| {
            let uri = part.details.get(PARTITION_URI)?;
            let read = publisher
                .object_bytes(part)
                .map_err(|refusal| refusal.to_string())
                .and_then(|der| Crl::from_der(&der).map_err(|violation| violation.to_string()));
            read.inspect_err(|why| tracing::warn!("the part {uri} cannot be read: {why}"))
                .ok()
                .map(|crl| (uri.clone(), crl))
        })
        .collect()
}

/// SHA-256 of a CRL.
pub(crate) fn sha256(der: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, der).as_ref());
    hash
}
