//! The seam to the signer.

use std::future::Future;

use signer_client::{SignCrl, SignerClient, SignerError};

/// Who signs: the isolated signer, or a stand-in for tests.
pub trait Signer: Send + Sync + 'static {
    /// The signature over the TBSCertList. The same id and content give the same answer.
    fn sign_crl(
        &self,
        id: [u8; 16],
        crl: SignCrl,
    ) -> impl Future<Output = Result<Vec<u8>, SignerError>> + Send;
}

impl Signer for SignerClient {
    async fn sign_crl(&self, id: [u8; 16], crl: SignCrl) -> Result<Vec<u8>, SignerError> {
        Self::sign_crl(self, id, crl).await
    }
}
