//! `avouch pgp`: a member's OpenPGP key goes in, and comes out with its user ids certified.

use anyhow::Result;
use openpgp::armour;
use pki::Time;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, PgpKey, PgpSignRequest};
use crate::cli::{PgpShowOptions, PgpSignOptions};
use crate::data_dir::{self, DataDir};
use crate::human::printable;
use crate::operator;
use crate::outcome::{Failure, Outcome};

pub(crate) async fn sign(data: &DataDir, options: &PgpSignOptions) -> Result<Outcome> {
    let octets = armour::decode(&data_dir::read(&options.key)?).map_err(|error| {
        Failure::usage(format!("{}: {error}", options.key.display()))
            .remedy("give the public key as `gpg --armor --export KEY` writes it")
    })?;
    let request = PgpSignRequest {
        key: &armour::encode(&octets),
        level: options.level.name(),
        name: options.name.as_deref(),
        addresses: &options.addresses,
        days: options.days,
        evidence_sha256: super::issue::evidence(options.evidence.as_deref())?,
        issuer: options.issuer.as_deref(),
        actor: &operator::actor(),
    };
    let signed = Api::of(data)?.sign_pgp(&request).await?;
    data_dir::write_out(&options.out, &signed.key).map_err(|error| {
        Failure::new(format!("the user ids are certified, and {error:#}")).remedy(format!(
            "`avouch pgp show {} --out FILE` gives the key",
            signed.fingerprint
        ))
    })?;
    let mut text = format!("{}\n", signed.fingerprint);
    for certified in &signed.certified {
        let (user_id, expires) = (printable(&certified.user_id), certified.expires);
        text.push_str(&format!("certified  {user_id}  until {expires}\n"));
    }
    for out in &signed.left_out {
        let (user_id, why) = (printable(&out.user_id), printable(&out.message));
        text.push_str(&format!("left out   {user_id}: [{}] {why}\n", out.rule));
    }
    text.push_str(&format!("the key is in {}", options.out.display()));
    let object = json!({
        "fingerprint": signed.fingerprint,
        "issuer": signed.issuer,
        "by": signed.by,
        "certified": signed.certified.iter().map(|certified| json!({
            "user_id": certified.user_id,
            "expires": certified.expires,
        })).collect::<Vec<_>>(),
        "left_out": signed.left_out.iter().map(|out| json!({
            "user_id": out.user_id,
            "rule": out.rule,
            "message": out.message,
            "remedy": out.remedy,
        })).collect::<Vec<_>>(),
        "key": signed.key,
        "out": options.out,
    });
    Ok(Outcome::new(object, text))
}

pub(crate) async fn key(data: &DataDir) -> Result<Outcome> {
    let keys: Vec<PgpKey> = Api::of(data)?.get("v1/openpgp/keys").await?;
    if keys.is_empty() {
        return Err(Failure::new("this CA has no OpenPGP key")
            .remedy("describe [openpgp] in the ceremony's file, and hold a ceremony")
            .into());
    }
    let text: String = keys.iter().map(|key| key.key.as_str()).collect();
    let object = json!({ "keys": keys });
    Ok(Outcome::new(object, text))
}

/// What the issuer says about one key.
#[derive(Deserialize)]
struct Shown {
    fingerprint: String,
    requests: Vec<Asked>,
    key: Option<String>,
}

#[derive(Deserialize, serde::Serialize)]
struct Asked {
    state: String,
    why: Option<String>,
    user_id: String,
    level: String,
    issuer: String,
    created: Time,
    expires: Time,
    requested_by: String,
}

pub(crate) async fn show(data: &DataDir, options: &PgpShowOptions) -> Result<Outcome> {
    let mut fingerprint = options.fingerprint.replace(char::is_whitespace, "");
    fingerprint.retain(|c| c != ':');
    if fingerprint.is_empty() || !fingerprint.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Err(Failure::usage("that is no fingerprint")
            .remedy("give the 40 hexadecimal digits that `gpg --fingerprint` prints")
            .into());
    }
    let path = format!("v1/openpgp/certifications/{fingerprint}");
    let shown: Shown = Api::of(data)?.get(&path).await?;
    if let Some(out) = &options.out {
        let key = shown.key.as_deref().ok_or_else(|| {
            Failure::new("no user id of this key is certified, so there is nothing to write")
        })?;
        data_dir::write_out(out, key)?;
    }
    let mut text = format!("{}\n", shown.fingerprint);
    for asked in &shown.requests {
        let why = asked.why.as_deref().map(printable);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        text.push_str(&format!(
            "{:<10} {}  {} to {}, level {}, asked by {}{why}\n",
            asked.state,
            printable(&asked.user_id),
            asked.created,
            asked.expires,
            asked.level,
            printable(&asked.requested_by),
        ));
    }
    let object = json!({
        "fingerprint": shown.fingerprint,
        "requests": shown.requests,
        "key": shown.key,
        "out": options.out,
    });
    Ok(Outcome::new(object, text))
}
