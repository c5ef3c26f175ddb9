//! `avouch revoke`: recorded by the issuer, and with `--wait` seen in what the edge serves.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use ledger::Issuer;
use pki::ocsp::response::CertStatus;
use pki::{Certificate, Serial};
use serde_json::json;

use crate::api::{Api, RevokeRequest};
use crate::cli::RevokeOptions;
use crate::data_dir::DataDir;
use crate::edge::{Edge, LOOK_AGAIN, OcspAnswer};
use crate::endpoints::Endpoints;
use crate::outcome::{Failure, Outcome};
use crate::progress::Progress;
use crate::{human, operator, records};

pub(crate) async fn revoke(data: &DataDir, options: &RevokeOptions) -> Result<Outcome> {
    let endpoints = Endpoints::require(data)?;
    let (issuer, serial) = target(data, options).await?;
    let request = RevokeRequest {
        issuer: &issuer.name,
        serial,
        ground: options.ground.name(),
        case: options.case.as_deref(),
        reason: options.reason,
        actor: &operator::actor(),
    };
    // Measured spans, no wall-clock time: `pki::Clock` has no part in them.
    let asked = Instant::now();
    let revoked = Api::of(data)?.revoke(&request).await?;
    let recorded = asked.elapsed();

    let mut text = if revoked.already_revoked {
        format!(
            "{serial} of {} was revoked before, at {}",
            issuer.name, revoked.revoked_at
        )
    } else {
        format!(
            "{serial} of {} is revoked since {}",
            issuer.name, revoked.revoked_at
        )
    };
    let _ = write!(text, " ({}, ground {})", revoked.reason, revoked.ground);
    let mut object = json!({
        "serial": serial,
        "issuer": issuer.name,
        "revoked_at": revoked.revoked_at,
        "reason": revoked.reason,
        "ground": revoked.ground,
        "already_revoked": revoked.already_revoked,
        "recorded_ms": millis(recorded),
    });
    if options.wait {
        let seen = wait(&endpoints, &issuer, &serial, asked, options.timeout).await?;
        let _ = write!(text, "\nOCSP says revoked after {}", human::took(seen.ocsp));
        object["ocsp_ms"] = json!(millis(seen.ocsp));
        match seen.crl {
            Some(took) => {
                let _ = write!(text, "\nthe CRL lists it after {}", human::took(took));
                object["crl_ms"] = json!(millis(took));
            }
            None => {
                let _ = write!(
                    text,
                    "\nthe CRL of {} is not made here (its key is elsewhere): revoke it there too and import the new CRL",
                    issuer.name
                );
                object["crl_ms"] = json!(null);
            }
        }
    }
    Ok(Outcome::new(object, text))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Which certificate is meant: by its file, or by serial and issuer.
async fn target(data: &DataDir, options: &RevokeOptions) -> Result<(Issuer, Serial)> {
    let ledger = records::open(data).await?;
    if let Some(path) = &options.cert {
        let certificate = records::certificate(path)?;
        let issuer = match &options.issuer {
            Some(name) => records::issuer(&ledger, name).await?,
            None => issuer_of(&ledger.issuers().await?, &certificate).ok_or_else(|| {
                Failure::new(format!(
                    "{} was issued by {}, which is no issuer here",
                    path.display(),
                    certificate.issuer()
                ))
                .remedy("check the file and --data; `avouch status` lists the issuers")
            })?,
        };
        return Ok((issuer, *certificate.serial()));
    }
    let text = options.serial.as_deref().unwrap_or_default();
    let serial = text.parse().map_err(Failure::usage)?;
    let name = options.issuer.as_deref().unwrap_or_default();
    Ok((records::issuer(&ledger, name).await?, serial))
}

/// The issuer whose name and key made the certificate.
fn issuer_of(issuers: &[Issuer], certificate: &Certificate) -> Option<Issuer> {
    issuers
        .iter()
        .find(|issuer| {
            records::ca_certificate(issuer).is_ok_and(|ca| {
                ca.subject().as_der() == certificate.issuer().as_der()
                    && certificate.verify_signed_by(ca.public_key()).is_ok()
            })
        })
        .cloned()
}

struct Seen {
    ocsp: Duration,
    /// Absent when the CRL is not ours to make.
    crl: Option<Duration>,
}

/// Asks the edge again and again until both products show the revocation.
async fn wait(
    endpoints: &Endpoints,
    issuer: &Issuer,
    serial: &Serial,
    asked: Instant,
    seconds: u64,
) -> Result<Seen> {
    let ca = records::ca_certificate(issuer)?;
    let edge = Edge::new(&endpoints.status, issuer, &ca);
    let watched = async {
        let _progress = Progress::spinner("waiting until the edge shows it");
        let ocsp = until_ocsp(&edge, serial, asked);
        if issuer.signs {
            let (ocsp, crl) = tokio::try_join!(ocsp, until_crl(&edge, serial, asked))?;
            anyhow::Ok(Seen {
                ocsp,
                crl: Some(crl),
            })
        } else {
            Ok(Seen {
                ocsp: ocsp.await?,
                crl: None,
            })
        }
    };
    match tokio::time::timeout(Duration::from_secs(seconds), watched).await {
        Ok(seen) => seen,
        Err(_) => Err(not_shown(&edge, issuer, serial, seconds).await.into()),
    }
}

async fn until_ocsp(edge: &Edge<'_>, serial: &Serial, asked: Instant) -> Result<Duration> {
    // An error is "not yet": the revocation stands, and an edge that is being restarted answers soon. What still fails
    // when the time is up is told then.
    let shown = edge.ocsp_until(serial, |answer| match answer {
        Ok(OcspAnswer::Signed(answer)) => matches!(answer.status, CertStatus::Revoked { .. }),
        Ok(OcspAnswer::Refused(_)) | Err(_) => false,
    });
    shown.await?;
    Ok(asked.elapsed())
}

async fn until_crl(edge: &Edge<'_>, serial: &Serial, asked: Instant) -> Result<Duration> {
    let mut seen = None;
    loop {
        if let Ok(Some(served)) = edge.crl(seen.as_ref()).await {
            if served.crl.find(serial).is_some() {
                return Ok(asked.elapsed());
            }
            seen = Some(served);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The revocation stands; says which product does not show it yet.
async fn not_shown(edge: &Edge<'_>, issuer: &Issuer, serial: &Serial, seconds: u64) -> Failure {
    let ocsp = match edge.ocsp(serial).await {
        Ok(OcspAnswer::Signed(answer)) => match answer.status {
            CertStatus::Good => "OCSP still says good".to_owned(),
            CertStatus::Revoked { .. } => "OCSP says revoked".to_owned(),
        },
        Ok(OcspAnswer::Refused(name)) => format!("OCSP says {name}"),
        Err(error) => format!("OCSP gives no answer ({error:#})"),
    };
    let crl = match edge.crl(None).await {
        _ if !issuer.signs => "the CRL is not made here".to_owned(),
        Ok(Some(served)) if served.crl.find(serial).is_some() => "the CRL lists it".to_owned(),
        Ok(Some(served)) => match served.number() {
            Some(number) => format!("CRL number {number} does not list it"),
            None => "the CRL does not list it".to_owned(),
        },
        Ok(None) => "no CRL is served".to_owned(),
        Err(error) => format!("the CRL cannot be fetched ({error:#})"),
    };
    Failure::new(format!(
        "the revocation of {serial} is recorded and stands, but after {seconds} s the edge does not show it: {ocsp}; {crl}"
    ))
    .remedy("see `avouch status` and DIR/run/ocsp-presigner.log, crl-builder.log, ocsp-responder.log")
}
