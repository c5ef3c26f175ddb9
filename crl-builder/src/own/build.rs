//! Making the CRLs of one issuer: from entries to signed, judged and recorded lists.

use aws_lc_rs::digest::{Context, SHA256};
use ledger::{CrlPolicy, CrlRecord, CrlScope, Issuer, Ledger, Origin, Subjects};
use pki::crl::build::{CrlContents, assemble};
use pki::crl::verify::{Expected, OwnRules, Previous, Profile, Scope, verify_crl};
use pki::crl::{Crl, Entries};
use pki::{Certificate, Clock, CrlNumber, SignatureAlgorithm, Time, Violation};
use signer_client::{SignCrl, fresh_id};
use tokio::task::block_in_place;

use super::bases::{Bases, delta};
use super::gate::Gate;
use super::lists::{Lists, left_until};
use super::ocsp::Answers;
use super::told::Told;
use crate::failure::Failure;
use crate::live::sha256;
use crate::publish;
use crate::signer::Signer;

const HOUR: i64 = 3600;

/// What a build works with.
pub(crate) struct Build<'a, S> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) signer: &'a S,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) issuer: &'a Issuer,
    pub(crate) ca: &'a Certificate,
    /// Every number must be above this one.
    pub(crate) floor: &'a CrlNumber,
    /// Where deltas are fetched.
    pub(crate) delta_url: Option<String>,
    /// What is published, if something that verifies is.
    pub(crate) before: Option<&'a Lists>,
    /// What deltas are relative to.
    pub(crate) bases: &'a Bases,
    /// What OCSP says, if that is known.
    pub(crate) answers: Option<&'a Answers>,
    /// Whether all is read anew and every CRL is made, also those that did not change.
    pub(crate) thorough: bool,
}

/// CRLs that may be published, and what they were made of.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) lists: Lists,
    /// The complete CRL first.
    pub(crate) crls: Vec<Made>,
    /// The signer knows nothing of the CRL that the delta was to be relative to: there is no delta until there is another
    /// base.
    pub(crate) lost_base: bool,
}

/// One CRL that may be published.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) scope: CrlScope,
    pub(crate) crl: Crl,
}

impl Built {
    /// Every part, with its CRL where a new one was made.
    pub(crate) fn partitions(&self) -> Vec<(&str, Option<&Crl>)> {
        let made = |uri: &String| self.made(&CrlScope::Partition(uri.clone()));
        self.lists
            .partitions
            .keys()
            .map(|uri| (uri.as_str(), made(uri)))
            .collect()
    }

    /// What goes into the publication.
    pub(crate) fn to_publish<'a>(
        &'a self,
        partitions: &'a [(&'a str, Option<&'a Crl>)],
    ) -> publish::Lists<'a> {
        publish::Lists {
            complete: self.made(&CrlScope::Complete),
            delta: self.made(&CrlScope::Delta),
            partitions,
        }
    }

    fn made(&self, scope: &CrlScope) -> Option<&Crl> {
        let mut crls = self.crls.iter();
        crls.find(|made| made.scope == *scope).map(|made| &made.crl)
    }
}

/// What all CRLs of one build have in common.
struct Frame {
    number: CrlNumber,
    this_update: Time,
    next_update: Time,
    algorithm: SignatureAlgorithm,
    key_id: Vec<u8>,
}

impl<S: Signer> Build<'_, S> {
    /// Builds what is due.
    pub(crate) async fn run(&self, told: &mut Told) -> Result<Built, Failure> {
        let name = &self.issuer.name;
        let policy = &self.issuer.policy.crl;
        let last = self.ledger.last_crl(name).await?;
        let last_update = last.as_ref().map(|last| last.this_update);
        let lists = self.lists(last_update).await?;
        // The time after the rows, so that none is revoked later.
        let now = self.clock.now();
        let (this_update, next_update) = window(self.ca, policy, last_update, now)?;
        let frame = Frame {
            number: self.ledger.reserve_crl_number(name, self.floor).await?,
            this_update,
            next_update,
            algorithm: algorithm(self.ca)?,
            key_id: self.ca.key_id(),
        };
        let (crls, lost_base) = self.crls(&lists, &frame, told).await?;
        for made in &crls {
            let record = record(made, &frame, lists.as_of);
            self.ledger.record_crl(name, &record).await?;
        }
        Ok(Built {
            lists,
            crls,
            lost_base,
        })
    }

    /// What stands on them now. An error in what is kept lasts no longer than to the next thorough build.
    async fn lists(&self, last_update: Option<Time>) -> Result<Lists, Failure> {
        let name = &self.issuer.name;
        let left_until = left_until(&self.issuer.policy.crl, last_update, self.clock.now());
        let Some(before) = self.before else {
            return Ok(Lists::read(self.ledger, name, left_until).await?);
        };
        let advanced = before.advanced(self.ledger, name, left_until).await?;
        if !self.thorough {
            return Ok(advanced);
        }
        let read = Lists::read(self.ledger, name, left_until).await?;
        if read.as_of == advanced.as_of && read.complete != advanced.complete {
            tracing::error!(
                issuer = name,
                "the kept entries were not those of the ledger, which are taken instead: please report this"
            );
        }
        Ok(read.sharing(&advanced))
    }

    async fn crls(
        &self,
        lists: &Lists,
        frame: &Frame,
        told: &mut Told,
    ) -> Result<(Vec<Made>, bool), Failure> {
        let deltas = self.issuer.policy.crl.deltas;
        let base = self.bases.base().filter(|_| deltas);
        let delta_url = self.delta_url.as_deref().filter(|_| base.is_some());
        let before = self.before;
        let complete = self
            .make(
                CrlScope::Complete,
                &contents(self.ca, frame, Scope::Complete, delta_url),
                before.map(|before| &before.complete),
                &lists.complete,
                lists.as_of,
                told,
            )
            .await?;
        let mut crls = vec![complete];
        let mut lost_base = false;
        if let Some((base, entries)) = base.filter(|_| delta_url.is_some()) {
            let changed = block_in_place(|| delta(entries, &lists.complete));
            let scope = Scope::Delta { base };
            let contents = contents(self.ca, frame, scope, None);
            let made = self
                .make(
                    CrlScope::Delta,
                    &contents,
                    None,
                    &changed,
                    lists.as_of,
                    told,
                )
                .await;
            match made {
                Ok(made) => crls.push(made),
                // Somebody else signed the base: before a takeover, or before a standby was promoted that never heard of it.
                Err(failure) if failure.is_divergence() => {
                    tracing::warn!(
                        issuer = self.issuer.name,
                        "no delta CRL this time: {failure}"
                    );
                    lost_base = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        for (uri, entries) in &lists.partitions {
            let known = before.and_then(|before| before.partitions.get(uri));
            let unchanged = known.is_some_and(|known| known == entries);
            if unchanged && !self.thorough {
                continue;
            }
            let scope = Scope::Partition { uri };
            let contents = contents(self.ca, frame, scope, None);
            let scope = CrlScope::Partition(uri.clone());
            crls.push(
                self.make(scope, &contents, known, entries, lists.as_of, told)
                    .await?,
            );
        }
        Ok((crls, lost_base))
    }

    /// Has one CRL signed, and judges what came back.
    async fn make(
        &self,
        scope: CrlScope,
        contents: &CrlContents<'_>,
        before: Option<&Entries>,
        entries: &Entries,
        as_of: u64,
        told: &mut Told,
    ) -> Result<Made, Failure> {
        // The signer never forgets what it is told, so first whether it is to be told; and what was signed is compared with
        // what the ledger says by then.
        self.judge(&scope, contents.number, before, entries, as_of)
            .await?;
        let signature = match self.sign(&scope, contents, entries, as_of, told).await {
            // Compare what either side knows, and tell all of it.
            Err(failure) if failure.is_divergence() => {
                tracing::warn!(issuer = self.issuer.name, "{failure}; told anew");
                told.differs();
                self.sign(&scope, contents, entries, as_of, told).await?
            }
            signature => signature?,
        };
        let der = block_in_place(|| {
            let tbs = tbs(contents, entries);
            assemble(&tbs, contents.signature_algorithm, &signature)
        });
        let unfit = |violation| Failure::Unfit {
            what: format!("the {scope} CRL {}", contents.number),
            violation,
        };
        // Of the octets that were put together here: what is signed is what was judged.
        let crl = block_in_place(|| self.verified(&der, contents.scope)).map_err(unfit)?;
        self.judge(&scope, contents.number, before, entries, as_of)
            .await?;
        Ok(Made { scope, crl })
    }

    /// What may follow the list before, by the gate's rules.
    async fn judge(
        &self,
        scope: &CrlScope,
        number: &CrlNumber,
        before: Option<&Entries>,
        entries: &Entries,
        as_of: u64,
    ) -> Result<(), Failure> {
        let Some(before) = before else { return Ok(()) };
        let changes = block_in_place(|| entries.changes_since(before));
        let gate = Gate {
            ledger: self.ledger,
            issuer: self.issuer,
            answers: self.answers,
            as_of,
            now: self.clock.now(),
        };
        gate.judge(scope, before.len(), &changes)
            .await?
            .map_err(|refusal| Failure::Refused {
                what: format!("the {scope} CRL {number}"),
                refusal,
            })
    }

    /// Tells the signer what it does not know yet, and has it sign the CRL that both sides put together.
    async fn sign(
        &self,
        scope: &CrlScope,
        contents: &CrlContents<'_>,
        entries: &Entries,
        as_of: u64,
        told: &mut Told,
    ) -> Result<Vec<u8>, Failure> {
        let name = &self.issuer.name;
        told.tell(self.ledger, self.signer, self.issuer, as_of)
            .await?;
        let change = told.change(self.ledger, name, scope, entries).await?;
        let (before, after) = contents.around(entries.octets());
        let tbs_hash = block_in_place(|| {
            let mut context = Context::new(&SHA256);
            context.update(&before);
            entries.pieces().for_each(|piece| context.update(piece));
            context.update(&after);
            let mut hash = [0; 32];
            hash.copy_from_slice(context.finish().as_ref());
            hash
        });
        let request = SignCrl {
            issuer: name.clone(),
            scope: match scope {
                CrlScope::Complete => signer_client::CrlScope::Complete,
                CrlScope::Delta => signer_client::CrlScope::Delta,
                CrlScope::Partition(uri) => signer_client::CrlScope::Partition(uri.clone()),
            },
            number: contents.number.clone(),
            this_update: contents.this_update,
            next_update: contents.next_update,
            signature_algorithm: contents.signature_algorithm,
            before,
            entries: change,
            after,
            tbs_hash,
        };
        let signature = self.signer.sign_crl(fresh_id()?.0, request).await?;
        told.signed(scope.clone(), contents.number, entries);
        Ok(signature)
    }

    /// Verifies a CRL of our own by every rule.
    fn verified(&self, der: &[u8], scope: Scope<'_>) -> Result<Crl, Violation> {
        let expected = Expected {
            ca: self.ca,
            now: self.clock.now(),
            scope,
            // The operator may have made the validity shorter, so nextUpdate is free to be earlier than the last one's.
            previous: Some(Previous {
                number: self.floor,
                next_update: None,
            }),
            profile: own_rules(self.issuer),
        };
        Ok(verify_crl(der, &expected)?.crl)
    }
}

/// The rules for our own CRLs of this issuer.
pub(crate) fn own_rules(issuer: &Issuer) -> Profile {
    Profile::Own(OwnRules {
        ca_certificates_only: issuer.policy.subjects == Subjects::CaCertificates,
        keeps_holds: issuer.origin == Origin::Imported,
        browser_forum: issuer.policy.crl.browser_forum,
    })
}

fn contents<'a>(
    ca: &'a Certificate,
    frame: &'a Frame,
    scope: Scope<'a>,
    freshest: Option<&'a str>,
) -> CrlContents<'a> {
    CrlContents {
        issuer: ca.subject(),
        authority_key_id: &frame.key_id,
        number: &frame.number,
        this_update: frame.this_update,
        next_update: frame.next_update,
        signature_algorithm: frame.algorithm,
        scope,
        freshest,
    }
}

/// The TBSCertList: the entries are copied as they are kept.
fn tbs(contents: &CrlContents<'_>, entries: &Entries) -> Vec<u8> {
    let octets = entries.octets();
    let (before, after) = contents.around(octets);
    let mut tbs = Vec::with_capacity(before.len() + octets + after.len());
    tbs.extend_from_slice(&before);
    entries
        .pieces()
        .for_each(|piece| tbs.extend_from_slice(piece));
    tbs.extend_from_slice(&after);
    tbs
}

fn record(made: &Made, frame: &Frame, as_of: u64) -> CrlRecord {
    CrlRecord {
        scope: made.scope.clone(),
        number: frame.number.clone(),
        this_update: frame.this_update,
        next_update: frame.next_update,
        sha256: sha256(made.crl.der()),
        size: made.crl.der().len() as u64,
        entries: made.crl.len() as u64,
        as_of,
    }
}

/// thisUpdate and nextUpdate: backdated for slow clocks, rising, within the CA's validity.
fn window(
    ca: &Certificate,
    policy: &CrlPolicy,
    last: Option<Time>,
    now: Time,
) -> Result<(Time, Time), Failure> {
    let backdated = now
        .plus_seconds(-i64::from(policy.backdate_seconds))
        .max(ca.not_before());
    let this_update = last.map_or(backdated, |last| backdated.max(last)).min(now);
    let next_update = this_update
        .plus_seconds(i64::from(policy.validity_hours) * HOUR)
        .min(ca.not_after());
    if next_update <= now {
        return Err(Failure::Ended(format!(
            "the CA certificate ended at {}; renew it, or remove the issuer",
            ca.not_after()
        )));
    }
    Ok((this_update, next_update))
}

fn algorithm(ca: &Certificate) -> Result<SignatureAlgorithm, Failure> {
    let found = ca
        .public_key()
        .kind()
        .and_then(|kind| SignatureAlgorithm::for_key(kind, kind.default_hash()));
    found.map_err(|error| Failure::Ended(format!("the CA's key cannot sign CRLs: {error}")))
}
