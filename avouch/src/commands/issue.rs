//! `avouch issue`: a CSR goes in, a certificate comes out.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pki::Serial;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, IssueRequest};
use crate::cli::IssueOptions;
use crate::data_dir::{self, DataDir};
use crate::edge::{Edge, OcspAnswer};
use crate::endpoints::Endpoints;
use crate::outcome::{Failure, Outcome};
use crate::{operator, records};

pub(crate) async fn issue(data: &DataDir, options: &IssueOptions) -> Result<Outcome> {
    let endpoints = Endpoints::require(data)?;
    let csr = csr_pem(options)?;
    let issuer = match &options.issuer {
        Some(name) => name.clone(),
        None => default_issuer(data, &options.profile).await?,
    };
    let request = IssueRequest {
        issuer: &issuer,
        profile: &options.profile,
        csr: &csr,
        hash: options.hash.map(|hash| hash.name()),
        days: options.days,
        evidence_sha256: evidence(options.evidence.as_deref())?,
        actor: &operator::actor(),
    };
    let issued = Api::of(data)?.issue(&request).await?;
    // A measured span, no wall-clock time.
    let begun = Instant::now();
    if let Some(out) = &options.out {
        let mut pem = issued.certificate.clone();
        if options.with_chain {
            pem.push_str(&issued.chain);
        }
        data_dir::write_out(out, &pem).map_err(|error| {
            Failure::new(format!("{} is issued, and {error:#}", issued.serial)).remedy(format!(
                "`avouch explain {} --json` gives the certificate",
                issued.serial
            ))
        })?;
    }
    let answered = until_answered(data, &endpoints, &issuer, &issued.serial).await;
    if let Err(why) = &answered {
        eprintln!(
            "the certificate is issued, but the edge does not answer for it yet ({why:#}); see `avouch status`"
        );
    }
    let mut object = json!({
        "serial": issued.serial,
        "answered_ms": answered.is_ok().then(|| begun.elapsed().as_millis()),
        "issuer": issued.issuer,
        "certificate": issued.certificate,
        "chain": issued.chain,
        "out": options.out,
    });
    for (key, value) in issued.rest {
        object[key] = value;
    }
    Ok(Outcome::new(object, issued.serial.to_string()))
}

/// Waits until the edge answers for the new certificate, so that whoever installs it now finds its status.
async fn until_answered(
    data: &DataDir,
    endpoints: &Endpoints,
    issuer: &str,
    serial: &Serial,
) -> Result<()> {
    let Some(issuer) = records::open(data).await?.issuer(issuer).await? else {
        bail!("the ledger no longer has the issuer {issuer}");
    };
    let ca = records::ca_certificate(&issuer)?;
    let edge = Edge::new(&endpoints.status, &issuer, &ca);
    let answered = edge.ocsp_until(serial, |answer| {
        !matches!(answer, Ok(OcspAnswer::Refused(_)))
    });
    let answer = tokio::time::timeout(PATIENCE, answered).await;
    answer.with_context(|| format!("not within {} s", PATIENCE.as_secs()))??;
    Ok(())
}

/// How long the edge may take before the command ends without its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The hash of the file that shows how the names were verified.
pub(super) fn evidence(path: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let octets = data_dir::read(path)?;
    Ok(Some(hex::encode(
        pki::HashAlgorithm::Sha256.digest(&octets),
    )))
}

fn csr_pem(options: &IssueOptions) -> Result<String> {
    let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let blocks = records::blocks(&options.csr, &labels)?;
    if blocks.len() > 1 {
        return Err(Failure::new(format!(
            "{} holds {} requests",
            options.csr.display(),
            blocks.len()
        ))
        .remedy("give them one by one")
        .into());
    }
    Ok(pki::pem::encode(labels[0], &blocks[0]))
}

/// The first CA with a key here that may issue this profile and is certified by another CA: roots do not issue.
async fn default_issuer(data: &DataDir, profile: &str) -> Result<String> {
    let allowed = issuers_of_profile(data, profile)?;
    let issuers = records::open(data).await?.issuers().await?;
    let mut candidates = issuers.iter().filter(|issuer| {
        issuer.signs
            && allowed
                .as_ref()
                .is_none_or(|allowed| allowed.contains(&issuer.name))
            && records::ca_certificate(issuer)
                .is_ok_and(|ca| ca.issuer().as_der() != ca.subject().as_der())
    });
    match candidates.next() {
        Some(issuer) => Ok(issuer.name.clone()),
        None => Err(Failure::usage(format!(
            "no subordinate CA here may issue the profile {profile:?}"
        ))
        .remedy("name the CA with --issuer; `avouch status` lists them")
        .into()),
    }
}

/// Which CAs the profile names; `None` when it names none, which lets all of them issue it.
fn issuers_of_profile(data: &DataDir, profile: &str) -> Result<Option<Vec<String>>> {
    #[derive(Deserialize)]
    struct Document {
        issuers: Option<Vec<String>>,
    }
    let folder = data.profiles();
    let path = folder.join(format!("{profile}.toml"));
    if profile.contains(['/', '.']) || !path.is_file() {
        return Err(Failure::usage(format!("there is no profile {profile:?}"))
            .remedy(format!(
                "the profiles are the files of {}",
                folder.display()
            ))
            .into());
    }
    let document: Document = toml::from_str(&data_dir::read_text(&path)?)
        .map_err(|error| Failure::usage(format!("{} is wrong: {error}", path.display())))?;
    Ok(document.issuers)
}
