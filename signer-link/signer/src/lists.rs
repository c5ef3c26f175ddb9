//! The last CRLs of one scope, from which the next one is put together.

use std::collections::VecDeque;

use pki::crl::Entries;
use pki::{CrlNumber, Time};

/// How many CRLs of a scope are remembered: the host may have lost the answer to the last ones.
const KEPT: usize = 4;

/// The last lists of one scope.
#[derive(Debug, Default)]
pub struct Lists(VecDeque<List>);

/// The entries of one CRL.
#[derive(Clone, Debug)]
pub struct List {
    /// The CRL's number.
    pub number: CrlNumber,
    /// Its thisUpdate.
    pub this_update: Time,
    /// The entries.
    pub entries: Entries,
    /// How many revocations of the authority were known when it was made.
    pub count: u64,
}

impl Lists {
    /// The newest one.
    pub fn last(&self) -> Option<&List> {
        self.0.back()
    }

    /// The one of this number.
    pub fn get(&self, number: &CrlNumber) -> Option<&List> {
        self.0.iter().find(|list| list.number == *number)
    }

    /// The numbers of those that are kept, for people.
    pub fn numbers(&self) -> String {
        let numbers: Vec<_> = self.0.iter().map(|list| list.number.to_string()).collect();
        match numbers.is_empty() {
            true => "none".to_owned(),
            false => numbers.join(", "),
        }
    }

    /// Keeps a list.
    pub fn push(&mut self, list: List) {
        self.0.push_back(list);
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }
}
