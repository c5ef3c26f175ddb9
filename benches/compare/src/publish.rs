//! Publishing beside the load, and seeing when an edge has taken it.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, Clock as _, HashAlgorithm, Serial, SystemClock};

use crate::fetch::Connection;

/// Asks an edge about one certificate after the other until it says what it should.
pub(crate) struct Watcher {
    ca: Certificate,
    hashes: IssuerHashes,
    connection: Connection,
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(600);

impl Watcher {
    pub(crate) fn new(address: SocketAddr, ca: &Certificate) -> anyhow::Result<Self> {
        Ok(Self {
            ca: ca.clone(),
            hashes: IssuerHashes::of(HashAlgorithm::Sha1, ca),
            connection: Connection::open(address)?,
        })
    }

    /// Waits until this certificate is answered with that status; how long that took.
    pub(crate) fn wait_for(
        &mut self,
        serial: &Serial,
        status: CertStatus,
        meanwhile: &mut dyn FnMut(),
    ) -> anyhow::Result<Duration> {
        let began = Instant::now();
        while self.ask(serial)? != status {
            anyhow::ensure!(
                began.elapsed() < PATIENCE,
                "the edge does not take what is published; see its log"
            );
            meanwhile();
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(began.elapsed())
    }

    fn ask(&mut self, serial: &Serial) -> anyhow::Result<CertStatus> {
        let question = request::build(&self.hashes, std::slice::from_ref(serial), None);
        let body = self.connection.fetch(&question)?;
        let expected = Expected {
            ca: &self.ca,
            hash: HashAlgorithm::Sha1,
            serial,
            now: SystemClock.now(),
            status: None,
            rules: Rules::default(),
        };
        match verify_response(&body, &expected) {
            Ok(verified) => Ok(verified.status),
            Err(violation) => anyhow::bail!("the edge gave a bad answer: {violation}"),
        }
    }
}
