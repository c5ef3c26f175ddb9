//! `avouch operator` and `avouch crl allow`: what one person alone may not do.

use std::path::Path;

use anyhow::Result;
use keystore::SigningKey;
use ledger::{CrlAllowance, Operator};
use pki::{Clock as _, KeyKind, SignatureAlgorithm, SystemClock};
use serde_json::json;

use crate::cli::{AddOperatorOptions, AllowCrlOptions};
use crate::data_dir::DataDir;
use crate::outcome::{Failure, Outcome};
use crate::{operator, records};

pub(crate) async fn add(data: &DataDir, options: &AddOperatorOptions) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let is_new = !options.key.exists();
    let key = match is_new {
        true => SigningKey::generate(KeyKind::Ed25519)?,
        false => load(&options.key)?,
    };
    let added = Operator {
        name: options.name.clone(),
        public_key: key.public_key().spki_der().to_vec(),
    };
    added.validate()?;
    if is_new {
        key.save_plain(&options.key)?;
    }
    if let Err(error) = ledger.add_operator(&added, &operator::actor()).await {
        if is_new {
            // It is nobody's.
            std::fs::remove_file(&options.key)?;
        }
        return Err(error.into());
    }
    let text = format!(
        "The signature of {} counts from now on; the key in {} is theirs alone.",
        added.name,
        options.key.display()
    );
    Ok(Outcome::new(
        json!({ "operator": added.name, "key": options.key }),
        text,
    ))
}

pub(crate) async fn list(data: &DataDir) -> Result<Outcome> {
    let operators = records::open(data).await?.operators().await?;
    let names: Vec<_> = operators
        .into_iter()
        .map(|operator| operator.name)
        .collect();
    let text = match names.is_empty() {
        true => "No operator yet; `avouch operator add NAME --key FILE` adds one.".to_owned(),
        false => names.join("\n"),
    };
    Ok(Outcome::new(json!({ "operators": names }), text))
}

/// Signs for one operator that a refused CRL may be published.
pub(crate) async fn allow_crl(data: &DataDir, options: &AllowCrlOptions) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let issuer = records::issuer(&ledger, &options.issuer).await?;
    let key = load(&options.key)?;
    let mut allowance = CrlAllowance {
        issuer: issuer.name,
        refusal: options.refusal.clone(),
        operator: options.operator.clone(),
        why: options.why.clone(),
        time: SystemClock.now(),
        signature: Vec::new(),
    };
    let statement = allowance.statement();
    allowance.signature = key.sign(SignatureAlgorithm::Ed25519, statement.as_bytes())?;
    let signatures = ledger.allow_crl(&allowance).await?;
    let text = match signatures {
        1 => "Recorded. A second operator must allow it too, within a day.".to_owned(),
        _ => "Recorded. If that is what is refused, the CRL is published with the next attempt, within a minute."
            .to_owned(),
    };
    Ok(Outcome::new(
        json!({ "refusal": allowance.refusal, "operators": signatures }),
        text,
    ))
}

fn load(path: &Path) -> Result<SigningKey> {
    SigningKey::load_plain(path).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()))
            .remedy("give the Ed25519 key that `avouch operator add` made")
            .into()
    })
}
