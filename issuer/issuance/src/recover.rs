//! Finishing what a crash or an absent signer left.

use pki::Serial;

use crate::complete::read_ca;
use crate::{Issuance, IssuanceError, Issued, Signer};

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
    /// Asks the signer again for every reservation that was neither recorded nor given up, except
    /// those on their way in this process. To be called at the start and again while
    /// [`IssuanceError::SignerAway`] is among the outcomes. One bad reservation never stops the next
    /// (V12). It is safe beside other processes: the signer gives the same answer to the same id, and
    /// recording twice changes nothing.
    pub async fn recover(&self) -> Result<Vec<Recovered>, IssuanceError> {
        let mut done = Vec::new();
        for reservation in self.ledger.pending_reservations().await? {
            if self.in_flight.contains(&reservation.request_id) {
                continue;
            }
            let outcome = match self.issuer(&reservation.issuer).await {
                Ok(issuer) => match read_ca(&issuer) {
                    Ok(ca) => self.complete(&reservation, &issuer, &ca).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            done.push(Recovered {
                issuer: reservation.issuer,
                serial: reservation.serial,
                outcome,
            });
        }
        Ok(done)
    }
}
