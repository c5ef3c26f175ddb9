//! The key usages that a profile can name (RFC 5280 sections 4.2.1.3 and 4.2.1.12). Those of a CA are
//! missing on purpose: no profile can make one.

use const_oid::ObjectIdentifier;
use serde::Deserialize;

use crate::{KeyUsage, oid};

/// A bit of keyUsage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Usage {
    /// Signatures over anything but certificates and CRLs.
    DigitalSignature,
    /// Key agreement (ECDH).
    KeyAgreement,
    /// Encryption of keys (RSA).
    KeyEncipherment,
    /// Signatures that are to bind their maker; also called contentCommitment.
    NonRepudiation,
}

impl Usage {
    /// The number of the bit.
    pub const fn bit(self) -> u8 {
        match self {
            Self::DigitalSignature => KeyUsage::DIGITAL_SIGNATURE,
            Self::KeyAgreement => KeyUsage::KEY_AGREEMENT,
            Self::KeyEncipherment => KeyUsage::KEY_ENCIPHERMENT,
            Self::NonRepudiation => KeyUsage::NON_REPUDIATION,
        }
    }
}

/// A purpose in extendedKeyUsage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum ExtendedUsage {
    /// TLS clients.
    ClientAuth,
    /// Signatures over programs.
    CodeSigning,
    /// S/MIME.
    EmailProtection,
    /// Delegated OCSP responders.
    OcspSigning,
    /// TLS servers.
    ServerAuth,
    /// Time stamps.
    TimeStamping,
}

impl ExtendedUsage {
    /// Its object identifier.
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ClientAuth => oid::CLIENT_AUTH,
            Self::CodeSigning => oid::CODE_SIGNING,
            Self::EmailProtection => oid::EMAIL_PROTECTION,
            Self::OcspSigning => oid::OCSP_SIGNING,
            Self::ServerAuth => oid::SERVER_AUTH,
            Self::TimeStamping => oid::TIME_STAMPING,
        }
    }
}
