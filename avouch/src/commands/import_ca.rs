//! `avouch import ca`: takes over a CA with its certificates, statuses, CRLs, responder and URLs.
//!
//! Everything is read and judged first ([`Plan`]); a file that is refused leaves nothing written. Then it is written
//! in an order in which the running daemons never publish half of it: revocations before the certificates that are
//! good, and the issuer is told to sign CRLs only when all of them are there and the imported CRL's number is behind.

mod ca_key;
mod crls;
mod index;
mod plan;
mod responder;

use std::fmt::Write as _;

use anyhow::Result;
use ledger::{ImportSummary, ImportedCertificate, ImportedStatus, IssuerUpdate, Ledger};
use pki::{Clock, Serial, SystemClock};
use serde_json::json;

use self::plan::Plan;
use crate::cli::ImportCaOptions;
use crate::data_dir::{self, DataDir};
use crate::edge::Edge;
use crate::endpoints::Endpoints;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::publications;
use crate::up::presigning::Presigning;
use crate::{human, operator, records};

pub(crate) async fn import(data: &DataDir, options: &ImportCaOptions) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let plan = Plan::read(data, &ledger, options).await?;
    let actor = operator::actor();
    let mut done = Done::default();

    plan.write_certificates(data)?;
    responder::install(data, &options.name, &plan.responder)?;
    register(&ledger, &plan, &actor).await?;
    take_over(&ledger, options, &plan, &actor, &mut done).await?;
    if let Some(crl) = &plan.newest_crl {
        crls::keep(data, &options.name, crl)?;
        crls::number_above(&ledger, &options.name, crl).await?;
    }
    if let Some(key) = &plan.key {
        ca_key::hand_to_signer(data, options, key).await?;
        let signs = IssuerUpdate {
            signs: Some(true),
            ..IssuerUpdate::default()
        };
        ledger.update_issuer(&options.name, signs, &actor).await?;
    }
    if options.wait {
        wait(data, &ledger, &plan).await?;
    }
    report(data, &ledger, options, &plan, &done).await
}

/// Adds the issuer, or brings its certificate and paths up to date. Wakes the daemons.
async fn register(ledger: &Ledger, plan: &Plan, actor: &str) -> Result<()> {
    let issuer = plan.issuer.clone();
    if plan.is_new {
        ledger.add_issuer(issuer, actor).await?;
        return Ok(());
    }
    let update = IssuerUpdate {
        certificate: Some(issuer.certificate),
        chain: Some(issuer.chain),
        ocsp_paths: Some(issuer.ocsp_paths),
        crl_paths: Some(issuer.crl_paths),
        certificate_paths: Some(issuer.certificate_paths),
        policy: Some(issuer.policy),
        ..IssuerUpdate::default()
    };
    ledger.update_issuer(&issuer.name, update, actor).await?;
    Ok(())
}

/// Writes certificates and statuses: what CRLs revoke, then the index, then the certificates themselves.
async fn take_over(
    ledger: &Ledger,
    options: &ImportCaOptions,
    plan: &Plan,
    actor: &str,
    done: &mut Done,
) -> Result<()> {
    let revoked: Vec<_> = plan.revoked_by_crls().collect();
    let mut progress =
        (!revoked.is_empty()).then(|| Progress::bar("taking over the CRLs", revoked.len() as u64));
    for batch in revoked.chunks(BATCH) {
        done.add(
            ledger
                .import_certificates(&options.name, batch, actor)
                .await?,
        );
        if let Some(progress) = &mut progress {
            progress.set(done.rows);
        }
    }
    if let Some(progress) = progress {
        progress.done(&format!("{} entries", human::count(revoked.len() as u64)));
    }
    if let Some(path) = &options.index {
        index::take_over(ledger, &options.name, path, plan.index_lines, actor, done).await?;
    }
    for batch in plan.certificates.chunks(BATCH) {
        let batch: Vec<_> = batch
            .iter()
            .map(|certificate| ImportedCertificate {
                serial: *certificate.serial(),
                not_after: Some(certificate.not_after()),
                subject: Some(certificate.subject().to_string()),
                certificate: Some(certificate.der().to_vec()),
                status: ImportedStatus::Good,
            })
            .collect();
        done.add(
            ledger
                .import_certificates(&options.name, &batch, actor)
                .await?,
        );
    }
    Ok(())
}

/// Waits for the daemons, showing how far they are.
async fn wait(data: &DataDir, ledger: &Ledger, plan: &Plan) -> Result<()> {
    let endpoints = Endpoints::require(data)?;
    let issuer = &plan.issuer;
    if plan.signs() {
        let ca = records::ca_certificate(issuer)?;
        let edge = Edge::new(&endpoints.status, issuer, &ca);
        publications::wait_for_crl(ledger, &edge, &issuer.name).await?;
    }
    if plan.responder.csr_pem().is_none() {
        let mut presigning = Presigning::new(data);
        publications::wait_for_answers(data, ledger, &issuer.name, || presigning.look()).await?;
        presigning.look();
    }
    Ok(())
}

/// Rows in one transaction of the ledger.
const BATCH: usize = 10_000;

/// What was written.
#[derive(Debug, Default)]
struct Done {
    rows: u64,
    added: u64,
    changed: u64,
    unchanged: u64,
    conflicts: Vec<Serial>,
    skipped_lines: u64,
}

impl Done {
    fn add(&mut self, summary: ImportSummary) {
        self.rows += summary.added + summary.changed + summary.unchanged;
        self.added += summary.added;
        self.changed += summary.changed;
        self.unchanged += summary.unchanged;
        self.conflicts.extend(summary.conflicts);
    }
}

async fn report(
    data: &DataDir,
    ledger: &Ledger,
    options: &ImportCaOptions,
    plan: &Plan,
    done: &Done,
) -> Result<Outcome> {
    let counts = ledger.counts(&options.name).await?;
    let name = &options.name;
    let mut text = format!(
        "{name} is taken over: {} certificates, {} of them revoked; {} are new here",
        human::count(counts.issued),
        human::count(counts.revoked),
        human::count(done.added),
    );
    if done.skipped_lines > 0 {
        let _ = write!(
            text,
            "\n{} lines of the index were not understood and left out",
            done.skipped_lines
        );
    }
    if !done.conflicts.is_empty() {
        let _ = write!(
            text,
            "\n{} certificates have another status here than in these files; what was recorded first stands, for example {}",
            human::count(done.conflicts.len() as u64),
            done.conflicts[0]
        );
    }
    let end = plan.newest_crl.as_ref().and_then(|crl| crl.next_update());
    let source = &plan.issuer.policy.source;
    let crl = match (plan.signs(), end.filter(|end| *end <= SystemClock.now())) {
        (true, _) => "made here from now on".to_owned(),
        (false, _) if source.is_followed() => match source.crl_url() {
            Some(url) => format!(
                "fetched from {url} every {} s, and what it revokes is followed",
                source.interval_seconds
            ),
            None => "followed whenever its file changes".to_owned(),
        },
        (false, Some(end)) => format!("ended at {end} and is not served; import the current one"),
        (false, None) if crls::is_kept(data, name) => {
            "the imported one, as it is; import the next one before it ends".to_owned()
        }
        (false, None) => "none: give it with --crl, or the key with --key".to_owned(),
    };
    let _ = write!(text, "\n  CRL        {crl}");
    let _ = write!(
        text,
        "\n  OCSP       {}",
        plan.responder.describe(plan.signs())
    );
    for (kind, paths) in [
        ("OCSP", &options.ocsp_path),
        ("CRL", &options.crl_path),
        ("cert", &options.cert_path),
    ] {
        for path in paths {
            let _ = write!(text, "\n  also at    {path} ({kind})");
        }
    }
    let csr = plan.responder.csr_pem();
    if let Some(pem) = csr {
        match &options.responder_csr_out {
            Some(out) => {
                data_dir::write_out(out, pem)?;
                let _ = write!(
                    text,
                    "\n\nThe request for the responder's certificate is in {}.",
                    out.display()
                );
            }
            None => {
                let _ = write!(text, "\n\n{pem}");
            }
        }
        let _ = write!(
            text,
            "\nLet {name} certify it with extendedKeyUsage OCSPSigning alone, the extension noCheck (1.3.6.1.5.5.7.48.1.5), \
             keyUsage digitalSignature and authorityKeyIdentifier keyid; then:\n  avouch import ca --name {name} --cert {} \
             --responder-cert FILE",
            options.cert.display()
        );
    }
    let object = json!({
        "issuer": name,
        "signs": plan.signs(),
        "certificates": counts.issued,
        "revoked": counts.revoked,
        "added": done.added,
        "changed": done.changed,
        "unchanged": done.unchanged,
        "conflicts": done.conflicts,
        "skipped_lines": done.skipped_lines,
        "crl_number": plan.newest_crl.as_ref().and_then(|crl| crl.number()),
        "responder_csr": csr,
        "responder": plan.responder.describe(plan.signs()),
    });
    Ok(Outcome::new(object, text))
}
