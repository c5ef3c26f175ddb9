//! CRLs that we sign: kept as encoded entries, changed by what the ledger tells, signed, judged.

mod bases;
mod build;
mod gate;
mod lists;
mod ocsp;
mod restored;
mod told;

pub(crate) use bases::Bases;
pub(crate) use build::{Build, Built, own_rules};
pub(crate) use gate::GateRefusal;
pub(crate) use lists::Lists;
pub(crate) use ocsp::Answers;
pub(crate) use restored::recover;
pub(crate) use told::Told;
