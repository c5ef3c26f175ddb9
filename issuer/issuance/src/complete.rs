//! Issuing: from the order through the reservation to the record.

use ledger::{Ground, Issuer, LedgerError, Reservation, RevocationRequest};
use pki::certificate_builder::assemble;
use pki::csr::CertificationRequest;
use pki::profile::Profile;
use pki::refusal::Refusal;
use pki::{Certificate, RevocationReason, Serial, SerialError, SignatureAlgorithm};
use signer_client::{CsrAroundKey, IssueCertificate, RefusalCode, SignerError};

use crate::build::Plan;
use crate::{Issuance, IssuanceError, Issued, Order, Signer};

/// How often another serial number is tried when one is taken. Once is already next to impossible.
const RETRIES: usize = 2;

impl<S: Signer> Issuance<S> {
    /// Issues the certificate that `order` asks for under `profile`.
    pub async fn issue(&self, order: &Order, profile: &Profile) -> Result<Issued, IssuanceError> {
        let issuer = self.issuer(&order.issuer).await?;
        let ca = read_ca(&issuer)?;
        let now = self.clock.now();
        let plan = Plan::new(order, profile, &issuer, &ca, now, self.base_url.as_deref())?;

        let mut attempts = 0;
        loop {
            let signer_id =
                self.signer
                    .signer_id()
                    .await
                    .map_err(|error| IssuanceError::SignerUnseen {
                        issuer: order.issuer.clone(),
                        why: error.to_string(),
                    })?;
            let reservation = self.reservation(&plan, signer_id)?;
            // From here on recovery must not take it for one that a crash left behind.
            let _in_flight = self.in_flight.enter(reservation.request_id);
            match self.ledger.reserve_serial(&reservation).await {
                Ok(()) => match self.complete(&reservation, &issuer, &ca).await {
                    // A standby was promoted meanwhile, and its serial numbers begin with another id.
                    Err(IssuanceError::SignerRefused {
                        code: RefusalCode::OtherSigner,
                        ..
                    }) if attempts < RETRIES => attempts += 1,
                    done => return done,
                },
                Err(LedgerError::SerialTaken { .. }) if attempts < RETRIES => attempts += 1,
                Err(LedgerError::KeyBlocked) => return Err(compromised_key().into()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks the signer, assembles, verifies, records.
    pub(crate) async fn complete(
        &self,
        reservation: &Reservation,
        issuer: &Issuer,
        ca: &Certificate,
    ) -> Result<Issued, IssuanceError> {
        let Reservation { serial, tbs, .. } = reservation;
        let algorithm: SignatureAlgorithm =
            reservation
                .signature_algorithm
                .parse()
                .map_err(|error: pki::AlgorithmError| {
                    Refusal::new(
                        "I6",
                        "hash",
                        error.to_string(),
                        "Ask again for a certificate.",
                    )
                })?;

        let signature = match self.ask_signer(reservation, algorithm).await {
            Ok(signature) => signature,
            Err(error @ IssuanceError::SignerRefused { .. }) => {
                self.abandon(reservation, &error).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };

        let der = assemble(tbs, algorithm, &signature);
        let certificate =
            Certificate::from_der(&der).map_err(|source| IssuanceError::Unreadable {
                issuer: issuer.name.clone(),
                what: "a reservation",
                source,
            })?;
        if let Err(source) = certificate.verify_signed_by(ca.public_key()) {
            let error = IssuanceError::WrongSignature {
                issuer: issuer.name.clone(),
                serial: *serial,
                source,
            };
            self.abandon(reservation, &error).await?;
            return Err(error);
        }

        let seq = self
            .ledger
            .record_certificate(&issuer.name, serial, &der)
            .await?;
        self.revoke_if_compromised(reservation).await?;
        tracing::info!(
            issuer = issuer.name,
            %serial,
            profile = reservation.profile,
            actor = reservation.actor,
            "certificate issued"
        );
        Ok(Issued {
            issuer: issuer.name.clone(),
            profile: reservation.profile.clone(),
            certificate,
            chain: std::iter::once(issuer.certificate.clone())
                .chain(issuer.chain.iter().cloned())
                .collect(),
            seq,
        })
    }

    pub(crate) async fn issuer(&self, name: &str) -> Result<Issuer, IssuanceError> {
        let issuer = self.ledger.issuer(name).await?;
        Ok(issuer.ok_or_else(|| LedgerError::UnknownIssuer(name.to_owned()))?)
    }

    /// A key may have become known as compromised while its request waited for the signer. The certificate exists then
    /// and is told about, but is not good for a moment longer.
    async fn revoke_if_compromised(&self, reservation: &Reservation) -> Result<(), IssuanceError> {
        let blocked = self.ledger.is_key_blocked(&reservation.spki_sha256);
        if !blocked.await? {
            return Ok(());
        }
        let request = RevocationRequest {
            issuer: reservation.issuer.clone(),
            serial: reservation.serial,
            reason: RevocationReason::KeyCompromise,
            ground: Ground::Support,
            actor: "issuance".to_owned(),
            case: Some("key compromised while the request waited for the signer".to_owned()),
            invalidity_date: None,
        };
        self.ledger.revoke(&request).await?;
        tracing::warn!(
            issuer = reservation.issuer,
            serial = %reservation.serial,
            "revoked at once: its key became known as compromised while the request waited for the signer"
        );
        Ok(())
    }

    fn reservation(&self, plan: &Plan<'_>, signer_id: u8) -> Result<Reservation, IssuanceError> {
        let serial = random(signer_id)?;
        let order = plan.order;
        Ok(Reservation {
            issuer: order.issuer.clone(),
            serial,
            request_id: request_id()?,
            profile: plan.profile.name.clone(),
            tbs: plan.tbs(serial, self.clock.now(), &self.idn)?,
            signature_algorithm: plan.signature_algorithm.name().to_owned(),
            csr: order.csr.clone(),
            not_after: plan.not_after,
            spki_sha256: order.public_key.fingerprint(),
            crl_partition: plan.crl_partition(&serial),
            evidence_sha256: order.evidence_sha256,
            actor: order.actor.clone(),
        })
    }

    async fn ask_signer(
        &self,
        reservation: &Reservation,
        signature_algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, IssuanceError> {
        let request = IssueCertificate {
            issuer: reservation.issuer.clone(),
            profile: reservation.profile.clone(),
            signature_algorithm,
            tbs: reservation.tbs.clone(),
            csr: reservation.csr.as_deref().map(without_key),
            evidence: reservation.evidence_sha256,
        };
        let answer = self
            .signer
            .issue_certificate(reservation.request_id, request)
            .await;
        answer.map_err(|error| match error {
            SignerError::Refused {
                code,
                field,
                message,
                ..
            } => IssuanceError::SignerRefused {
                issuer: reservation.issuer.clone(),
                serial: reservation.serial,
                code,
                field,
                message,
            },
            other => IssuanceError::SignerAway {
                issuer: reservation.issuer.clone(),
                serial: reservation.serial,
                why: other.to_string(),
            },
        })
    }

    async fn abandon(
        &self,
        reservation: &Reservation,
        why: &IssuanceError,
    ) -> Result<(), IssuanceError> {
        let Reservation { issuer, serial, .. } = reservation;
        tracing::error!(%issuer, %serial, "reservation given up: {why}");
        match self
            .ledger
            .abandon_reservation(issuer, serial, &why.to_string())
            .await
        {
            // Somebody else finished it meanwhile.
            Err(LedgerError::NotReserved { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// I5: a key that was compromised is never certified again.
fn compromised_key() -> Refusal {
    Refusal::new(
        "I5",
        "publicKey",
        "this key is known to be compromised",
        "Make a new key; renewal after a compromise needs one.",
    )
}

pub(crate) fn read_ca(issuer: &Issuer) -> Result<Certificate, IssuanceError> {
    Certificate::from_der(&issuer.certificate).map_err(|source| IssuanceError::Unreadable {
        issuer: issuer.name.clone(),
        what: "the CA certificate",
        source,
    })
}

/// A CSR as it crosses the cable: its key is in the certificate already. One that cannot be read is the signer's to refuse.
fn without_key(csr: &[u8]) -> CsrAroundKey {
    let key = CertificationRequest::from_der(csr).map(|csr| csr.public_key().spki_der().to_vec());
    CsrAroundKey::cut(csr, &key.unwrap_or_default())
}

/// As random as a serial number.
fn request_id() -> Result<[u8; 16], IssuanceError> {
    let random = Serial::random().map_err(no_randomness)?;
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(random.as_bytes()) {
        *to = *from;
    }
    Ok(id)
}

fn random(signer_id: u8) -> Result<Serial, IssuanceError> {
    Ok(Serial::random_of_signer(signer_id).map_err(no_randomness)?)
}

fn no_randomness(error: SerialError) -> Refusal {
    Refusal::new("CERT-01", "serialNumber", error.to_string(), "Try again.")
}
