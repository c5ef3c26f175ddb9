//! What Prometheus is given, judged by its own tool: the alert rules, and the metrics of every daemon.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use e2e::system::EC;
use e2e::{System, repository};

#[test]
fn promtool_accepts_rules_and_metrics() {
    let rules = repository().join("monitoring/alerts.yaml");
    let rules = rules.to_str().expect("paths here are text");
    promtool(&["check", "rules", rules], "");

    let system = System::start(EC);
    for daemon in [
        "signer-host",
        "issuer",
        "ocsp-presigner",
        "crl-builder",
        "ocsp-responder",
        "status-watch",
    ] {
        let page = system.metrics(daemon);
        assert!(page.contains("avouch_build_info"), "{daemon}: {page}");
        promtool(&["check", "metrics"], &page);
    }
}

#[track_caller]
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which tests/run takes out of Debian's package prometheus");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "promtool {arguments:?}: {said}"
    );
}
