//! CRLs that go back, forget, invent, or say that they are something else.

use pki::crl::build::{CrlContents, CrlEntry, append_entry};
use pki::crl::verify::Scope;
use pki::{CrlNumber, RevocationReason, Serial, SignatureAlgorithm, Time};
use signer::journal_record::hash;
use wire::{Added, CrlScope, ListChange, Operation, RefusalCode, Reply, SerialOctets, SignCrl};

use crate::attack::Attack;
use crate::common::{SIGNER_ID, tbs_of};
use crate::host::now;
use crate::scene::Scene;

const DAY: i64 = 86_400;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        not_newer("a CRL number that goes down", "number", |scene| {
            let last = scene.sign_crl_honestly();
            sign(scene, |draft| draft.number = before(&last.number))
        }),
        not_newer(
            "a CRL number again, with other content",
            "number",
            |scene| {
                let last = scene.sign_crl_honestly();
                scene.revoke_honestly();
                sign(scene, |draft| draft.number = last.number.clone())
            },
        ),
        not_newer(
            "a CRL over an older state of things",
            "this_update",
            |scene| {
                let last = scene.sign_crl_honestly();
                sign(scene, |draft| {
                    draft.this_update = last.this_update.plus_seconds(-60)
                })
            },
        ),
        Attack::policy("thisUpdate in the future", "tbs", |scene| {
            sign(scene, |draft| draft.this_update = now().plus_seconds(3_600))
        }),
        Attack::policy("nextUpdate in eleven days", "tbs", |scene| {
            sign(scene, |draft| {
                draft.next_update = now().plus_seconds(11 * DAY)
            })
        }),
        Attack::policy("nextUpdate before thisUpdate", "tbs", |scene| {
            sign(scene, |draft| {
                draft.next_update = draft.this_update.plus_seconds(-1)
            })
        }),
        Attack::policy("another number than in the CRL", "number", |scene| {
            ask(scene, |request| request.number = above(&request.number))
        }),
        Attack::policy(
            "another thisUpdate than in the CRL",
            "this_update",
            |scene| {
                ask(scene, |request| {
                    request.this_update = request.this_update.plus_seconds(1)
                })
            },
        ),
        Attack::policy(
            "another nextUpdate than in the CRL",
            "next_update",
            |scene| {
                ask(scene, |request| {
                    request.next_update = request.next_update.plus_seconds(1)
                })
            },
        ),
        diverged("a CRL without its last revocation", "tbs_hash", |scene| {
            let entry = scene.revoke_honestly();
            sign(scene, |draft| draft.entries.retain(|other| *other != entry))
        }),
        diverged(
            "a CRL with somebody else's certificate",
            "tbs_hash",
            |scene| {
                sign(scene, |draft| {
                    let revocation_date = now().plus_seconds(-60);
                    draft.entries.push(CrlEntry {
                        serial: Serial::random_of_signer(SIGNER_ID).unwrap(),
                        revocation_date,
                        reason: None,
                        invalidity_date: None,
                    });
                    draft.entries.sort_by_key(|entry| entry.serial);
                })
            },
        ),
        diverged("another revocation date in the CRL", "tbs_hash", |scene| {
            let entry = scene.revoke_honestly();
            sign(scene, |draft| {
                let mut entries = draft.entries.iter_mut();
                let mine = entries.find(|other| **other == entry).unwrap();
                mine.revocation_date = mine.revocation_date.plus_seconds(-DAY);
            })
        }),
        diverged("another reason in the CRL", "tbs_hash", |scene| {
            let entry = scene.revoke_honestly();
            sign(scene, |draft| {
                let mut entries = draft.entries.iter_mut();
                let mine = entries.find(|other| **other == entry).unwrap();
                mine.reason = Some(RevocationReason::Superseded);
            })
        }),
        diverged("a revocation taken out", "entries", |scene| {
            let entry = scene.revoke_honestly();
            let last = scene.sign_crl_honestly();
            sign(scene, |draft| {
                draft.entries.retain(|other| *other != entry);
                draft.told.from = Some(last.number.clone());
                draft.told.removed = vec![octets(&entry)];
            })
        }),
        diverged("a complete CRL of chosen revocations", "entries", |scene| {
            let entry = scene.revoke_honestly();
            sign(scene, |draft| {
                draft.entries = vec![entry];
                draft.told.added = Added::Serials(vec![octets(&entry)]);
            })
        }),
        diverged(
            "a change of a CRL that was never signed",
            "entries",
            |scene| {
                sign(scene, |draft| {
                    draft.told.from = Some(CrlNumber::from(1 << 50))
                })
            },
        ),
        diverged("the hash of another CRL", "tbs_hash", |scene| {
            ask(scene, |request| request.tbs_hash = [7; 32])
        }),
        Attack::policy(
            "a complete CRL under the name of a delta",
            "scope",
            |scene| ask(scene, |request| request.scope = CrlScope::Delta),
        ),
        Attack::policy(
            "a part of somebody else's CRL",
            "tbs.issuingDistributionPoint",
            |scene| {
                scene.sign_crl_honestly();
                sign(scene, |draft| {
                    draft.part = Some("http://evil.example/crl/member/0.crl");
                    draft.empty();
                })
            },
        ),
        Attack::policy("a part that is said to be another one", "scope", |scene| {
            let (said, is) = (
                "http://127.0.0.1:8080/crl/member/part/1.crl",
                "http://127.0.0.1:8080/crl/member/part/0.crl",
            );
            let mut request = draft(scene, |draft| {
                draft.part = Some(is);
                draft.empty();
            });
            request.scope = CrlScope::Partition(said.to_owned());
            scene.host.ask(Operation::SignCrl(request))
        }),
        diverged(
            "a part with a certificate that does not name it",
            "entries",
            |scene| {
                let entry = scene.revoke_honestly();
                sign(scene, |draft| {
                    draft.part = Some("http://127.0.0.1:8080/crl/member/part/0.crl");
                    draft.entries = vec![entry];
                    draft.told.added = Added::Serials(vec![octets(&entry)]);
                })
            },
        ),
        diverged(
            "a delta of a CRL that there never was",
            "entries",
            |scene| {
                scene.sign_crl_honestly();
                let never = scene.next_crl().number;
                sign(scene, |draft| draft.base = Some(never))
            },
        ),
        diverged(
            "a delta without what changed since its base",
            "entries",
            |scene| {
                let base = scene.sign_crl_honestly().number;
                scene.revoke_honestly();
                scene.sign_crl_honestly();
                sign(scene, |draft| {
                    draft.base = Some(base);
                    draft.entries.clear();
                    draft.told.added = Added::Serials(Vec::new());
                })
            },
        ),
        Attack::policy("the CRL of another CA", "tbs", |scene| {
            let other = scene.member.issuer().clone();
            sign(scene, |draft| draft.issuer = other)
        }),
        Attack::policy("the key identifier of another CA", "tbs", |scene| {
            sign(scene, |draft| draft.key_id[0] ^= 1)
        }),
        Attack::policy(
            "another algorithm than in the CRL",
            "signature_algorithm",
            |scene| {
                ask(scene, |request| {
                    request.signature_algorithm = SignatureAlgorithm::EcdsaSha512
                })
            },
        ),
        Attack::policy("octets after the CRL", "tbs", |scene| {
            let entries = scene.revoked.clone();
            ask(scene, |request| {
                request.after.push(0);
                request.tbs_hash = hash(&tbs_of(request, &entries));
            })
        }),
        Attack::refused(
            "a CRL with a key that is not there",
            RefusalCode::UnknownIssuer,
            "issuer",
            |scene| ask(scene, |request| request.issuer = "offline".to_owned()),
        ),
    ]
}

fn not_newer(
    name: &'static str,
    field: &'static str,
    asks: impl Fn(&mut Scene) -> Reply + 'static,
) -> Attack {
    Attack::refused(name, RefusalCode::CrlNotNewer, field, asks)
}

fn diverged(
    name: &'static str,
    field: &'static str,
    asks: impl Fn(&mut Scene) -> Reply + 'static,
) -> Attack {
    Attack::refused(name, RefusalCode::Diverged, field, asks)
}

/// A CRL in parts that an attacker can change before it is encoded.
pub(crate) struct Draft {
    number: CrlNumber,
    this_update: Time,
    next_update: Time,
    issuer: pki::Name,
    key_id: Vec<u8>,
    entries: Vec<CrlEntry>,
    /// Which entries the signer is told of.
    told: ListChange,
    part: Option<&'static str>,
    /// The base of a delta.
    base: Option<CrlNumber>,
}

impl Draft {
    /// No certificate names the parts here.
    fn empty(&mut self) {
        self.entries.clear();
        self.told.added = Added::Serials(Vec::new());
    }
}

/// The next complete CRL, changed and then encoded.
fn draft(scene: &mut Scene, change: impl FnOnce(&mut Draft)) -> SignCrl {
    let next = scene.next_crl();
    let mut draft = Draft {
        number: next.number,
        this_update: next.this_update,
        next_update: next.next_update,
        issuer: scene.member.subject().clone(),
        key_id: scene.member.key_id().to_vec(),
        entries: scene.revoked.clone(),
        told: next.entries,
        part: None,
        base: None,
    };
    change(&mut draft);
    let mut encoded = Vec::new();
    for entry in &draft.entries {
        append_entry(&mut encoded, entry);
    }
    let (before, after) = CrlContents {
        issuer: &draft.issuer,
        authority_key_id: &draft.key_id,
        number: &draft.number,
        this_update: draft.this_update,
        next_update: draft.next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope: match (&draft.base, draft.part) {
            (Some(base), _) => Scope::Delta { base },
            (None, Some(uri)) => Scope::Partition { uri },
            (None, None) => Scope::Complete,
        },
        freshest: None,
    }
    .around(encoded.len());
    SignCrl {
        issuer: "member".to_owned(),
        scope: match (&draft.base, draft.part) {
            (Some(_), _) => CrlScope::Delta,
            (None, Some(uri)) => CrlScope::Partition(uri.to_owned()),
            (None, None) => CrlScope::Complete,
        },
        number: draft.number,
        this_update: draft.this_update,
        next_update: draft.next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        tbs_hash: hash(&[&before[..], &encoded, &after].concat()),
        before,
        entries: draft.told,
        after,
    }
}

fn sign(scene: &mut Scene, change: impl FnOnce(&mut Draft)) -> Reply {
    let request = draft(scene, change);
    scene.host.ask(Operation::SignCrl(request))
}

/// A request for a good CRL, changed.
fn ask(scene: &mut Scene, change: impl FnOnce(&mut SignCrl)) -> Reply {
    let mut request = scene.next_crl();
    change(&mut request);
    scene.host.ask(Operation::SignCrl(request))
}

fn before(number: &CrlNumber) -> CrlNumber {
    CrlNumber::from(small(number) - 1)
}

fn above(number: &CrlNumber) -> CrlNumber {
    CrlNumber::from(small(number) + 1)
}

/// The numbers here are.
fn small(number: &CrlNumber) -> u64 {
    number.to_string().parse().unwrap()
}

fn octets(entry: &CrlEntry) -> SerialOctets {
    SerialOctets(entry.serial.as_bytes().to_vec())
}
