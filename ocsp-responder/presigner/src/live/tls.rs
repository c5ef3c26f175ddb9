//! The TLS listener that forwarders on other machines ask on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::config::TlsConfig;

/// A client that has not shown its certificate by then is cut.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A listening socket behind which only clients with a certificate get anywhere.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    listener: TcpListener,
    config: Arc<TlsConfig>,
}

impl TlsSocket {
    /// Listens; files that cannot be used are an error now and not only at the first connection.
    pub(crate) async fn bind(config: &TlsConfig) -> anyhow::Result<Self> {
        server_config(config)?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "cannot listen on {}; change `listen` in [live.tls]",
                config.listen
            )
        })?;
        Ok(Self {
            listener,
            config: Arc::new(config.clone()),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection; it is made secure by [`Handshake::finish`], so that none waits for another.
    pub(crate) async fn accept(&self) -> io::Result<Handshake> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Handshake {
            stream,
            config: Arc::clone(&self.config),
        })
    }
}

/// A connection whose client has not shown its certificate yet.
#[derive(Debug)]
pub(crate) struct Handshake {
    stream: TcpStream,
    config: Arc<TlsConfig>,
}

impl Handshake {
    /// Shows our certificate and demands the client's.
    pub(crate) async fn finish(self) -> anyhow::Result<TlsStream<TcpStream>> {
        self.stream.set_nodelay(true)?;
        // Read anew: connections are few and long, and files that were renewed count at once.
        let config = self.config;
        let config = tokio::task::spawn_blocking(move || server_config(&config)).await??;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let handshake = acceptor.accept(self.stream);
        Ok(tokio::time::timeout(HANDSHAKE, handshake).await??)
    }
}

fn server_config(config: &TlsConfig) -> anyhow::Result<ServerConfig> {
    let provider = live_tls::provider();
    let roots = live_tls::roots(&config.client_ca)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .with_context(|| format!("{} is of no use", config.client_ca.display()))?;
    let (chain, key) = live_tls::identity(&config.certificate, &config.key)?;
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(live_tls::VERSIONS)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .with_context(|| format!("{} does not fit its key", config.certificate.display()))
}
