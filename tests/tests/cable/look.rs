//! What an operator sees of the signer, without looking into files.

use e2e::{System, wait_within};
use serde_json::Value;

use crate::judge::SETTLE;

/// `avouch signer state --json`; null while nobody answers.
pub(crate) fn state(system: &System) -> Value {
    let state = system.avouch(&["signer", "state", "--json"]);
    serde_json::from_str(&state.stdout).unwrap_or_default()
}

/// The one signer in it.
pub(crate) fn signer(system: &System) -> Value {
    state(system)["signers"][0].clone()
}

/// The kinds of the alarms in it.
pub(crate) fn alarms(system: &System) -> Vec<String> {
    let state = state(system);
    let alarms = state["alarms"].as_array().into_iter().flatten();
    alarms
        .filter_map(|alarm| Some(alarm["kind"].as_str()?.to_owned()))
        .collect()
}

/// Why the host is not ready, as `/readyz` says; empty if it is.
pub(crate) fn not_ready(system: &System) -> String {
    match system.admin("signer-host", "readyz") {
        Some(answer) if answer.status == 503 => String::from_utf8_lossy(&answer.body).into_owned(),
        _ => String::new(),
    }
}

/// Waits until nothing is under way and all of the signer's log is archived.
#[track_caller]
pub(crate) fn until_archived(system: &System) {
    wait_within(SETTLE, || {
        let state = state(system);
        let mut queue = state["queue"].as_array().into_iter().flatten();
        let log = &state["signers"][0]["log"];
        queue.all(|class| class["count"] == 0)
            && log["head"].is_u64()
            && log["head"] == log["archived"]
    });
}
