//! The way to the presigner: TLS 1.3, both sides with certificates.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Config;

/// Whoever waits for an answer has given up long before.
const CONNECT: Duration = Duration::from_secs(2);
/// A presigner whose machine is gone is noticed after so long.
const SILENCE: Duration = Duration::from_secs(5);

/// A connection on which questions can be asked. Files are read anew each time: connections are few and long, and
/// files that were renewed count at once.
pub(crate) async fn connect(config: &Config) -> anyhow::Result<TlsStream<TcpStream>> {
    let name = server_name(config)?;
    let reading = config.clone();
    let tls = tokio::task::spawn_blocking(move || client_config(&reading)).await??;
    let connected = async {
        let stream = TcpStream::connect(&config.presigner).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE))?;
        socket.set_tcp_user_timeout(Some(SILENCE))?;
        TlsConnector::from(Arc::new(tls))
            .connect(name, stream)
            .await
    };
    let connected = tokio::time::timeout(CONNECT, connected).await;
    connected
        .map_err(|_| anyhow::anyhow!("no connection within {} s", CONNECT.as_secs()))
        .and_then(|connected| connected.map_err(Into::into))
        .with_context(|| format!("the presigner at {} cannot be reached", config.presigner))
}

/// Fails where a connection would fail for want of a good file or name.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    server_name(config)?;
    client_config(config).map(drop)
}

fn server_name(config: &Config) -> anyhow::Result<ServerName<'static>> {
    ServerName::try_from(config.server_name().to_owned()).with_context(|| {
        format!(
            "{:?} is no host name; set `server_name` to the one in the presigner's certificate",
            config.server_name()
        )
    })
}

fn client_config(config: &Config) -> anyhow::Result<ClientConfig> {
    let roots = live_tls::roots(&config.server_ca)?;
    let (chain, key) = live_tls::identity(&config.certificate, &config.key)?;
    ClientConfig::builder_with_provider(live_tls::provider())
        .with_protocol_versions(live_tls::VERSIONS)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .with_context(|| format!("{} does not fit its key", config.certificate.display()))
}
