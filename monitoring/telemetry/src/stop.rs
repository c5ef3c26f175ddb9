//! The one signal that tells every task of a daemon to finish.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Cancelled once, by SIGTERM or SIGINT or by the daemon itself; clones see the same state.
#[derive(Clone, Debug, Default)]
pub struct Stopper(CancellationToken);

impl Stopper {
    /// A stopper that nothing has stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody to finish.
    pub fn stop(&self) {
        self.0.cancel();
    }

    /// Waits until somebody called [`Stopper::stop`].
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Whether somebody called [`Stopper::stop`].
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Runs a future until it is done (`Some`) or the daemon stops (`None`; the future is dropped).
    pub async fn run_until_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.run_until_cancelled(future).await
    }
}
