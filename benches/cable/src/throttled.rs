//! The cable of a running Avouch, made slow.

use anyhow::{Context as _, Result};
use crl_day::site::Site;
use e2e::Cable;

/// A site whose cable goes through `serial-proxy`.
pub(crate) struct Throttled {
    // Stopped before its cable is taken away.
    site: Site,
    _cable: Cable,
    /// Octets a second that the line carries each way: ten bits each.
    speed: f64,
}

impl Throttled {
    /// Stops it, lays the proxy between host and signer, and starts it again.
    pub(crate) fn over(mut site: Site, baud: u32) -> Self {
        let address = site.system.address();
        site.system.stop();
        let cable = Cable::lay(&site.system, baud, &[]);
        site.system.up(&address);
        Self {
            site,
            _cable: cable,
            speed: f64::from(baud) / 10.0,
        }
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    /// How many octets the host has sent.
    pub(crate) fn octets(&self) -> Result<f64> {
        let series = "avouch_signer_host_link_total{signer=\"1\",what=\"octets-sent\"} ";
        let metrics = self.site.system.metrics("signer-host");
        let value = metrics.lines().find_map(|line| line.strip_prefix(series));
        let value = value.with_context(|| format!("{series}is not among the host's metrics"))?;
        Ok(value.parse()?)
    }
}
