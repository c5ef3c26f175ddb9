//! What each word of the command line does.

pub(crate) mod audit;
pub(crate) mod ceremony;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod fetch_crl;
pub(crate) mod import_ca;
pub(crate) mod init;
pub(crate) mod issue;
pub(crate) mod operator;
pub(crate) mod pgp;
pub(crate) mod policy;
pub(crate) mod revoke;
pub(crate) mod signer;
pub(crate) mod status;
