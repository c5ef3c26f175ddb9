//! The dead-man switch: without a word of the host the signer signs nothing, and after longer silence it wipes its keys.

use std::fs;
use std::time::Duration;

use e2e::system::{EC, signal};
use e2e::{System, repository, wait_for, wait_within};

/// `ping_seconds` by default; the session over the cable ends sooner.
const SUSPENDED: Duration = Duration::from_secs(15);
const SILENCE_SECONDS: u64 = 25;
const LOCKED: Duration = Duration::from_secs(SILENCE_SECONDS + 10);

/// The host is stopped, as a machine that hangs is: short, and it goes on by itself; for long, and nothing but the console
/// helps.
#[test]
fn a_silent_host_suspends_the_signer_and_then_locks_it() {
    let system = System::start_prepared(
        |_, _| repository().join(EC),
        |system| {
            let file = system.data().join("config/signer.toml");
            let text = fs::read_to_string(&file).expect("a configuration");
            let day = "silence_seconds = 86400";
            assert!(text.contains(day), "{text}");
            let short = format!("silence_seconds = {SILENCE_SECONDS}");
            fs::write(&file, text.replace(day, &short)).expect("it is written");
        },
    );
    system.issue_server("member", "before.example.org");
    let host = system.pid("signer-host");

    signal("-STOP", host);
    wait_within(SUSPENDED, || {
        says(&system, "no session with the host: Silent")
    });
    signal("-CONT", host);
    system.issue_server("member", "after.example.org");

    signal("-STOP", host);
    let why = format!("the host was silent for {SILENCE_SECONDS} seconds");
    wait_within(LOCKED, || says(&system, &why));
    signal("-CONT", host);
    wait_for(|| mode(&system) == "locked");
    let state = system.avouch(&["signer", "state"]).ok().stdout;
    assert!(state.contains("LOCKED") && state.contains(&why), "{state}");
}

/// Whether the signer has said so in its own log.
fn says(system: &System, what: &str) -> bool {
    let log = system.data().join("run/signer.log");
    fs::read_to_string(log).is_ok_and(|log| log.contains(what))
}

fn mode(system: &System) -> String {
    let state = system.avouch(&["signer", "state", "--json"]);
    let state: serde_json::Value = serde_json::from_str(&state.stdout).unwrap_or_default();
    let mode = state["signers"][0]["mode"].as_str();
    mode.unwrap_or_default().to_owned()
}
