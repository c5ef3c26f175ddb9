//! Which user ids of a member's OpenPGP key are to be certified (I13), and why the others are not.
//!
//! The signer judges them again, by rules of its own: what it would refuse costs a strike, so nothing is sent to it that
//! is not one of the few texts that the verified name and addresses can make.

use openpgp::{Identity, PgpError, PublicKey, Signature, TransferableKey, UserId, armour};
use pki::Time;
use pki::name_rules::{AttributeKind, EmailAddress, IdnPolicy, SubjectAttribute};
use pki::refusal::Refusal;
use pki::weak_keys::{self, DebianWeakKeys, KeyRules};
use serde::Serialize;
use signer_client::Level;

/// User ids that are certified at once.
const MOST: usize = 32;

/// What was verified about a member.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) level: Level,
    pub(crate) name: Option<String>,
    pub(crate) addresses: Vec<String>,
}

/// A user id that is not certified.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) user_id: String,
    #[serde(flatten)]
    pub(crate) why: Refusal,
}

/// The key, the places of the user ids to certify, and the others.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) key: TransferableKey,
    pub(crate) places: Vec<usize>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Checks what was said to be verified by the rules for names in certificates (I9, I10).
pub(crate) fn check_verified(verified: &Verified, idn: &IdnPolicy) -> Result<(), Refusal> {
    if let Some(name) = &verified.name {
        SubjectAttribute::new(AttributeKind::CommonName, name)
            .map_err(|refusal| refusal.of_field("name"))?;
        if verified.level < Level::Assured {
            return Err(Refusal::new(
                "I7",
                "name",
                "names are certified of assured members only, from 50 points on",
                "Leave the name out: then user ids without a name are certified.",
            ));
        }
    }
    if verified.addresses.len() > MOST {
        return Err(Refusal::new(
            "API",
            "addresses",
            format!("more than {MOST} addresses"),
            "Give those of the key's user ids.",
        ));
    }
    for address in &verified.addresses {
        EmailAddress::parse(address, idn).map_err(|refusal| refusal.of_field("addresses"))?;
    }
    Ok(())
}

/// Reads a key and chooses its user ids.
pub(crate) fn choose(
    key: &[u8],
    verified: &Verified,
    debian: Option<&DebianWeakKeys>,
    now: Time,
) -> Result<Chosen, Refusal> {
    let key = armour::decode(key)
        .and_then(|octets| TransferableKey::from_octets(&octets))
        .map_err(|error| refuse_key(&error))?;
    weak_keys::check(key.key().key(), &KeyRules::any(), debian)
        .map_err(|refusal| refusal.of_field("key"))?;
    if key.is_revoked() {
        return Err(Refusal::new(
            "I13",
            "key",
            "its owner has revoked it",
            "Make a new key.",
        ));
    }
    let mut places: Vec<usize> = Vec::new();
    let mut left_out = Vec::new();
    for (place, identity) in key.identities().iter().enumerate() {
        let twice = places
            .iter()
            .any(|other| key.identities()[*other].octets() == identity.octets());
        let judged = match twice {
            true => Err(not_certified("it stands on the key twice", "Nothing.")),
            false => judge(&key, place, verified, now),
        };
        match judged {
            Ok(()) if places.len() < MOST => places.push(place),
            Ok(()) => left_out.push(LeftOut {
                user_id: shown(identity),
                why: not_certified(
                    "it is one too many",
                    "Ask again with a key of fewer user ids.",
                ),
            }),
            Err(why) => left_out.push(LeftOut {
                user_id: shown(identity),
                why,
            }),
        }
    }
    if places.is_empty() {
        return Err(nothing_left(&left_out));
    }
    Ok(Chosen {
        key,
        places,
        left_out,
    })
}

fn judge(
    key: &TransferableKey,
    place: usize,
    verified: &Verified,
    now: Time,
) -> Result<(), Refusal> {
    let text = key.identities()[place]
        .text()
        .ok_or_else(|| not_certified("it is not UTF-8", "Add one in UTF-8."))?;
    if !permitted(verified).any(|permitted| permitted == text) {
        return Err(why_not(text, verified));
    }
    let signature = key
        .self_signature(place)
        .and_then(Signature::from_body)
        .map_err(|error| {
            let remedy = "Sign the user id with the key itself, by SHA-256 or better (gpg --cert-digest-algo SHA512 \
                          --quick-add-uid).";
            Refusal::new("I4", "user_id", error.to_string(), remedy)
        })?;
    check_in_force(key.key(), &signature, now)
}

/// Whether the key and its signature on a user id hold at this time.
fn check_in_force(key: &PublicKey, signature: &Signature, now: Time) -> Result<(), Refusal> {
    let refuse = |what: &str, remedy: &str| Err(Refusal::new("I4", "user_id", what, remedy));
    let begins = key.created().max(signature.created().unwrap_or(now));
    if begins > now {
        return refuse(
            "the key, or its signature on this user id, says that it is still to be made",
            "Set the clock of your computer right, and make a new key.",
        );
    }
    if signature
        .created()
        .is_none_or(|created| created < key.created())
    {
        return refuse(
            "the key's signature on it has no time, or one before the key was made",
            "Add the user id again (gpg --quick-add-uid).",
        );
    }
    let ends = [signature.expires(), signature.key_expires(key)];
    if ends.into_iter().flatten().any(|end| end <= now) {
        return refuse(
            "the key, or its signature on this user id, has expired",
            "Extend the key (gpg --quick-set-expire), and export it again.",
        );
    }
    let certifies = |flags: u8| flags & openpgp::KEY_FLAG_CERTIFY != 0;
    if !signature.key_flags().is_none_or(certifies) {
        return refuse(
            "the key is not one that may certify, so it cannot have user ids",
            "Give the primary key.",
        );
    }
    Ok(())
}

/// Every text that may be certified: the three lines of I13 that are not refused.
fn permitted(verified: &Verified) -> impl Iterator<Item = String> {
    let Verified {
        name, addresses, ..
    } = verified;
    let name_alone = name.iter().cloned();
    let both = name.iter().flat_map(move |name| {
        let with = move |address: &String| format!("{name} <{address}>");
        addresses.iter().map(with)
    });
    let address_alone = addresses
        .iter()
        .flat_map(|address| [address.clone(), format!("<{address}>")]);
    name_alone.chain(both).chain(address_alone)
}

fn why_not(text: &str, verified: &Verified) -> Refusal {
    let parts = match UserId::read(text) {
        Ok(parts) => parts,
        Err(refusal) => return refusal,
    };
    if let Some(name) = parts.name
        && verified.name.as_deref() != Some(name)
    {
        let what = match &verified.name {
            None => format!("it has the name {name:?}, and no name was verified"),
            Some(verified) => {
                format!("it has the name {name:?}, and the one that was verified is {verified:?}")
            }
        };
        return not_certified(
            what,
            "Add a user id with the verified name, or without one.",
        );
    }
    let address = parts.address.unwrap_or_default();
    not_certified(
        format!("its mail address {address:?} is none that was verified"),
        "Verify the address first, or add a user id with one that is, written the same.",
    )
}

fn not_certified(what: impl Into<String>, remedy: &str) -> Refusal {
    Refusal::new("I13", "user_id", what, remedy)
}

fn refuse_key(error: &PgpError) -> Refusal {
    Refusal::new(
        "I13",
        "key",
        error.to_string(),
        "Give one public key as gpg --armor --export KEY writes it.",
    )
}

fn nothing_left(left_out: &[LeftOut]) -> Refusal {
    const SHOWN: usize = 8;
    let mut reasons: Vec<String> = left_out
        .iter()
        .take(SHOWN)
        .map(|out| format!("{:?}: {}", out.user_id, out.why.message))
        .collect();
    if left_out.len() > SHOWN {
        reasons.push(format!("and {} more", left_out.len() - SHOWN));
    }
    let what = match reasons.is_empty() {
        true => "the key has no user id".to_owned(),
        false => format!("none of its user ids is certified: {}", reasons.join("; ")),
    };
    not_certified(
        what,
        "A user id is a verified name, a verified address, or \"Name <address>\" of both.",
    )
}

/// For people; what is not text, too.
fn shown(identity: &Identity) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(identity.octets());
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
