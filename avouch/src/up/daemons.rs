//! The daemons in the order in which they start; each needs those before it.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::build::Programs;
use super::daemon::{Daemon, Readiness, WhenItDies};
use crate::data_dir::DataDir;
use crate::installation::Mode;

pub(crate) fn all(
    data: &DataDir,
    programs: &Programs,
    mode: Mode,
    listen: SocketAddr,
    admin: SocketAddr,
    status_url: &str,
) -> Vec<Daemon> {
    let daemon = |name: &'static str, more: &[&str]| Daemon {
        name,
        program: programs.path(name),
        arguments: arguments(data, name, more),
        state_file: data.state_file(name),
        log: data.log(name),
        readiness: Readiness::Admin,
        when_it_dies: WhenItDies::Restart,
    };
    let signer = Daemon {
        readiness: Readiness::SignerSocket(data.signer_socket()),
        when_it_dies: match mode {
            Mode::Demo => WhenItDies::RestartWithWarning,
            Mode::Attended => WhenItDies::Leave,
        },
        arguments: signer_arguments(data),
        ..daemon("signer", &[])
    };
    vec![
        daemon("signer-host", &[]),
        signer,
        daemon("issuer", &[]),
        daemon("ocsp-presigner", &[]),
        daemon("crl-builder", &[]),
        daemon(
            "ocsp-responder",
            &[
                "--listen",
                &listen.to_string(),
                "--admin",
                &admin.to_string(),
            ],
        ),
        daemon("status-watch", &["--edge", status_url]),
    ]
}

/// The signer is no daemon of the host's: it has a console where others have an admin listener.
fn signer_arguments(data: &DataDir) -> Vec<OsString> {
    vec![
        "run".into(),
        "--config".into(),
        data.config("signer").into(),
        "--die-with-parent".into(),
    ]
}

fn arguments(data: &DataDir, name: &str, more: &[&str]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--config".into(), data.config(name).into()];
    arguments.push("--die-with-parent".into());
    arguments.extend(more.iter().map(OsString::from));
    arguments
}
