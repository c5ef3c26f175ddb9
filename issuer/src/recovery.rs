//! Finishes what a crash or an absent signer left, at the start and then again and again.

use std::time::Duration;

use issuance::{Issuance, IssuanceError, PgpIssuance, Recovered, Signer};
use telemetry::Stopper;

use crate::metrics::Metrics;

/// How often is looked for requests that wait for the signer.
const PERIOD: Duration = Duration::from_secs(5);

/// Runs until the daemon stops. Neither kind of request waits for the other.
pub(crate) async fn run<S: Signer>(
    issuance: Issuance<S>,
    openpgp: PgpIssuance,
    metrics: Metrics,
    stop: Stopper,
) {
    let both = async {
        tokio::join!(
            certificates(&issuance, &metrics),
            user_ids(&openpgp, &metrics)
        )
    };
    stop.run_until_stopped(both).await;
}

async fn certificates<S: Signer>(issuance: &Issuance<S>, metrics: &Metrics) {
    let mut after = 0;
    loop {
        let answered;
        (after, answered) = match issuance.recover(after).await {
            Ok(found) => (found.next, tell(found.items, metrics)),
            Err(error) => {
                tracing::error!("requests that wait for the signer cannot be looked up: {error}");
                (0, false)
            }
        };
        match issuance.waiting().await {
            Ok(waiting) => metrics.pending("certificate", waiting),
            Err(error) => {
                tracing::error!("requests that wait for the signer cannot be counted: {error}");
            }
        }
        // What is left over follows at once, unless the signer is away.
        if after == 0 || !answered {
            tokio::time::sleep(PERIOD).await;
        }
    }
}

/// Whether the signer has answered any of them.
fn tell(items: Vec<Recovered>, metrics: &Metrics) -> bool {
    let mut answered = false;
    for Recovered {
        issuer,
        serial,
        outcome,
    } in items
    {
        answered |= !matches!(outcome, Err(IssuanceError::SignerAway { .. }));
        match outcome {
            Ok(issued) => {
                metrics.issued(&issued.profile);
                tracing::info!(issuer, %serial, "finished a request that waited");
            }
            Err(IssuanceError::SignerAway { .. }) => {}
            Err(error) => tracing::error!(issuer, %serial, "a request that waited: {error}"),
        }
    }
    answered
}

/// The same for user ids of OpenPGP keys.
async fn user_ids(openpgp: &PgpIssuance, metrics: &Metrics) {
    loop {
        match openpgp.recover().await {
            Ok(found) => {
                for key in found.finished {
                    tracing::info!(key, "finished a request that waited");
                }
                for (key, error) in found.failed {
                    tracing::error!(key, "a request that waited: {error}");
                }
                metrics.pending("openpgp", found.waiting as u64);
            }
            Err(error) => {
                tracing::error!("requests that wait for the signer cannot be looked up: {error}");
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}
