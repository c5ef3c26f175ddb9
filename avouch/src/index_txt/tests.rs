use super::*;

fn one(line: &str) -> Result<Entry, LineError> {
    lines(line.as_bytes()).next().unwrap().unwrap().entry
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

#[test]
fn a_valid_certificate() {
    let entry = one("V\t271121100000Z\t\t0A1B\tunknown\t/C=CZ/CN=www.example.org\n").unwrap();
    assert_eq!(entry.serial, "0A1B".parse().unwrap());
    assert_eq!(entry.not_after, time("2027-11-21T10:00:00Z"));
    assert_eq!(entry.subject, "/C=CZ/CN=www.example.org");
    assert_eq!(entry.revocation, None);
}

#[test]
fn an_expired_one_keeps_its_status() {
    let entry = one("E\t991231235959Z\t\t01\tunknown\t/CN=old\n").unwrap();
    assert_eq!(entry.not_after, time("1999-12-31T23:59:59Z"));
    assert_eq!(entry.revocation, None);
}

#[test]
fn dates_have_two_or_four_digits_of_year() {
    for (text, expected) in [
        ("20510101000000Z", "2051-01-01T00:00:00Z"),
        ("490101000000Z", "2049-01-01T00:00:00Z"),
        ("500101000000Z", "1950-01-01T00:00:00Z"),
        ("9901010102Z", "1999-01-01T01:02:00Z"),
    ] {
        assert_eq!(date(text), Ok(time(expected)), "{text}");
    }
    for text in [
        "",
        "Z",
        "27112110000Z",
        "271321100000Z",
        "271121100000",
        "27112110000éZ",
        "2027-11-21T10Z",
    ] {
        assert_eq!(date(text), Err(LineError::Date(text.into())), "{text}");
    }
}

#[test]
fn every_reason_that_openssl_writes() {
    use RevocationReason::*;
    let revoked = |field: &str| {
        one(&format!("R\t271121100000Z\t{field}\t02\tunknown\t/CN=x\n"))
            .map(|entry| entry.revocation.unwrap())
    };
    let at = time("2025-01-02T03:04:05Z");
    for (field, reason, invalidity_date) in [
        ("250102030405Z", Unspecified, None),
        ("250102030405Z,unspecified", Unspecified, None),
        ("250102030405Z,keyCompromise", KeyCompromise, None),
        ("250102030405Z,CACompromise", CaCompromise, None),
        ("250102030405Z,affiliationChanged", AffiliationChanged, None),
        ("250102030405Z,superseded", Superseded, None),
        (
            "250102030405Z,cessationOfOperation",
            CessationOfOperation,
            None,
        ),
        ("250102030405Z,certificateHold", CertificateHold, None),
        (
            "250102030405Z,holdInstruction,holdInstructionReject",
            CertificateHold,
            None,
        ),
        (
            "250102030405Z,holdInstruction,1.2.840.10040.2.3",
            CertificateHold,
            None,
        ),
        (
            "250102030405Z,keyTime,20241231235959Z",
            KeyCompromise,
            Some("2024-12-31T23:59:59Z"),
        ),
        (
            "20250102030405Z,CAkeyTime,20241231235959Z",
            CaCompromise,
            Some("2024-12-31T23:59:59Z"),
        ),
    ] {
        let expected = Revocation {
            time: at,
            reason,
            invalidity_date: invalidity_date.map(time),
        };
        assert_eq!(revoked(field), Ok(expected), "{field}");
    }
    assert_eq!(
        revoked("250102030405Z,removeFromCRL"),
        Err(LineError::RemoveFromCrl)
    );
    assert_eq!(
        revoked("250102030405Z,because"),
        Err(LineError::Reason("because".into()))
    );
    assert!(matches!(
        revoked("250102030405Z,keyTime"),
        Err(LineError::Reason(_))
    ));
    assert!(matches!(
        revoked("250102030405Z,keyTime,soon"),
        Err(LineError::Date(_))
    ));
}

#[test]
fn subjects_keep_their_letters_and_their_tabs() {
    let subject = |text: &str| {
        one(&format!("V\t271121100000Z\t\t03\tunknown\t{text}\n"))
            .unwrap()
            .subject
    };
    assert_eq!(subject(r"/CN=\xC5\x99e\xC4\x8D"), "/CN=řeč");
    assert_eq!(subject("/CN=a\\\tb"), "/CN=a\tb");
    assert_eq!(
        subject(r"/CN=\xFF\x00"),
        r"/CN=\xFF\x00",
        "no text: left as it is"
    );
    assert_eq!(subject(r"/CN=C:\x"), r"/CN=C:\x");
    assert_eq!(subject(r"/CN=C:\dir"), r"/CN=C:\dir");
    assert_eq!(subject(""), "");
}

#[test]
fn a_bad_line_does_not_stop_the_next() {
    let text = "# comment\n\n\
        V\t271121100000Z\t\t01\tunknown\t/CN=a\r\n\
        V\t271121100000Z\t01\tunknown\t/CN=a\n\
        X\t271121100000Z\t\t02\tunknown\t/CN=a\n\
        V\t271121100000Z\t\tzz\tunknown\t/CN=a\n\
        V\t271121100000Z\t\t00\tunknown\t/CN=a\n\
        R\t271121100000Z\t\t04\tunknown\t/CN=a\n\
        V\t271121100000Z\t250102030405Z\t05\tunknown\t/CN=a\n\
        V\t271121100000Z\t\t06\tunknown\t/CN=last without a line end";
    let lines: Vec<_> = lines(text.as_bytes()).map(Result::unwrap).collect();
    let outcome: Vec<_> = lines
        .iter()
        .map(|line| (line.number, line.entry.clone().err()))
        .collect();
    assert_eq!(
        outcome,
        [
            (3, None),
            (4, Some(LineError::Fields(5))),
            (5, Some(LineError::Status("X".into()))),
            (6, Some(LineError::Serial("zz".into()))),
            (7, Some(LineError::Serial("00".into()))),
            (8, Some(LineError::NoRevocationDate)),
            (9, Some(LineError::ValidAndRevoked)),
            (10, None),
        ]
    );
    assert_eq!(lines.last().unwrap().position, text.len() as u64);
    assert_eq!(lines[0].entry.as_ref().unwrap().subject, "/CN=a");
}
