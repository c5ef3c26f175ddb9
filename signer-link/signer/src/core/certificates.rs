//! Certificates: judged, and their serial numbers used once.

use journal::Storage;
use pki::Time;
use wire::{IssueCertificate, RefusalCode, Refused};

use super::pending::Pending;
use super::{Core, refused};
use crate::ca::Ca;
use crate::journal_record::{Act, hash};
use crate::judge::judge_certificate;
use crate::keys::Keys;

const DAY: i64 = 86_400;

impl<S: Storage, K: Keys> Core<S, K> {
    pub(super) fn judge_certificate(
        &mut self,
        request: &IssueCertificate,
        now: u64,
    ) -> Result<(Act, Pending), Refused> {
        let time = self.clock.time(now);
        let ca = self.find_ca(&request.issuer, now)?;
        let authority = ca.authority();
        let judged =
            judge_certificate(request, &ca.certificate, &self.policy, self.signer_id, time)?;
        self.judge_wind_down(judged.is_responder)?;
        if self.memory.serial(&authority, &judged.serial).is_some() {
            return Err(refused(
                RefusalCode::SerialUsed,
                "tbs.serialNumber",
                "this issuer has used the serial number before (V6)",
            ));
        }
        let most = match judged.is_responder {
            true => self.limits.responders_a_day,
            false => self.limits.certificates_a_day,
        };
        self.count(&request.issuer, &request.profile, most, time)?;
        let act = Act::Certificate {
            issuer: request.issuer.clone(),
            authority,
            profile: request.profile.clone(),
            serial: judged.serial.as_bytes().to_vec(),
            tbs: hash(&request.tbs),
            not_after: judged.not_after.unix(),
            evidence: request.evidence,
            partition: judged.partition,
        };
        let pending = Pending {
            ca: request.issuer.clone(),
            algorithm: request.signature_algorithm,
            tbs: request.tbs.clone(),
            packet: None,
        };
        Ok((act, pending))
    }

    /// The CA of this name; perhaps its key has come just now.
    pub(super) fn find_ca(&mut self, name: &str, now: u64) -> Result<Ca, Refused> {
        if self.keys.ca(name).is_none()
            && let Err(error) = self.take_keys(now)
        {
            tracing::error!("the key store cannot be looked at: {error}");
        }
        let ca = self.keys.ca(name);
        ca.cloned().ok_or_else(|| unknown_issuer(name))
    }

    /// What an attacker on the host can have issued in a day is bounded.
    pub(super) fn count(
        &mut self,
        issuer: &str,
        profile: &str,
        most: u32,
        time: Time,
    ) -> Result<(), Refused> {
        let day = time.plus_seconds(-DAY);
        while self.recent.front().is_some_and(|(then, _, _)| *then <= day) {
            self.recent.pop_front();
        }
        let same = |(_, of, by): &&(Time, String, String)| of == issuer && by == profile;
        let count = self.recent.iter().filter(same).count();
        if u32::try_from(count).is_ok_and(|count| count < most) {
            self.recent
                .push_back((time, issuer.to_owned(), profile.to_owned()));
            return Ok(());
        }
        Err(refused(
            RefusalCode::NotAllowed,
            "profile",
            format!(
                "{issuer} has issued {most} certificates of the profile {profile} in 24 hours, which is the limit"
            ),
        ))
    }
}

pub(super) fn unknown_issuer(name: &str) -> Refused {
    refused(
        RefusalCode::UnknownIssuer,
        "issuer",
        format!(
            "there is no key of the name {name:?}; `signer import` or `signer ceremony` adds one"
        ),
    )
}
