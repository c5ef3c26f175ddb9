//! One server under load for a moment: CPU per request, requests a second, latency.

use std::ops::ControlFlow;
use std::time::Duration;

use ocsp_load::{Length, Methods, Nonces, Pace, Phase, Plan, Report, Subjects, run};
use pki::{Certificate, HashAlgorithm};

use crate::process;
use crate::server::Server;

/// How every server is asked.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) ca: Certificate,
    pub(crate) subjects: Subjects,
    pub(crate) methods: Methods,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) nonces: Nonces,
    pub(crate) length: Duration,
    pub(crate) samples: usize,
    pub(crate) seed: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// CPU time of the server a request, in microseconds.
    pub(crate) cpu_us: f64,
    /// The load generator's report.
    pub(crate) report: Report,
}

const WARM_UP: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Puts load on a server. `meanwhile` is called some times a second while it counts, and may break it off.
pub(crate) fn measure(
    server: &Server,
    load: &Load,
    meanwhile: &mut dyn FnMut() -> ControlFlow<()>,
) -> anyhow::Result<Measured> {
    let plan = Plan {
        address: server.address,
        host: server.address.to_string(),
        path: "/".to_owned(),
        ca: load.ca.clone(),
        subjects: load.subjects.clone(),
        methods: load.methods,
        hash: HashAlgorithm::Sha1,
        nonces: load.nonces,
        connections: load.connections,
        pipelining: 1,
        keep_alive: true,
        pace: load.pace,
        length: Length::Time(load.length),
        warm_up: WARM_UP,
        timeout: TIMEOUT,
        samples: load.samples,
        ocsp: server.ocsp,
        seed: load.seed,
    };
    let processes = server.processes();
    let mut cpu = [Ok(Duration::ZERO), Ok(Duration::ZERO)];
    let report = run(&plan, &mut |phase| match phase {
        Phase::Begins => {
            cpu[0] = process::cpu(&processes);
            meanwhile()
        }
        Phase::Ends => {
            cpu[1] = process::cpu(&processes);
            ControlFlow::Continue(())
        }
        Phase::Goes { .. } => meanwhile(),
    })?;
    let [before, after] = cpu;
    let used = after?.saturating_sub(before?);
    // Lossy by nothing that shows.
    let cpu_us = used.as_secs_f64() * 1e6 / report.answered.max(1) as f64;
    Ok(Measured { cpu_us, report })
}

/// Measures until its time is up.
pub(crate) fn measure_all(server: &Server, load: &Load) -> anyhow::Result<Measured> {
    measure(server, load, &mut || ControlFlow::Continue(()))
}
