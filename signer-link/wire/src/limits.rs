//! How large messages and their fields may be.

/// A TBSCertificate, or a certificate.
pub const CERTIFICATE: usize = 64 * 1024;
/// A certification request.
pub const CSR: usize = 64 * 1024;
/// What stands before the entries of a TBSCertList, and after them.
pub const AROUND_ENTRIES: usize = 64 * 1024;
/// The packet of an OpenPGP key.
pub const PGP_KEY: usize = 4 * 1024;
/// The packet of an OpenPGP signature in a request.
pub const PGP_SIGNATURE: usize = 16 * 1024;
/// A user id of an OpenPGP key, and what it is made of.
pub const USER_ID: usize = 1024;
/// Verified mail addresses in one request.
pub const ADDRESSES: usize = 32;
/// A serial number.
pub const SERIAL: usize = 20;
/// Serial numbers in one list of a `SignCrl`.
pub const SERIALS: usize = 200_000;
/// Revocations in one `Revoke` and in one answer to `GetBucket`.
pub const REVOCATIONS: usize = 1_000;
/// Records in one answer to `GetLog` and in one `Replicate`.
pub const LOG_RECORDS: usize = 4_096;
/// Names of issuers and profiles.
pub const NAME: usize = 64;
/// The text of a refusal.
pub const TEXT: usize = 4 * 1024;
/// A signature: RSA of 8192 bits; the packet of an OpenPGP certification, whose keys are smaller.
pub const SIGNATURE: usize = 1024;
/// Request ids in one `GetResult`, and issuers in one `Info`.
pub const LIST: usize = 256;
/// A whole message.
pub const MESSAGE: usize = 4 * 1024 * 1024;
/// A message on the cable: any.
pub const MESSAGE_ON_LINK: usize = MESSAGE;
/// What a message has at most beside its largest field.
pub(crate) const OVERHEAD: usize = 64 * 1024;
