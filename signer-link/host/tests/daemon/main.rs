//! The daemon, over a pseudo-terminal, with a signer at its other end.

#[path = "../core/requests.rs"]
mod requests;
#[path = "../core/signer.rs"]
mod signer;

mod callers;
mod host;
mod stand_in;

use std::fs;
use std::path::Path;
use std::process::Command;

use wire::{Mode, Operation, Outcome, Request};

use crate::host::Host;
use crate::requests::{id, issue, revoke, sign_crl};
use crate::signer::{POISON, Signer};
use crate::stand_in::{Shared, StandIn};

fn signer() -> Shared {
    Shared::new(Signer::new(17, Mode::Active, 1))
}

#[test]
fn acts_go_over_the_cable_and_the_log_comes_back() {
    let mut host = Host::new("");
    let signer = signer();
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until_ready();
    let mut client = host.connect();
    for number in 0..200 {
        client.send(&issue(number, if number == 7 { POISON } else { "server" }));
    }
    client.send(&revoke(200, "member"));
    client.send(&sign_crl(201, "member"));
    for _ in 0..202 {
        let reply = client.receive();
        match reply.outcome {
            Outcome::Signed { signature } => assert_eq!(signature, reply.id.0.repeat(4)),
            Outcome::Remembered { .. } => assert_eq!(reply.id, id(200)),
            outcome => assert_eq!((reply.id, refused(&outcome)), (id(7), true)),
        }
    }
    host.wait_for_metric("avouch_signer_host_log_archived{signer=\"17\"}", 405.0);
    host.wait_until("the log is acknowledged", || signer.get().acked == 405);
    let value = |name: &str| host.metric(name);
    assert_eq!(
        value("avouch_signer_host_signer_mode{mode=\"active\",signer=\"17\"}"),
        Some(1.0)
    );
    assert_eq!(
        value("avouch_signer_host_quarantined_total{code=\"policy\"}"),
        Some(1.0)
    );
    assert_eq!(
        value("avouch_signer_host_alarm{alarm=\"chain\"}"),
        Some(0.0)
    );
    assert!(
        value("avouch_signer_host_link_total{signer=\"17\",what=\"frames-sent\"}") > Some(20.0)
    );
    host.stop();
    assert!(!host.path("signer.sock").exists());
    // Nothing that names a certificate is in the log.
    assert!(!host.log().contains("no such profile"), "{}", host.log());
}

#[test]
fn what_is_open_survives_kill_9() {
    let mut host = Host::new("");
    let signer = signer();
    host.start();
    let mut client = host.connect();
    for number in 0..20 {
        client.send(&issue(number, "server"));
    }
    client.send(&revoke(20, "member"));
    host.wait_for_metric("avouch_signer_host_open_acts{class=\"certificate\"}", 20.0);
    host.wait_for_metric("avouch_signer_host_open_acts{class=\"revocation\"}", 1.0);
    host.kill();
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until("all is done", || signer.get().done.len() == 21);
    assert_eq!(signer.get().done[0], id(20));
    // Whoever asks again gets the answer.
    let mut client = host.connect();
    for number in 0..20 {
        assert!(matches!(
            client.ask(&issue(number, "server")).outcome,
            Outcome::Signed { .. }
        ));
    }
    assert!((0..21).all(|number| signer.get().times(id(number)) == 1));
}

#[test]
fn killed_again_and_again_under_load_it_loses_and_doubles_nothing() {
    let mut host = Host::new("");
    let signer = signer();
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    for round in 0..5_u64 {
        host.start();
        let mut client = host.connect();
        for number in 0..100 {
            client.send(&issue(100 * round + number, "server"));
        }
        // In the middle of it.
        let wanted = usize::try_from(100 * round + 30).unwrap();
        host.wait_until("some are done", || signer.get().done.len() >= wanted);
        host.kill();
    }
    host.start();
    let mut client = host.connect();
    for number in 0..500 {
        client.send(&issue(number, "server"));
    }
    for _ in 0..500 {
        let reply = client.receive();
        assert!(matches!(reply.outcome, Outcome::Signed { .. }), "{reply:?}");
    }
    assert_eq!(signer.get().done.len(), 500);
    host.wait_until("the log is acknowledged", || signer.get().acked == 1_001);
}

#[test]
fn a_cable_that_is_unplugged_is_found_again() {
    let mut host = Host::new("");
    let signer = signer();
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until_ready();
    host.unplug();
    drop(cable);
    host.wait_until("it is not ready", || host.page("/readyz").0 == 503);
    let (_, page) = host.page("/readyz");
    assert!(page.contains("the cable to signer 17 is not up"), "{page}");
    let mut client = host.connect();
    client.send(&issue(1, "server"));
    let question = Request {
        id: id(2),
        operation: Operation::Info,
    };
    assert!(matches!(
        client.ask(&question).outcome,
        Outcome::Busy { .. }
    ));
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    assert_eq!(client.receive().id, id(1));
    host.wait_until_ready();
    assert_eq!(signer.get().times(id(1)), 1);
}

#[test]
fn a_signer_that_is_not_active_makes_it_unready_and_says_why() {
    let mut host = Host::new("");
    let signer = signer();
    signer.get().mode = Mode::Sealed;
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until("it says why", || {
        host.page("/readyz").1.contains("signer 17 is sealed")
    });
    signer.get().mode = Mode::Active;
    host.wait_until_ready();
}

#[test]
fn a_full_disk_refuses_new_acts_and_heals_by_itself() {
    let mut host = Host::new("");
    let data = host.path("data");
    fs::create_dir(&data).unwrap();
    let Some(mounted) = SmallDisk::mount(&data) else {
        eprintln!("only root can mount a small disk: not tested");
        return;
    };
    let signer = signer();
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until_ready();
    let mut client = host.connect();
    assert!(matches!(
        client.ask(&issue(1, "server")).outcome,
        Outcome::Signed { .. }
    ));
    let ballast = data.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap_err();
    let mut number = 2;
    let busy = loop {
        if let Outcome::Busy { .. } = client.ask(&issue(number, "server")).outcome {
            break number;
        }
        number += 1;
        assert!(number < 1_000, "the disk is not full");
    };
    host.wait_for_metric("avouch_signer_host_alarm{alarm=\"outbox\"}", 1.0);
    assert!(host.page("/readyz").1.contains("make room on its disk"));
    fs::remove_file(ballast).unwrap();
    host.wait_for_metric("avouch_signer_host_alarm{alarm=\"outbox\"}", 0.0);
    assert!(matches!(
        client.ask(&issue(busy, "server")).outcome,
        Outcome::Signed { .. }
    ));
    assert!((1..=busy).all(|number| signer.get().times(id(number)) == 1));
    host.stop();
    drop(mounted);
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(_))
}

/// A file system of 64 kB.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(path)
            .status();
        mounted.ok()?.success().then_some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}
