//! The faults of the predecessor (F1 … F19) that a whole system can show; docs/conformance.md says which test holds each
//! of them.
#![forbid(unsafe_code)]

mod certification_request;
mod hosts;
mod names;
mod revocations;

use std::path::PathBuf;

use e2e::System;
use e2e::system::path;
use serde_json::Value;

/// What came of a request.
#[derive(Debug)]
enum Answer {
    /// The certificate.
    Issued(PathBuf),
    /// Rule and field of the refusal.
    Refused(String, String),
}

/// Asks for a certificate as a user does; `name` is of the files.
#[track_caller]
fn issue(system: &System, profile: &str, name: &str, csr: &str) -> Answer {
    let file = system.folder().join(format!("{name}.csr"));
    std::fs::write(&file, csr).expect("written");
    let out = file.with_extension("pem");
    let finished = system.avouch(&[
        "issue",
        "--json",
        "--profile",
        profile,
        "--issuer",
        "member",
        "--csr",
        path(&file),
        "--out",
        path(&out),
    ]);
    if finished.code == 0 {
        return Answer::Issued(out);
    }
    assert_eq!(finished.code, 1, "{name}: {finished:#?}");
    assert!(!out.exists(), "{name}: {finished:#?}");
    let told: Value = serde_json::from_str(&finished.stderr)
        .unwrap_or_else(|error| panic!("{name}: {error}: {finished:#?}"));
    let part = |part: &str| told["error"][part].as_str().unwrap_or_default().to_owned();
    assert!(!part("message").is_empty(), "{name}: {finished:#?}");
    Answer::Refused(part("rule"), part("field"))
}
