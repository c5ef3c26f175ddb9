use std::path::Path;

use super::*;
use crate::up::daemon::Readiness;

/// A shell that behaves as a daemon; its admin listener is the test's.
fn shell(dir: &Path, script: &str, when_it_dies: WhenItDies) -> Daemon {
    Daemon {
        name: "sh",
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        state_file: dir.join("sh.json"),
        log: dir.join("sh.log"),
        readiness: Readiness::Admin,
        when_it_dies,
    }
}

/// Answers every request with 200.
async fn admin() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await.unwrap();
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    url
}

fn announcing(dir: &Path, admin: &str, then: &str) -> String {
    let state = dir.join("sh.json");
    format!(
        r#"echo "{{\"pid\": $$, \"admin\": \"{admin}\"}}" > {}; {then}"#,
        state.display()
    )
}

fn pid(dir: &Path) -> u32 {
    daemon::State::read(&dir.join("sh.json")).unwrap().pid
}

#[tokio::test]
async fn what_dies_is_started_again_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let admin = admin().await;
    let script = announcing(
        dir.path(),
        &admin,
        "trap 'exit 0' TERM; while :; do sleep 0.05; done",
    );
    let (mut supervisor, mut events) = Supervisor::new();
    supervisor
        .start(shell(dir.path(), &script, WhenItDies::Restart))
        .await
        .unwrap();
    assert!(matches!(
        events.recv().await,
        Some(Event::Ready { again: false, .. })
    ));

    let first = pid(dir.path());
    let raw = rustix::process::Pid::from_raw(first.cast_signed()).unwrap();
    rustix::process::kill_process(raw, rustix::process::Signal::KILL).unwrap();
    let Some(Event::Died { status, next, .. }) = events.recv().await else {
        panic!("no death")
    };
    assert!(status.contains("signal: 9"), "{status}");
    assert_eq!(
        next,
        Next::Restart {
            within: Duration::from_millis(200),
            warn: false
        }
    );
    assert!(matches!(
        events.recv().await,
        Some(Event::Ready { again: true, .. })
    ));
    assert_ne!(pid(dir.path()), first);

    let mut ends = Vec::new();
    supervisor
        .stop(|_, stopped| ends.extend(stopped.map(|stopped| format!("{stopped:?}"))))
        .await;
    assert_eq!(ends, ["Cleanly"]);
}

#[tokio::test]
async fn a_signer_that_nobody_may_unlock_unattended_stays_down() {
    let dir = tempfile::tempdir().unwrap();
    let admin = admin().await;
    let script = announcing(dir.path(), &admin, "sleep 0.3; exit 1");
    let (mut supervisor, mut events) = Supervisor::new();
    supervisor
        .start(shell(dir.path(), &script, WhenItDies::Leave))
        .await
        .unwrap();
    assert!(matches!(events.recv().await, Some(Event::Ready { .. })));
    let Some(Event::Died { next, .. }) = events.recv().await else {
        panic!("no death")
    };
    assert_eq!(next, Next::Nothing);
    supervisor.stop(|_, _| {}).await;
}

#[tokio::test]
async fn a_wrong_configuration_shows_the_end_of_the_log_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut supervisor, _events) = Supervisor::new();
    let daemon = shell(
        dir.path(),
        "echo the key listen is missing; exit 64",
        WhenItDies::Restart,
    );
    let error = supervisor.start(daemon).await.unwrap_err().to_string();
    assert!(
        error.contains("the key listen is missing") && error.contains("sh.log"),
        "{error}"
    );
}

#[tokio::test]
async fn one_that_never_comes_up_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let (mut supervisor, mut events) = Supervisor::new();
    let error = supervisor
        .start(shell(dir.path(), "exit 1", WhenItDies::Restart))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("does not come up"), "{error}");
    for _ in 1..FIRST_TRIES {
        assert!(matches!(events.recv().await, Some(Event::Died { .. })));
    }
}
