//! What all workers share.

use std::path::PathBuf;
use std::sync::Arc;

use hierarchy::BaseUrl;
use ledger::Ledger;
use pki::Clock;
use publication::Trust;
use telemetry::Health;

use crate::{Metrics, PublicationKey};

/// Everything that is not of one issuer.
#[derive(Debug)]
pub struct Shared<S> {
    /// Whether imported CRLs may be signed with SHA-1.
    pub accept_sha1: bool,
    /// The URL under which everything is served; deltas need it.
    pub base_url: Option<BaseUrl>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Where each worker tells how its issuer is.
    pub health: Health,
    /// The directory of imported CRLs.
    pub imported: PathBuf,
    /// The ledger.
    pub ledger: Ledger,
    /// What the daemon tells about itself.
    pub metrics: Metrics,
    /// Whose manifests of OCSP answers count; the CRLs are compared with those.
    pub ocsp_trust: Option<Trust>,
    /// The publication directory.
    pub publication: PathBuf,
    /// Signs the manifests.
    pub publication_key: Arc<PublicationKey>,
    /// Signs the CRLs.
    pub signer: S,
}
