//! `avouch policy`: what holds for the answers and CRLs of an issuer, shown and changed.

use anyhow::Result;
use ledger::{IssuerPolicy, IssuerUpdate};
use serde_json::Value;

use crate::cli::PolicyOptions;
use crate::data_dir::DataDir;
use crate::outcome::{Failure, Outcome};
use crate::{operator, records};

pub(crate) async fn policy(data: &DataDir, options: &PolicyOptions) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let issuer = records::issuer(&ledger, &options.issuer).await?;
    let policy = changed(&issuer.policy, &options.set)?;
    let is_new = policy != issuer.policy;
    if is_new {
        let update = IssuerUpdate {
            policy: Some(policy.clone()),
            ..IssuerUpdate::default()
        };
        ledger
            .update_issuer(&issuer.name, update, &operator::actor())
            .await?;
    }
    let mut text = toml::to_string(&policy)?;
    if is_new {
        text.push_str("\n# Changed; the daemons take it up at once.\n");
    }
    let mut object = serde_json::to_value(&policy)?;
    object["changed"] = Value::Bool(is_new);
    Ok(Outcome::new(object, text))
}

/// The policy with these fields changed, within its limits.
fn changed(policy: &IssuerPolicy, settings: &[String]) -> Result<IssuerPolicy> {
    let mut tables = serde_json::to_value(policy)?;
    for setting in settings {
        let wrong = || {
            Failure::usage(format!("{setting:?} is no setting")).remedy(
                "say ocsp.FIELD=VALUE, crl.FIELD=VALUE or source.FIELD=VALUE; without --set all fields are shown",
            )
        };
        let (path, value) = setting.split_once('=').ok_or_else(wrong)?;
        let (table, field) = path.split_once('.').ok_or_else(wrong)?;
        if !["ocsp", "crl", "source"].contains(&table) {
            return Err(wrong().into());
        }
        // Numbers and null as they are, everything else is text.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        tables[table][field] = value;
    }
    let policy: IssuerPolicy = serde_json::from_value(tables).map_err(Failure::usage)?;
    policy.validate().map_err(Failure::usage)?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use ledger::KeyPlace;
    use pki::KeyKind;

    use super::*;

    fn set(settings: &[&str]) -> Result<IssuerPolicy, String> {
        let settings: Vec<_> = settings.iter().map(ToString::to_string).collect();
        changed(&IssuerPolicy::default(), &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_set_one_by_one() {
        assert_eq!(set(&[]), Ok(IssuerPolicy::default()));
        let policy = set(&["ocsp.responder_key=p-384", "ocsp.responder_key_in=pkcs11"]).unwrap();
        assert_eq!(policy.ocsp.responder_key, Some(KeyKind::P384));
        assert_eq!(policy.ocsp.responder_key_in, KeyPlace::Pkcs11);
        let policy = set(&["ocsp.responder_key=ml-dsa-65", "crl.validity_hours=100"]).unwrap();
        assert_eq!(policy.ocsp.responder_key, Some(KeyKind::MlDsa65));
        assert_eq!(policy.crl.validity_hours, 100);
        assert_eq!(
            set(&["ocsp.responder_key=null"]),
            Ok(IssuerPolicy::default())
        );
        let policy = set(&[
            "source.crl=http://ca.example/ca.crl",
            "source.max_age_hours=36",
        ]);
        let source = policy.unwrap().source;
        assert_eq!(source.crl_url(), Some("http://ca.example/ca.crl"));
        assert_eq!(source.max_age_hours, Some(36));
        let policy = set(&["source.crl=file"]).unwrap();
        assert!(policy.source.is_followed() && policy.source.crl_url().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (settings, reason) in [
            (&["validity"][..], "no setting"),
            (&["subjects.x=1"], "no setting"),
            (&["ocsp.unknown=1"], "unknown"),
            (&["ocsp.responder_key=dsa"], "dsa"),
            (&["ocsp.validity_hours=9999"], "OCSP-35"),
            (&["source.crl=https://ca.example/ca.crl"], "source.crl"),
            (&["source.crl=/var/ca.crl"], "source.crl"),
            (
                &["source.delta=http://ca.example/delta.crl"],
                "source.delta",
            ),
            (&["source.crl=file", "source.delta=file"], "source.delta"),
            (&["source.interval_seconds=0"], "source.interval_seconds"),
            (&["source.max_megabytes=2000"], "source.max_megabytes"),
            (&["source.timeout_seconds=4000"], "source.timeout_seconds"),
            (&["source.max_age_hours=0"], "source.max_age_hours"),
            (
                &[
                    "ocsp.responder_key=ml-dsa-65",
                    "ocsp.responder_key_in=pkcs11",
                ],
                "token",
            ),
        ] {
            let error = set(settings).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
