//! Who may ask for what.

use rustix::process::geteuid;
use serde::Deserialize;
use wire::Operation;

use crate::config::CallerConfig;

/// What a caller may do beside asking questions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Right {
    /// Have certificates signed, and user ids of OpenPGP keys certified.
    Issue,
    /// Tell revocations.
    Revoke,
    /// Have CRLs signed.
    SignCrl,
    /// Read the signer's log.
    ReadLog,
    /// Lock the signer, and announce maintenance.
    Operate,
}

/// Who is at the other end of a connection, as the kernel says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What one caller may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights(Allowed);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Allowed {
    Everything,
    /// Nobody knows this caller.
    Nothing,
    These(Vec<Right>),
}

impl Rights {
    /// Of this caller: the daemon's own user and root may do everything, others what the table says.
    pub fn of(peer: Peer, callers: &[CallerConfig]) -> Self {
        if peer.uid == 0 || peer.uid == geteuid().as_raw() {
            return Self(Allowed::Everything);
        }
        let named: Vec<_> = callers
            .iter()
            .filter(|caller| match (caller.uid, caller.gid) {
                (None, None) => false,
                (uid, gid) => {
                    uid.is_none_or(|uid| uid == peer.uid) && gid.is_none_or(|gid| gid == peer.gid)
                }
            })
            .collect();
        if named.is_empty() {
            return Self(Allowed::Nothing);
        }
        let rights = named.into_iter().flat_map(|caller| caller.may.clone());
        Self(Allowed::These(rights.collect()))
    }

    /// Whether this caller operates the signer.
    pub fn operates(&self) -> bool {
        match &self.0 {
            Allowed::Everything => true,
            Allowed::Nothing => false,
            Allowed::These(rights) => rights.contains(&Right::Operate),
        }
    }

    /// Whether this may be asked for.
    pub fn allow(&self, operation: &Operation) -> bool {
        let needed = match operation {
            Operation::IssueCertificate(_) | Operation::SignPgpUid(_) => Some(Right::Issue),
            Operation::Revoke(_) => Some(Right::Revoke),
            Operation::SignCrl(_) => Some(Right::SignCrl),
            Operation::GetLog { .. } => Some(Right::ReadLog),
            Operation::Ping { .. }
            | Operation::Info
            | Operation::GetResult { .. }
            | Operation::GetRevoked { .. }
            | Operation::GetBucket { .. } => None,
            // What no local process may say at all is refused by the core.
            _ => Some(Right::Operate),
        };
        match &self.0 {
            Allowed::Everything => true,
            Allowed::Nothing => false,
            Allowed::These(rights) => needed.is_none_or(|needed| rights.contains(&needed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(uid: Option<u32>, gid: Option<u32>, may: &[Right]) -> CallerConfig {
        CallerConfig {
            uid,
            gid,
            may: may.to_vec(),
        }
    }

    fn lock() -> Operation {
        Operation::Lock {
            reason: String::new(),
        }
    }

    #[test]
    fn a_caller_may_do_what_its_lines_say_and_no_more() {
        let callers = [
            caller(Some(70_001), None, &[Right::ReadLog]),
            caller(None, Some(70_002), &[Right::Operate]),
            caller(Some(70_003), Some(70_002), &[Right::ReadLog]),
            caller(None, None, &[Right::Operate]),
        ];
        let of = |uid, gid| Rights::of(Peer { uid, gid }, &callers);
        let log = Operation::GetLog { after: 0 };
        assert!(of(70_001, 70_001).allow(&log));
        assert!(of(70_001, 70_001).allow(&Operation::Info));
        assert!(!of(70_001, 70_001).allow(&lock()));
        assert!(of(70_001, 70_002).allow(&lock()));
        assert!(!of(70_003, 70_001).allow(&log));
        assert!(!of(70_004, 70_001).allow(&Operation::Info));
    }

    #[test]
    fn root_and_the_own_user_may_do_everything() {
        for uid in [0, geteuid().as_raw()] {
            assert!(Rights::of(Peer { uid, gid: 70_000 }, &[]).allow(&lock()));
        }
    }
}
