//! How large messages and their fields may be.

/// A TBSCertificate, or a certificate.
pub const CERTIFICATE: usize = 64 * 1024;
/// A certification request.
pub const CSR: usize = 64 * 1024;
/// A TBSCertList that is sent whole: some six million entries.
pub const CRL: usize = 256 * 1024 * 1024;
/// Names of issuers and profiles.
pub const NAME: usize = 64;
/// The text of a refusal.
pub const TEXT: usize = 4 * 1024;
/// A signature: RSA of 8192 bits.
pub const SIGNATURE: usize = 1024;
/// Request ids in one `GetResult`, and issuers in one `Info`.
pub const LIST: usize = 256;
/// A whole message.
pub const MESSAGE: usize = CRL + 64 * 1024;
