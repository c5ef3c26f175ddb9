//! Puts the parts together and serves the API.

use std::sync::Arc;

use anyhow::Context as _;
use issuance::{Issuance, PgpIssuance};
use ledger::Ledger;
use signer_client::SignerClient;
use telemetry::Context;
use tokio::net::TcpListener;

use crate::api::{self, Api};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::profiles::Profiles;
use crate::token::Token;
use crate::{debian_list, recovery};

pub(crate) async fn serve(context: Context<Config>) -> anyhow::Result<()> {
    let config = &context.config;
    check_base_url(&config.base_url)?;
    let part = context.health.part("profiles");
    let profiles = Profiles::load(&config.profiles, config.rule_set, part)?;
    let debian = debian_list::load(config.debian_weak_keys.as_deref())?;
    let token = Token::load_or_create(&config.token_file)?;
    let metrics = Metrics::new(&context.registry)?;
    let ledger = Ledger::open_existing(&config.ledger, Arc::clone(&context.clock)).await?;
    let signer = SignerClient::new(&config.signer_socket);
    let openpgp = PgpIssuance::new(ledger.clone(), signer.clone(), Arc::clone(&context.clock));
    let issuance = Issuance::new(ledger.clone(), signer, Arc::clone(&context.clock))
        .with_base_url(&*config.base_url)
        .with_idn_policy(config.idn.clone());

    if !config.listen.ip().is_loopback() {
        tracing::warn!(
            "the API listens on {}, which other machines can reach: the token crosses the network in clear",
            config.listen
        );
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("{} cannot be listened on", config.listen))?;
    let address = listener.local_addr()?;

    let recovery = tokio::spawn(recovery::run(
        issuance.clone(),
        openpgp.clone(),
        metrics.clone(),
        context.stop.clone(),
    ));
    let router = api::router(Arc::new(Api {
        ledger,
        issuance,
        openpgp,
        profiles,
        rule_set: config.rule_set,
        idn: config.idn.clone(),
        debian,
        metrics,
        token,
    }));
    context.announce(Some(format!("http://{address}/")))?;
    let stop = context.stop.clone();
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
        .context("the API cannot be served")?;
    recovery
        .await
        .context("the recovery of requests ended badly")
}

/// The URLs in certificates are plain HTTP (CERT-08) and stand for years, so a bad one is found now.
fn check_base_url(base_url: &str) -> anyhow::Result<()> {
    let host = base_url
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'));
    anyhow::ensure!(
        host.is_some_and(|host| !host.is_empty()
            && host
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && !b"\"<>?#".contains(&octet))),
        "base_url {base_url:?} is not an http URL like http://status.example.org; certificates name it for OCSP, CRL \
         and CA certificate, which are served over plain HTTP"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for good in [
            "http://status.example.org",
            "http://127.0.0.1:8080/",
            "http://a/pki",
        ] {
            assert!(check_base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "https://a",
            "http://",
            "ftp://a",
            "http://a b",
            "http://a?b",
            "a",
        ] {
            assert!(check_base_url(bad).is_err(), "{bad}");
        }
    }
}
