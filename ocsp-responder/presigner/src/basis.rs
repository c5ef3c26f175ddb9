//! On what the statuses of an issuer rest: on our own records, or on CRLs that somebody else signs.
//!
//! What a CRL says is known for as long as that CRL is valid, and no longer. So no answer about such an issuer ends
//! after it, and when it has ended nothing is signed until the next one is there: the edge then says tryLater (V3).

use ledger::{Issuer, Ledger, LedgerError};
use pki::{Serial, Time};
use tokio::task::spawn_blocking;

use crate::assemble::assemble;
use crate::worker::{Failed, Pending, Step, Worker};

/// An answer that ends sooner than this is not worth signing; the schedule does not give it a window either.
const SHORTEST: i64 = 2;
/// Answers taken out by one publication.
const AT_ONCE: usize = 10_000;

/// Where the statuses of an issuer come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// CRLs of others, none of which has been taken in yet.
    Awaited,
    /// CRLs of others.
    Crls {
        /// Until when they may be relied on.
        ends: Time,
        /// The newest, for people.
        newest: String,
    },
    /// Our own records.
    Ledger,
}

impl Basis {
    /// What the ledger says about it.
    pub(crate) async fn read(ledger: &Ledger, issuer: &Issuer) -> Result<Self, LedgerError> {
        let policy = &issuer.policy.source;
        if !policy.is_followed() {
            return Ok(Self::Ledger);
        }
        let source = ledger.source(&issuer.name).await?;
        Ok(source.map_or(Self::Awaited, |source| {
            let newest = source.newest();
            let number = newest.number.as_ref();
            Self::Crls {
                ends: source.ends(policy),
                newest: match number {
                    Some(number) => format!("number {number} of {}", newest.this_update),
                    None => format!("of {}", newest.this_update),
                },
            }
        }))
    }

    /// When every answer has ended at the latest.
    pub(crate) fn ends(&self) -> Option<Time> {
        match self {
            Self::Crls { ends, .. } => Some(*ends),
            Self::Awaited | Self::Ledger => None,
        }
    }

    /// Whether answers end with something that is not ours.
    pub(crate) fn is_of_others(&self) -> bool {
        *self != Self::Ledger
    }

    /// Why nothing may be signed at `now`, if so.
    pub(crate) fn hindrance(&self, now: Time) -> Option<String> {
        match self {
            Self::Awaited => Some(
                "nothing is signed before its first CRL is taken in; crl-builder fetches it"
                    .to_owned(),
            ),
            Self::Crls { ends, newest } if now.seconds_until(*ends) < SHORTEST => Some(format!(
                "nothing is signed any more: its newest CRL, {newest}, is relied on until {ends}; crl-builder says why \
                 there is none after it"
            )),
            Self::Crls { .. } | Self::Ledger => None,
        }
    }
}

impl Worker {
    /// Takes over what the statuses rest on now.
    pub(crate) fn rest_on(&mut self, basis: Basis) {
        if basis == self.basis {
            return;
        }
        let now = self.shared.clock.now();
        let shrinks = match (self.basis.ends(), basis.ends()) {
            (Some(before), Some(ends)) => ends < before,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        // Everything else is renewed when its time comes.
        self.sweep_wanted |=
            shrinks || self.basis.hindrance(now).is_some() || self.renewal_is_due(now);
        self.schedule = self.schedule.clone().ending(basis.ends());
        self.basis = basis;
        self.withdrawn = false;
        self.told.outdate();
    }

    /// While nothing may be signed: leaves everything to the sweep that comes when it may be again, and takes out what
    /// would outlive its source, as answers may that were signed under another policy.
    pub(crate) async fn hold_back(&mut self) -> Result<Step, Failed> {
        self.pending = Pending::default();
        self.chunk = Default::default();
        self.sweep = None;
        self.sweep_wanted = true;
        let Some(ends) = self.basis.ends().filter(|_| !self.withdrawn) else {
            return Ok(Step::Idle);
        };
        let failed = Failed::at("withdrawing answers");
        let outliving = self.outliving(ends).map_err(|error| failed(error.into()))?;
        for serials in outliving.chunks(AT_ONCE) {
            let (removed, ca) = (serials.to_vec(), self.ca.clone());
            let (rules, now) = (self.rules(), self.shared.clock.now());
            let assembling = spawn_blocking(move || assemble(&[], &removed, &ca, rules, now));
            let assembled = assembling.await.map_err(|error| failed(error.into()))?;
            let (set, _) = assembled.map_err(|error| failed(error.into()))?;
            self.published
                .publish(Some(set), self.settled)
                .await
                .map_err(|error| failed(error.into()))?;
            self.after_publication();
        }
        if !outliving.is_empty() {
            tracing::warn!(
                issuer = self.issuer.name,
                "{} answers were taken out: they would have outlived the CRLs that they rest on",
                outliving.len()
            );
        }
        self.withdrawn = true;
        Ok(Step::Idle)
    }

    fn outliving(&self, ends: Time) -> Result<Vec<Serial>, answers::Damaged> {
        let mut serials = Vec::new();
        for answer in self.published.view().answers_after(None)? {
            let answer = answer?;
            if answer.next_update() > ends {
                serials.push(answer.serial());
            }
        }
        Ok(serials)
    }
}
