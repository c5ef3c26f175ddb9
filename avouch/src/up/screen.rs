//! What `avouch up` says when everything serves, and when something happens after that.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::log_file;
use super::supervisor::{Event, Next};
use crate::data_dir::DataDir;
use crate::endpoints::Endpoints;
use crate::installation::{Installation, Mode};
use crate::table::Table;
use crate::{human, records};

/// The screen, then the line that begins with `ready`; with `--json` one object instead.
pub(super) async fn show(
    data: &DataDir,
    installation: &Installation,
    endpoints: &Endpoints,
    took: Duration,
    as_json: bool,
) -> Result<()> {
    let ledger = records::open(data).await?;
    let issuers = ledger.issuers().await?;
    if as_json {
        let mut object = serde_json::to_value(endpoints)?;
        object["ready"] = json!(true);
        object["issuers"] = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        println!("{object}");
        return Ok(());
    }
    let mut table = Table::new(&["issuer", "issued", "revoked", "certificate", "CRL"]);
    for issuer in &issuers {
        let counts = ledger.counts(&issuer.name).await?;
        table.row([
            issuer.name.clone(),
            human::count(counts.issued),
            human::count(counts.revoked),
            format!("{}ca/{}.cer", endpoints.status, issuer.name),
            format!("{}crl/{}.crl", endpoints.status, issuer.name),
        ]);
    }
    let avouch = match data.root() == std::path::absolute("avouch-data")? {
        true => "avouch".to_owned(),
        false => format!("avouch --data {}", data.root().display()),
    };
    let demo = if installation.mode == Mode::Demo {
        " (a demo: nobody should trust it)"
    } else {
        ""
    };
    // Whoever relies on certified OpenPGP keys imports the CA's own.
    let openpgp: String = openpgp_files(data)?
        .iter()
        .map(|path| {
            format!(
                "\x20 {:<32} OpenPGP key, for gpg --import\n",
                path.display()
            )
        })
        .collect();
    println!(
        "\n\
         Avouch {version} serves {root}{demo}\n\n\
         \x20 {status:<32} OCSP by GET and POST, CRLs, CA certificates\n\
         \x20 {admin:<32} /metrics, /healthz, /readyz\n\
         \x20 {api:<32} issuing and revoking, with the token of this directory\n\
         {openpgp}\n\
         {table}\n\n\
         Try next, in another terminal:\n\
         \x20 openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org\n\
         \x20 {avouch} issue --profile server --csr server.csr --out server.pem\n\
         \x20 {avouch} revoke --cert server.pem --ground subscriber --reason keyCompromise --wait\n\
         \x20 {avouch} status\n",
        version = env!("CARGO_PKG_VERSION"),
        root = data.root().display(),
        status = endpoints.status,
        admin = endpoints.admin,
        api = endpoints.api,
        table = table.render(),
    );
    println!("ready after {}; Ctrl-C stops everything", human::took(took));
    Ok(())
}

/// The CA's public OpenPGP keys, as the ceremony has left them.
fn openpgp_files(data: &DataDir) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(data.ca_dir())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "asc") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// One line for what happened, with the end of the log after a death.
pub(super) fn tell(data: &DataDir, event: &Event) {
    match event {
        Event::Ready { again: false, .. } => {}
        Event::Ready { name, again: true } => eprintln!("{name} is ready again"),
        Event::Died { name, status, next } => {
            eprintln!(
                "{name} died ({status}); its log {} ends with",
                data.log(name).display()
            );
            eprint!("{}", log_file::tail(&data.log(name)));
            match next {
                Next::Restart { within, warn } => {
                    eprintln!("{name} is started again in {}", human::took(*within));
                    if *warn {
                        eprintln!("{SIGNER_WARNING}");
                    }
                }
                Next::Nothing => eprintln!(
                    "{name} stays down: its keys are unlocked by somebody who is there. Look into the log, then start `avouch up` again"
                ),
            }
        }
    }
}

const SIGNER_WARNING: &str = "\
WARNING: the signer is unlocked again without anybody looking why it died. Only this demo does that;
         a real signer stays locked until two people have come.";
