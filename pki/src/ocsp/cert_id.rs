//! CertID (RFC 6960 section 4.1.1): how OCSP names a certificate.
//!
//! ```asn1
//! CertID ::= SEQUENCE {
//!     hashAlgorithm   AlgorithmIdentifier,
//!     issuerNameHash  OCTET STRING,   -- hash of the issuer's DN, whole DER
//!     issuerKeyHash   OCTET STRING,   -- hash of the issuer's public key bits
//!     serialNumber    CertificateSerialNumber }
//! ```

use crate::der_encode::{self, tag};
use crate::der_read::{DerError, Reader};
use crate::{Certificate, HashAlgorithm, Serial};

/// A CertID as it stands in a message; borrows the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertId<'a> {
    /// The hash, or `None` for one that is not supported (then the answer is unauthorized, OCSP-18).
    pub hash: Option<HashAlgorithm>,
    /// Hash of the issuer's name.
    pub name_hash: &'a [u8],
    /// Hash of the issuer's key.
    pub key_hash: &'a [u8],
    /// Content octets of the serial number's INTEGER, raw: it may be zero, negative or long (OCSP-23).
    pub serial: &'a [u8],
}

impl<'a> CertId<'a> {
    /// The serial number, if it is one that a certificate can have.
    pub fn serial_number(&self) -> Option<Serial> {
        Serial::from_integer_content(self.serial).ok()
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut id = reader.sequence("CertID")?;
        let hash = read_hash(&mut id)?;
        let name_hash = id.octet_string("issuerNameHash")?;
        let key_hash = id.octet_string("issuerKeyHash")?;
        let serial = id.integer("serialNumber")?;
        id.finish("CertID")?;
        Ok(Self {
            hash,
            name_hash,
            key_hash,
            serial,
        })
    }
}

/// The two hashes by which OCSP names an issuer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IssuerHashes {
    /// The hash that both were made with.
    pub hash: HashAlgorithm,
    /// Hash of the issuer's name.
    pub name_hash: Vec<u8>,
    /// Hash of the issuer's key.
    pub key_hash: Vec<u8>,
}

impl IssuerHashes {
    /// Hashes of the name and the key that `ca` has (OCSP-20: raw name DER, key bits without the
    /// unused-bits octet).
    pub fn of(hash: HashAlgorithm, ca: &Certificate) -> Self {
        Self {
            hash,
            name_hash: hash.digest(ca.subject().as_der()),
            key_hash: hash.digest(ca.public_key().key_bits()),
        }
    }

    /// The CertID of this issuer's certificate `serial`, in DER, with NULL parameters as every client
    /// writes them.
    pub fn cert_id(&self, serial: &Serial) -> Vec<u8> {
        der_encode::sequence(&[
            &self.cert_id_start(),
            &der_encode::integer(serial.as_bytes()),
        ])
    }

    /// What stands before the serial number in a CertID.
    pub(crate) fn cert_id_start(&self) -> Vec<u8> {
        [
            self.hash.algorithm_identifier(),
            &der_encode::octet_string(&self.name_hash),
            &der_encode::octet_string(&self.key_hash),
        ]
        .concat()
    }
}

impl HashAlgorithm {
    /// Its AlgorithmIdentifier in DER, with NULL parameters.
    pub(crate) const fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00",
            Self::Sha256 => b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00",
            Self::Sha384 => b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00",
            Self::Sha512 => b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00",
        }
    }
}

/// The hash with NULL or with absent parameters (OCSP-19); `None` for any other algorithm.
fn read_hash(reader: &mut Reader<'_>) -> Result<Option<HashAlgorithm>, DerError> {
    let mut algorithm = reader.sequence("hashAlgorithm")?;
    let name = algorithm.expect(tag::OID, "hashAlgorithm")?.content;
    if !algorithm.is_empty() {
        let parameters = algorithm.next("parameters of hashAlgorithm")?;
        algorithm.finish("hashAlgorithm")?;
        if parameters.whole != [tag::NULL, 0] {
            return Ok(None);
        }
    }
    Ok(HashAlgorithm::ALL
        .into_iter()
        .find(|hash| hash.oid().as_bytes() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithm_identifiers() {
        for hash in HashAlgorithm::ALL {
            let plain = der_encode::sequence(&[&der_encode::oid(&hash.oid()), &der_encode::null()]);
            assert_eq!(hash.algorithm_identifier(), plain);
        }
    }
}
