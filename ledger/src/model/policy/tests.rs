use super::*;

fn subscribers(ocsp: (u32, u32), crl: (u32, u32)) -> IssuerPolicy {
    IssuerPolicy {
        ocsp: OcspPolicy {
            validity_hours: ocsp.0,
            refresh_hours: ocsp.1,
            ..OcspPolicy::default()
        },
        crl: CrlPolicy {
            validity_hours: crl.0,
            refresh_hours: crl.1,
            ..CrlPolicy::default()
        },
        ..IssuerPolicy::default()
    }
}

fn rule_of(policy: &IssuerPolicy) -> &'static str {
    match policy.validate() {
        Ok(()) => "",
        Err(LedgerError::Refused { rule, .. }) => rule,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn shipped_policies_pass() {
    assert_eq!(rule_of(&IssuerPolicy::default()), "");
    assert_eq!(rule_of(&IssuerPolicy::ca_certificates()), "");
}

#[test]
fn ocsp_35_validity_from_8_hours_to_10_days() {
    assert_eq!(rule_of(&subscribers((7, 1), (168, 24))), "OCSP-35");
    assert_eq!(rule_of(&subscribers((8, 4), (168, 24))), "");
    assert_eq!(rule_of(&subscribers((240, 48), (168, 24))), "");
    assert_eq!(rule_of(&subscribers((241, 48), (168, 24))), "OCSP-35");
}

#[test]
fn ocsp_36_short_responses_renew_before_half_is_left() {
    assert_eq!(rule_of(&subscribers((15, 7), (168, 24))), "");
    assert_eq!(rule_of(&subscribers((15, 8), (168, 24))), "OCSP-36");
}

#[test]
fn ocsp_36_long_responses_renew_8_hours_before_the_end_and_every_4_days() {
    assert_eq!(rule_of(&subscribers((16, 8), (168, 24))), "");
    assert_eq!(rule_of(&subscribers((16, 9), (168, 24))), "OCSP-36");
    assert_eq!(rule_of(&subscribers((240, 96), (168, 24))), "");
    assert_eq!(rule_of(&subscribers((240, 97), (168, 24))), "OCSP-36");
    assert_eq!(rule_of(&subscribers((96, 0), (168, 24))), "OCSP-36");
}

#[test]
fn ocsp_37_ca_certificates_within_12_months() {
    let mut policy = IssuerPolicy::ca_certificates();
    policy.ocsp.validity_hours = 8761;
    assert_eq!(rule_of(&policy), "OCSP-37");
    let mut policy = IssuerPolicy::ca_certificates();
    policy.ocsp.refresh_hours = 8760;
    assert_eq!(rule_of(&policy), "OCSP-37");
}

#[test]
fn crl_06_10_days_for_subscribers_12_months_for_ca_certificates() {
    assert_eq!(rule_of(&subscribers((96, 48), (240, 24))), "");
    assert_eq!(rule_of(&subscribers((96, 48), (241, 24))), "CRL-06");
    let mut policy = IssuerPolicy::ca_certificates();
    policy.crl.validity_hours = 8761;
    assert_eq!(rule_of(&policy), "CRL-06");
}

#[test]
fn s3_subscriber_crls_at_least_daily() {
    assert_eq!(rule_of(&subscribers((96, 48), (168, 25))), "S3");
}

#[test]
fn ocsp_38_responder_certificate_outlives_the_refresh() {
    let mut policy = IssuerPolicy::ca_certificates();
    policy.ocsp.responder_validity_days = 30;
    assert_eq!(rule_of(&policy), "OCSP-38");
}

#[test]
fn s9_responder_certificates_are_short_lived_and_kept_for_four_weeks() {
    let with = |days: u32, ahead: Option<u32>, browser_forum: bool| {
        let mut policy = IssuerPolicy::default();
        policy.ocsp.responder_validity_days = days;
        policy.ocsp.responder_ahead_days = ahead;
        policy.crl.browser_forum = browser_forum;
        policy
    };
    assert_eq!(rule_of(&with(7, Some(28), false)), "");
    assert_eq!(rule_of(&with(8, None, false)), "S9");
    assert_eq!(rule_of(&with(7, Some(29), false)), "S9");
    assert_eq!(rule_of(&with(7, Some(1), true)), "OCSP-65");
    assert_eq!(rule_of(&with(7, Some(0), true)), "");
    for (policy, ahead) in [
        (with(7, None, false), 28),
        (with(7, Some(3), false), 3),
        (with(7, None, true), 0),
    ] {
        assert_eq!(policy.responder_ahead_days(), ahead);
    }
    // As ledgers had it, for which the signer would refuse every certificate.
    assert_eq!(with(30, None, false).responder_days(), 7);
    // A root's may come from a ceremony.
    assert_eq!(IssuerPolicy::ca_certificates().responder_days(), 396);
}

#[test]
fn unknown_fields_are_refused() {
    assert!(serde_json::from_str::<IssuerPolicy>(r#"{"ocsp": {"validty_hours": 72}}"#).is_err());
}

#[test]
fn survives_json() {
    let policy = IssuerPolicy::ca_certificates();
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<IssuerPolicy>(&json).unwrap(), policy);
    assert!(json.contains(r#""subjects":"ca-certificates""#));
}

#[test]
fn nonces_are_answered_unless_the_policy_says_otherwise() {
    let nonce =
        |json: &str| serde_json::from_str::<IssuerPolicy>(json).map(|policy| policy.ocsp.nonce);
    assert_eq!(nonce("{}").unwrap(), NoncePolicy::Live);
    for policy in [NoncePolicy::Live, NoncePolicy::Ignore] {
        let json = format!(r#"{{"ocsp": {{"nonce": "{}"}}}}"#, policy.as_str());
        assert_eq!(nonce(&json).unwrap(), policy);
    }
    assert!(nonce(r#"{"ocsp": {"nonce": "sometimes"}}"#).is_err());
}
