//! The seam to the signer.

use std::future::Future;

use signer_client::{Revocation, Revoke, SignCrl, SignerClient, SignerError};

/// Who signs: the isolated signer, or a stand-in for tests.
pub trait Signer: Send + Sync + 'static {
    /// The signature over the TBSCertList. The same id and content give the same answer.
    fn sign_crl(
        &self,
        id: [u8; 16],
        crl: SignCrl,
    ) -> impl Future<Output = Result<Vec<u8>, SignerError>> + Send;

    /// Has the signer remember revocations.
    fn revoke(
        &self,
        id: [u8; 16],
        revoke: Revoke,
    ) -> impl Future<Output = Result<(), SignerError>> + Send;

    /// How many revocations of an issuer it remembers, and the sums of the digest over them.
    fn revoked(
        &self,
        issuer: &str,
    ) -> impl Future<Output = Result<(u64, Vec<u64>), SignerError>> + Send;

    /// Those in one bucket of the digest.
    fn revoked_in(
        &self,
        issuer: &str,
        bucket: u8,
    ) -> impl Future<Output = Result<Vec<Revocation>, SignerError>> + Send;
}

impl Signer for SignerClient {
    async fn sign_crl(&self, id: [u8; 16], crl: SignCrl) -> Result<Vec<u8>, SignerError> {
        Self::sign_crl(self, id, crl).await
    }

    async fn revoke(&self, id: [u8; 16], revoke: Revoke) -> Result<(), SignerError> {
        Self::revoke(self, id, revoke).await.map(drop)
    }

    async fn revoked(&self, issuer: &str) -> Result<(u64, Vec<u64>), SignerError> {
        Self::revoked(self, issuer).await
    }

    async fn revoked_in(&self, issuer: &str, bucket: u8) -> Result<Vec<Revocation>, SignerError> {
        Self::revoked_in(self, issuer, bucket).await
    }
}
