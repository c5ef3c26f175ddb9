//! Certification requests with any octets for a name, which no usual tool would make.

use keystore::SigningKey;
use pki::certificate_builder::{GeneralName, extension};
use pki::{KeyKind, SignatureAlgorithm, der_encode, oid, pem};

/// PKCS #9, extensionRequest.
const EXTENSION_REQUEST: pki::ObjectIdentifier =
    pki::ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// The tag of a UTF8String.
pub(crate) const UTF8: u8 = 0x0c;
/// The tag of a BMPString.
pub(crate) const BMP: u8 = 0x1e;

/// A request (PEM), signed by a key of its own, with a common name and a subjectAltName.
pub(crate) fn request(common_name: Option<(u8, &[u8])>, alt_name: &GeneralName) -> String {
    let key = SigningKey::generate(KeyKind::P256).expect("a key");
    let rdn = common_name.map_or_else(Vec::new, |(tag, octets)| {
        let value = der_encode::tlv(tag, octets);
        let attribute = der_encode::sequence(&[&der_encode::oid(&oid::COMMON_NAME), &value]);
        der_encode::set_of(&[&attribute])
    });
    let alt_name = extension::subject_alt_name(std::slice::from_ref(alt_name), false);
    let extensions = der_encode::sequence(&[&extension::to_der(&alt_name)]);
    let attribute = der_encode::sequence(&[
        &der_encode::oid(&EXTENSION_REQUEST),
        &der_encode::set_of(&[&extensions]),
    ]);
    let info = der_encode::sequence(&[
        &der_encode::integer(&[]),
        &der_encode::sequence(&[&rdn]),
        key.public_key().spki_der(),
        &der_encode::explicit(0, &attribute),
    ]);
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let signature = key.sign(algorithm, &info).expect("a signature");
    let request = der_encode::sequence(&[
        &info,
        algorithm.algorithm_identifier(),
        &der_encode::bit_string(&signature),
    ]);
    pem::encode("CERTIFICATE REQUEST", &request)
}
