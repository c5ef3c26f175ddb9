//! The seam to the signer.

use std::future::Future;

use signer_client::{IssueCertificate, SignerClient, SignerError};

/// Who signs: the isolated signer, or a stand-in for tests.
pub trait Signer: Send + Sync {
    /// The signature over the TBSCertificate. The same id and content give the same answer.
    fn issue_certificate(
        &self,
        id: [u8; 16],
        request: IssueCertificate,
    ) -> impl Future<Output = Result<Vec<u8>, SignerError>> + Send;

    /// What the serial numbers of the active signer begin with (I18).
    fn signer_id(&self) -> impl Future<Output = Result<u8, SignerError>> + Send;
}

impl Signer for SignerClient {
    async fn issue_certificate(
        &self,
        id: [u8; 16],
        request: IssueCertificate,
    ) -> Result<Vec<u8>, SignerError> {
        Self::issue_certificate(self, id, request).await
    }

    async fn signer_id(&self) -> Result<u8, SignerError> {
        Self::signer_id(self).await
    }
}
