//! Messages that no host sends: it came through an authenticated session, and no line does that.

use pki::{SignatureAlgorithm, Time};
use wire::{
    FromHost, IssueCertificate, Operation, Outcome, Receipt, Reply, RequestId, SerialOctets, limits,
};

use crate::attack::Attack;
use crate::common::{crl, revoke};
use crate::host::{new_id, now, request};
use crate::scene::Scene;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        reused("one id with two certificates", |scene| {
            let (id, _) = issue(scene);
            issue_as(scene, id);
        }),
        reused("one id with a certificate and a CRL", |scene| {
            let (id, _) = issue(scene);
            let request = crl(&scene.member, 1, now(), &[]);
            scene.host.ask_as(id, Operation::SignCrl(request));
        }),
        reused(
            "one id with the same certificate under another profile",
            |scene| {
                let (id, mut request) = issue(scene);
                request.profile = "client".to_owned();
                scene.host.ask_as(id, Operation::IssueCertificate(request));
            },
        ),
        reused("the id of a refused request with a good one", |scene| {
            let refused = scene.issue(|leaf| drop(leaf.extensions.pop()));
            issue_as(scene, refused.id);
        }),
        reused("the id of an earlier session", |scene| {
            let (id, _) = issue(scene);
            scene.host.connect();
            issue_as(scene, id);
        }),
        none("a number in a longer form", |octets| {
            // Before the first item of the envelope: 01 as 18 01.
            octets.splice(1..2, [0x18, 0x01]);
        }),
        none("an array of indefinite length", |octets| {
            octets[0] = 0x9f;
            octets.push(0xff);
        }),
        none("a field that does not exist", |octets| {
            octets[0] += 1;
            octets.push(0xf6);
        }),
        none("an octet too many", |octets| octets.push(0)),
        none("an octet too few", |octets| {
            octets.truncate(octets.len() - 1)
        }),
        none("the same field twice, in a map", |octets| {
            let rest = octets.split_off(1);
            *octets = [&[0xa2, 0x00][..], &rest, &[0x00], &rest].concat();
        }),
        none(
            "an operation that does not exist: sign this digest",
            |octets| {
                // [1, [[id, [200, []]]]]
                let id = [&[0x50][..], &[9; 16]].concat();
                *octets = [&[0x82, 0x01, 0x81, 0x82][..], &id, &[0x82, 0x18, 200, 0x80]].concat();
            },
        ),
        none("arrays in arrays, 100,000 deep", |octets| {
            *octets = vec![0x81; 100_000]
        }),
        none("an array of four thousand million items", |octets| {
            *octets = vec![0x82, 0x01, 0x9a, 0xff, 0xff, 0xff, 0xff];
        }),
        none("text that is no UTF-8", |octets| {
            let profile = b"server";
            let at = octets
                .windows(6)
                .position(|window| window == profile)
                .unwrap();
            octets[at] = 0xff;
        }),
        none("a signature with SHA-1", |octets| {
            exchange(octets, b"ecdsa-sha256", b"ecdsa-with-1");
        }),
        none("random octets", |octets| {
            *octets = b"\x00\x01\x02 any octets at all".to_vec()
        }),
        none("a TBSCertificate of 64 KiB and one octet", |octets| {
            let longest = IssueCertificate {
                issuer: "member".to_owned(),
                profile: "server".to_owned(),
                signature_algorithm: SignatureAlgorithm::EcdsaSha256,
                tbs: vec![0x30; limits::CERTIFICATE],
                csr: None,
                evidence: None,
            };
            let longest = request(new_id(), Operation::IssueCertificate(longest));
            *octets = longest.encode().unwrap();
            let length = [0x5a, 0, 1, 0, 0];
            let at = octets
                .windows(5)
                .position(|window| window == length)
                .unwrap();
            octets[at + 4] = 1;
            octets.insert(at + 5, 0x30);
        }),
        none("a serial number of 21 octets", |octets| {
            let Operation::Revoke(mut told) = revoke(&[], None) else {
                unreachable!()
            };
            told.revocations = vec![wire::Revocation {
                serial: SerialOctets(vec![0x7f; limits::SERIAL]),
                date: Time::from_unix(1),
                reason: 0,
                not_after: None,
                invalidity_date: None,
            }];
            let message = request(RequestId([9; 16]), Operation::Revoke(told));
            *octets = message.encode().unwrap();
            let serial = [&[0x54][..], &[0x7f; 20]].concat();
            let at = octets
                .windows(21)
                .position(|window| window == serial)
                .unwrap();
            octets[at] = 0x55;
            octets.insert(at + 1, 0x7f);
        }),
        none("a message of the signer", |octets| {
            let reply = Reply {
                id: RequestId([9; 16]),
                outcome: Outcome::Done,
                receipt: Some(Receipt {
                    sequence: 1,
                    head: [0; 32],
                }),
            };
            *octets = wire::FromSigner::Reply(reply).encode().unwrap();
        }),
    ]
}

/// One request id with two contents.
fn reused(name: &'static str, does: impl Fn(&mut Scene) + 'static) -> Attack {
    Attack::locked(name, "came again with other content", does)
}

/// The octets of a good message, changed to those of none.
fn none(name: &'static str, change: impl Fn(&mut Vec<u8>) + 'static) -> Attack {
    Attack::locked(name, "a message that is none", move |scene| {
        let good = request(
            new_id(),
            Operation::IssueCertificate(scene.leaf().request()),
        );
        let mut octets = good.encode().unwrap();
        change(&mut octets);
        assert!(FromHost::decode(&octets).is_err());
        scene.host.say_octets(&octets);
    })
}

fn issue(scene: &mut Scene) -> (RequestId, IssueCertificate) {
    let (id, request) = (new_id(), scene.leaf().request());
    let reply = scene
        .host
        .ask_as(id, Operation::IssueCertificate(request.clone()));
    assert!(matches!(reply.outcome, Outcome::Signed { .. }), "{reply:?}");
    scene.count_honest();
    (id, request)
}

fn issue_as(scene: &mut Scene, id: RequestId) {
    let request = scene.leaf().request();
    scene.host.ask_as(id, Operation::IssueCertificate(request));
}

fn exchange(octets: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = octets.windows(from.len()).position(|window| window == from);
    octets[at.unwrap()..][..to.len()].copy_from_slice(to);
}
