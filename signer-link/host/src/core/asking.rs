//! What local processes ask for.

use wire::{
    FromHost, Operation, Outcome, RefusalCode, Refused, Request, RequestId, SignedResult, limits,
};

use super::archive::receipt;
use super::directory::Directory;
use super::queue::{LaneKey, Origin, Place};
use super::session::Flight;
use super::settings::Now;
use super::{Caller, Core};

/// Those who wait for one act.
const WAITERS: usize = 16;

impl<D: Directory> Core<D> {
    /// A local process asks. The replies come from [`Core::run`], exactly one for each request.
    ///
    /// Whether it may ask for that is judged before; only what no local process may ask for is refused here.
    pub fn ask(&mut self, caller: Caller, request: Request, now: Now) {
        let Request { id, operation } = request;
        match operation {
            Operation::IssueCertificate(_)
            | Operation::SignCrl(_)
            | Operation::Revoke(_)
            | Operation::SignPgpUid(_) => {
                self.ask_act(caller, &Request { id, operation }, now);
            }
            Operation::Ping { .. } => self.ask_status(caller, id, now),
            Operation::GetResult { ids } => self.ask_results(caller, id, ids),
            Operation::GetLog { after } => self.ask_log(caller, id, after),
            Operation::Info
            | Operation::GetRevoked { .. }
            | Operation::GetBucket { .. }
            | Operation::Maintenance { .. } => self.ask_signer(caller, id, operation),
            Operation::Lock { .. } => self.ask_lock(caller, id, &operation),
            _ => self.refuse(
                caller,
                id,
                RefusalCode::NotAllowed,
                "operation",
                "only the host itself says this to a signer",
            ),
        }
    }

    fn ask_act(&mut self, caller: Caller, request: &Request, now: Now) {
        let id = request.id;
        let octets = match encode_for_link(request) {
            Ok(octets) => octets,
            Err(why) => return self.refuse(caller, id, RefusalCode::Malformed, "request", &why),
        };
        if let Some(act) = self.outbox.act(&id) {
            if !act.is_of(&octets) {
                let why = "this id was used for a request of other content";
                return self.refuse(caller, id, RefusalCode::IdReused, "id", why);
            }
            self.wait(caller, id);
            if self.outbox.kept_answer(&id).is_some() {
                self.tell(id);
            }
            return;
        }
        let (open, open_octets) = self.outbox.open_size();
        if open >= self.settings.open_acts || open_octets >= self.settings.open_octets {
            return self.busy(caller, id, 1_000);
        }
        let lane = LaneKey::of(&request.operation, &self.settings.responder_profiles);
        let (Some(lane), true) = (lane, self.outbox.accept(request, octets, caller.uid, now))
        else {
            return self.busy(caller, id, 5_000);
        };
        let arrival = self.outbox.act(&id).map_or(0, |act| act.arrival);
        let place = Place {
            arrival,
            origin: Origin {
                uid: caller.uid,
                connection: caller.connection,
            },
            lane,
        };
        self.places.insert(id, place);
        self.accepted.push(id);
        self.wait(caller, id);
    }

    fn wait(&mut self, caller: Caller, id: RequestId) {
        let waiters = self.waiters.entry(id).or_default();
        if waiters.len() < WAITERS {
            waiters.push(caller);
        } else {
            self.busy(caller, id, 1_000);
        }
    }

    /// How the signer is, as it said a short time ago.
    fn ask_status(&mut self, caller: Caller, id: RequestId, now: Now) {
        let fresh = 3 * self.settings.ping;
        let status = self
            .asked_cable()
            .and_then(|cable| self.cables[cable].seen.as_ref())
            .filter(|seen| now.millis.saturating_sub(seen.at) <= fresh)
            .map(|seen| seen.status.clone());
        match status {
            Some(status) => self.reply(caller, id, Outcome::Pong(status)),
            None => self.busy(caller, id, 1_000),
        }
    }

    fn ask_results(&mut self, caller: Caller, id: RequestId, ids: Vec<RequestId>) {
        let known: Vec<Option<SignedResult>> = ids
            .iter()
            .map(|id| {
                self.outbox.act(id)?;
                match self.outbox.kept_answer(id) {
                    Some((outcome, _)) => result(outcome),
                    None => Some(SignedResult::Unknown),
                }
            })
            .collect();
        let unknown: Vec<RequestId> = ids
            .into_iter()
            .zip(&known)
            .filter_map(|(id, known)| known.is_none().then_some(id))
            .collect();
        if unknown.is_empty() {
            let results = known.into_iter().flatten().collect();
            return self.reply(caller, id, Outcome::Results { results });
        }
        match self.free_cable() {
            Some(cable) => self.question(
                cable,
                Operation::GetResult { ids: unknown },
                Flight::Results { caller, id, known },
            ),
            None => self.busy(caller, id, 1_000),
        }
    }

    fn ask_log(&mut self, caller: Caller, id: RequestId, after: u64) {
        let cable = self.asked_cable().unwrap_or_default();
        let Some(archive) = self.cables.get(cable).map(|cable| &cable.archive) else {
            return self.busy(caller, id, 1_000);
        };
        let head = receipt(archive.end());
        match archive.after(after) {
            Ok(records) => self.reply(caller, id, Outcome::Log { records, head }),
            Err(error) => {
                tracing::error!("the archive of the signer's log cannot be read: {error}");
                self.busy(caller, id, 5_000);
            }
        }
    }

    fn ask_signer(&mut self, caller: Caller, id: RequestId, operation: Operation) {
        match self.free_cable() {
            Some(cable) => self.question(cable, operation, Flight::Query { caller, id }),
            None => self.busy(caller, id, 1_000),
        }
    }

    /// Every signer that hears it locks; the caller gets the answer of the first.
    fn ask_lock(&mut self, caller: Caller, id: RequestId, operation: &Operation) {
        let mut asked = false;
        for cable in 0..self.cables.len() {
            if !self.is_askable(cable) {
                continue;
            }
            let flight = match asked {
                false => Flight::Query { caller, id },
                true => Flight::Unheard,
            };
            self.question(cable, operation.clone(), flight);
            asked = true;
        }
        if !asked {
            self.busy(caller, id, 1_000);
        }
    }

    /// The cable whose signer a question is about.
    fn asked_cable(&self) -> Option<usize> {
        let leader = |cable: &usize| self.cables[*cable].settings.signer_id == self.outbox.leader();
        self.active
            .or_else(|| (0..self.cables.len()).find(leader))
            .or_else(|| (0..self.cables.len()).find(|cable| self.is_askable(*cable)))
    }

    /// The cable on which a question can be sent now.
    fn free_cable(&self) -> Option<usize> {
        self.active
            .or_else(|| (0..self.cables.len()).find(|cable| self.is_askable(*cable)))
            .filter(|cable| {
                let session = self.cables[*cable].session.as_ref();
                session.is_some_and(|session| session.flights.len() < self.settings.window)
            })
    }

    fn refuse(
        &mut self,
        caller: Caller,
        id: RequestId,
        code: RefusalCode,
        field: &str,
        message: &str,
    ) {
        let refused = Refused {
            code,
            field: field.to_owned(),
            message: message.to_owned(),
            above: None,
        };
        self.reply(caller, id, Outcome::Refused(refused));
    }
}

/// What an answer is in a list of results.
fn result(outcome: &Outcome) -> Option<SignedResult> {
    match outcome {
        Outcome::Signed { signature } => Some(SignedResult::Signed {
            signature: signature.clone(),
        }),
        Outcome::Refused(refused) => Some(SignedResult::Refused(refused.clone())),
        Outcome::Remembered { .. } => Some(SignedResult::Remembered),
        _ => None,
    }
}

/// The octets of a request, if the cable takes it.
fn encode_for_link(request: &Request) -> Result<Vec<u8>, String> {
    let on_link = FromHost::Request(request.clone())
        .encode()
        .map_err(|error| error.to_string())?;
    if on_link.len() > limits::MESSAGE_ON_LINK {
        return Err(format!(
            "it has {} octets; the cable takes {} in one message: send it in smaller parts",
            on_link.len(),
            limits::MESSAGE_ON_LINK
        ));
    }
    request.encode().map_err(|error| error.to_string())
}
