//! A host with the keys of the ceremony, in the hands of an attacker.

use pki::{Clock as _, SystemClock, Time};
use wire::link::SessionKeys;
use wire::{
    FromHost, FromSigner, Hello, Operation, Outcome, Receipt, Reply, Request, RequestId, Status,
};

use crate::cable::{Cable, PATIENCE};
use crate::session::{Session, random};

pub(crate) struct Host {
    pub(crate) cable: Cable,
    pub(crate) keys: SessionKeys,
    session: Option<Session>,
    /// What the signer said first in this session.
    pub(crate) greeting: Option<Hello>,
}

pub(crate) fn now() -> Time {
    SystemClock.now()
}

impl Host {
    pub(crate) fn new(cable: Cable, keys: SessionKeys) -> Self {
        Self {
            cable,
            keys,
            session: None,
            greeting: None,
        }
    }

    /// A session, as far as the signer's hello.
    pub(crate) fn open(&mut self) {
        self.session = Some(Session::open(&mut self.cable, &self.keys));
        let FromSigner::Hello(hello) = self.receive() else {
            panic!("the signer says hello first");
        };
        self.greeting = Some(hello);
    }

    /// An honest session.
    pub(crate) fn connect(&mut self) -> Status {
        self.open();
        self.greet(|_| ());
        self.status()
    }

    /// Says hello, with a change.
    pub(crate) fn greet(&mut self, change: impl FnOnce(&mut Hello)) {
        let mut hello = Hello {
            protocol: wire::PROTOCOL_VERSION,
            build: "hostile".to_owned(),
            signer_id: 0,
            boot: 1,
            log: Receipt {
                sequence: 0,
                head: [0; 32],
            },
            policy: [0; 32],
            time: now(),
            mode: None,
            epoch: 0,
        };
        change(&mut hello);
        self.say(&FromHost::Hello(hello));
    }

    /// Tells the true time.
    pub(crate) fn status(&mut self) -> Status {
        let reply = self.ping(0);
        status_in(&reply)
    }

    /// Tells a time that is wrong by so many seconds.
    pub(crate) fn ping(&mut self, seconds: i64) -> Reply {
        let time = now().plus_seconds(seconds);
        self.ask(Operation::Ping { time })
    }

    pub(crate) fn ask(&mut self, operation: Operation) -> Reply {
        self.ask_as(new_id(), operation)
    }

    pub(crate) fn ask_as(&mut self, id: RequestId, operation: Operation) -> Reply {
        self.say(&request(id, operation));
        let reply = self.reply();
        assert_eq!(reply.id, id);
        reply
    }

    pub(crate) fn say(&mut self, message: &FromHost) {
        self.say_octets(&message.encode().unwrap());
    }

    /// Octets that need not be a message, as one.
    pub(crate) fn say_octets(&mut self, octets: &[u8]) {
        let (cable, session) = self.parts();
        session.send(cable, octets);
    }

    pub(crate) fn reply(&mut self) -> Reply {
        match self.receive() {
            FromSigner::Reply(reply) => reply,
            FromSigner::Hello(_) => panic!("a second hello of the signer"),
        }
    }

    fn receive(&mut self) -> FromSigner {
        let (cable, session) = self.parts();
        let message = session.receive(cable, PATIENCE);
        FromSigner::decode(&message.expect("the signer answers")).unwrap()
    }

    /// The cable and the session that stands.
    pub(crate) fn parts(&mut self) -> (&mut Cable, &mut Session) {
        let session = self.session.as_mut().expect("a session was opened");
        (&mut self.cable, session)
    }

    /// Forgets the session.
    pub(crate) fn leave(&mut self) -> Option<Session> {
        self.session.take()
    }
}

pub(crate) fn new_id() -> RequestId {
    RequestId(random())
}

pub(crate) const fn request(id: RequestId, operation: Operation) -> FromHost {
    FromHost::Request(Request { id, operation })
}

#[track_caller]
pub(crate) fn status_in(reply: &Reply) -> Status {
    match &reply.outcome {
        Outcome::Pong(status) => status.clone(),
        other => panic!("no pong: {other:?}"),
    }
}
