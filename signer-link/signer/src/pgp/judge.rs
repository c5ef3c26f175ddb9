//! Judging a certification: a pure function of the request, the signer's key, the policy and the clock.

use openpgp::{KEY_FLAG_CERTIFY, PgpError, PublicKey, Signature, SignatureKind, Unsigned};
use pki::Time;
use pki::weak_keys::{self, KeyRules};
use wire::{Refused, SignPgpUid};

use super::key::PgpKey;
use super::user_id::judge_user_id;
use crate::judge::policy;
use crate::policy::Policy;

/// How far a certification may begin before the signer's clock, and after it: as certificates may (a request may have waited
/// for the signer).
const BEHIND_SECONDS: i64 = 48 * 3_600;
const AHEAD_SECONDS: i64 = 300;
const DAY: i64 = 86_400;

/// Judges a certification to be made by `by`; gives what is signed.
pub fn judge_pgp_uid(
    request: &SignPgpUid,
    by: &PgpKey,
    rules: &Policy,
    now: Time,
) -> Result<Unsigned, Refused> {
    let has_name = judge_user_id(request, rules.idn())?;
    let key = judge_key(request, by, now)?;
    judge_self_signature(request, &key, now)?;
    judge_times(request, &key, by, now)?;
    put_together(request, &key, by, has_name, rules)
}

/// What is signed for a request that was judged good before.
pub fn unsigned(request: &SignPgpUid, by: &PgpKey, rules: &Policy) -> Result<Unsigned, Refused> {
    let has_name = judge_user_id(request, rules.idn())?;
    let key = PublicKey::from_body(&request.key).map_err(of("key"))?;
    put_together(request, &key, by, has_name, rules)
}

fn put_together(
    request: &SignPgpUid,
    key: &PublicKey,
    by: &PgpKey,
    has_name: bool,
    rules: &Policy,
) -> Result<Unsigned, Refused> {
    openpgp::certification(
        key,
        &request.user_id,
        &by.key,
        (request.created, request.expires),
        has_name,
        rules.pgp_policy(),
    )
    .map_err(of("expires"))
}

/// I5: the same rules as for the keys of certificates; version 4 (RFC 9580 section 5.5.2), which is what there are
/// certifications of version 4 for.
fn judge_key(request: &SignPgpUid, by: &PgpKey, now: Time) -> Result<PublicKey, Refused> {
    let key = PublicKey::from_body(&request.key).map_err(of("key"))?;
    weak_keys::check(key.key(), &KeyRules::any(), None)
        .map_err(|refusal| policy("key", format!("{} ({})", refusal.message, refusal.rule)))?;
    if key.key() == by.key.key() {
        return Err(policy("key", "it is the signer's own key"));
    }
    if key.created() > now.plus_seconds(AHEAD_SECONDS) {
        return Err(policy(
            "key",
            format!(
                "it says that it was made at {}, which is to come",
                key.created()
            ),
        ));
    }
    Ok(key)
}

/// I4: whoever asks has the key, and says himself that the user id is his.
fn judge_self_signature(request: &SignPgpUid, key: &PublicKey, now: Time) -> Result<(), Refused> {
    const FIELD: &str = "self_signature";
    let refuse = |what: &str| Err(policy(FIELD, format!("{what} (I4)")));
    let signature = Signature::from_body(&request.self_signature).map_err(of(FIELD))?;
    if signature.kind() != SignatureKind::Certification {
        return refuse("it is not one of a key on its user id");
    }
    signature
        .verify_user_id(key, request.user_id.as_bytes(), key)
        .map_err(of(FIELD))?;
    let Some(created) = signature.created() else {
        return refuse("it does not say when it was made");
    };
    if created < key.created() || created > now.plus_seconds(AHEAD_SECONDS) {
        return refuse("it was made before its key, or is still to come");
    }
    if signature.expires().is_some_and(|end| end <= now) {
        return refuse("the user id has expired: its owner must renew it");
    }
    if signature.key_expires(key).is_some_and(|end| end <= now) {
        return refuse("the key has expired: its owner must renew it (gpg --quick-set-expire)");
    }
    if signature
        .key_flags()
        .is_some_and(|flags| flags & KEY_FLAG_CERTIFY == 0)
    {
        return refuse("the key is not one that may certify, so not one that has user ids");
    }
    Ok(())
}

fn judge_times(
    request: &SignPgpUid,
    key: &PublicKey,
    by: &PgpKey,
    now: Time,
) -> Result<(), Refused> {
    let SignPgpUid {
        created,
        expires,
        level,
        ..
    } = *request;
    if created < now.plus_seconds(-BEHIND_SECONDS) || created > now.plus_seconds(AHEAD_SECONDS) {
        return Err(policy(
            "created",
            format!("{created} is not within 48 hours before and 5 minutes after {now}"),
        ));
    }
    if created < key.created() || created < by.key.created() {
        return Err(policy("created", "it is before one of the keys was made"));
    }
    let seconds = created.seconds_until(expires);
    if seconds <= 0 || seconds > i64::from(level.days()) * DAY {
        return Err(policy(
            "expires",
            format!(
                "{expires} is not within {} days, which is the limit of the level {level} (I7)",
                level.days()
            ),
        ));
    }
    if let Some(end) = by.expires
        && expires > end
    {
        return Err(policy(
            "expires",
            format!("it is after the signer's own key ends, {end}"),
        ));
    }
    Ok(())
}

fn of(field: &'static str) -> impl Fn(PgpError) -> Refused {
    move |error| policy(field, error.to_string())
}
