//! The whole CA with its cable cut, its processes killed, its disks full or older than they were: nothing that was
//! acknowledged is lost, nothing is done twice, and what cannot be done is refused or waits with its reason (V6, V10, G8).
//!
//! The real programs run under `avouch up`. Callers issue and revoke all the time (`load`), a relying party fetches the
//! CRL all the time, and at the end everything that anybody was told is compared with the ledger, the signer's log, and what
//! is served (`judge`).
//!
//! `AVOUCH_LONG=1` cuts the cable 1,000 times and kills 200 processes; `AVOUCH_SEED` repeats a choice.
#![forbid(unsafe_code)]

mod cuts;
mod full_disk;
mod installation;
mod judge;
mod kills;
mod load;
mod look;
mod older_journal;
mod supervisor;

/// The issuer that works.
const ISSUER: &str = "member";

/// Whether the full counts are wanted.
fn is_long() -> bool {
    std::env::var_os("AVOUCH_LONG").is_some_and(|long| !long.is_empty())
}
