//! In which order acts go to the signer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wire::{Operation, RequestId};

use super::settings::Millis;

/// The kinds of acts, the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// Revocations.
    Revocation,
    /// CRLs.
    Crl,
    /// Certificates of OCSP responders.
    Responder,
    /// All other certificates, and certifications of OpenPGP keys.
    Certificate,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Revocation,
        Self::Crl,
        Self::Responder,
        Self::Certificate,
    ];

    /// Its name, as in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Crl => "crl",
            Self::Responder => "responder",
            Self::Certificate => "certificate",
        }
    }
}

/// Who asked: while a connection lasts, what came on it keeps its order; 0 for what came before the host was started.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Origin {
    pub(crate) uid: u32,
    pub(crate) connection: u64,
}

/// What the order of an act rests on.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) arrival: u64,
    pub(crate) origin: Origin,
    pub(crate) lane: LaneKey,
}

/// Acts that are alike: when the signer is busy for one, it is for the others.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct LaneKey {
    pub(crate) class: Class,
    issuer: String,
    profile: String,
}

impl LaneKey {
    /// The lane of an act; `None` for what is no act.
    pub(crate) fn of(operation: &Operation, responder_profiles: &[String]) -> Option<Self> {
        let (class, issuer, profile) = match operation {
            Operation::Revoke(revoke) => (Class::Revocation, &revoke.issuer, ""),
            Operation::SignCrl(crl) => (Class::Crl, &crl.issuer, ""),
            Operation::IssueCertificate(issue) if responder_profiles.contains(&issue.profile) => {
                (Class::Responder, &issue.issuer, &*issue.profile)
            }
            Operation::IssueCertificate(issue) => {
                (Class::Certificate, &issue.issuer, &*issue.profile)
            }
            Operation::SignPgpUid(sign) => (Class::Certificate, &sign.issuer, ""),
            _ => return None,
        };
        Some(Self {
            class,
            issuer: issuer.clone(),
            profile: profile.to_owned(),
        })
    }
}

#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeMap<u64, (RequestId, Origin)>,
    /// The signer was busy: not before then.
    paused_until: Millis,
    /// How often in a row it was.
    busy: u32,
}

/// The acts that wait to be sent, and what is known of all that are open.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: BTreeMap<LaneKey, Lane>,
    /// Open revocations of each issuer, by arrival.
    revocations: HashMap<String, BTreeSet<u64>>,
    /// Open CRLs of each issuer and origin, by arrival.
    crls: HashMap<(String, Origin), BTreeSet<u64>>,
}

impl Queue {
    /// An act is open from now on.
    pub(crate) fn opened(&mut self, place: &Place) {
        if let Some(open) = self.order_of(place) {
            open.insert(place.arrival);
        }
    }

    /// It has its answer.
    pub(crate) fn closed(&mut self, place: &Place) {
        if let Some(open) = self.order_of(place) {
            open.remove(&place.arrival);
        }
        if let Some(lane) = self.lanes.get_mut(&place.lane) {
            lane.waiting.remove(&place.arrival);
        }
    }

    /// An open act is to be sent.
    pub(crate) fn put(&mut self, id: RequestId, place: &Place) {
        let lane = self.lanes.entry(place.lane.clone()).or_default();
        lane.waiting.insert(place.arrival, (id, place.origin));
    }

    /// The signer was busy for an act, which is to be sent again.
    pub(crate) fn busy(&mut self, id: RequestId, place: &Place, now: Millis, wait: Millis) {
        self.put(id, place);
        if place.lane.class == Class::Crl
            && let Some(open) = self.order_of(place)
        {
            // Revocations do not wait for a CRL that the signer has put off.
            open.remove(&place.arrival);
        }
        let Some(lane) = self.lanes.get_mut(&place.lane) else {
            return;
        };
        // Several that were under way together are one refusal.
        if now >= lane.paused_until {
            let backoff = wait.max(10).saturating_mul(1 << lane.busy.min(6));
            lane.paused_until = now + backoff.min(wait.max(30_000));
            lane.busy += 1;
        }
    }

    /// The signer has done an act of this lane.
    pub(crate) fn not_busy(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(&place.lane) {
            lane.busy = 0;
        }
    }

    /// A session begins: what an earlier one said about being busy no longer counts.
    pub(crate) fn resume(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.busy = 0;
            lane.paused_until = 0;
        }
    }

    /// Takes the next act out; `last` is the least urgent class that may be taken.
    pub(crate) fn take(&mut self, now: Millis, last: Class) -> Option<RequestId> {
        for class in Class::ALL.into_iter().take_while(|class| *class <= last) {
            let next = self
                .lanes
                .iter()
                .filter(|(key, lane)| key.class == class && lane.paused_until <= now)
                .filter_map(|(key, lane)| Some((self.first_free(key, lane)?, key)))
                .min_by_key(|(arrival, _)| *arrival);
            if let Some((arrival, key)) = next {
                let key = key.clone();
                let (id, _) = self.lanes.get_mut(&key)?.waiting.remove(&arrival)?;
                return Some(id);
            }
        }
        None
    }

    /// When the next paused lane goes on.
    pub(crate) fn deadline(&self, now: Millis) -> Option<Millis> {
        self.lanes
            .values()
            .filter(|lane| !lane.waiting.is_empty() && lane.paused_until > now)
            .map(|lane| lane.paused_until)
            .min()
    }

    /// The first of a lane that overtakes nothing that it must not: a CRL no earlier revocation of its issuer, and a
    /// revocation no earlier CRL of the same issuer and origin.
    fn first_free(&self, key: &LaneKey, lane: &Lane) -> Option<u64> {
        lane.waiting
            .iter()
            .find(|(arrival, (_, origin))| {
                let earlier = match key.class {
                    Class::Revocation => self.crls.get(&(key.issuer.clone(), *origin)),
                    Class::Crl => self.revocations.get(&key.issuer),
                    Class::Responder | Class::Certificate => None,
                };
                earlier
                    .and_then(BTreeSet::first)
                    .is_none_or(|first| first > *arrival)
            })
            .map(|(arrival, _)| *arrival)
    }

    fn order_of(&mut self, place: &Place) -> Option<&mut BTreeSet<u64>> {
        let issuer = place.lane.issuer.clone();
        match place.lane.class {
            Class::Revocation => Some(self.revocations.entry(issuer).or_default()),
            Class::Crl => Some(self.crls.entry((issuer, place.origin)).or_default()),
            Class::Responder | Class::Certificate => None,
        }
    }
}
