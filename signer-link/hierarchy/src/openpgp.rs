//! `[openpgp]`: the key that certifies user ids of OpenPGP keys (I13).

use pki::KeyKind;
use pki::name_rules::check_text;
use serde::Deserialize;

use crate::{Hierarchy, LONGEST_DAYS, check_name};

/// `[openpgp]`: a key of its own, no CA's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct OpenPgp {
    /// Its name in commands and file names; not that of a CA.
    #[serde(default = "default_name")]
    pub name: String,
    /// Who it says that it is, as "Example CA <openpgp@example.org>".
    pub user_id: String,
    /// rsa-3072, rsa-4096, p-256, p-384 or p-521.
    pub key: KeyKind,
    /// How long it is valid; no certification that it makes lasts longer.
    pub validity_days: u32,
    /// Whether it is made in the token, and stays there.
    #[serde(default)]
    pub in_token: bool,
}

impl OpenPgp {
    /// Says that this is for practice, unless it says demo, test or rehearsal by itself.
    pub(crate) fn mark_as_rehearsal(&mut self) {
        if !crate::subject::says_rehearsal(&self.user_id) {
            self.user_id = format!("REHEARSAL {}", self.user_id);
        }
    }

    pub(crate) fn check(&self, hierarchy: &Hierarchy) -> Result<(), String> {
        check_name(&self.name)?;
        if hierarchy.ca(&self.name).is_some() {
            return Err("name: a CA has it".to_owned());
        }
        check_text(&self.user_id).map_err(|refusal| format!("user_id: {refusal}"))?;
        let kinds = [KeyKind::Rsa(3072), KeyKind::Rsa(4096)];
        let curves = [KeyKind::P256, KeyKind::P384, KeyKind::P521];
        if !kinds.contains(&self.key) && !curves.contains(&self.key) {
            return Err(format!(
                "key: {}; choose rsa-3072, rsa-4096, p-256, p-384 or p-521",
                self.key
            ));
        }
        if self.in_token && hierarchy.token.is_none() {
            return Err("in_token: there is no [token]".to_owned());
        }
        if !(1..=LONGEST_DAYS).contains(&self.validity_days) {
            return Err(format!(
                "validity_days: {} is not within 1 to {LONGEST_DAYS}",
                self.validity_days
            ));
        }
        Ok(())
    }
}

fn default_name() -> String {
    "openpgp".to_owned()
}
