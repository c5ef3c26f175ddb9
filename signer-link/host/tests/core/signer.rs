//! A signer as the host sees it: it does each act once, and keeps a log.

use std::collections::HashMap;

use journal::Position;
use journal::SIGNER_JOURNAL;
use pki::Time;
use wire::{
    FromHost, FromSigner, Hello, LogRecord, Mode, Operation, Outcome, Receipt, RefusalCode,
    Refused, Reply, Request, RequestId, SignedResult, Status,
};

/// The profile of requests that are refused.
pub(crate) const POISON: &str = "poison";

#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) id: u8,
    pub(crate) protocol: u16,
    pub(crate) mode: Mode,
    pub(crate) epoch: u32,
    pub(crate) time: Time,
    /// Answers Busy to acts of this profile, or, if it is empty, to none.
    pub(crate) busy_profile: String,
    pub(crate) busy_crls: bool,
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) positions: Vec<Position>,
    pub(crate) acked: u64,
    /// The octets of each act, and what came of it.
    pub(crate) acts: HashMap<RequestId, (Vec<u8>, Outcome)>,
    /// Acts in the order in which they were done.
    pub(crate) done: Vec<RequestId>,
    /// All that was received in this session, by name.
    pub(crate) heard: Vec<&'static str>,
    /// How often each act was received.
    pub(crate) received: HashMap<RequestId, u32>,
    /// What of the active signer's log it has.
    pub(crate) followed: u64,
    hello: bool,
}

impl Signer {
    pub(crate) fn new(id: u8, mode: Mode, epoch: u32) -> Self {
        let mut signer = Self {
            id,
            protocol: wire::PROTOCOL_VERSION,
            mode,
            epoch,
            time: Time::from_unix(1_800_000_000),
            busy_profile: String::new(),
            busy_crls: false,
            log: Vec::new(),
            positions: Vec::new(),
            acked: 0,
            acts: HashMap::new(),
            done: Vec::new(),
            heard: Vec::new(),
            received: HashMap::new(),
            followed: 0,
            hello: false,
        };
        signer.write(format!("signer {id} was made").into_bytes());
        signer
    }

    pub(crate) fn write(&mut self, record: Vec<u8>) -> Receipt {
        let next = self.end().after(&record);
        self.log.push(record);
        self.positions.push(next);
        receipt(next)
    }

    /// Its first words in a session.
    pub(crate) fn greet(&mut self) -> Vec<u8> {
        self.hello = false;
        self.heard.clear();
        FromSigner::Hello(Hello {
            protocol: self.protocol,
            build: "test".to_owned(),
            signer_id: self.id,
            boot: 1,
            log: receipt(self.end()),
            policy: [1; 32],
            time: self.time,
            mode: Some(self.mode),
            epoch: self.epoch,
        })
        .encode()
        .unwrap()
    }

    /// What it answers to a message.
    pub(crate) fn hear(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        match FromHost::decode(octets).unwrap() {
            FromHost::Hello(hello) => {
                assert!(!self.hello, "Hello twice in a session");
                self.hello = true;
                self.heard.push("hello");
                if hello.epoch > self.epoch && self.mode == Mode::Active {
                    self.mode = Mode::Locked;
                }
                None
            }
            FromHost::Request(request) => {
                assert!(self.hello, "a request before Hello");
                self.heard.push(request.operation.name());
                let id = request.id;
                let (outcome, receipt) = self.answer(request);
                let reply = Reply {
                    id,
                    outcome,
                    receipt,
                };
                Some(FromSigner::Reply(reply).encode().unwrap())
            }
        }
    }

    fn answer(&mut self, request: Request) -> (Outcome, Option<Receipt>) {
        let outcome = match &request.operation {
            Operation::Ping { .. } => Outcome::Pong(self.status()),
            Operation::GetResult { ids } => Outcome::Results {
                results: ids.iter().map(|id| self.result(id)).collect(),
            },
            Operation::GetLog { after } => {
                // Few at once, so that there is more to ask for.
                let after = usize::try_from(*after).unwrap();
                let records = self.log.iter().skip(after).take(3).cloned();
                Outcome::Log {
                    records: records.map(LogRecord).collect(),
                    head: receipt(self.end()),
                }
            }
            Operation::AckLog { archived } => self.acknowledge(*archived),
            Operation::Replicate { after, records } => self.follow(*after, records),
            Operation::Info => Outcome::Info {
                openpgp: Vec::new(),
                protocol: self.protocol,
                signer_id: self.id,
                issuers: Vec::new(),
                profiles: Vec::new(),
            },
            Operation::Lock { .. } => {
                self.mode = Mode::Locked;
                Outcome::Done
            }
            Operation::Maintenance { .. } => Outcome::Done,
            _ => return self.act(&request),
        };
        (outcome, None)
    }

    pub(crate) fn act(&mut self, request: &Request) -> (Outcome, Option<Receipt>) {
        assert_eq!(
            self.mode,
            Mode::Active,
            "an act for a signer that is not active"
        );
        let octets = request.encode().unwrap();
        *self.received.entry(request.id).or_default() += 1;
        if let Some((known, outcome)) = self.acts.get(&request.id) {
            assert_eq!(*known, octets, "one id with two contents");
            return (outcome.clone(), None);
        }
        let outcome = match &request.operation {
            Operation::IssueCertificate(issue) if issue.profile == POISON => {
                Outcome::Refused(Refused {
                    code: RefusalCode::Policy,
                    field: "profile".to_owned(),
                    message: "there is no such profile".to_owned(),
                    above: None,
                })
            }
            Operation::IssueCertificate(issue) if issue.profile == self.busy_profile => {
                return (Outcome::Busy { milliseconds: 200 }, None);
            }
            Operation::SignCrl(_) if self.busy_crls => {
                return (Outcome::Busy { milliseconds: 200 }, None);
            }
            Operation::Revoke(_) => Outcome::Remembered {
                count: self.done.len() as u64,
                summary: [7; 32],
            },
            _ => Outcome::Signed {
                signature: request.id.0.repeat(4),
            },
        };
        self.write(octets.clone());
        let receipt = self.write(
            Reply {
                id: request.id,
                outcome: outcome.clone(),
                receipt: None,
            }
            .encode()
            .unwrap(),
        );
        self.done.push(request.id);
        self.acts.insert(request.id, (octets, outcome.clone()));
        (outcome, Some(receipt))
    }

    pub(crate) fn end(&self) -> Position {
        self.positions
            .last()
            .copied()
            .unwrap_or_else(|| Position::start(SIGNER_JOURNAL))
    }

    /// How often an act was received.
    pub(crate) fn times(&self, id: RequestId) -> u32 {
        self.received.get(&id).copied().unwrap_or_default()
    }

    fn status(&self) -> Status {
        Status {
            time: self.time,
            mode: self.mode,
            reason: String::new(),
            head: receipt(self.end()),
            archived: self.acked,
            host_ahead_milliseconds: 0,
            signatures_left: 1_000,
            strikes: 0,
            epoch: self.epoch,
            replicated: self.followed,
            signer_id: self.id,
            winding_down: false,
        }
    }

    fn result(&self, id: &RequestId) -> SignedResult {
        match self.acts.get(id) {
            None => SignedResult::Unknown,
            Some((_, Outcome::Signed { signature })) => SignedResult::Signed {
                signature: signature.clone(),
            },
            Some((_, Outcome::Refused(refused))) => SignedResult::Refused(refused.clone()),
            Some(_) => SignedResult::Remembered,
        }
    }

    fn acknowledge(&mut self, archived: Receipt) -> Outcome {
        let index = usize::try_from(archived.sequence).unwrap();
        let position = index
            .checked_sub(1)
            .and_then(|index| self.positions.get(index));
        if position.map(|position| receipt(*position)) != Some(archived) {
            return Outcome::Refused(Refused {
                code: RefusalCode::Diverged,
                field: "archived".to_owned(),
                message: "this is not on the chain".to_owned(),
                above: None,
            });
        }
        self.acked = self.acked.max(archived.sequence);
        Outcome::Done
    }

    fn follow(&mut self, after: u64, records: &[LogRecord]) -> Outcome {
        if self.mode != Mode::Standby {
            return Outcome::Refused(Refused {
                code: RefusalCode::NotAllowed,
                field: "operation".to_owned(),
                message: "this signer follows no other".to_owned(),
                above: None,
            });
        }
        if after > self.followed {
            return Outcome::Refused(Refused {
                code: RefusalCode::Diverged,
                field: "after".to_owned(),
                message: format!("what is there ends at {}", self.followed),
                above: None,
            });
        }
        let mut pending: Option<(Vec<u8>, RequestId)> = None;
        for (number, LogRecord(record)) in (after + 1..).zip(records) {
            // A result follows its act directly in this log; the pair may be cut at the end of a piece.
            if let Ok(request) = Request::decode(record) {
                pending = Some((record.clone(), request.id));
            } else if let Ok(reply) = Reply::decode(record) {
                let octets = pending.take().map_or_else(Vec::new, |(octets, _)| octets);
                self.acts.entry(reply.id).or_insert((octets, reply.outcome));
            }
            self.followed = self.followed.max(number);
        }
        Outcome::Done
    }
}

pub(crate) fn receipt(position: Position) -> Receipt {
    Receipt {
        sequence: position.sequence,
        head: position.head,
    }
}
