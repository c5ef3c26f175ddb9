//! A ledger that was restored from a backup knows less than what is published. An acknowledged revocation is never lost:
//! what stands on the published CRL goes back into the ledger.

use ledger::{ImportedCertificate, Issuer, Ledger, LedgerError};
use pki::crl::Entries;

use super::lists::Lists;

const BATCH: usize = 1000;
pub(super) const ACTOR: &str = "crl-builder";

/// Records in the ledger the published revocations that it has forgotten.
pub(crate) async fn recover(
    ledger: &Ledger,
    issuer: &Issuer,
    published: &Entries,
) -> Result<(), LedgerError> {
    let known = Lists::everything(ledger, &issuer.name).await?;
    let forgotten: Vec<_> = known
        .complete
        .changes_since(published)
        .into_iter()
        .filter(|change| change.after.is_none())
        .filter_map(|change| change.before)
        .collect();
    for batch in forgotten.chunks(BATCH) {
        let batch: Vec<_> = batch.iter().map(ImportedCertificate::from).collect();
        ledger
            .import_certificates(&issuer.name, &batch, ACTOR)
            .await?;
    }
    if !forgotten.is_empty() {
        tracing::warn!(
            issuer = issuer.name,
            revocations = forgotten.len(),
            "the ledger was restored and had forgotten revocations that are published; they were recorded again"
        );
    }
    Ok(())
}
