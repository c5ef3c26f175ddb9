//! The values the ledger keeps, free of any database.

mod allowance;
mod certificate;
mod change;
mod crl;
mod issuer;
mod pgp;
mod policy;
mod revocation;
mod signature;
mod source;

pub use allowance::{CrlAllowance, Operator};
pub use certificate::{
    CertificateRecord, Counts, ImportSummary, ImportedCertificate, ImportedStatus, Reservation,
    StatusRow,
};
pub use change::{Change, ChangeKind};
pub use crl::{CrlRecord, CrlRow, CrlScope};
pub use issuer::{Issuer, IssuerUpdate, Origin};
pub use pgp::{PgpRecord, PgpRequest, PgpResult};
pub use policy::{CrlPolicy, IssuerPolicy, KeyPlace, NoncePolicy, OcspPolicy, Subjects};
pub use revocation::{Ground, Revocation, RevocationRequest, RevokedCertificate};
pub use signature::{CertificateRow, CertificateState};
pub use source::{FollowSummary, Followed, SourceCrl, SourcePolicy, SourceRecord};
