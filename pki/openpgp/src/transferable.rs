//! Keys as people give them to each other (RFC 9580 section 10.1): the key, its user ids, its subkeys, each with the
//! signatures on it.

use pki::Time;

use crate::packet::{Packet, kind};
use crate::{PgpError, PublicKey, Signature, SignatureKind};

/// User ids, subkeys and signatures in one key.
const MOST_PACKETS: usize = 2_000;

/// A public key with all that belongs to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransferableKey {
    key: PublicKey,
    /// On the key itself.
    direct: Vec<Packet>,
    identities: Vec<Identity>,
    /// With their signatures, as they came.
    subkeys: Vec<Packet>,
}

/// A user id, and the signatures on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    user_id: Vec<u8>,
    signatures: Vec<Packet>,
}

impl TransferableKey {
    /// Reads exactly one public key; photographs are left out.
    pub fn from_octets(octets: &[u8]) -> Result<Self, PgpError> {
        let packets = Packet::read_all(octets)?;
        if packets.len() > MOST_PACKETS {
            return Err(PgpError::Unsupported(format!(
                "it has more than {MOST_PACKETS} packets: export it without the signatures of others (gpg --armor \
                 --export-options export-minimal --export)"
            )));
        }
        let mut packets = packets.into_iter();
        let first = packets
            .next()
            .ok_or(PgpError::Malformed("there is nothing in it"))?;
        let key = match first.kind {
            kind::PUBLIC_KEY => PublicKey::from_body(&first.body)?,
            kind::SECRET_KEY | kind::SECRET_SUBKEY => return Err(PgpError::SecretKey),
            _ => return Err(PgpError::Malformed("it does not begin with a public key")),
        };
        let mut read = Self {
            key,
            direct: Vec::new(),
            identities: Vec::new(),
            subkeys: Vec::new(),
        };
        let mut part = Part::Key;
        for packet in packets {
            match packet.kind {
                kind::SIGNATURE => match part {
                    Part::Key => read.direct.push(packet),
                    Part::UserId => {
                        if let Some(identity) = read.identities.last_mut() {
                            identity.signatures.push(packet);
                        }
                    }
                    Part::Subkey => read.subkeys.push(packet),
                    Part::Photograph => {}
                },
                kind::USER_ID => {
                    part = Part::UserId;
                    read.identities.push(Identity {
                        user_id: packet.body,
                        signatures: Vec::new(),
                    });
                }
                kind::PUBLIC_SUBKEY => {
                    part = Part::Subkey;
                    read.subkeys.push(packet);
                }
                kind::USER_ATTRIBUTE => part = Part::Photograph,
                kind::MARKER | kind::TRUST | kind::PADDING => {}
                kind::PUBLIC_KEY => return Err(PgpError::SeveralKeys),
                kind::SECRET_KEY | kind::SECRET_SUBKEY => return Err(PgpError::SecretKey),
                _ => return Err(PgpError::Malformed("a packet that no public key has")),
            }
        }
        Ok(read)
    }

    /// A key with these user ids, each with the bodies of the signatures on it.
    pub fn new(key: PublicKey, identities: Vec<(String, Vec<Vec<u8>>)>) -> Self {
        let signature = |body| Packet {
            kind: kind::SIGNATURE,
            body,
        };
        let identity = |(user_id, bodies): (String, Vec<Vec<u8>>)| Identity {
            user_id: user_id.into_bytes(),
            signatures: bodies.into_iter().map(signature).collect(),
        };
        Self {
            key,
            direct: Vec::new(),
            identities: identities.into_iter().map(identity).collect(),
            subkeys: Vec::new(),
        }
    }

    /// The key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its user ids, in their order.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Whether its owner has revoked all of it.
    pub fn is_revoked(&self) -> bool {
        self.direct.iter().any(|packet| {
            Signature::from_body(&packet.body).is_ok_and(|signature| {
                signature.kind() == SignatureKind::KeyRevocation
                    && signature.verify_key(&self.key).is_ok()
            })
        })
    }

    /// The body of the newest signature by which the owner says that the user id of this place is his or hers.
    pub fn self_signature(&self, place: usize) -> Result<&[u8], PgpError> {
        let identity = self
            .identities
            .get(place)
            .ok_or(PgpError::Malformed("there is no such user id"))?;
        let mut newest: Option<(Time, &[u8])> = None;
        let mut revoked: Option<Time> = None;
        let mut why = None;
        for packet in &identity.signatures {
            let Ok(signature) = Signature::from_body(&packet.body) else {
                continue;
            };
            let created = signature.created().unwrap_or(Time::from_unix(0));
            let verified = signature.verify_user_id(&self.key, &identity.user_id, &self.key);
            match (signature.kind(), verified) {
                (SignatureKind::Certification, Ok(())) => {
                    newest = newest.max(Some((created, &packet.body)));
                }
                (SignatureKind::CertificationRevocation, Ok(())) => {
                    revoked = revoked.max(Some(created));
                }
                // A hash that does not count is worth telling; signatures of others do not verify, of course.
                (SignatureKind::Certification, Err(error @ PgpError::Unsupported(_))) => {
                    why = Some(error);
                }
                _ => {}
            }
        }
        match newest {
            Some((created, _)) if revoked.is_some_and(|revoked| revoked >= created) => Err(
                PgpError::BadSignature("its owner has revoked the user id".to_owned()),
            ),
            Some((_, body)) => Ok(body),
            None => Err(why.unwrap_or_else(|| {
                PgpError::BadSignature("the key has not signed this user id itself".to_owned())
            })),
        }
    }

    /// The same key with these certifications (place and body of each), and without the user ids that have none.
    pub fn certified(&self, certifications: &[(usize, Vec<u8>)]) -> Self {
        let identities = certifications.iter().filter_map(|(place, body)| {
            let mut identity = self.identities.get(*place)?.clone();
            identity.signatures.push(Packet {
                kind: kind::SIGNATURE,
                body: body.clone(),
            });
            Some(identity)
        });
        Self {
            identities: identities.collect(),
            ..self.clone()
        }
    }

    /// Its octets, as they are armoured.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        let key = Packet {
            kind: kind::PUBLIC_KEY,
            body: self.key.body().to_vec(),
        };
        key.write(&mut octets);
        let write = |packets: &[Packet], octets: &mut Vec<u8>| {
            packets.iter().for_each(|packet| packet.write(octets));
        };
        write(&self.direct, &mut octets);
        for identity in &self.identities {
            let user_id = Packet {
                kind: kind::USER_ID,
                body: identity.user_id.clone(),
            };
            user_id.write(&mut octets);
            write(&identity.signatures, &mut octets);
        }
        write(&self.subkeys, &mut octets);
        octets
    }
}

impl Identity {
    /// The user id, as it is in the packet.
    pub fn octets(&self) -> &[u8] {
        &self.user_id
    }

    /// The user id as text, if it is.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.user_id).ok()
    }
}

/// What the signatures that follow are on.
enum Part {
    Key,
    UserId,
    Subkey,
    Photograph,
}
