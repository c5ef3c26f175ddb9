//! The seam between the ledger and a database.
//!
//! A store makes each mutation atomic and durable: state, change events and audit record together, or nothing. It gets
//! values that [`Ledger`](crate::Ledger) has validated, and the time from the ledger's clock. Every store passes the
//! same tests (`tests/store_suite.rs`).

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use pki::crl::build::CrlEntry;
use pki::{CrlNumber, Serial, Time};

use crate::audit::{AuditRecord, AuditSummary};
use crate::error::LedgerError;
use crate::model::{
    CertificateRecord, CertificateRow, Change, Counts, CrlAllowance, CrlRecord, CrlRow, CrlScope,
    FollowSummary, Followed, ImportSummary, ImportedCertificate, Issuer, IssuerUpdate, Operator,
    PgpRecord, PgpRequest, PgpResult, Reservation, Revocation, RevocationRequest,
    RevokedCertificate, SourceRecord, StatusRow,
};

/// What a store's operation returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// A database that keeps the ledger. The operations are those of [`Ledger`](crate::Ledger), where they are described.
pub trait Store: fmt::Debug + Send + Sync {
    /// Adds an issuer; its event.
    fn add_issuer<'a>(&'a self, at: Time, issuer: &'a Issuer, actor: &'a str) -> Answer<'a, u64>;
    /// Updates an issuer; its event.
    fn update_issuer<'a>(
        &'a self,
        at: Time,
        name: &'a str,
        update: IssuerUpdate,
        actor: &'a str,
    ) -> Answer<'a, u64>;
    /// All issuers in the order they were added.
    fn issuers(&self) -> Answer<'_, Vec<Issuer>>;
    /// One issuer.
    fn issuer<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Issuer>>;

    /// Claims a serial number.
    fn reserve_serial<'a>(&'a self, at: Time, reservation: &'a Reservation) -> Answer<'a, ()>;
    /// Records the certificate of a reservation; its event.
    fn record_certificate<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        serial: &'a Serial,
        der: &'a [u8],
    ) -> Answer<'a, u64>;
    /// Gives up a reservation.
    fn abandon_reservation<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        serial: &'a Serial,
        why: &'a str,
    ) -> Answer<'a, ()>;
    /// Why a reservation was given up.
    fn refusal<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<String>>;
    /// Reservations neither recorded nor given up, behind a place.
    fn pending_reservations(&self, after: u64, limit: u32) -> Answer<'_, Vec<(u64, Reservation)>>;
    /// One of them.
    fn pending_reservation<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<Reservation>>;
    /// How many there are.
    fn pending_count(&self) -> Answer<'_, u64>;

    /// Revokes a certificate.
    fn revoke<'a>(&'a self, at: Time, request: &'a RevocationRequest) -> Answer<'a, Revocation>;
    /// Sets a revocation as it was recorded first.
    fn reinstate_revocation<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        first: &'a CrlEntry,
        actor: &'a str,
    ) -> Answer<'a, ()>;
    /// Takes certificates over.
    fn import_certificates<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        batch: &'a [ImportedCertificate],
        actor: &'a str,
    ) -> Answer<'a, ImportSummary>;

    /// Takes in what the CRLs of an issuer say.
    fn follow_crl<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        batch: &'a [Followed],
        actor: &'a str,
    ) -> Answer<'a, FollowSummary>;
    /// Records the CRLs that were taken in; its event.
    fn record_source<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        source: &'a SourceRecord,
        actor: &'a str,
    ) -> Answer<'a, u64>;
    /// The CRLs that were taken in last.
    fn source<'a>(&'a self, issuer: &'a str) -> Answer<'a, Option<SourceRecord>>;

    /// Everything about one certificate.
    fn certificate<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<CertificateRecord>>;
    /// The certificates of all issuers with that serial number.
    fn find_serial<'a>(&'a self, serial: &'a Serial) -> Answer<'a, Vec<CertificateRecord>>;
    /// The certificate (DER) that was issued last to this key.
    fn certificate_of_key<'a>(
        &'a self,
        issuer: &'a str,
        spki_sha256: &'a [u8; 32],
    ) -> Answer<'a, Option<Vec<u8>>>;
    /// Status of one certificate.
    fn status<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<StatusRow>>;
    /// Statuses in the order of serial numbers, after `after`.
    fn statuses<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        limit: u32,
    ) -> Answer<'a, Vec<StatusRow>>;
    /// Statuses of all revoked certificates in the order of serial numbers.
    fn revoked_entries<'a>(&'a self, issuer: &'a str) -> Answer<'a, Vec<StatusRow>>;
    /// The certificates revoked by events up to `until` in the order of serial numbers, after `after`.
    fn revoked_after<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        until: u64,
        limit: u32,
    ) -> Answer<'a, Vec<CrlRow>>;
    /// The revocations by events after `seq` and up to `until`, in their order.
    fn revocations_between<'a>(
        &'a self,
        issuer: &'a str,
        seq: u64,
        until: u64,
    ) -> Answer<'a, Vec<RevokedCertificate>>;
    /// How many revocations there are by events up to `until`.
    fn count_revocations<'a>(&'a self, issuer: &'a str, until: u64) -> Answer<'a, u64>;
    /// The event of one revocation, counted from 0 in the order of events.
    fn revocation_event<'a>(&'a self, issuer: &'a str, number: u64) -> Answer<'a, Option<u64>>;
    /// One certificate as CRLs see it.
    fn crl_row<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<CrlRow>>;
    /// The certificates that events after `seq` and up to `until` are about, as they are now.
    fn changed_between<'a>(
        &'a self,
        issuer: &'a str,
        seq: u64,
        until: u64,
    ) -> Answer<'a, Vec<CrlRow>>;
    /// The revoked certificates whose time on CRLs ended from `from` on and before `until`.
    fn ended_between<'a>(
        &'a self,
        issuer: &'a str,
        from: Time,
        until: Time,
    ) -> Answer<'a, Vec<CrlRow>>;
    /// The URIs of the partitions.
    fn crl_partitions<'a>(&'a self, issuer: &'a str) -> Answer<'a, Vec<String>>;
    /// How many there are at `now`.
    fn counts<'a>(&'a self, now: Time, issuer: &'a str) -> Answer<'a, Counts>;

    /// Events after `seq`.
    fn changes_after(&self, seq: u64, limit: u32) -> Answer<'_, Vec<Change>>;
    /// The last event, 0 when there is none.
    fn head(&self) -> Answer<'_, u64>;

    /// Claims a CRL number.
    fn reserve_crl_number<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        above: &'a CrlNumber,
    ) -> Answer<'a, CrlNumber>;
    /// Records a CRL.
    fn record_crl<'a>(&'a self, at: Time, issuer: &'a str, crl: &'a CrlRecord) -> Answer<'a, ()>;
    /// The recorded CRL with the highest number.
    fn last_crl<'a>(&'a self, issuer: &'a str) -> Answer<'a, Option<CrlRecord>>;
    /// The recorded CRL with this number.
    fn numbered_crl<'a>(
        &'a self,
        issuer: &'a str,
        number: &'a CrlNumber,
    ) -> Answer<'a, Option<CrlRecord>>;

    /// Every certificate of an issuer in the order of serial numbers, after `after`.
    fn certificate_rows<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        limit: u32,
    ) -> Answer<'a, Vec<CertificateRow>>;
    /// One of them.
    fn certificate_row<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<CertificateRow>>;
    /// Every CRL that was recorded, by scope and number, after `after`.
    fn crl_records<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<&'a (CrlScope, CrlNumber)>,
        limit: u32,
    ) -> Answer<'a, Vec<CrlRecord>>;

    /// Records a certification that is going to be asked for.
    fn reserve_pgp<'a>(&'a self, at: Time, request: &'a PgpRequest) -> Answer<'a, ()>;
    /// Records what came of it.
    fn finish_pgp<'a>(
        &'a self,
        at: Time,
        request_id: &'a [u8; 16],
        result: &'a PgpResult,
    ) -> Answer<'a, ()>;
    /// Those that nothing came of yet.
    fn pending_pgp(&self) -> Answer<'_, Vec<PgpRecord>>;
    /// Those of one key.
    fn pgp_of_key<'a>(&'a self, key: &'a [u8; 20]) -> Answer<'a, Vec<PgpRecord>>;
    /// All of them, after `after`.
    fn pgp_records(&self, after: u64, limit: u32) -> Answer<'_, Vec<PgpRecord>>;

    /// Adds an operator.
    fn add_operator<'a>(
        &'a self,
        at: Time,
        operator: &'a Operator,
        actor: &'a str,
    ) -> Answer<'a, ()>;
    /// All operators, by name.
    fn operators(&self) -> Answer<'_, Vec<Operator>>;
    /// Records a permission; a newer one of the same operator replaces it.
    fn allow_crl<'a>(&'a self, at: Time, allowance: &'a CrlAllowance) -> Answer<'a, ()>;
    /// The permissions for a refusal.
    fn crl_allowances<'a>(
        &'a self,
        issuer: &'a str,
        refusal: &'a str,
    ) -> Answer<'a, Vec<CrlAllowance>>;

    /// Whether a key may not be certified.
    fn is_key_blocked<'a>(&'a self, spki_sha256: &'a [u8; 32]) -> Answer<'a, bool>;
    /// Forbids a key.
    fn block_key<'a>(
        &'a self,
        at: Time,
        spki_sha256: &'a [u8; 32],
        why: &'a str,
        actor: &'a str,
    ) -> Answer<'a, ()>;

    /// Audit records after `id`.
    fn audit_records(&self, after: u64, limit: u32) -> Answer<'_, Vec<AuditRecord>>;
    /// Checks the whole audit chain against the state.
    fn verify_audit(&self) -> Answer<'_, AuditSummary>;

    /// A file that changes after each commit of any process, for [`crate::Watch`]; `None` when the store has none.
    fn bell(&self) -> Option<PathBuf>;
}
