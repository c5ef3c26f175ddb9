//! One key in a token: how it is made, what its public half is, how it signs.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use pkcs8::ObjectIdentifier;
use pki::der_encode::{
    bit_string, integer, null, octet_string, oid as object_identifier, sequence,
};
use pki::der_read::Reader;
use pki::{HashAlgorithm, KeyKind, PublicKey, SignatureAlgorithm, oid};

use crate::KeyError;
use crate::token::Token;

/// A private key in a token.
pub(crate) struct TokenKey {
    token: Token,
    /// CKA_ID, by which it is found again.
    id: Vec<u8>,
}

impl TokenKey {
    pub(crate) fn new(token: Token, id: Vec<u8>) -> Self {
        Self { token, id }
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    /// Signs. The message is hashed here: not every token can do both in one.
    pub(crate) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, EcdsaSha512};
        let hash = algorithm.hash().digest(message);
        match algorithm {
            EcdsaSha256 | EcdsaSha384 | EcdsaSha512 => {
                // Two numbers of the same length (PKCS#11 section 6.3.1).
                let raw = self.sign_with(&Mechanism::Ecdsa, &hash)?;
                let (r, s) = raw.split_at(raw.len() / 2);
                Ok(sequence(&[&integer(r), &integer(s)]))
            }
            _ => self.sign_with(&Mechanism::RsaPkcs, &digest_info(algorithm.hash(), &hash)),
        }
    }

    fn sign_with(&self, mechanism: &Mechanism<'_>, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.token.with_session("signing", |open| {
            let key = open.private_key(&self.id)?;
            open.session.sign(mechanism, key, data)
        })
    }
}

/// How a key pair of this kind is asked for: the mechanism, the public and the private template.
pub(crate) fn templates(
    kind: KeyKind,
    label: &str,
    id: &[u8],
) -> Result<(Mechanism<'static>, Vec<Attribute>, Vec<Attribute>), KeyError> {
    let named = || {
        vec![
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(id.to_vec()),
        ]
    };
    let mut public = named();
    public.extend([Attribute::Private(false), Attribute::Verify(true)]);
    let mechanism = match curve_of(kind) {
        Some(curve) => {
            public.push(Attribute::EcParams(object_identifier(&curve)));
            Mechanism::EccKeyPairGen
        }
        None => {
            let KeyKind::Rsa(bits) = kind else {
                return Err(KeyError::Unsupported(format!(
                    "{kind} in a PKCS#11 token; choose RSA, p-256, p-384 or p-521 there"
                )));
            };
            public.push(Attribute::ModulusBits(u64::from(bits).into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
    };
    let mut private = named();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    Ok((mechanism, public, private))
}

/// The public half, from the attributes of its object.
pub(crate) fn public_key_of(attributes: &[Attribute]) -> Result<PublicKey, KeyError> {
    let (mut curve, mut point, mut modulus, mut exponent) = (None, None, None, None);
    for attribute in attributes {
        match attribute {
            Attribute::EcParams(value) => curve = Some(value),
            Attribute::EcPoint(value) => point = Some(value),
            Attribute::Modulus(value) => modulus = Some(value),
            Attribute::PublicExponent(value) => exponent = Some(value),
            _ => {}
        }
    }
    let spki = match (curve, point, modulus, exponent) {
        (Some(curve), Some(point), ..) => {
            let algorithm = sequence(&[&object_identifier(&oid::EC_PUBLIC_KEY), curve]);
            sequence(&[&algorithm, &bit_string(bare_point(point))])
        }
        (_, _, Some(modulus), Some(exponent)) => {
            let algorithm = sequence(&[&object_identifier(&oid::RSA_ENCRYPTION), &null()]);
            let key = sequence(&[&integer(modulus), &integer(exponent)]);
            sequence(&[&algorithm, &bit_string(&key)])
        }
        _ => {
            return Err(KeyError::Unsupported(
                "a key in a PKCS#11 token without a readable public half beside it".to_owned(),
            ));
        }
    };
    PublicKey::from_spki_der(&spki).map_err(|error| KeyError::Malformed(error.to_string()))
}

/// CKA_EC_POINT is an OCTET STRING around the point; some tokens leave it out.
fn bare_point(value: &[u8]) -> &[u8] {
    let mut reader = Reader::new(value);
    match reader.octet_string("CKA_EC_POINT") {
        Ok(point) if reader.is_empty() => point,
        _ => value,
    }
}

const fn curve_of(kind: KeyKind) -> Option<ObjectIdentifier> {
    match kind {
        KeyKind::P256 => Some(oid::P256),
        KeyKind::P384 => Some(oid::P384),
        KeyKind::P521 => Some(oid::P521),
        _ => None,
    }
}

/// DigestInfo (RFC 8017 section 9.2): what is padded and signed.
fn digest_info(algorithm: HashAlgorithm, hash: &[u8]) -> Vec<u8> {
    let identifier = sequence(&[&object_identifier(&algorithm.oid()), &null()]);
    sequence(&[&identifier, &octet_string(hash)])
}
