use super::*;

fn record(id: u64, events: Option<(u64, u64)>, previous: &[u8; 32]) -> AuditRecord {
    let mut record = AuditRecord {
        id,
        time: Time::from_unix(1_795_255_200),
        actor: "alice".to_owned(),
        act: "certificate.revoke".to_owned(),
        issuer: "member".to_owned(),
        serial: Some("0102".parse().unwrap()),
        events,
        detail: r#"{"reason":"keyCompromise"}"#.to_owned(),
        hash: [0; 32],
    };
    record.hash = record.hash_after(previous);
    record
}

/// Stored state: this value, computed by another program, must never change.
#[test]
fn canonical_form_is_fixed() {
    assert_eq!(
        hex::encode(record(1, Some((1, 1)), &[0; 32]).hash),
        "2b56d16356315ca365380647d9d266a5e9e860464cbeabde190559720d0c3500"
    );
}

#[test]
fn accepts_a_chain_and_covers_its_events() {
    let first = record(1, Some((1, 3)), &[0; 32]);
    let second = record(2, None, &first.hash);
    let third = record(3, Some((4, 4)), &second.hash);
    let mut check = ChainCheck::default();
    for record in [&first, &second, &third] {
        check.next(record).unwrap();
    }
    assert_eq!(
        (
            check.summary.records,
            check.summary.head,
            check.summary.hash
        ),
        (3, 4, third.hash)
    );
}

#[test]
fn refuses_a_changed_field() {
    let good = record(1, Some((1, 1)), &[0; 32]);
    let mutants: [fn(&mut AuditRecord); 8] = [
        |record| record.time = Time::from_unix(0),
        |record| record.actor = "mallory".to_owned(),
        |record| record.act = "certificate.record".to_owned(),
        |record| record.issuer = "assured".to_owned(),
        |record| record.serial = None,
        |record| record.events = None,
        |record| record.detail = "{}".to_owned(),
        |record| record.hash[0] ^= 1,
    ];
    for mutate in mutants {
        let mut mutant = good.clone();
        mutate(&mut mutant);
        assert!(ChainCheck::default().next(&mutant).is_err(), "{mutant:?}");
    }
}

#[test]
fn refuses_a_missing_record_and_a_gap_in_the_events() {
    let first = record(1, Some((1, 1)), &[0; 32]);
    let third = record(3, Some((2, 2)), &first.hash);
    let gap = record(2, Some((3, 3)), &first.hash);
    for next in [third, gap] {
        let mut check = ChainCheck::default();
        check.next(&first).unwrap();
        assert!(check.next(&next).is_err());
    }
}
