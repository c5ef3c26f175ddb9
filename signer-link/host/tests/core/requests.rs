//! Acts to ask for.

use pki::{CrlNumber, SignatureAlgorithm, Time};
use wire::{
    Added, IssueCertificate, ListChange, Operation, Request, RequestId, Revocation, Revoke,
    SerialOctets, SignCrl,
};

/// An id of that number.
pub(crate) fn id(number: u64) -> RequestId {
    let mut id = [0xA5; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    RequestId(id)
}

pub(crate) fn issue(number: u64, profile: &str) -> Request {
    Request {
        id: id(number),
        operation: Operation::IssueCertificate(IssueCertificate {
            issuer: "member".to_owned(),
            profile: profile.to_owned(),
            signature_algorithm: SignatureAlgorithm::RsaSha256,
            tbs: vec![b'T'; 900],
            csr: None,
            evidence: None,
        }),
    }
}

pub(crate) fn revoke(number: u64, issuer: &str) -> Request {
    Request {
        id: id(number),
        operation: Operation::Revoke(Revoke {
            issuer: issuer.to_owned(),
            actor: "support".to_owned(),
            ground: "support".to_owned(),
            case: None,
            revocations: vec![Revocation {
                serial: SerialOctets(number.to_be_bytes().to_vec()),
                date: Time::from_unix(1_800_000_000),
                reason: 1,
                not_after: None,
                invalidity_date: None,
            }],
        }),
    }
}

pub(crate) fn sign_crl(number: u64, issuer: &str) -> Request {
    Request {
        id: id(number),
        operation: Operation::SignCrl(SignCrl {
            issuer: issuer.to_owned(),
            scope: wire::CrlScope::Complete,
            number: CrlNumber::from_be_bytes(&(number + 1).to_be_bytes()).unwrap(),
            this_update: Time::from_unix(1_800_000_000),
            next_update: Time::from_unix(1_800_100_000),
            signature_algorithm: SignatureAlgorithm::RsaSha256,
            before: vec![1; 100],
            entries: ListChange {
                from: None,
                added: Added::All,
                removed: Vec::new(),
            },
            after: vec![2; 50],
            tbs_hash: [3; 32],
        }),
    }
}
