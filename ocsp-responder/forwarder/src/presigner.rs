//! The way to the presigner: TLS 1.3, both sides with certificates.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
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
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.server_ca)? {
        roots
            .add(certificate)
            .with_context(|| format!("{} is no root certificate", config.server_ca.display()))?;
    }
    let key = PrivateKeyDer::from_pem_file(&config.key)
        .with_context(|| format!("{} holds no private key in PEM", config.key.display()))?;
    let chain = certificates(&config.certificate)?;
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .with_context(|| format!("{} does not fit its key", config.certificate.display()))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read()
        .with_context(|| format!("{} cannot be read as certificates in PEM", path.display()))?;
    anyhow::ensure!(
        !certificates.is_empty(),
        "{} holds no certificate in PEM",
        path.display()
    );
    Ok(certificates)
}
