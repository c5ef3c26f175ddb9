//! Which user ids are certified (I13):
//!
//! | name | mail address | |
//! | --- | --- | --- |
//! | verified | verified | certified |
//! | verified | none | certified |
//! | none | verified | certified |
//! | anything else | | refused |
//!
//! A name counts as verified only of members who are assured (I7, I8), and it must be one that a certificate could have
//! (I9); so must the address (I10).

use openpgp::UserId;
use pki::name_rules::{AttributeKind, EmailAddress, IdnPolicy, SubjectAttribute, check_text};
use wire::{Level, Refused, SignPgpUid};

use crate::judge::policy;

/// Whether the user id may be certified; and if so, whether it has a name.
pub fn judge_user_id(request: &SignPgpUid, idn: &IdnPolicy) -> Result<bool, Refused> {
    let refused = |refusal: pki::refusal::Refusal| {
        policy("user_id", format!("{} ({})", refusal.message, refusal.rule))
    };
    check_text(&request.user_id).map_err(refused)?;
    let UserId { name, address } = UserId::read(&request.user_id).map_err(refused)?;
    if let Some(name) = name {
        SubjectAttribute::new(AttributeKind::CommonName, name).map_err(refused)?;
        if request.level < Level::Assured {
            return Err(policy(
                "level",
                "names are certified of assured members only, from 50 points on (I7, I8)",
            ));
        }
        if request.name.as_deref() != Some(name) {
            return Err(policy(
                "user_id",
                format!("the name {name:?} is not the one that was verified (I13)"),
            ));
        }
    }
    if let Some(address) = address {
        let address = EmailAddress::parse(address, idn).map_err(refused)?;
        let verified = |other: &String| {
            EmailAddress::parse(other, idn).is_ok_and(|verified| verified == address)
        };
        if !request.addresses.iter().any(verified) {
            return Err(policy(
                "user_id",
                format!("the mail address {address} is none that was verified (I13)"),
            ));
        }
    }
    Ok(name.is_some())
}
