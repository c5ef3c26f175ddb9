//! Only the canonical encoding of a message is a message.

use pki::{CrlNumber, SignatureAlgorithm, Time};
use proptest::prelude::*;
use wire::{
    Added, CrlScope, CsrAroundKey, IssueCertificate, Level, ListChange, Operation, Outcome,
    PgpIssuerInfo, RefusalCode, Refused, Reply, Request, RequestId, SerialOctets, SignCrl,
    SignPgpUid, WireError, frame, limits,
};

fn issue() -> Request {
    Request {
        id: RequestId([7; 16]),
        operation: Operation::IssueCertificate(IssueCertificate {
            issuer: "member".to_owned(),
            profile: "server".to_owned(),
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
            tbs: vec![0x30, 0x00],
            csr: Some(CsrAroundKey::cut(&[0x30, 1, 2, 3], &[1, 2])),
            evidence: None,
        }),
    }
}

fn sign_crl() -> Request {
    Request {
        id: RequestId([8; 16]),
        operation: Operation::SignCrl(SignCrl {
            issuer: "member".to_owned(),
            scope: CrlScope::Complete,
            number: CrlNumber::from_be_bytes(&[0x7f; 20]).unwrap(),
            this_update: Time::from_unix(1_795_255_200),
            next_update: Time::from_unix(1_795_860_000),
            signature_algorithm: SignatureAlgorithm::RsaSha512,
            before: vec![0x30, 0x00],
            entries: ListChange {
                from: Some(CrlNumber::from_be_bytes(&[5]).unwrap()),
                added: Added::All,
                removed: vec![SerialOctets(vec![9])],
            },
            after: vec![0x31],
            tbs_hash: [6; 32],
        }),
    }
}

fn sign_pgp_uid() -> Request {
    Request {
        id: RequestId([9; 16]),
        operation: Operation::SignPgpUid(SignPgpUid {
            issuer: "openpgp".to_owned(),
            key: vec![4, 0, 0],
            user_id: "Ann <a@b.org>".to_owned(),
            self_signature: vec![4, 0x13],
            level: Level::Assured,
            name: Some("Ann".to_owned()),
            addresses: vec!["a@b.org".to_owned()],
            created: Time::from_unix(1_795_255_200),
            expires: Time::from_unix(1_795_860_000),
            evidence: Some([5; 32]),
        }),
    }
}

/// Stored form of protocol version 4: a change of these octets is a change of the protocol.
#[test]
fn golden() {
    assert_eq!(
        hex(&issue().encode().unwrap()),
        "825007070707070707070707070707070707820281\
         85666d656d62657266736572766572\
         6c65636473612d73686132353642300082413041\
         03"
    );
    assert_eq!(
        hex(&Request {
            id: RequestId([1; 16]),
            operation: Operation::Ping {
                time: Time::from_unix(1)
            }
        }
        .encode()
        .unwrap()),
        "825001010101010101010101010101010101820081".to_owned() + "01"
    );
    assert_eq!(
        hex(&sign_pgp_uid().encode().unwrap()),
        "825009090909090909090909090909090909820d818a\
         676f70656e706770430400006d416e6e203c6140622e6f72673e42041301\
         63416e6e81676140622e6f72671a6b016ba01a6b0aa6205820"
            .to_owned()
            + &"05".repeat(32)
    );
}

#[test]
fn what_goes_in_comes_out() {
    for request in [
        issue(),
        sign_crl(),
        sign_pgp_uid(),
        Request {
            id: RequestId([1; 16]),
            operation: Operation::Info,
        },
        Request {
            id: RequestId([2; 16]),
            operation: Operation::GetResult {
                ids: vec![RequestId([3; 16])],
            },
        },
    ] {
        assert_eq!(Request::decode(&request.encode().unwrap()), Ok(request));
    }
    let info = Reply {
        id: RequestId([1; 16]),
        outcome: Outcome::Info {
            protocol: wire::PROTOCOL_VERSION,
            signer_id: 1,
            issuers: Vec::new(),
            profiles: Vec::new(),
            openpgp: vec![PgpIssuerInfo {
                name: "openpgp".to_owned(),
                key: vec![0xc6, 0],
            }],
        },
        receipt: None,
    };
    assert_eq!(Reply::decode(&info.encode().unwrap()), Ok(info));
    let reply = Reply {
        id: RequestId([1; 16]),
        outcome: Outcome::Refused(Refused {
            code: RefusalCode::Policy,
            field: "tbs".to_owned(),
            message: "ř".to_owned(),
            above: None,
        }),
        receipt: Some(wire::Receipt {
            sequence: 5,
            head: [9; 32],
        }),
    };
    assert_eq!(Reply::decode(&reply.encode().unwrap()), Ok(reply));
}

#[test]
fn unknown_fields_are_refused() {
    let mut octets = issue().encode().unwrap();
    octets[0] = 0x83;
    octets.push(0x00);
    assert_eq!(Request::decode(&octets), Err(WireError::NotCanonical));
}

#[test]
fn trailing_octets_are_refused() {
    let mut octets = issue().encode().unwrap();
    octets.push(0xf6);
    assert_eq!(Request::decode(&octets), Err(WireError::NotCanonical));
}

#[test]
fn longer_forms_of_numbers_and_lengths_are_refused() {
    let octets = issue().encode().unwrap();
    // The id's length 16 in two octets instead of one.
    let longer = [&octets[..1], &[0x58, 16], &octets[2..]].concat();
    assert_eq!(Request::decode(&longer), Err(WireError::NotCanonical));
    // An array of indefinite length.
    let indefinite = [&[0x9f], &octets[1..], &[0xff]].concat();
    assert_eq!(Request::decode(&indefinite), Err(WireError::NotCanonical));
}

#[test]
fn every_truncation_is_refused() {
    let octets = sign_crl().encode().unwrap();
    for length in 0..octets.len() {
        assert!(Request::decode(&octets[..length]).is_err(), "{length}");
    }
}

#[test]
fn too_large_is_refused_on_both_sides() {
    let mut request = issue();
    if let Operation::IssueCertificate(issue) = &mut request.operation {
        issue.tbs = vec![0; limits::CERTIFICATE + 1];
    }
    let expected = WireError::TooLarge {
        field: "tbs",
        size: limits::CERTIFICATE + 1,
        limit: limits::CERTIFICATE,
    };
    assert_eq!(request.encode(), Err(expected));
    type Change = fn(&mut SignPgpUid);
    let changes: [(&str, Change); 6] = [
        ("key", |it| it.key = vec![0; limits::PGP_KEY + 1]),
        ("user_id", |it| it.user_id = "a".repeat(limits::USER_ID + 1)),
        ("self_signature", |it| {
            it.self_signature = vec![0; limits::PGP_SIGNATURE + 1];
        }),
        ("name", |it| it.name = Some("a".repeat(limits::USER_ID + 1))),
        ("addresses", |it| {
            it.addresses = vec![String::new(); limits::ADDRESSES + 1];
        }),
        ("address", |it| {
            it.addresses = vec!["a".repeat(limits::USER_ID + 1)];
        }),
    ];
    for (name, change) in changes {
        let mut request = sign_pgp_uid();
        if let Operation::SignPgpUid(sign) = &mut request.operation {
            change(sign);
        }
        let refused = request.encode();
        assert!(
            matches!(refused, Err(WireError::TooLarge { field, .. }) if field == name),
            "{refused:?}"
        );
    }
    assert!(frame::length([0xff; 4]).is_err());
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    for nested in [0x81, 0xa1, 0xc0, 0x9f] {
        assert!(Request::decode(&vec![nested; 1_000_000]).is_err());
        let mut octets = issue().encode().unwrap();
        octets[0] = 0x83;
        octets.extend(std::iter::repeat_n(nested, 1_000_000));
        assert!(Request::decode(&octets).is_err());
    }
}

proptest! {
    #[test]
    fn what_decodes_is_canonical(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = Request::decode(&octets) {
            prop_assert_eq!(request.encode().unwrap(), octets);
        }
    }

    #[test]
    fn a_changed_octet_changes_the_message(at in 0_usize..60, to in any::<u8>()) {
        let octets = issue().encode().unwrap();
        let mut changed = octets.clone();
        let at = at % changed.len();
        changed[at] = to;
        if let Ok(request) = Request::decode(&changed) {
            prop_assert_eq!(request == issue(), changed == octets);
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
