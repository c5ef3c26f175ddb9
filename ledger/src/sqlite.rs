//! The ledger in an SQLite database: the embedded default.
//!
//! One writer connection per process takes the write lock at once (`BEGIN IMMEDIATE`), so that nothing it has read
//! changes before it writes and processes queue for the lock; readers have their own connections and snapshots (WAL).
//! `synchronous = FULL` makes every commit durable before it is acknowledged.

mod audit;
mod changes;
mod crl_rows;
mod crls;
mod errors;
mod import;
mod issuers;
mod keys;
mod lookup;
mod open;
mod operators;
mod pgp;
mod reservations;
mod revocations;
mod rows;
mod signatures;
mod sources;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki::crl::build::CrlEntry;
use pki::{CrlNumber, Serial, Time};
use sqlx::SqlitePool;

use crate::audit::{AuditRecord, AuditSummary};
use crate::error::LedgerError;
use crate::model::{
    CertificateRecord, CertificateRow, Change, Counts, CrlAllowance, CrlRecord, CrlRow, CrlScope,
    FollowSummary, Followed, ImportSummary, ImportedCertificate, Issuer, IssuerUpdate, Operator,
    PgpRecord, PgpRequest, PgpResult, Reservation, Revocation, RevocationRequest,
    RevokedCertificate, SourceRecord, StatusRow,
};
use crate::store::{Answer, Store};

/// A ledger in an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    bell: PathBuf,
    bell_file: Arc<File>,
}

impl SqliteStore {
    /// Opens the ledger at `path`, making it and its directory when they are not there.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        open::open(path).await
    }

    /// Opens the ledger at `path`; an error when it is not there.
    pub async fn open_existing(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::NotInitialised {
                path: path.to_owned(),
            });
        }
        open::open(path).await
    }

    /// Writes all of it, as it is at this moment, to a new file at `path`; the ledger itself is only read.
    pub async fn copy_to(&self, path: &Path) -> Result<(), LedgerError> {
        open::copy(&self.readers, path).await
    }

    /// Opens the ledger at `path` to look only; an error when it is not there.
    pub async fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::NotInitialised {
                path: path.to_owned(),
            });
        }
        open::open_read_only(path).await
    }
}

impl Store for SqliteStore {
    fn add_issuer<'a>(&'a self, at: Time, issuer: &'a Issuer, actor: &'a str) -> Answer<'a, u64> {
        Box::pin(issuers::add(self, at, issuer, actor))
    }

    fn update_issuer<'a>(
        &'a self,
        at: Time,
        name: &'a str,
        update: IssuerUpdate,
        actor: &'a str,
    ) -> Answer<'a, u64> {
        Box::pin(issuers::update(self, at, name, update, actor))
    }

    fn issuers(&self) -> Answer<'_, Vec<Issuer>> {
        Box::pin(issuers::all(self))
    }

    fn issuer<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Issuer>> {
        Box::pin(issuers::one(self, name))
    }

    fn reserve_serial<'a>(&'a self, at: Time, reservation: &'a Reservation) -> Answer<'a, ()> {
        Box::pin(reservations::reserve(self, at, reservation))
    }

    fn record_certificate<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        serial: &'a Serial,
        der: &'a [u8],
    ) -> Answer<'a, u64> {
        Box::pin(reservations::record(self, at, issuer, serial, der))
    }

    fn abandon_reservation<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        serial: &'a Serial,
        why: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(reservations::abandon(self, at, issuer, serial, why))
    }

    fn refusal<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<String>> {
        Box::pin(reservations::refusal(self, issuer, serial))
    }

    fn pending_reservations(&self, after: u64, limit: u32) -> Answer<'_, Vec<(u64, Reservation)>> {
        Box::pin(reservations::pending(self, after, limit))
    }

    fn pending_reservation<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<Reservation>> {
        Box::pin(reservations::pending_one(self, issuer, serial))
    }

    fn pending_count(&self) -> Answer<'_, u64> {
        Box::pin(reservations::pending_count(self))
    }

    fn revoke<'a>(&'a self, at: Time, request: &'a RevocationRequest) -> Answer<'a, Revocation> {
        Box::pin(revocations::revoke(self, at, request))
    }

    fn reinstate_revocation<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        first: &'a CrlEntry,
        actor: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(revocations::reinstate(self, at, issuer, first, actor))
    }

    fn import_certificates<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        batch: &'a [ImportedCertificate],
        actor: &'a str,
    ) -> Answer<'a, ImportSummary> {
        Box::pin(import::import(self, at, issuer, batch, actor))
    }

    fn follow_crl<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        batch: &'a [Followed],
        actor: &'a str,
    ) -> Answer<'a, FollowSummary> {
        Box::pin(import::follow(self, at, issuer, batch, actor))
    }

    fn record_source<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        source: &'a SourceRecord,
        actor: &'a str,
    ) -> Answer<'a, u64> {
        Box::pin(sources::record(self, at, issuer, source, actor))
    }

    fn source<'a>(&'a self, issuer: &'a str) -> Answer<'a, Option<SourceRecord>> {
        Box::pin(sources::last(self, issuer))
    }

    fn certificate<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<CertificateRecord>> {
        Box::pin(lookup::certificate(self, issuer, serial))
    }

    fn find_serial<'a>(&'a self, serial: &'a Serial) -> Answer<'a, Vec<CertificateRecord>> {
        Box::pin(lookup::find_serial(self, serial))
    }

    fn certificate_of_key<'a>(
        &'a self,
        issuer: &'a str,
        spki_sha256: &'a [u8; 32],
    ) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(lookup::certificate_of_key(self, issuer, spki_sha256))
    }

    fn status<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<StatusRow>> {
        Box::pin(lookup::status(self, issuer, serial))
    }

    fn statuses<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        limit: u32,
    ) -> Answer<'a, Vec<StatusRow>> {
        Box::pin(lookup::statuses(self, issuer, after, limit))
    }

    fn revoked_after<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        until: u64,
        limit: u32,
    ) -> Answer<'a, Vec<CrlRow>> {
        Box::pin(crl_rows::revoked_after(self, issuer, after, until, limit))
    }

    fn revocations_between<'a>(
        &'a self,
        issuer: &'a str,
        seq: u64,
        until: u64,
    ) -> Answer<'a, Vec<RevokedCertificate>> {
        Box::pin(crl_rows::revocations_between(self, issuer, seq, until))
    }

    fn count_revocations<'a>(&'a self, issuer: &'a str, until: u64) -> Answer<'a, u64> {
        Box::pin(crl_rows::count_revocations(self, issuer, until))
    }

    fn revocation_event<'a>(&'a self, issuer: &'a str, number: u64) -> Answer<'a, Option<u64>> {
        Box::pin(crl_rows::revocation_event(self, issuer, number))
    }

    fn crl_row<'a>(&'a self, issuer: &'a str, serial: &'a Serial) -> Answer<'a, Option<CrlRow>> {
        Box::pin(crl_rows::one(self, issuer, serial))
    }

    fn changed_between<'a>(
        &'a self,
        issuer: &'a str,
        seq: u64,
        until: u64,
    ) -> Answer<'a, Vec<CrlRow>> {
        Box::pin(crl_rows::changed_between(self, issuer, seq, until))
    }

    fn ended_between<'a>(
        &'a self,
        issuer: &'a str,
        from: Time,
        until: Time,
    ) -> Answer<'a, Vec<CrlRow>> {
        Box::pin(crl_rows::ended_between(self, issuer, from, until))
    }

    fn crl_partitions<'a>(&'a self, issuer: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(crl_rows::partitions(self, issuer))
    }

    fn revoked_entries<'a>(&'a self, issuer: &'a str) -> Answer<'a, Vec<StatusRow>> {
        Box::pin(lookup::revoked_entries(self, issuer))
    }

    fn counts<'a>(&'a self, now: Time, issuer: &'a str) -> Answer<'a, Counts> {
        Box::pin(lookup::counts(self, now, issuer))
    }

    fn changes_after(&self, seq: u64, limit: u32) -> Answer<'_, Vec<Change>> {
        Box::pin(changes::after(self, seq, limit))
    }

    fn head(&self) -> Answer<'_, u64> {
        Box::pin(changes::head(self))
    }

    fn reserve_crl_number<'a>(
        &'a self,
        at: Time,
        issuer: &'a str,
        above: &'a CrlNumber,
    ) -> Answer<'a, CrlNumber> {
        Box::pin(crls::reserve_number(self, at, issuer, above))
    }

    fn record_crl<'a>(&'a self, at: Time, issuer: &'a str, crl: &'a CrlRecord) -> Answer<'a, ()> {
        Box::pin(crls::record(self, at, issuer, crl))
    }

    fn last_crl<'a>(&'a self, issuer: &'a str) -> Answer<'a, Option<CrlRecord>> {
        Box::pin(crls::last(self, issuer))
    }

    fn numbered_crl<'a>(
        &'a self,
        issuer: &'a str,
        number: &'a CrlNumber,
    ) -> Answer<'a, Option<CrlRecord>> {
        Box::pin(crls::numbered(self, issuer, number))
    }

    fn certificate_rows<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<Serial>,
        limit: u32,
    ) -> Answer<'a, Vec<CertificateRow>> {
        Box::pin(signatures::certificates(self, issuer, after, limit))
    }

    fn certificate_row<'a>(
        &'a self,
        issuer: &'a str,
        serial: &'a Serial,
    ) -> Answer<'a, Option<CertificateRow>> {
        Box::pin(signatures::one_certificate(self, issuer, serial))
    }

    fn crl_records<'a>(
        &'a self,
        issuer: &'a str,
        after: Option<&'a (CrlScope, CrlNumber)>,
        limit: u32,
    ) -> Answer<'a, Vec<CrlRecord>> {
        Box::pin(signatures::crls(self, issuer, after, limit))
    }

    fn reserve_pgp<'a>(&'a self, at: Time, request: &'a PgpRequest) -> Answer<'a, ()> {
        Box::pin(pgp::reserve(self, at, request))
    }

    fn finish_pgp<'a>(
        &'a self,
        at: Time,
        request_id: &'a [u8; 16],
        result: &'a PgpResult,
    ) -> Answer<'a, ()> {
        Box::pin(pgp::finish(self, at, request_id, result))
    }

    fn pending_pgp(&self) -> Answer<'_, Vec<PgpRecord>> {
        Box::pin(pgp::pending(self))
    }

    fn pgp_of_key<'a>(&'a self, key: &'a [u8; 20]) -> Answer<'a, Vec<PgpRecord>> {
        Box::pin(pgp::of_key(self, key))
    }

    fn pgp_records(&self, after: u64, limit: u32) -> Answer<'_, Vec<PgpRecord>> {
        Box::pin(pgp::all(self, after, limit))
    }

    fn add_operator<'a>(
        &'a self,
        at: Time,
        operator: &'a Operator,
        actor: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(operators::add(self, at, operator, actor))
    }

    fn operators(&self) -> Answer<'_, Vec<Operator>> {
        Box::pin(operators::all(self))
    }

    fn allow_crl<'a>(&'a self, at: Time, allowance: &'a CrlAllowance) -> Answer<'a, ()> {
        Box::pin(operators::allow(self, at, allowance))
    }

    fn crl_allowances<'a>(
        &'a self,
        issuer: &'a str,
        refusal: &'a str,
    ) -> Answer<'a, Vec<CrlAllowance>> {
        Box::pin(operators::allowances(self, issuer, refusal))
    }

    fn is_key_blocked<'a>(&'a self, spki_sha256: &'a [u8; 32]) -> Answer<'a, bool> {
        Box::pin(keys::is_blocked(self, spki_sha256))
    }

    fn block_key<'a>(
        &'a self,
        at: Time,
        spki_sha256: &'a [u8; 32],
        why: &'a str,
        actor: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(keys::block(self, at, spki_sha256, why, actor))
    }

    fn audit_records(&self, after: u64, limit: u32) -> Answer<'_, Vec<AuditRecord>> {
        Box::pin(audit::records(self, after, limit))
    }

    fn verify_audit(&self) -> Answer<'_, AuditSummary> {
        Box::pin(audit::verify(self))
    }

    fn bell(&self) -> Option<PathBuf> {
        Some(self.bell.clone())
    }
}
