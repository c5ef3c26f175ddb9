//! Judging a certificate.

use pki::certificate_builder::{GeneralName, assemble};
use pki::csr::CertificationRequest;
use pki::lint::{Context, lint};
use pki::profile::{CertifiedNames, Profile, StatusUrls};
use pki::{Certificate, Serial, SignatureAlgorithm, Time, oid};
use wire::{IssueCertificate, RefusalCode, Refused};

use super::{policy, refuse_all};
use crate::policy::Policy;

/// Whoever gets a responder's key, which lies on an online machine, says "good" of everything for so long.
const RESPONDER_DAYS: i64 = 7;
/// The clocks of host and signer may differ by this much, in seconds.
const CLOCK_SKEW: i64 = 300;

/// What the signer remembers of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its serial number.
    pub serial: Serial,
    /// When it ends.
    pub not_after: Time,
    /// The part of the CRL that it names, its URI.
    pub partition: Option<String>,
    /// Whether it is for an OCSP responder and nothing else.
    pub is_responder: bool,
}

/// Judges a certificate to be signed by `ca`, by the signer whose serial numbers begin with `signer_id`.
pub fn judge_certificate(
    request: &IssueCertificate,
    ca: &Certificate,
    rules: &Policy,
    signer_id: u8,
    now: Time,
) -> Result<Judged, Refused> {
    let algorithm = request.signature_algorithm;
    let certificate = read(&request.tbs, algorithm)?;
    check_algorithm(&certificate, ca, algorithm)?;
    check_end_entity(&certificate, ca)?;
    check_serial(certificate.serial(), signer_id)?;
    check_times(&certificate, ca, now)?;
    check_csr(request, &certificate)?;
    check_profile(request, ca, rules, now)?;
    Ok(Judged {
        serial: *certificate.serial(),
        not_after: certificate.not_after(),
        partition: partition(&certificate, rules.status_urls(&request.issuer).as_ref()),
        is_responder: is_responder(&certificate),
    })
}

/// The list that says whether it is revoked, unless that is the complete CRL. Where nobody has configured what the
/// complete CRL is called, it shows in the way in which parts are named ([`StatusUrls::with_crl_partition`]).
fn partition(certificate: &Certificate, urls: Option<&StatusUrls>) -> Option<String> {
    let uri = certificate.distribution_point_uri()?;
    let is_part = match urls {
        Some(urls) => urls.crl != uri,
        None => uri.contains("/part/"),
    };
    is_part.then_some(uri)
}

/// I18: 16 to 20 octets that begin with the signer's own id, so that two signers never use the same.
fn check_serial(serial: &Serial, signer_id: u8) -> Result<(), Refused> {
    let octets = serial.as_bytes();
    if !(16..=20).contains(&octets.len()) {
        return Err(policy(
            "tbs.serialNumber",
            "it must have 16 to 20 octets (I18)",
        ));
    }
    // After a promotion the host may have reserved one that was the other signer's to use. That is nothing against the
    // policy: it takes another.
    if octets.first() != Some(&signer_id) {
        return Err(Refused {
            code: RefusalCode::OtherSigner,
            field: "tbs.serialNumber".to_owned(),
            message: format!(
                "it is another signer's to use: those of this one begin with {signer_id:02x} (I18)"
            ),
            above: None,
        });
    }
    Ok(())
}

/// The reader wants a whole certificate; the signature plays no part.
fn read(tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<Certificate, Refused> {
    let certificate = Certificate::from_der(&assemble(tbs, algorithm, &[0])).map_err(|error| {
        policy(
            "tbs",
            format!("not a TBSCertificate in strict DER: {error}"),
        )
    })?;
    if certificate.tbs_der() != tbs {
        return Err(policy("tbs", "more than one value"));
    }
    Ok(certificate)
}

/// I6: exactly the algorithm asked for, inside and outside, and of the CA's key.
fn check_algorithm(
    certificate: &Certificate,
    ca: &Certificate,
    algorithm: SignatureAlgorithm,
) -> Result<(), Refused> {
    let (inner, _) = certificate.algorithm_identifiers();
    if inner != algorithm.algorithm_identifier() {
        return Err(policy(
            "tbs.signature",
            format!("it names another algorithm than the one asked for, {algorithm} (CERT-03)"),
        ));
    }
    let of_key = ca
        .public_key()
        .kind()
        .and_then(|kind| SignatureAlgorithm::for_key(kind, algorithm.hash()));
    match of_key {
        Ok(of_key) if of_key == algorithm => Ok(()),
        Ok(of_key) => Err(policy(
            "signature_algorithm",
            format!("the CA's key signs with {of_key}, not {algorithm}"),
        )),
        Err(error) => Err(policy("signature_algorithm", error.to_string())),
    }
}

/// Never a CA, never in another's name, never for the CA's own key. F12: the predecessor let the host ask for CAs.
fn check_end_entity(certificate: &Certificate, ca: &Certificate) -> Result<(), Refused> {
    if certificate.version() != 2 {
        return Err(policy("tbs.version", "it must be version 3 (CERT-01)"));
    }
    if certificate.issuer().as_der() != ca.subject().as_der() {
        return Err(policy(
            "tbs.issuer",
            format!(
                "not byte for byte the CA's subject, {} (CERT-02)",
                ca.subject()
            ),
        ));
    }
    // Any way of saying CA, however odd its encoding: basicConstraints of an end entity is an empty SEQUENCE.
    if let Some(constraints) = certificate.extension(oid::BASIC_CONSTRAINTS)
        && constraints.value != [0x30, 0x00]
    {
        return Err(policy(
            "tbs.extensions.basicConstraints",
            "only end entities are certified here: CA must be FALSE",
        ));
    }
    if certificate.key_usage().is_some_and(|usage| {
        usage.has(pki::KeyUsage::KEY_CERT_SIGN) || usage.has(pki::KeyUsage::CRL_SIGN)
    }) {
        return Err(policy(
            "tbs.extensions.keyUsage",
            "keyCertSign and cRLSign are for CAs",
        ));
    }
    if certificate.public_key() == ca.public_key() {
        return Err(policy("tbs.subjectPublicKeyInfo", "it is the CA's own key"));
    }
    Ok(())
}

fn check_times(certificate: &Certificate, ca: &Certificate, now: Time) -> Result<(), Refused> {
    if ca.not_after() < now || now < ca.not_before() {
        return Err(policy(
            "issuer",
            format!(
                "the CA's certificate is valid from {} to {} and it is {now}",
                ca.not_before(),
                ca.not_after()
            ),
        ));
    }
    if certificate.not_before() < ca.not_before() {
        return Err(policy(
            "tbs.validity.notBefore",
            format!(
                "{} is before the CA's own, {}",
                certificate.not_before(),
                ca.not_before()
            ),
        ));
    }
    if certificate.not_after() > ca.not_after() {
        return Err(policy(
            "tbs.validity.notAfter",
            format!(
                "{} is after the CA's own, {}",
                certificate.not_after(),
                ca.not_after()
            ),
        ));
    }
    let seconds = certificate
        .not_before()
        .seconds_until(certificate.not_after())
        + 1;
    // A root may be offline: its responder's comes by ceremony and holds for as long as its profile says (S3).
    let is_root = ca.issuer() == ca.subject();
    if is_responder(certificate) && !is_root && seconds > RESPONDER_DAYS * 86_400 {
        return Err(policy(
            "tbs.validity.notAfter",
            format!("a responder's certificate is valid for {RESPONDER_DAYS} days at most (S9)"),
        ));
    }
    Ok(())
}

fn is_responder(certificate: &Certificate) -> bool {
    certificate.extended_key_usages() == [oid::OCSP_SIGNING]
}

/// Proof of possession, for everybody but OCSP responders, whose keys the presigner makes.
fn check_csr(request: &IssueCertificate, certificate: &Certificate) -> Result<(), Refused> {
    let Some(csr) = &request.csr else {
        if is_responder(certificate) {
            return Ok(());
        }
        return Err(policy(
            "csr",
            "only OCSP responders are certified without one (I4)",
        ));
    };
    let csr = csr.with_key(certificate.public_key().spki_der());
    let csr =
        CertificationRequest::from_der(&csr).map_err(|error| policy("csr", error.to_string()))?;
    csr.verify_proof_of_possession()
        .map_err(|refusal| policy("csr", refusal.to_string()))?;
    if csr.public_key() != certificate.public_key() {
        return Err(policy(
            "tbs.subjectPublicKeyInfo",
            "not the key of the certification request (I4)",
        ));
    }
    Ok(())
}

fn check_profile(
    request: &IssueCertificate,
    ca: &Certificate,
    rules: &Policy,
    now: Time,
) -> Result<(), Refused> {
    let profile = rules.profile(&request.profile).map_err(|known| {
        policy(
            "profile",
            format!(
                "{:?} is not a profile of this signer ({known})",
                request.profile
            ),
        )
    })?;
    check_beginning(profile, request, now)?;
    if let Some(profile) = profile {
        check_matrix(profile, request, ca)?;
        if let Some(urls) = rules.status_urls(&request.issuer) {
            check_extensions(profile, request, ca, &urls)?;
        }
    }
    let context = Context {
        ca,
        signature_algorithm: request.signature_algorithm,
        now,
        profile,
        idn: rules.idn(),
    };
    refuse_all("tbs", &lint(&request.tbs, &context))
}

/// Only a responder's certificate may begin later (S9), if the rule set of this signer lets it: what an attacker has
/// issued ahead serves him for so long after he was found out.
fn check_beginning(
    profile: Option<&Profile>,
    request: &IssueCertificate,
    now: Time,
) -> Result<(), Refused> {
    let certificate = read(&request.tbs, request.signature_algorithm)?;
    let days = match profile {
        Some(profile) if is_responder(&certificate) => profile.ahead_days,
        _ => 0,
    };
    let latest = now.plus_seconds(i64::from(days) * 86_400 + CLOCK_SKEW);
    if certificate.not_before() <= latest {
        return Ok(());
    }
    let rule = match days {
        0 => "a certificate begins when it is signed (CERT-04)".to_owned(),
        days => format!("a responder's begins at most {days} days after its signing (S9)"),
    };
    Err(policy(
        "tbs.validity.notBefore",
        format!("{} lies ahead: {rule}", certificate.not_before()),
    ))
}

/// I7: which issuer may use the profile, and for how long.
fn check_matrix(
    profile: &Profile,
    request: &IssueCertificate,
    ca: &Certificate,
) -> Result<(), Refused> {
    let named = match &profile.issuers {
        Some(issuers) => issuers.contains(&request.issuer),
        None => true,
    };
    let is_root = ca.issuer() == ca.subject();
    if !named || (is_root && !profile.root_may_issue) {
        return Err(policy(
            "profile",
            format!(
                "{:?} is not for the issuer {:?} (I7)",
                profile.name, request.issuer
            ),
        ));
    }
    let certificate = read(&request.tbs, request.signature_algorithm)?;
    // notAfter is the last second of validity.
    let seconds = certificate
        .not_before()
        .seconds_until(certificate.not_after())
        + 1;
    let days = profile.max_days_of(&request.issuer);
    if seconds > i64::from(days) * 86_400 {
        return Err(policy(
            "tbs.validity.notAfter",
            format!(
                "{:?} of {:?} is valid for {days} days at most (I7)",
                profile.name, request.issuer
            ),
        ));
    }
    Ok(())
}

/// Every octet of every extension is what the profile makes of the key and the names.
fn check_extensions(
    profile: &Profile,
    request: &IssueCertificate,
    ca: &Certificate,
    urls: &StatusUrls,
) -> Result<(), Refused> {
    let certificate = read(&request.tbs, request.signature_algorithm)?;
    let alt_names = match certificate.extension(oid::SUBJECT_ALT_NAME) {
        Some(extension) => GeneralName::read_all(&extension.value)
            .map_err(|error| policy("tbs.extensions.subjectAltName", error.to_string()))?,
        None => Vec::new(),
    };
    let names = CertifiedNames {
        alt_names: &alt_names,
        subject_is_empty: certificate.subject().is_empty(),
    };
    // The certificate says in which part of the CRL it is.
    let partition = certificate
        .distribution_point_uri()
        .and_then(|uri| urls.crl_partition_in(&uri).map(str::to_owned));
    let urls = match partition {
        Some(partition) => urls.clone().with_crl_partition(&partition),
        None => urls.clone(),
    };
    let expected = profile
        .extensions_for(ca, certificate.public_key(), names, &urls)
        .map_err(|error| policy("tbs.subjectPublicKeyInfo", error.to_string()))?;
    let found = certificate.extensions();
    if found == expected {
        return Ok(());
    }
    let odd = found
        .iter()
        .zip(&expected)
        .find(|(found, expected)| found != expected);
    let which = odd.map_or_else(
        || "their number".to_owned(),
        |(found, _)| found.oid.to_string(),
    );
    Err(policy(
        "tbs.extensions",
        format!(
            "not octet for octet those of the profile {:?} with status at {} ({which})",
            profile.name, urls.ocsp
        ),
    ))
}
