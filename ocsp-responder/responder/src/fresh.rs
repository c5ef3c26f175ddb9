//! Answers that the presigner signs while a client waits: with the nonce of its request, or about several certificates.
//!
//! Some programs refuse a good certificate when their nonce is not echoed, so they get what they ask for, within a
//! budget for each issuer and for each network of clients. Whoever is above it, or comes while the presigner is away, gets
//! what was signed ahead (OCSP-16). Finding that out costs a look at two numbers: a flood of nonces is answered on the
//! short way, like everything else.

mod bucket;
mod budgets;
mod network;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use live_link::Client;

use crate::FreshConfig;
use crate::cells::FreshOutcome;
use crate::connection::Account;

pub(crate) use bucket::Bucket;
pub(crate) use budgets::Budgets;
pub(crate) use network::Network;

/// One thread's way to the presigner.
#[derive(Debug)]
pub(crate) struct Fresh {
    presigner: Option<Client>,
    budgets: Arc<Budgets>,
}

impl Fresh {
    /// `budgets` is what all threads share.
    pub(crate) fn new(config: &FreshConfig, budgets: Arc<Budgets>) -> Self {
        let deadline = Duration::from_millis(config.deadline_ms);
        let socket = config.socket.clone();
        Self {
            presigner: socket.map(|socket| Client::new(socket, deadline)),
            budgets,
        }
    }

    /// Whether there is a presigner to ask at all.
    pub(crate) fn is_there(&self) -> bool {
        self.presigner.is_some()
    }

    /// Whether asking now is any use; if not, why.
    pub(crate) fn would_ask(&self, issuer: &Bucket, account: &Account) -> Result<(), FreshOutcome> {
        if !self.presigner.as_ref().is_some_and(Client::would_ask) {
            return Err(FreshOutcome::Away);
        }
        let room = self.budgets.have_room(issuer, account.network());
        room.then_some(()).ok_or(FreshOutcome::OverBudget)
    }

    /// Asks for an answer to a request.
    pub(crate) async fn ask(
        &self,
        issuer: &Bucket,
        account: &Account,
        request: &[u8],
    ) -> Result<Bytes, FreshOutcome> {
        let presigner = self.presigner.as_ref().ok_or(FreshOutcome::Away)?;
        if !presigner.would_ask() {
            return Err(FreshOutcome::Away);
        }
        if !self.budgets.take(issuer, account.network()) {
            return Err(FreshOutcome::OverBudget);
        }
        match presigner.ask(request).await {
            live_link::Outcome::Answered(response) => Ok(response),
            live_link::Outcome::Away => Err(FreshOutcome::Away),
            live_link::Outcome::Late => Err(FreshOutcome::Late),
        }
    }
}
