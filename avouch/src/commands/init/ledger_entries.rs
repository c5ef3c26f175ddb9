//! The issuers in the ledger, and the CA certificates among what their issuers issued.

use std::sync::Arc;

use anyhow::{Context, Result};
use hierarchy::{Ca, Hierarchy};
use ledger::{
    Issuer, IssuerPolicy, Ledger, LedgerError, OcspPolicy, Origin, Reservation, Subjects,
};
use pki::{Certificate, HashAlgorithm, SystemClock};

use crate::data_dir::{self, DataDir};
use crate::operator;
use crate::outcome::Failure;

/// The policies must hold before any key is made.
pub(super) fn check(hierarchy: &Hierarchy) -> Result<()> {
    for ca in &hierarchy.cas {
        policy(hierarchy, ca)?;
    }
    Ok(())
}

/// Registers every CA, and each subordinate's certificate with the CA that issued it: its OCSP then answers for it.
pub(super) async fn write(data: &DataDir, hierarchy: &Hierarchy) -> Result<()> {
    let ledger = Ledger::open(&data.ledger(), Arc::new(SystemClock)).await?;
    let actor = operator::actor();
    for ca in &hierarchy.cas {
        if ledger.issuer(&ca.name).await?.is_none() {
            ledger
                .add_issuer(issuer(data, hierarchy, ca)?, &actor)
                .await?;
        }
    }
    for ca in &hierarchy.cas {
        if let Some(above) = &ca.issuer {
            record(&ledger, above, &certificate(data, &ca.name)?, &actor).await?;
        }
    }
    Ok(())
}

/// Records a certificate that the ceremony made. What was recorded before a crash is not recorded twice.
async fn record(
    ledger: &Ledger,
    issuer: &str,
    certificate: &Certificate,
    actor: &str,
) -> Result<()> {
    let serial = *certificate.serial();
    if ledger.certificate(issuer, &serial).await?.is_some() {
        return Ok(());
    }
    let mut request_id = [0; 16];
    request_id.copy_from_slice(&HashAlgorithm::Sha256.digest(certificate.der())[..16]);
    let reservation = Reservation {
        issuer: issuer.to_owned(),
        serial,
        request_id,
        profile: "subordinate-ca".to_owned(),
        tbs: certificate.tbs_der().to_vec(),
        signature_algorithm: certificate.signature_algorithm()?.name().to_owned(),
        csr: None,
        not_after: certificate.not_after(),
        spki_sha256: certificate.public_key().fingerprint(),
        crl_partition: None,
        evidence_sha256: None,
        actor: actor.to_owned(),
    };
    match ledger.reserve_serial(&reservation).await {
        Ok(()) | Err(LedgerError::SerialTaken { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    ledger
        .record_certificate(issuer, &serial, certificate.der())
        .await?;
    Ok(())
}

fn issuer(data: &DataDir, hierarchy: &Hierarchy, ca: &Ca) -> Result<Issuer> {
    let mut chain = Vec::new();
    for above in hierarchy.chain(&ca.name).skip(1) {
        chain.push(certificate(data, &above.name)?.der().to_vec());
    }
    Ok(Issuer {
        name: ca.name.clone(),
        certificate: certificate(data, &ca.name)?.der().to_vec(),
        chain,
        origin: Origin::Own,
        signs: true,
        ocsp_paths: below_base_url(hierarchy.base_url.ocsp(), ""),
        crl_paths: below_base_url(
            &hierarchy.base_url.crl(&ca.name),
            &format!("/crl/{}.crl", ca.name),
        ),
        certificate_paths: below_base_url(
            &hierarchy.base_url.certificate(&ca.name),
            &format!("/ca/{}.cer", ca.name),
        ),
        policy: policy(hierarchy, ca)?,
    })
}

/// The path of a URL, unless it is the standard one, which is served anyway.
fn below_base_url(url: &str, standard: &str) -> Vec<String> {
    let path = url
        .strip_prefix("http://")
        .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    path.filter(|path| *path != standard)
        .map(str::to_owned)
        .into_iter()
        .collect()
}

fn certificate(data: &DataDir, name: &str) -> Result<Certificate> {
    let path = data.ca_certificate(name);
    Certificate::from_pem(&data_dir::read_text(&path)?)
        .with_context(|| format!("{} is not understood", path.display()))
}

/// The tables of the hierarchy file, in the ledger's terms and within its limits.
fn policy(hierarchy: &Hierarchy, ca: &Ca) -> Result<IssuerPolicy> {
    let tables = ca.policy_tables();
    let wrong = |table: &str, error: toml::de::Error| {
        Failure::usage(format!("CA {:?}: [ca.{table}] {error}", ca.name))
    };
    let ocsp: OcspPolicy = tables
        .ocsp
        .try_into()
        .map_err(|error| wrong("ocsp", error))?;
    let crl = tables.crl.try_into().map_err(|error| wrong("crl", error))?;
    let certifies_cas = hierarchy
        .cas
        .iter()
        .any(|other| other.issuer.as_deref() == Some(&ca.name));
    let subjects = if certifies_cas {
        Subjects::CaCertificates
    } else {
        Subjects::Subscribers
    };
    let policy = IssuerPolicy {
        subjects,
        ocsp,
        crl,
        ..IssuerPolicy::default()
    };
    policy
        .validate()
        .map_err(|error| Failure::usage(format!("CA {:?}: {error}", ca.name)))?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_hierarchies_keep_every_limit() {
        for text in [hierarchy::DEMO, hierarchy::EC] {
            check(&Hierarchy::from_toml(text).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_base_url_with_a_path_is_served_too() {
        assert!(below_base_url("http://a.example", "").is_empty());
        assert!(below_base_url("http://a.example/crl/x.crl", "/crl/x.crl").is_empty());
        assert_eq!(below_base_url("http://a.example/pki", ""), ["/pki"]);
        assert_eq!(
            below_base_url("http://a.example/pki/crl/x.crl", "/crl/x.crl"),
            ["/pki/crl/x.crl"]
        );
    }

    #[test]
    fn a_policy_outside_the_limits_is_refused_before_any_key_is_made() {
        let text = hierarchy::DEMO.replace("validity_hours = 96 ", "validity_hours = 9999 ");
        let error = check(&Hierarchy::from_toml(&text).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("root") && error.contains("9999"), "{error}");
    }
}
