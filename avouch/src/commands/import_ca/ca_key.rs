//! The CA's own key: checked against its certificate, then handed to the signer's encrypted store.
//!
//! In production that is a step at the signer's own console; on one machine in demo mode it is done here, loudly.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use keystore::SigningKey;
use pki::Certificate;

use crate::cli::ImportCaOptions;
use crate::data_dir::{self, DataDir};
use crate::installation::{Installation, Mode};
use crate::outcome::Failure;
use crate::up::build::Programs;

/// Reads `--key`, if it is given and allowed here, and compares it with the certificate. The signer reads the file
/// again for itself: what was read here is dropped.
pub(super) fn read(
    data: &DataDir,
    options: &ImportCaOptions,
    ca: &Certificate,
) -> Result<Option<PathBuf>> {
    let Some(path) = &options.key else {
        return Ok(None);
    };
    if Installation::read(data)?.mode != Mode::Demo {
        return Err(Failure::new("a CA key enters the signer at the signer's own console, not through this command")
            .remedy(format!(
                "there, run `signer import --name {} --key FILE --certificate FILE`; here, leave --key out",
                options.name
            ))
            .into());
    }
    let text = data_dir::read_text(path)?;
    let key = match &options.key_passphrase_file {
        Some(file) => {
            let passphrase = data_dir::read_text(file)?;
            let passphrase = passphrase.trim_end_matches(['\r', '\n']).to_owned();
            SigningKey::from_encrypted_pem(&text, &passphrase.into())
        }
        None => SigningKey::from_pem(&text),
    };
    let key = key.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    if key.public_key().spki_der() != ca.public_key().spki_der() {
        return Err(Failure::new(format!(
            "{} is not the key of {}",
            path.display(),
            options.cert.display()
        ))
        .remedy(
            "compare `openssl pkey -pubout -in KEY` with `openssl x509 -pubkey -noout -in CERT`",
        )
        .into());
    }
    Ok(Some(path.clone()))
}

/// Runs `signer import`, which encrypts the key and records it; a running signer picks it up.
pub(super) async fn hand_to_signer(
    data: &DataDir,
    options: &ImportCaOptions,
    key: &Path,
) -> Result<()> {
    eprintln!("{WARNING}");
    let mut command = Command::new(Programs::find()?.path("signer"));
    command
        .arg("import")
        .args(["--name", &options.name])
        .arg("--key")
        .arg(key)
        .arg("--certificate")
        .arg(data.ca_certificate(&options.name))
        .arg("--keys")
        .arg(data.signer_keys())
        .arg("--journal")
        .arg(data.signer_journal())
        .arg("--passphrase-file")
        .arg(data.demo_passphrase());
    if let Some(file) = &options.key_passphrase_file {
        command.arg("--key-passphrase-file").arg(file);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("the signer's program cannot be started")?;
    if !output.status.success() {
        return Err(Failure::new(format!(
            "the signer does not take the key: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
        .into());
    }
    wait_for_running_signer(data, &options.name).await
}

/// Returns when the signer knows the CA, or at once when no signer runs.
async fn wait_for_running_signer(data: &DataDir, name: &str) -> Result<()> {
    let client =
        signer_client::SignerClient::new(data.signer_socket()).with_deadline(SIGNER_ANSWERS_WITHIN);
    if client.ping().await.is_err() {
        return Ok(());
    }
    for _ in 0..LOOKS {
        if client
            .info()
            .await
            .is_ok_and(|issuers| issuers.iter().any(|issuer| issuer.name == name))
        {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(Failure::new(format!(
        "the running signer does not pick up the key of {name}"
    ))
    .remedy("see DIR/run/signer.log; restart `avouch up`")
    .into())
}

const SIGNER_ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);
const LOOKS: u32 = 100;

const WARNING: &str = "\
WARNING: a CA key is being put into a signer that this machine unlocks by itself. That is for a demo.
         In production the key enters at the isolated signer's own console, and nowhere else.";
