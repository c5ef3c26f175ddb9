//! Whether a certificate makes its key a responder for a CA.

use pki::ocsp::verify::Violation;
use pki::{Certificate, KeyUsage, oid};

/// What RFC 6960 section 4.2.2.2 demands of a delegated responder's certificate, at any time: issued by that CA with the
/// same key, for signing OCSP responses, and not a CA itself.
///
/// This is what security rests on, so it is what an edge insists on. The further rules for certificates that are made
/// today (OCSP-61 to OCSP-66) are for whoever makes one; a responder that came with a CA taken over may be older.
pub fn check_delegation(responder: &Certificate, ca: &Certificate) -> Result<(), Violation> {
    if responder.issuer().as_der() != ca.subject().as_der() {
        return Err(Violation::new(
            "OCSP-51",
            format!(
                "the responder certificate is issued by {}, not by {}",
                responder.issuer(),
                ca.subject()
            ),
        ));
    }
    if responder.verify_signed_by(ca.public_key()).is_err() {
        return Err(Violation::new(
            "OCSP-51",
            "the responder certificate is not signed by the CA's key",
        ));
    }
    if !responder.extended_key_usages().contains(&oid::OCSP_SIGNING) {
        return Err(Violation::new(
            "OCSP-60",
            "the responder certificate's extendedKeyUsage has no id-kp-OCSPSigning",
        ));
    }
    if responder
        .key_usage()
        .is_some_and(|usage| !usage.has(KeyUsage::DIGITAL_SIGNATURE))
    {
        return Err(Violation::new(
            "OCSP-62",
            "the responder certificate's keyUsage has no digitalSignature",
        ));
    }
    if responder.is_ca() {
        return Err(Violation::new(
            "OCSP-67",
            "the responder certificate is a CA certificate",
        ));
    }
    Ok(())
}
