//! A whole CA whose cable is `serial-proxy`, at the speed of a real line.

use e2e::system::EC;
use e2e::{Cable, CrlWatcher, System, repository};

use crate::ISSUER;
use crate::judge::{self, Totals};
use crate::load::Load;

/// A common line, with a USB bridge that holds small packets.
const BAUD: u32 = 115_200;
const BRIDGE: [&str; 2] = ["--latency", "4ms"];

/// It, with everybody who works with it.
pub(crate) struct Installation {
    pub(crate) load: Load,
    watcher: CrlWatcher,
    pub(crate) system: System,
    pub(crate) cable: Cable,
}

impl Installation {
    /// Starts, with so many callers.
    pub(crate) fn start(callers: usize) -> Self {
        let mut cable = None;
        let system = System::start_prepared(
            |_, _| repository().join(EC),
            |system| cable = Some(Cable::lay(system, BAUD, &BRIDGE)),
        );
        let cable = cable.expect("it was laid before the start");
        // A CRL after each revocation, not a few for many.
        let often = ["policy", ISSUER, "--set", "crl.min_interval_ms=200"];
        system.avouch(&often).ok();
        Self {
            load: Load::start(&system, "caller", callers),
            watcher: CrlWatcher::start(&system.address(), ISSUER, true),
            system,
            cable,
        }
    }

    /// Waits until so much more was issued and revoked.
    #[track_caller]
    pub(crate) fn goes_on(&self, more: u64) {
        self.load.goes_on(&self.system, more);
        self.watcher.check();
    }

    /// A value of the host's metrics, while it can be asked.
    pub(crate) fn host_says(&self, series: &str) -> Option<f64> {
        let page = self.system.admin("signer-host", "metrics")?;
        let page = String::from_utf8(page.body).ok()?;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line?.parse().ok()
    }

    /// Everybody stops; judges.
    #[track_caller]
    pub(crate) fn end(self) -> Totals {
        let orders = self.load.stop();
        let totals = judge::everything(&self.system, &orders);
        assert!(self.watcher.stop() > 0, "no CRL was ever seen");
        totals
    }
}
