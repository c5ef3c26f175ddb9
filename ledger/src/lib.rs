//! The ledger: the only truth about what was issued, what was revoked, by whom, on what ground, in what order.
//!
//! Everything else (OCSP answer sets, CRLs) is derived from it and can be rebuilt from it. What it promises:
//!
//! - What a call acknowledged is durable: it survives `kill -9` and power loss (V1).
//! - A serial number is claimed before anything is signed with it, a CRL number before it is used; neither is ever
//!   given out twice (V5, V6).
//! - Every change of what is published is an event with a gapless sequence number, committed with the change
//!   ([`Ledger::changes_after`]).
//! - Every mutation appends to a hash-chained audit record in the same transaction ([`Ledger::verify_audit`]).
//!
//! Several processes may open the same ledger. A consumer keeps the number of the last event it has worked off and is
//! woken by [`Ledger::watch`], but also looks by itself:
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # async fn follow(ledger: ledger::Ledger, mut cursor: u64) -> Result<(), ledger::LedgerError> {
//! let mut watch = ledger.watch();
//! loop {
//!     for change in ledger.changes_after(cursor, 1000).await? {
//!         // … work it off …
//!         cursor = change.seq;
//!     }
//!     watch.changed(Duration::from_secs(5)).await;
//! }
//! # }
//! ```
#![forbid(unsafe_code)]

mod audit;
mod error;
mod model;
mod sqlite;
mod store;
mod watch;

use std::path::Path;
use std::sync::Arc;

use pki::crl::build::CrlEntry;
use pki::{Clock, CrlNumber, Serial, Time};

pub use audit::{AuditFault, AuditRecord, AuditSummary};
pub use error::LedgerError;
pub use model::{
    CertificateRecord, CertificateRow, CertificateState, Change, ChangeKind, Counts, CrlAllowance,
    CrlPolicy, CrlRecord, CrlRow, CrlScope, FollowSummary, Followed, Ground, ImportSummary,
    ImportedCertificate, ImportedStatus, Issuer, IssuerPolicy, IssuerUpdate, KeyPlace, NoncePolicy,
    OcspPolicy, Operator, Origin, PgpRecord, PgpRequest, PgpResult, Reservation, Revocation,
    RevocationRequest, RevokedCertificate, SourceCrl, SourcePolicy, SourceRecord, StatusRow,
    Subjects,
};
pub use sqlite::SqliteStore;
pub use store::{Answer, Store};
pub use watch::Watch;

/// A handle on the ledger; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// Opening.
impl Ledger {
    /// Opens the SQLite ledger at `path`, making it when it is not there.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Ok(Self::over(Arc::new(SqliteStore::open(path).await?), clock))
    }

    /// Opens the SQLite ledger at `path`; an error when it is not there.
    pub async fn open_existing(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Ok(Self::over(
            Arc::new(SqliteStore::open_existing(path).await?),
            clock,
        ))
    }

    /// Opens the SQLite ledger at `path` to look only: every mutation fails. An error when it is not there.
    pub async fn open_read_only(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        Ok(Self::over(
            Arc::new(SqliteStore::open_read_only(path).await?),
            clock,
        ))
    }

    /// The ledger kept by any store.
    pub fn over(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

/// Issuers.
impl Ledger {
    /// Adds an issuer; the number of its event.
    pub async fn add_issuer(&self, issuer: Issuer, actor: &str) -> Result<u64, LedgerError> {
        issuer.validate()?;
        self.store
            .add_issuer(self.clock.now(), &issuer, actor)
            .await
    }

    /// Changes an issuer; the number of its event.
    pub async fn update_issuer(
        &self,
        name: &str,
        update: IssuerUpdate,
        actor: &str,
    ) -> Result<u64, LedgerError> {
        self.store
            .update_issuer(self.clock.now(), name, update, actor)
            .await
    }

    /// All issuers in the order they were added.
    pub async fn issuers(&self) -> Result<Vec<Issuer>, LedgerError> {
        self.store.issuers().await
    }

    /// The issuer of that name.
    pub async fn issuer(&self, name: &str) -> Result<Option<Issuer>, LedgerError> {
        self.store.issuer(name).await
    }
}

/// Issuing: reserve, sign, record.
impl Ledger {
    /// Claims a serial number; durable when this returns, so that nothing is signed before.
    pub async fn reserve_serial(&self, reservation: &Reservation) -> Result<(), LedgerError> {
        self.store
            .reserve_serial(self.clock.now(), reservation)
            .await
    }

    /// Records the certificate made from a reservation; the number of its event. Its TBSCertificate must be the
    /// reserved one, octet for octet. Recording the same certificate again changes nothing.
    pub async fn record_certificate(
        &self,
        issuer: &str,
        serial: &Serial,
        der: &[u8],
    ) -> Result<u64, LedgerError> {
        self.store
            .record_certificate(self.clock.now(), issuer, serial, der)
            .await
    }

    /// Gives up a reservation because the signer refused it. The serial number stays used.
    pub async fn abandon_reservation(
        &self,
        issuer: &str,
        serial: &Serial,
        why: &str,
    ) -> Result<(), LedgerError> {
        self.store
            .abandon_reservation(self.clock.now(), issuer, serial, why)
            .await
    }

    /// Why a reservation was given up; `None` when it was not.
    pub async fn refusal(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<String>, LedgerError> {
        self.store.refusal(issuer, serial).await
    }

    /// Reservations neither recorded nor given up, with their places, oldest first: at most `limit` of those behind
    /// the place `after`. The first place is 1.
    pub async fn pending_reservations(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Reservation)>, LedgerError> {
        self.store.pending_reservations(after, limit).await
    }

    /// A reservation that is neither recorded nor given up.
    pub async fn pending_reservation(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<Reservation>, LedgerError> {
        self.store.pending_reservation(issuer, serial).await
    }

    /// How many there are.
    pub async fn pending_count(&self) -> Result<u64, LedgerError> {
        self.store.pending_count().await
    }
}

/// Revoking and taking over.
impl Ledger {
    /// Revokes a certificate. Revoking it again returns the first record with `already` set; a stronger reason does
    /// not rewrite it, but `keyCompromise` blocks the key in any case.
    pub async fn revoke(&self, request: &RevocationRequest) -> Result<Revocation, LedgerError> {
        request.validate()?;
        if let Some(issuer) = self.issuer(&request.issuer).await? {
            issuer.policy.crl.check_reason(request.reason)?;
        }
        self.store.revoke(self.clock.now(), request).await
    }

    /// Sets a revocation as it was recorded first: the ledger was restored to a state without it, and it was recorded anew
    /// with another date or reason, while others were told of the first one already. A revocation never gets a later date
    /// so; such a `first` is refused.
    pub async fn reinstate_revocation(
        &self,
        issuer: &str,
        first: &CrlEntry,
        actor: &str,
    ) -> Result<(), LedgerError> {
        let now = self.clock.now();
        self.store
            .reinstate_revocation(now, issuer, first, actor)
            .await
    }

    /// Takes certificates over from another CA, in one transaction: batches of some thousands are best. Importing the
    /// same again changes nothing; nothing is ever un-revoked.
    pub async fn import_certificates(
        &self,
        issuer: &str,
        batch: &[ImportedCertificate],
        actor: &str,
    ) -> Result<ImportSummary, LedgerError> {
        self.store
            .import_certificates(self.clock.now(), issuer, batch, actor)
            .await
    }
}

/// Following the CRLs of an issuer whose key is elsewhere ([`SourcePolicy::crl`]).
impl Ledger {
    /// Takes in what its CRLs say anew, in one transaction: batches of some thousands are best, each
    /// certificate once. The same again changes nothing. The CRLs are the authority on what was taken from them before; what was revoked here stays.
    pub async fn follow_crl(
        &self,
        issuer: &str,
        batch: &[Followed],
        actor: &str,
    ) -> Result<FollowSummary, LedgerError> {
        self.store
            .follow_crl(self.clock.now(), issuer, batch, actor)
            .await
    }

    /// Records from which CRLs the statuses are, once everything in them is taken in; the number of its event. From
    /// here on answers may be valid as long as these CRLs are ([`SourceRecord::ends`]).
    pub async fn record_source(
        &self,
        issuer: &str,
        source: &SourceRecord,
        actor: &str,
    ) -> Result<u64, LedgerError> {
        self.store
            .record_source(self.clock.now(), issuer, source, actor)
            .await
    }

    /// The CRLs recorded last; `None` before the first.
    pub async fn source(&self, issuer: &str) -> Result<Option<SourceRecord>, LedgerError> {
        self.store.source(issuer).await
    }
}

/// Looking up. Only issued and imported certificates are found: a reserved serial number has no status yet.
impl Ledger {
    /// Everything known about one certificate.
    pub async fn certificate(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<CertificateRecord>, LedgerError> {
        self.store.certificate(issuer, serial).await
    }

    /// The certificates of all issuers with that serial number.
    pub async fn find_serial(
        &self,
        serial: &Serial,
    ) -> Result<Vec<CertificateRecord>, LedgerError> {
        self.store.find_serial(serial).await
    }

    /// The certificate (DER) that was issued last to the key with this fingerprint. All certificates of the issuer are
    /// looked through for it.
    pub async fn certificate_of_key(
        &self,
        issuer: &str,
        spki_sha256: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        self.store.certificate_of_key(issuer, spki_sha256).await
    }

    /// The status of one certificate; `None` when it was never issued.
    pub async fn status(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<StatusRow>, LedgerError> {
        self.store.status(issuer, serial).await
    }

    /// Statuses in the order of serial numbers, after `after`: a full scan goes page by page.
    pub async fn statuses(
        &self,
        issuer: &str,
        after: Option<Serial>,
        limit: u32,
    ) -> Result<Vec<StatusRow>, LedgerError> {
        self.store.statuses(issuer, after, limit).await
    }

    /// The statuses of all revoked certificates in the order of serial numbers, expired ones included.
    pub async fn revoked_entries(&self, issuer: &str) -> Result<Vec<StatusRow>, LedgerError> {
        self.store.revoked_entries(issuer).await
    }

    /// How many certificates an issuer has.
    pub async fn counts(&self, issuer: &str) -> Result<Counts, LedgerError> {
        self.store.counts(self.clock.now(), issuer).await
    }
}

/// Following.
impl Ledger {
    /// At most `limit` events after `seq`, in order and without a gap.
    pub async fn changes_after(&self, seq: u64, limit: u32) -> Result<Vec<Change>, LedgerError> {
        self.store.changes_after(seq, limit).await
    }

    /// The number of the last event, 0 when there is none.
    pub async fn head(&self) -> Result<u64, LedgerError> {
        self.store.head().await
    }

    /// Something to wait on for the next event.
    pub fn watch(&self) -> Watch {
        Watch::on(self.store.bell())
    }
}

/// CRLs.
impl Ledger {
    /// Claims the next CRL number, above every number ever claimed and above `above`; durable when this returns.
    pub async fn reserve_crl_number(
        &self,
        issuer: &str,
        above: &CrlNumber,
    ) -> Result<CrlNumber, LedgerError> {
        self.store
            .reserve_crl_number(self.clock.now(), issuer, above)
            .await
    }

    /// Records a CRL that was signed. Its number must have been claimed.
    pub async fn record_crl(&self, issuer: &str, crl: &CrlRecord) -> Result<(), LedgerError> {
        self.store.record_crl(self.clock.now(), issuer, crl).await
    }

    /// The certificates revoked by events up to `until` in the order of serial numbers, those after `after` and at most
    /// `limit`; expired ones included.
    pub async fn revoked_after(
        &self,
        issuer: &str,
        after: Option<Serial>,
        until: u64,
        limit: u32,
    ) -> Result<Vec<CrlRow>, LedgerError> {
        self.store.revoked_after(issuer, after, until, limit).await
    }

    /// The revocations by events after `seq` and up to `until`, in their order, with who revoked and why.
    pub async fn revocations_between(
        &self,
        issuer: &str,
        seq: u64,
        until: u64,
    ) -> Result<Vec<RevokedCertificate>, LedgerError> {
        self.store.revocations_between(issuer, seq, until).await
    }

    /// How many certificates are revoked by events up to `until`; expired ones included.
    pub async fn count_revocations(&self, issuer: &str, until: u64) -> Result<u64, LedgerError> {
        self.store.count_revocations(issuer, until).await
    }

    /// The event of one revocation, counted from 0 in the order of events; `None` if there are not so many.
    pub async fn revocation_event(
        &self,
        issuer: &str,
        number: u64,
    ) -> Result<Option<u64>, LedgerError> {
        self.store.revocation_event(issuer, number).await
    }

    /// One certificate as CRLs see it, revoked or not; `None` if it was never issued.
    pub async fn crl_row(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<CrlRow>, LedgerError> {
        self.store.crl_row(issuer, serial).await
    }

    /// The certificates that were revoked, taken over or released by events after `seq` and up to `until`, each once and
    /// as it is now.
    pub async fn changed_between(
        &self,
        issuer: &str,
        seq: u64,
        until: u64,
    ) -> Result<Vec<CrlRow>, LedgerError> {
        self.store.changed_between(issuer, seq, until).await
    }

    /// The revoked certificates whose notAfter (or whose revocation, if that came later) is not before `from` and before
    /// `until`.
    pub async fn ended_between(
        &self,
        issuer: &str,
        from: Time,
        until: Time,
    ) -> Result<Vec<CrlRow>, LedgerError> {
        self.store.ended_between(issuer, from, until).await
    }

    /// The URIs of the partitions that certificates of this issuer name, in the order they came.
    pub async fn crl_partitions(&self, issuer: &str) -> Result<Vec<String>, LedgerError> {
        self.store.crl_partitions(issuer).await
    }

    /// The recorded complete CRL with the highest number.
    pub async fn last_crl(&self, issuer: &str) -> Result<Option<CrlRecord>, LedgerError> {
        self.store.last_crl(issuer).await
    }

    /// The recorded complete CRL with this number.
    pub async fn numbered_crl(
        &self,
        issuer: &str,
        number: &CrlNumber,
    ) -> Result<Option<CrlRecord>, LedgerError> {
        self.store.numbered_crl(issuer, number).await
    }
}

/// Comparing with the signer's log.
impl Ledger {
    /// Every certificate of an issuer in the order of serial numbers, those after `after` and at most `limit`: issued,
    /// taken over, waiting for the signer, or given up.
    pub async fn certificate_rows(
        &self,
        issuer: &str,
        after: Option<Serial>,
        limit: u32,
    ) -> Result<Vec<CertificateRow>, LedgerError> {
        self.store.certificate_rows(issuer, after, limit).await
    }

    /// One of them.
    pub async fn certificate_row(
        &self,
        issuer: &str,
        serial: &Serial,
    ) -> Result<Option<CertificateRow>, LedgerError> {
        self.store.certificate_row(issuer, serial).await
    }

    /// Every CRL of an issuer that was recorded, by scope and number, those after `after` and at most `limit`.
    pub async fn crl_records(
        &self,
        issuer: &str,
        after: Option<&(CrlScope, CrlNumber)>,
        limit: u32,
    ) -> Result<Vec<CrlRecord>, LedgerError> {
        self.store.crl_records(issuer, after, limit).await
    }
}

/// Certifications of user ids of OpenPGP keys (I13).
impl Ledger {
    /// Records what is going to be asked of the signer, before it is asked.
    pub async fn reserve_pgp(&self, request: &PgpRequest) -> Result<(), LedgerError> {
        self.store.reserve_pgp(self.clock.now(), request).await
    }

    /// Records what came of it. The same again changes nothing.
    pub async fn finish_pgp(
        &self,
        request_id: &[u8; 16],
        result: &PgpResult,
    ) -> Result<(), LedgerError> {
        self.store
            .finish_pgp(self.clock.now(), request_id, result)
            .await
    }

    /// What has been asked of the signer and has no answer yet.
    pub async fn pending_pgp(&self) -> Result<Vec<PgpRecord>, LedgerError> {
        self.store.pending_pgp().await
    }

    /// All that was asked about the key with this fingerprint.
    pub async fn pgp_of_key(&self, key: &[u8; 20]) -> Result<Vec<PgpRecord>, LedgerError> {
        self.store.pgp_of_key(key).await
    }

    /// All that was asked, in that order, after the record `after`.
    pub async fn pgp_records(&self, after: u64, limit: u32) -> Result<Vec<PgpRecord>, LedgerError> {
        self.store.pgp_records(after, limit).await
    }
}

/// What only two operators together may allow.
impl Ledger {
    /// Adds an operator, whose signature counts from now on.
    pub async fn add_operator(&self, operator: &Operator, actor: &str) -> Result<(), LedgerError> {
        operator.validate()?;
        self.store
            .add_operator(self.clock.now(), operator, actor)
            .await
    }

    /// All operators, by name.
    pub async fn operators(&self) -> Result<Vec<Operator>, LedgerError> {
        self.store.operators().await
    }

    /// Records that an operator allows a CRL that was refused; how many different operators allow it now.
    pub async fn allow_crl(&self, allowance: &CrlAllowance) -> Result<usize, LedgerError> {
        let operators = self.operators().await?;
        let operator = operators
            .iter()
            .find(|operator| operator.name == allowance.operator)
            .ok_or_else(|| {
                LedgerError::refused(
                    "operator",
                    format!(
                        "there is no operator {}; `avouch operator add` adds one",
                        allowance.operator
                    ),
                )
            })?;
        let now = self.clock.now();
        allowance.verify(operator, now)?;
        self.store.allow_crl(now, allowance).await?;
        self.crl_allowed_by(&allowance.issuer, &allowance.refusal)
            .await
    }

    /// How many different operators allow a refused CRL now; each signature is verified again.
    pub async fn crl_allowed_by(&self, issuer: &str, refusal: &str) -> Result<usize, LedgerError> {
        let operators = self.operators().await?;
        let now = self.clock.now();
        let allowances = self.store.crl_allowances(issuer, refusal).await?;
        let valid = |allowance: &&CrlAllowance| {
            operators
                .iter()
                .any(|operator| allowance.verify(operator, now).is_ok())
        };
        Ok(allowances.iter().filter(valid).count())
    }
}

/// Keys that may not be certified (I5).
impl Ledger {
    /// Whether a key is blocked; by the SHA-256 of its SubjectPublicKeyInfo, DER.
    pub async fn is_key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, LedgerError> {
        self.store.is_key_blocked(spki_sha256).await
    }

    /// Blocks a key for ever.
    pub async fn block_key(
        &self,
        spki_sha256: &[u8; 32],
        why: &str,
        actor: &str,
    ) -> Result<(), LedgerError> {
        self.store
            .block_key(self.clock.now(), spki_sha256, why, actor)
            .await
    }
}

/// Audit.
impl Ledger {
    /// At most `limit` audit records after `id`, for export.
    pub async fn audit_records(
        &self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, LedgerError> {
        self.store.audit_records(after, limit).await
    }

    /// Checks every hash of the audit chain, that every event is covered by it, and that issued certificates and
    /// revocations are still what it says.
    pub async fn verify_audit(&self) -> Result<AuditSummary, LedgerError> {
        self.store.verify_audit().await
    }
}
