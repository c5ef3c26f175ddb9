//! Finishes what a crash or an absent signer left, at the start and then again and again.

use std::time::Duration;

use issuance::{Issuance, IssuanceError, PgpIssuance, Signer};
use telemetry::Stopper;

use crate::metrics::Metrics;

/// How often is looked for requests that wait for the signer.
const PERIOD: Duration = Duration::from_secs(5);

pub(crate) async fn run<S: Signer>(
    issuance: Issuance<S>,
    openpgp: PgpIssuance,
    metrics: Metrics,
    stop: Stopper,
) {
    while stop
        .run_until_stopped(pass(&issuance, &openpgp, &metrics))
        .await
        .is_some()
    {
        if stop
            .run_until_stopped(tokio::time::sleep(PERIOD))
            .await
            .is_none()
        {
            return;
        }
    }
}

async fn pass<S: Signer>(issuance: &Issuance<S>, openpgp: &PgpIssuance, metrics: &Metrics) {
    let recovered = match issuance.recover().await {
        Ok(recovered) => recovered,
        Err(error) => {
            tracing::error!("requests that wait for the signer cannot be looked up: {error}");
            return;
        }
    };
    let mut waiting = 0;
    for item in recovered {
        match item.outcome {
            Ok(issued) => {
                metrics.issued(&issued.profile);
                tracing::info!(issuer = item.issuer, serial = %item.serial, "finished a request that waited");
            }
            Err(IssuanceError::SignerAway { .. }) => waiting += 1,
            Err(error) => {
                tracing::error!(issuer = item.issuer, serial = %item.serial, "a request that waited: {error}");
            }
        }
    }
    metrics.pending(waiting + openpgp_pass(openpgp).await);
}

/// The same for user ids of OpenPGP keys; how many still wait.
async fn openpgp_pass(openpgp: &PgpIssuance) -> usize {
    match openpgp.recover().await {
        Ok(found) => {
            for key in found.finished {
                tracing::info!(key, "finished a request that waited");
            }
            for (key, error) in found.failed {
                tracing::error!(key, "a request that waited: {error}");
            }
            found.waiting
        }
        Err(error) => {
            tracing::error!("requests that wait for the signer cannot be looked up: {error}");
            0
        }
    }
}
