//! The cable of a running Avouch, made slow.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use crl_day::site::Site;
use e2e::program::binary;
use e2e::wait_for;

/// A site whose cable goes through `serial-proxy`.
pub(crate) struct Throttled {
    site: Site,
    proxy: Child,
    /// Octets a second that the line carries each way: ten bits each.
    speed: f64,
}

impl Throttled {
    /// Stops it, lays the proxy between host and signer, and starts it again.
    pub(crate) fn over(mut site: Site, baud: u32) -> Result<Self> {
        let address = site.system.status_url().to_owned();
        let address = address.trim_start_matches("http://").trim_end_matches('/');
        site.system.stop();
        let ends = ["host", "signer"].map(|end| site.system.folder().join(format!("{end}.tty")));
        let proxy = Command::new(binary("serial-proxy"))
            .args(["--baud", &baud.to_string(), "--link-a"])
            .arg(&ends[0])
            .arg("--link-b")
            .arg(&ends[1])
            .args(["pty", "pty"])
            // It ends with its standard input.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("serial-proxy cannot be started")?;
        wait_for(|| ends.iter().all(|end| end.exists()));
        for (daemon, end) in [("signer-host", &ends[0]), ("signer", &ends[1])] {
            let file = site
                .system
                .data()
                .join("config")
                .join(format!("{daemon}.toml"));
            let text = fs::read_to_string(&file)?;
            let lines = text.lines().map(|line| match line.split(' ').next() {
                Some("pty" | "device") => format!("device = {end:?}\n"),
                Some("baud") => format!("baud = {baud}\n"),
                _ => format!("{line}\n"),
            });
            fs::write(&file, lines.collect::<String>())?;
        }
        site.system.up(address);
        Ok(Self {
            site,
            proxy,
            speed: f64::from(baud) / 10.0,
        })
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

impl Drop for Throttled {
    fn drop(&mut self) {
        self.site.system.stop();
        // It may have ended with the cable.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}
