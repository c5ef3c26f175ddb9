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
