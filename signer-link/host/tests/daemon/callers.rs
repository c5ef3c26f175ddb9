//! Callers that mean no good, and callers that may not do what they ask for.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::fs::{Gid, Uid};
use rustix::thread::{set_thread_gid, set_thread_uid};
use wire::{Mode, Operation, Outcome, RefusalCode, Request};

use crate::host::{Client, Host};
use crate::requests::{id, issue};
use crate::signer::Signer;
use crate::stand_in::{Shared, StandIn};

#[test]
fn hostile_callers_harm_nobody_else() {
    let mut host = Host::new("");
    let signer = Shared::new(Signer::new(17, Mode::Active, 1));
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until_ready();
    // Octets that are no message: refused, and the connection goes on.
    let mut garbage = host.connect();
    for octets in [&b"\x00\xff\xff\xff"[..], b"", &[0x82, 0x50]] {
        garbage.send_octets(octets);
        let reply = garbage.receive();
        let Outcome::Refused(refused) = reply.outcome else {
            panic!("{reply:?}");
        };
        assert_eq!(refused.code, RefusalCode::Malformed);
    }
    assert!(matches!(
        garbage.ask(&issue(1, "server")).outcome,
        Outcome::Signed { .. }
    ));
    // A length that no message has.
    let mut huge = host.connect();
    huge.0.write_all(&u32::MAX.to_be_bytes()).unwrap();
    assert!(huge.is_closed());
    // One that stops in the middle of a message, and many that say nothing.
    let mut stalled = host.connect();
    stalled.0.write_all(&[0, 0, 4, 0, 1, 2, 3]).unwrap();
    let _silent: Vec<Client> = (0..50).map(|_| host.connect()).collect();
    // One that asks on and on and never reads.
    let mut deaf = host.connect();
    deaf.0.set_nonblocking(true).unwrap();
    let question = Request {
        id: id(2),
        operation: Operation::GetLog { after: 0 },
    };
    let framed = wire::frame::encode(&question.encode().unwrap()).unwrap();
    while deaf.0.write(&framed).is_ok() {}
    // Meanwhile.
    let mut honest = host.connect();
    for number in 10..60 {
        assert!(matches!(
            honest.ask(&issue(number, "server")).outcome,
            Outcome::Signed { .. }
        ));
    }
    host.wait_until_ready();
}

#[test]
fn a_caller_gets_what_its_line_says() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root can be somebody else: not tested");
        return;
    }
    let mut host = Host::new(
        r#"
            socket_gid = 70001
            callers = [{ uid = 70001, may = ["read-log", "issue"] }]
        "#,
    );
    let signer = Shared::new(Signer::new(17, Mode::Active, 1));
    let cable = StandIn::start(&signer, &host.keys);
    host.plug(cable.device());
    host.start();
    host.wait_until_ready();
    let request = |operation| Request {
        id: id(5),
        operation,
    };
    let lock = request(Operation::Lock {
        reason: "nonsense".to_owned(),
    });
    let mut known = connect_as(&host, 70_001);
    assert!(matches!(
        known.ask(&issue(1, "server")).outcome,
        Outcome::Signed { .. }
    ));
    assert!(matches!(
        known.ask(&request(Operation::GetLog { after: 0 })).outcome,
        Outcome::Log { .. }
    ));
    assert_eq!(code(&mut known, &lock), Some(RefusalCode::NotAllowed));
    let mut unknown = connect_as(&host, 70_002);
    for request in [issue(2, "server"), request(Operation::Info), lock.clone()] {
        assert_eq!(code(&mut unknown, &request), Some(RefusalCode::NotAllowed));
    }
    assert_eq!(signer.get().mode, Mode::Active);
    assert_eq!(signer.get().times(id(2)), 0);
    // Not even the host's own user says what only the host says.
    let archived = wire::Receipt {
        sequence: 1,
        head: [0; 32],
    };
    let mut own = host.connect();
    assert_eq!(
        code(&mut own, &request(Operation::AckLog { archived })),
        Some(RefusalCode::NotAllowed)
    );
    assert!(matches!(own.ask(&lock).outcome, Outcome::Done));
    assert_eq!(signer.get().mode, Mode::Locked);
}

fn code(client: &mut Client, request: &Request) -> Option<RefusalCode> {
    match client.ask(request).outcome {
        Outcome::Refused(refused) => Some(refused.code),
        _ => None,
    }
}

/// A connection of another user: the kernel notes whose thread it was that connected.
fn connect_as(host: &Host, uid: u32) -> Client {
    let socket = host.path("signer.sock");
    let connected = thread::spawn(move || {
        set_thread_gid(Gid::from_raw(70_001)).unwrap();
        set_thread_uid(Uid::from_raw(uid)).unwrap();
        UnixStream::connect(socket).unwrap()
    });
    Client(connected.join().unwrap())
}
