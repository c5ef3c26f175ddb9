//! An installation of its own with throw-away keys, whose real daemons do the work and are watched doing it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ledger::{Issuer, KeyPlace, Ledger, Subjects};
use pki::ocsp::response::CertStatus;
use pki::{KeyKind, SystemClock};

use super::book::Revoked;
use crate::cli::InitOptions;
use crate::commands::init;
use crate::data_dir::DataDir;
use crate::edge::{Edge, OcspAnswer};
use crate::outcome::Failure;
use crate::progress::Progress;
use crate::publications::{self, Kind};
use crate::records;
use crate::up::build::Programs;
use crate::up::daemons;
use crate::up::ports;
use crate::up::presigning::{self, Presigning};
use crate::up::served;
use crate::up::supervisor::Supervisor;

/// The name of the CA below a root: a root is only what certifies CAs.
const BELOW: &str = "drill-below";
const DRILL: &str = "Drill with throw-away keys";
/// Longer than any drill.
const DAYS: i64 = 3652;

/// The installation of the drill.
pub(super) struct Machine {
    data: DataDir,
    name: String,
    key: KeyKind,
    programs: Programs,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// From the start of the builder to the published CRL: reading, building, signing, verifying, publishing.
    pub(super) crl: Duration,
    /// From the start of the presigner to the published answers.
    pub(super) ocsp: Duration,
    /// From the published answers to the edge's own "revoked" about the last certificate.
    pub(super) edge: Duration,
    /// How many answers there are.
    pub(super) answers: u64,
    /// The CRL as served.
    pub(super) crl_der: Vec<u8>,
    pub(super) crl_entries: usize,
}

impl Machine {
    /// Makes it: a CA of the same name, policy and kind of key.
    pub(super) async fn make(scratch: &Path, issuer: &Issuer, programs: Programs) -> Result<Self> {
        let data = DataDir::new(&scratch.join("ca"))?;
        let key = records::ca_certificate(issuer)?.public_key().kind()?;
        let file = scratch.join("hierarchy.toml");
        std::fs::write(&file, hierarchy(issuer, key)?).context("the hierarchy of the drill")?;
        let options = InitOptions {
            demo: false,
            hierarchy: Some(file),
            base_url: None,
            passphrase_file: None,
        };
        init::init(&data, &options).await?;
        Ok(Self {
            data,
            name: issuer.name.clone(),
            key,
            programs,
        })
    }

    pub(super) async fn ledger(&self) -> Result<Ledger> {
        Ok(Ledger::open_existing(&self.data.ledger(), Arc::new(SystemClock)).await?)
    }

    /// What is said of the issuer in the report.
    pub(super) fn issuer(&self, issuer: &Issuer) -> super::report::IssuerKey {
        super::report::IssuerKey {
            name: issuer.name.clone(),
            key: self.key,
            signs: issuer.signs,
        }
    }

    /// Starts the daemons one after the other and measures each.
    pub(super) async fn measure(
        &self,
        supervisor: &mut Supervisor,
        ledger: &Ledger,
        revoked: &Revoked,
    ) -> Result<Measured> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listen, admin) = (
            ports::hold("--listen", any, None)?,
            ports::hold("--admin", any, None)?,
        );
        let mut start = async |name: &str| {
            let all = daemons::all(
                &self.data,
                &self.programs,
                crate::installation::Mode::Demo,
                listen.address(),
                admin.address(),
                &listen.url(),
            );
            match all.into_iter().find(|daemon| daemon.name == name) {
                Some(daemon) => supervisor.start(daemon).await,
                None => Err(Failure::new(format!("there is no daemon {name}")).into()),
            }
        };
        start("signer-host").await?;
        start("signer").await?;
        start("ocsp-responder").await?;
        let issuer = records::issuer(ledger, &self.name).await?;
        let ca = records::ca_certificate(&issuer)?;
        let url = listen.url();
        let edge = Edge::new(&url, &issuer, &ca);

        let begun = Instant::now();
        start("crl-builder").await?;
        let progress = Progress::spinner("building and signing the CRL");
        self.until_published(Kind::Crl, "crl", || ()).await?;
        let crl = begun.elapsed();
        let served = until_listed(&edge).await?;
        progress.done(&format!("{} entries", served.crl.len()));

        let begun = Instant::now();
        start("ocsp-presigner").await?;
        let mut presigning = Presigning::new(&self.data);
        let answers = self
            .until_published(Kind::Ocsp, "answers", || presigning.look())
            .await?;
        presigning.pause();
        let ocsp = begun.elapsed();

        let begun = Instant::now();
        let shown = edge.ocsp_until(&revoked.last, |answer| {
            matches!(answer, Ok(OcspAnswer::Signed(answer)) if matches!(answer.status, CertStatus::Revoked { .. }))
        });
        let complaints = complaints(&self.data);
        tokio::select! {
            shown = shown => shown.map(|_| ())?,
            failure = complaints => return Err(failure.into()),
        }
        Ok(Measured {
            crl,
            ocsp,
            edge: begun.elapsed(),
            answers,
            crl_entries: served.crl.len(),
            crl_der: served.crl.der().to_vec(),
        })
    }

    /// Waits until everything in the ledger is published; how many OCSP answers that are.
    async fn until_published(
        &self,
        kind: Kind,
        role: &str,
        mut meanwhile: impl FnMut(),
    ) -> Result<u64> {
        let head = self.ledger().await?.head().await?;
        let look = async {
            loop {
                if let Some(manifest) = publications::manifest(&self.data, kind, &self.name)?
                    && manifest.as_of >= head
                    && manifest.objects_of(role).next().is_some()
                {
                    let counts = manifest
                        .objects_of(role)
                        .filter_map(|object| object.details.get("answers"))
                        .filter_map(|count| count.parse::<u64>().ok());
                    return anyhow::Ok(counts.sum());
                }
                meanwhile();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            found = look => found,
            failure = complaints(&self.data) => Err(failure.into()),
        }
    }
}

/// The same name, kind of key and policy, and another subject, so that nobody ever takes one for the other.
fn hierarchy(issuer: &Issuer, key: KeyKind) -> Result<String> {
    let mut ocsp = issuer.policy.ocsp.clone();
    // A token is not for keys that are thrown away.
    ocsp.responder_key_in = KeyPlace::Software;
    // Nor is there a signer that might be away for weeks.
    ocsp.responder_ahead_days = Some(0);
    ocsp.responder_validity_days = issuer.policy.responder_days();
    let ca = |name: &str| {
        let subject = toml::Table::from_iter([
            ("common_name".to_owned(), name.into()),
            ("organization".to_owned(), DRILL.into()),
        ]);
        toml::Table::from_iter([
            ("name".to_owned(), name.into()),
            ("key".to_owned(), key.to_string().into()),
            ("validity_days".to_owned(), toml::Value::from(DAYS)),
            ("subject".to_owned(), subject.into()),
        ])
    };
    let mut own = ca(&issuer.name);
    own.insert("ocsp".to_owned(), toml::Value::try_from(&ocsp)?);
    own.insert("crl".to_owned(), toml::Value::try_from(&issuer.policy.crl)?);
    let mut cas = vec![toml::Value::from(own)];
    if issuer.policy.subjects == Subjects::CaCertificates {
        let mut below = ca(BELOW);
        below.insert("issuer".to_owned(), issuer.name.as_str().into());
        cas.push(below.into());
    }
    let hierarchy = toml::Table::from_iter([
        ("base_url".to_owned(), "http://127.0.0.1".into()),
        ("ca".to_owned(), cas.into()),
    ]);
    Ok(toml::to_string(&hierarchy)?)
}

/// Returns when the edge serves the CRL.
async fn until_listed(edge: &Edge<'_>) -> Result<crate::edge::ServedCrl> {
    loop {
        if let Ok(Some(served)) = edge.crl(None).await {
            return Ok(served);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Returns with what a daemon says, when it has said the same for too long without getting on.
async fn complaints(data: &DataDir) -> Failure {
    let mut since = Instant::now();
    let mut last = Vec::new();
    loop {
        let now = served::complaints(data).await;
        let is_at_work = now.iter().all(|line| line.contains("starting"));
        if is_at_work || now != last {
            since = Instant::now();
            last = now;
        } else if since.elapsed() > PATIENCE {
            return Failure::new(format!(
                "the drill does not get on: {}; a real mass revocation would not either",
                last.join("; ")
            ))
            .remedy("mend that; nothing real was touched");
        }
        tokio::time::sleep(presigning::LOOK_EVERY).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use ledger::{IssuerPolicy, Origin};

    use super::*;

    #[test]
    fn the_throw_away_hierarchy_is_one() {
        for (policy, names) in [
            (IssuerPolicy::default(), 1),
            (IssuerPolicy::ca_certificates(), 2),
        ] {
            let issuer = Issuer {
                name: "member".to_owned(),
                certificate: Vec::new(),
                chain: Vec::new(),
                origin: Origin::Own,
                signs: true,
                ocsp_paths: Vec::new(),
                crl_paths: Vec::new(),
                certificate_paths: Vec::new(),
                policy,
            };
            let text = hierarchy(&issuer, KeyKind::Rsa(4096)).unwrap();
            let hierarchy = hierarchy::Hierarchy::from_toml(&text).unwrap();
            assert_eq!(hierarchy.names().count(), names, "{text}");
            let ca = hierarchy.ca("member").unwrap();
            assert_eq!(ca.key, KeyKind::Rsa(4096));
            assert_eq!(
                ca.policy_tables().crl["validity_hours"].as_integer(),
                Some(i64::from(issuer.policy.crl.validity_hours))
            );
        }
    }
}
