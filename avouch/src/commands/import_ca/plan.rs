//! What an import will do: every file read and judged, nothing written.

use std::path::PathBuf;

use anyhow::{Context, Result};
use keystore::Access;
use ledger::{ImportedCertificate, Issuer, IssuerPolicy, Ledger, Origin, SourcePolicy};
use pki::crl::Crl;
use pki::{Certificate, RevocationReason};

use super::responder::Responder;
use super::{ca_key, crls, index, responder};
use crate::cli::ImportCaOptions;
use crate::data_dir::{self, DataDir};
use crate::outcome::Failure;
use crate::records;

pub(super) struct Plan {
    /// As it is to be in the ledger; `signs` is set last, when everything else is there.
    pub(super) issuer: Issuer,
    pub(super) is_new: bool,
    /// The file of the CA's key.
    pub(super) key: Option<PathBuf>,
    pub(super) index_lines: u64,
    pub(super) certificates: Vec<Certificate>,
    pub(super) newest_crl: Option<Crl>,
    pub(super) responder: Responder,
    ca: Certificate,
    crls: Vec<Crl>,
}

impl Plan {
    pub(super) async fn read(
        data: &DataDir,
        ledger: &Ledger,
        options: &ImportCaOptions,
    ) -> Result<Self> {
        let ca = records::certificate(&options.cert)?;
        let known = known_as(ledger, &options.name, &ca).await?;
        let is_new = known.is_none();
        let mut issuer = issuer(options, &ca, known)?;
        if options.key.is_some() {
            // From now on its CRLs are made here.
            issuer.policy.source = SourcePolicy::default();
        }
        issuer.validate().map_err(Failure::new)?;
        let key = ca_key::read(data, options, &ca)?;
        let crls = crls::read(&options.crl, &ca, options.accept_sha1)?;
        let certificates = certificates(options, &ca)?;
        let responder = responder::plan(data, options, &ca, key.is_some() || issuer.signs)?;
        // Last, since it takes longest.
        let index_lines = match &options.index {
            Some(path) => index::check(path, options.skip_bad_lines)?,
            None => 0,
        };
        Ok(Self {
            newest_crl: crls.last().cloned(),
            issuer,
            is_new,
            key,
            index_lines,
            certificates,
            responder,
            ca,
            crls,
        })
    }

    /// Whether the CA key is in our signer when this is done.
    pub(super) fn signs(&self) -> bool {
        self.key.is_some() || self.issuer.signs
    }

    /// Every entry of every CRL, the newest CRL first, since the first word about a serial stands. A hold counts
    /// in the newest alone: one that a later CRL no longer has was released.
    pub(super) fn revoked_by_crls(&self) -> impl Iterator<Item = ImportedCertificate> {
        let newest_first = self.crls.iter().rev().enumerate();
        let entries = newest_first.flat_map(|(age, crl)| {
            crl.entries().filter_map(Result::ok).filter(move |entry| {
                age == 0 || entry.reason != Some(RevocationReason::CertificateHold)
            })
        });
        entries.map(|entry| ImportedCertificate::from(&entry))
    }

    /// `DIR/ca/{name}.pem` and `DIR/ca/chain-{name}.pem`.
    pub(super) fn write_certificates(&self, data: &DataDir) -> Result<()> {
        let name = &self.issuer.name;
        let own = self.ca.to_pem();
        let above: String = self
            .issuer
            .chain
            .iter()
            .map(|der| pki::pem::encode("CERTIFICATE", der))
            .collect();
        data_dir::write_atomically(&data.ca_certificate(name), own.as_bytes(), Access::Public)?;
        data_dir::write_atomically(
            &data.ca_chain(name),
            format!("{own}{above}").as_bytes(),
            Access::Public,
        )
    }
}

/// The issuer of that name when it is this CA; the name must not be another's, nor this CA have another name.
async fn known_as(ledger: &Ledger, name: &str, ca: &Certificate) -> Result<Option<Issuer>> {
    let same = |issuer: &Issuer| -> Result<bool> {
        let known = records::ca_certificate(issuer)?;
        Ok(known.subject().as_der() == ca.subject().as_der()
            && known.public_key().spki_der() == ca.public_key().spki_der())
    };
    for issuer in ledger.issuers().await? {
        match (issuer.name == name, same(&issuer)?) {
            (true, true) => return Ok(Some(issuer)),
            (true, false) => {
                return Err(
                    Failure::new(format!("{name} is the name of another CA here"))
                        .remedy("choose another --name")
                        .into(),
                );
            }
            (false, true) => {
                return Err(
                    Failure::new(format!("this CA is here already, as {}", issuer.name))
                        .remedy(format!("add to it with --name {}", issuer.name))
                        .into(),
                );
            }
            (false, false) => {}
        }
    }
    Ok(None)
}

/// What the ledger is to hold: what it holds already, with what is new put in.
fn issuer(options: &ImportCaOptions, ca: &Certificate, known: Option<Issuer>) -> Result<Issuer> {
    let mut issuer = known.unwrap_or_else(|| Issuer {
        name: options.name.clone(),
        certificate: Vec::new(),
        chain: Vec::new(),
        origin: Origin::Imported,
        signs: false,
        ocsp_paths: Vec::new(),
        crl_paths: Vec::new(),
        certificate_paths: Vec::new(),
        policy: IssuerPolicy::default(),
    });
    issuer.certificate = ca.der().to_vec();
    let mut chain = Vec::new();
    for path in &options.chain {
        chain.extend(
            records::certificates(path)?
                .iter()
                .map(|certificate| certificate.der().to_vec()),
        );
    }
    if !chain.is_empty() {
        issuer.chain = chain;
    }
    if let Some(url) = &options.crl_url {
        issuer.policy.source.crl = Some(url.clone());
        issuer
            .policy
            .source
            .delta
            .clone_from(&options.delta_crl_url);
    }
    add(&mut issuer.ocsp_paths, &options.ocsp_path);
    add(&mut issuer.crl_paths, &options.crl_path);
    add(&mut issuer.certificate_paths, &options.cert_path);
    Ok(issuer)
}

fn add(paths: &mut Vec<String>, more: &[String]) {
    for path in more {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
}

/// Certificates of `--certs`; one that another CA signed is refused by name.
fn certificates(options: &ImportCaOptions, ca: &Certificate) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    for path in &options.certs {
        for certificate in records::certificates(path)? {
            if certificate.der() == ca.der() {
                continue;
            }
            check_issued_by(&certificate, ca).with_context(|| path.display().to_string())?;
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

fn check_issued_by(certificate: &Certificate, ca: &Certificate) -> Result<()> {
    let refused = |why: String| {
        Failure::new(format!(
            "{} ({}) {why}; nothing was taken over",
            certificate.serial(),
            certificate.subject()
        ))
        .remedy("take it out of the file")
    };
    if certificate.issuer().as_der() != ca.subject().as_der() {
        return Err(refused(format!("was issued by {}", certificate.issuer())).into());
    }
    certificate
        .verify_signed_by(ca.public_key())
        .map_err(|error| {
            refused(format!(
                "has a signature that the CA's key did not make ({error})"
            ))
            .into()
        })
}
