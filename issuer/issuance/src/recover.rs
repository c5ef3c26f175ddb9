//! Finishing what a crash or an absent signer left.

use futures_util::{StreamExt as _, stream};
use ledger::Reservation;
use pki::Serial;

use crate::complete::read_ca;
use crate::{Issuance, IssuanceError, Issued, Signer};

/// Reservations looked at in one step, so that memory does not grow with an outage.
pub(crate) const PAGE: u32 = 256;

/// Requests on their way to the signer at once: enough to keep its line full.
const AT_ONCE: usize = 64;

/// What one step found.
#[derive(Debug)]
pub struct Recovery {
    /// What became of the reservations, in the order in which it was known.
    pub items: Vec<Recovered>,
    /// Where the next step begins; 0, at the beginning, after the last reservation.
    pub next: u64,
}

/// What became of one reservation.
#[derive(Debug)]
pub struct Recovered {
    /// The issuer.
    pub issuer: String,
    /// The serial number.
    pub serial: Serial,
    /// The certificate, or why there is none (yet).
    pub outcome: Result<Issued, IssuanceError>,
}

impl<S: Signer> Issuance<S> {
    /// Asks the signer again for some reservations that were neither recorded nor given up, except those on their way
    /// in this process. To be called at the start with 0, then with [`Recovery::next`], and again while
    /// [`IssuanceError::SignerAway`] is among the outcomes. One bad reservation never stops the next (V12). It is safe
    /// beside other processes: the signer gives the same answer to the same id, and recording twice changes nothing.
    pub async fn recover(&self, after: u64) -> Result<Recovery, IssuanceError> {
        let page = self.ledger.pending_reservations(after, PAGE).await?;
        let full = page.len() == PAGE as usize;
        let next = page.last().filter(|_| full).map_or(0, |(place, _)| *place);
        let items = stream::iter(page)
            .map(|(_, reservation)| self.recover_one(reservation))
            .buffer_unordered(AT_ONCE)
            .filter_map(async |item| item)
            .collect()
            .await;
        Ok(Recovery { items, next })
    }

    /// How many reservations wait for the signer and nobody in this process waits for them.
    pub async fn waiting(&self) -> Result<u64, IssuanceError> {
        let pending = self.ledger.pending_count().await?;
        Ok(pending.saturating_sub(self.in_flight.len() as u64))
    }

    async fn recover_one(&self, reservation: Reservation) -> Option<Recovered> {
        if self.in_flight.contains(&reservation.request_id) {
            return None;
        }
        let outcome = match self.issuer(&reservation.issuer).await {
            Ok(issuer) => match read_ca(&issuer) {
                Ok(ca) => self.complete(&reservation, &issuer, &ca).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        Some(Recovered {
            issuer: reservation.issuer,
            serial: reservation.serial,
            outcome,
        })
    }
}
