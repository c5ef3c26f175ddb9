//! An edge in this process, with the clock of the test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ocsp_responder::{
    CacheConfig, Config, Edge, FreshConfig, LimitsConfig, Running, Succession, TrustConfig,
};
use pki::{Clock, HashAlgorithm, Serial};
use prometheus::{Encoder, TextEncoder};
use telemetry::{DaemonConfig, Health, Readiness, Stopper};

use super::client::{Client, Reply, base64};
use super::wait_until;
use super::world::World;

pub(crate) struct TestEdge {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    pub(crate) stop: Stopper,
    registry: prometheus::Registry,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
}

impl TestEdge {
    pub(crate) fn start(world: &World) -> Self {
        Self::with(world, |_| {})
    }

    pub(crate) fn with(world: &World, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(world, &world.temporary.path().join("state"));
        change(&mut config);
        Self::from_config(&config, Arc::new(world.clock.clone())).unwrap()
    }

    pub(crate) fn from_config(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let (registry, health, stop) = (prometheus::Registry::new(), Health::new(), Stopper::new());
        let running = runtime.block_on(Edge::start(
            config,
            clock,
            &registry,
            &health,
            &stop,
            Succession::default(),
        ))?;
        Ok(Self {
            address: running.address(),
            health,
            stop,
            registry,
            running: Some(running),
            runtime,
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.client().request("GET", target, "", b"")
    }

    pub(crate) fn get_with(&self, target: &str, headers: &str) -> Reply {
        self.client().request("GET", target, headers, b"")
    }

    pub(crate) fn post(&self, body: &[u8]) -> Reply {
        self.client().request(
            "POST",
            "/",
            "Content-Type: application/ocsp-request\r\n",
            body,
        )
    }

    /// A usual OCSP request by GET.
    pub(crate) fn ask(&self, world: &World, serial: &Serial) -> Reply {
        self.get(&format!(
            "/{}",
            base64(&world.authority.request(HashAlgorithm::Sha1, serial))
        ))
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    pub(crate) fn readiness(&self, issuer: Option<&str>) -> Readiness {
        self.health.readiness(issuer)
    }

    /// Waits until a generation is served.
    pub(crate) fn wait_for(&self, channel: &str, generation: u64) {
        let line = format!("avouch_edge_generation{{channel=\"{channel}\"}} {generation}\n");
        wait_until(&line, || self.metrics().contains(&line));
    }

    /// Waits until a generation is refused.
    pub(crate) fn wait_for_refusal(&self, channel: &str, reason: &str) {
        let line =
            format!("avouch_edge_refusals_total{{channel=\"{channel}\",reason=\"{reason}\"}}");
        wait_until(&line, || self.metrics().contains(&line));
    }

    /// Stops gracefully and waits for the end.
    pub(crate) fn finish(mut self) {
        self.stop.stop();
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.finished()).unwrap();
    }
}

impl Drop for TestEdge {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running.finished());
        }
    }
}

pub(crate) fn config(world: &World, state: &Path) -> Config {
    let trust = |prefix: &str| TrustConfig {
        prefix: prefix.to_owned(),
        public_key: hex::encode(world.public_key()),
    };
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        publication: world.root(),
        state: state.to_owned(),
        ocsp_paths: vec!["/configured".to_owned()],
        cores: Some(2),
        trust: vec![trust("ocsp/"), trust("crl/")],
        limits: LimitsConfig::default(),
        fresh: FreshConfig::default(),
        cache: CacheConfig::default(),
        daemon: DaemonConfig::default(),
    }
}
