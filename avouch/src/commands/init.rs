//! `avouch init`: keys, certificates, configurations and the first records, step by step.
//!
//! Every step sees whether it is done already, so that init may be interrupted anywhere and repeated. The last step
//! writes `DIR/config/avouch.toml`; its being there means that all of it is there.

mod ceremony;
mod ledger_entries;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_lc_rs::rand;
use hierarchy::Hierarchy;
use keystore::{Access, SigningKey};
use pki::KeyKind;
use serde_json::json;

use crate::cli::InitOptions;
use crate::config_files::{self, Settings};
use crate::data_dir::{self, DataDir, private_dir, public_dir};
use crate::installation::{Installation, Mode};
use crate::outcome::{Failure, Outcome};
use crate::shipped;
use crate::up::build::Programs;

pub(crate) async fn init(data: &DataDir, options: &InitOptions) -> Result<Outcome> {
    if data.is_initialised() {
        let installation = Installation::read(data)?;
        return Err(Failure::new(format!(
            "there is a CA in {} already (status URL {})",
            data.root().display(),
            installation.base_url
        ))
        .remedy("use it with `avouch up`, or make another with --data")
        .into());
    }
    data.check_socket_path()?;
    let plan = Plan::read(data, options)?;
    carry_out(data, &plan, &Programs::find_or_build()?).await?;
    let names: Vec<&str> = plan.hierarchy.names().collect();
    let object = json!({
        "data": data.root(),
        "issuers": names,
        "base_url": plan.base_url,
        "mode": plan.mode,
    });
    let text = format!(
        "{} is ready: {}\n  certificates  {}\n  status URL    {}\nnext: avouch --data {} up",
        data.root().display(),
        names.join(", "),
        data.ca_dir().display(),
        plan.base_url,
        data.root().display()
    );
    Ok(Outcome::new(object, text))
}

/// The demo, made by `avouch up` when there is nothing.
pub(crate) async fn demo(data: &DataDir, base_url: &str, programs: &Programs) -> Result<()> {
    let options = InitOptions {
        demo: true,
        hierarchy: None,
        base_url: Some(base_url.trim_end_matches('/').to_owned()),
        passphrase_file: None,
    };
    carry_out(data, &Plan::read(data, &options)?, programs).await
}

/// What is to be made.
struct Plan {
    hierarchy_text: String,
    hierarchy: Hierarchy,
    base_url: String,
    mode: Mode,
    passphrase_file: PathBuf,
}

impl Plan {
    fn read(data: &DataDir, options: &InitOptions) -> Result<Self> {
        let begun = data.hierarchy();
        let given = match &options.hierarchy {
            Some(path) => Some(data_dir::read_text(path)?),
            None if begun.exists() => None,
            None => Some(hierarchy::DEMO.to_owned()),
        };
        let text = match (given, begun.exists()) {
            // An init that was interrupted: its hierarchy stands.
            (None, _) => data_dir::read_text(&begun)?,
            (Some(given), false) => with_base_url(&given, options.base_url.as_deref()),
            (Some(given), true) => {
                let before = data_dir::read_text(&begun)?;
                if with_base_url(&given, options.base_url.as_deref()) != before {
                    return Err(Failure::new(format!(
                        "an init with another hierarchy or base URL was begun in {}",
                        data.root().display()
                    ))
                    .remedy(
                        "finish it with the same options, or remove the directory and begin anew",
                    )
                    .into());
                }
                before
            }
        };
        let hierarchy = Hierarchy::from_toml(&text).map_err(Failure::usage)?;
        ledger_entries::check(&hierarchy)?;
        let base_url = hierarchy.base_url.to_string();
        let (mode, passphrase_file) = match &options.passphrase_file {
            Some(path) => (Mode::Attended, std::path::absolute(path)?),
            None => (Mode::Demo, data.demo_passphrase()),
        };
        Ok(Self {
            hierarchy_text: text,
            hierarchy,
            base_url,
            mode,
            passphrase_file,
        })
    }
}

/// The same text with another `base_url`; comments stay.
fn with_base_url(text: &str, base_url: Option<&str>) -> String {
    let Some(base_url) = base_url else {
        return text.to_owned();
    };
    let lines = text.split_inclusive('\n').map(|line| {
        let is_it = line
            .strip_prefix("base_url")
            .is_some_and(|rest| rest.trim_start().starts_with('='));
        if is_it {
            format!("base_url = {}\n", toml::Value::String(base_url.to_owned()))
        } else {
            line.to_owned()
        }
    });
    lines.collect()
}

async fn carry_out(data: &DataDir, plan: &Plan, programs: &Programs) -> Result<()> {
    directories(data)?;
    if !data.hierarchy().exists() {
        data_dir::write_atomically(
            &data.hierarchy(),
            plan.hierarchy_text.as_bytes(),
            Access::Public,
        )?;
    }
    passphrase(plan)?;
    ceremony::hold(
        data,
        &plan.hierarchy,
        plan.mode,
        programs,
        &plan.passphrase_file,
    )?;
    let presigner_public_key = publication_key(&data.presigner_dir())?;
    let crl_builder_public_key = publication_key(&data.crl_builder_dir())?;
    api_token(data)?;
    for (name, text) in shipped::PROFILES {
        let path = data.profiles().join(name);
        if !path.exists() {
            data_dir::write_atomically(&path, text.as_bytes(), Access::Public)?;
        }
    }
    let settings = Settings {
        base_url: &plan.base_url,
        passphrase_file: &plan.passphrase_file,
        presigner_public_key: &presigner_public_key,
        crl_builder_public_key: &crl_builder_public_key,
    };
    config_files::write(data, &settings)?;
    ledger_entries::write(data, &plan.hierarchy).await?;
    Installation {
        mode: plan.mode,
        base_url: plan.base_url.clone(),
    }
    .write(data)
}

fn directories(data: &DataDir) -> Result<()> {
    public_dir(data.root())?;
    for path in [
        data.config_dir(),
        data.profiles(),
        data.ca_dir(),
        data.publication(),
    ] {
        public_dir(&path)?;
    }
    for path in [
        data.ledger_dir(),
        data.signer_dir(),
        data.signer_host_dir(),
        data.presigner_dir(),
        data.crl_builder_dir(),
        data.responder_dir(),
        data.run_dir(),
    ] {
        private_dir(&path)?;
    }
    Ok(())
}

/// The demo's passphrase; one that was named must be there.
fn passphrase(plan: &Plan) -> Result<()> {
    if plan.passphrase_file.exists() {
        return Ok(());
    }
    if plan.mode == Mode::Attended {
        return Err(Failure::usage(format!(
            "there is no file {}",
            plan.passphrase_file.display()
        ))
        .remedy("write the passphrase of the signer's keys into it, one line, mode 0600")
        .into());
    }
    data_dir::write_atomically(
        &plan.passphrase_file,
        format!("{}\n", secret()?).as_bytes(),
        Access::Secret,
    )
}

fn api_token(data: &DataDir) -> Result<()> {
    if data.api_token().exists() {
        return Ok(());
    }
    data_dir::write_atomically(
        &data.api_token(),
        format!("{}\n", secret()?).as_bytes(),
        Access::Secret,
    )
}

/// 256 random bits in hex.
fn secret() -> Result<String> {
    let mut octets = [0; 32];
    rand::fill(&mut octets).map_err(|_| Failure::new("the system gave no random numbers"))?;
    Ok(hex::encode(octets))
}

/// `publication.key` and `publication.pub` of one publisher; gives the public key in hex.
fn publication_key(folder: &Path) -> Result<String> {
    let path = folder.join("publication.key");
    let key = if path.exists() {
        SigningKey::load_plain(&path)?
    } else {
        let key = SigningKey::generate(KeyKind::Ed25519)?;
        key.save_plain(&path)?;
        key
    };
    let public = hex::encode(key.public_key().key_bits());
    data_dir::write_atomically(
        &folder.join("publication.pub"),
        format!("{public}\n").as_bytes(),
        Access::Public,
    )
    .context("the public half of the publication key cannot be written")?;
    Ok(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_is_replaced_and_comments_stay() {
        let text = with_base_url(hierarchy::DEMO, Some("http://status.example.org"));
        let hierarchy = Hierarchy::from_toml(&text).unwrap();
        assert_eq!(hierarchy.base_url.to_string(), "http://status.example.org");
        assert!(text.contains("# Where the public finds CRLs"));
        assert_eq!(with_base_url(hierarchy::DEMO, None), hierarchy::DEMO);
    }

    #[test]
    fn publication_keys_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = publication_key(dir.path()).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(publication_key(dir.path()).unwrap(), first);
    }
}
