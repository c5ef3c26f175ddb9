//! The ledger and the values that several commands take from it.

use std::sync::Arc;

use anyhow::{Context, Result};
use ledger::{Issuer, Ledger};
use pki::{Certificate, SystemClock};

use crate::data_dir::DataDir;
use crate::outcome::Failure;

/// Opens the ledger of an installation that is there.
pub(crate) async fn open(data: &DataDir) -> Result<Ledger> {
    data.require_initialised()?;
    Ok(Ledger::open_existing(&data.ledger(), Arc::new(SystemClock)).await?)
}

/// The issuer of that name; the error lists those there are.
pub(crate) async fn issuer(ledger: &Ledger, name: &str) -> Result<Issuer> {
    if let Some(issuer) = ledger.issuer(name).await? {
        return Ok(issuer);
    }
    let names: Vec<String> = ledger
        .issuers()
        .await?
        .into_iter()
        .map(|issuer| issuer.name)
        .collect();
    Err(Failure::new(format!("there is no issuer named {name:?}"))
        .remedy(format!("the issuers here are: {}", names.join(", ")))
        .into())
}

pub(crate) fn ca_certificate(issuer: &Issuer) -> Result<Certificate> {
    Certificate::from_der(&issuer.certificate).with_context(|| {
        format!(
            "the ledger's certificate of {} is not understood",
            issuer.name
        )
    })
}

/// Certificates of files that people bring: PEM with any number of blocks, or DER.
pub(crate) fn certificates(path: &std::path::Path) -> Result<Vec<Certificate>> {
    let blocks = blocks(
        path,
        &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"],
    )?;
    let certificates = blocks.iter().enumerate().map(|(index, der)| {
        Certificate::from_der(der).map_err(|error| {
            Failure::new(format!(
                "{}: certificate {} is not one of RFC 5280 section 4.1: {error}",
                path.display(),
                index + 1
            ))
            .remedy("give X.509 certificates in PEM or DER")
            .into()
        })
    });
    certificates.collect()
}

/// The first certificate of a file.
pub(crate) fn certificate(path: &std::path::Path) -> Result<Certificate> {
    // Unwrap safety: `blocks` gives at least one or an error.
    Ok(certificates(path)?.into_iter().next().unwrap())
}

/// The DER of every PEM block with one of the labels, or the whole file when it is DER; at least one.
pub(crate) fn blocks(path: &std::path::Path, labels: &[&str]) -> Result<Vec<Vec<u8>>> {
    let bytes = crate::data_dir::read(path)?;
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let text = String::from_utf8_lossy(&bytes);
    let blocks = pki::pem::blocks(&text)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let wanted: Vec<_> = blocks
        .into_iter()
        .filter(|block| labels.contains(&block.label.as_str()))
        .map(|block| block.der)
        .collect();
    if wanted.is_empty() {
        return Err(Failure::new(format!(
            "{} holds no {} in PEM or DER",
            path.display(),
            labels[0]
        ))
        .remedy("check that it is the right file")
        .into());
    }
    Ok(wanted)
}
