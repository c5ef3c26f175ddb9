//! A disk that knows what is synced, stops its machine at any sync, and loses, tears or keeps the rest.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use fastrand::Rng;
use journal::Storage;
use signer_host::core::Directory;

/// What a file system loses together.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, usize>,
    files: Vec<Content>,
    syncs: u64,
    /// The machine stops at this sync; and whether the sync was done all the same.
    crash: Option<(u64, bool)>,
    crashed: bool,
    full: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    now: Vec<u8>,
    /// What was done to it since the last sync.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// An open file.
#[derive(Debug)]
pub(crate) struct DiskFile {
    disk: Disk,
    number: usize,
}

/// A copy of all that was durable.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
}

impl Disk {
    /// The machine stops at the sync after so many more, which is `done` or not.
    pub(crate) fn crash_after(&self, syncs: u64, done: bool) {
        let mut state = self.0.borrow_mut();
        state.crash = Some((state.syncs + syncs + 1, done));
    }

    /// The machine stops now.
    pub(crate) fn crash(&self) {
        self.0.borrow_mut().crashed = true;
    }

    pub(crate) fn is_crashed(&self) -> bool {
        self.0.borrow().crashed
    }

    /// Nothing more can be written; a write gets half way.
    pub(crate) fn set_full(&self, full: bool) {
        self.0.borrow_mut().full = full;
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.0.borrow().syncs
    }

    /// The machine starts again: what was not synced is there, or a part of it, or nothing.
    pub(crate) fn restart(&self, random: &mut Rng) {
        let mut state = self.0.borrow_mut();
        state.crashed = false;
        state.crash = None;
        for file in &mut state.files {
            file.survive(random);
        }
    }

    /// What of a file would be there after a crash at least.
    pub(crate) fn durable(&self, name: &str) -> Option<Ref<'_, [u8]>> {
        let state = self.0.borrow();
        let number = *state.names.get(name)?;
        Some(Ref::map(state, |state| &*state.files[number].durable))
    }

    /// All that is durable.
    pub(crate) fn image(&self) -> Image {
        let state = self.0.borrow();
        Image {
            names: state.names.clone(),
            files: state
                .files
                .iter()
                .map(|file| file.durable.clone())
                .collect(),
        }
    }

    /// Puts an image in place of all that is there.
    pub(crate) fn restore(&self, image: &Image) {
        let mut state = self.0.borrow_mut();
        state.names.clone_from(&image.names);
        let content = |octets: &Vec<u8>| Content {
            durable: octets.clone(),
            now: octets.clone(),
            pending: Vec::new(),
        };
        state.files = image.files.iter().map(content).collect();
        state.crashed = false;
        state.crash = None;
    }

    fn file(&self, number: usize) -> DiskFile {
        DiskFile {
            disk: self.clone(),
            number,
        }
    }

    fn running(&self) -> io::Result<()> {
        match self.is_crashed() {
            true => Err(io::Error::other("the machine has stopped")),
            false => Ok(()),
        }
    }

    /// Something becomes durable, unless the machine stops.
    fn durably(&self, make: impl FnOnce(&mut State)) -> io::Result<()> {
        self.running()?;
        let mut state = self.0.borrow_mut();
        state.syncs += 1;
        match state.crash {
            Some((at, done)) if at <= state.syncs => {
                state.crashed = true;
                if done {
                    make(&mut state);
                }
                Err(io::Error::other("the machine stops"))
            }
            _ => {
                make(&mut state);
                Ok(())
            }
        }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    fn survive(&mut self, random: &mut Rng) {
        let mut there = std::mem::take(&mut self.durable);
        let before = there.len();
        let appended = self.now.len().saturating_sub(before);
        let only_appended = self
            .pending
            .iter()
            .all(|change| matches!(change, Change::Write(at, _) if *at >= before));
        match random.u8(0..4) {
            0 => {}
            1 => there.clone_from(&self.now),
            // It got its length, and its content up to a sector only.
            2 if only_appended && appended > 0 => {
                there.clone_from(&self.now);
                let zeros = random.usize(before..there.len()).next_multiple_of(SECTOR);
                if zeros < there.len() {
                    there[zeros..].fill(0);
                }
            }
            _ => {
                let count = random.usize(0..=self.pending.len());
                for change in &self.pending[..count] {
                    change.apply(&mut there);
                }
                if let Some(Change::Write(at, octets)) = self.pending.get(count) {
                    let part = random.usize(0..=octets.len());
                    Change::Write(*at, octets[..part].to_vec()).apply(&mut there);
                }
            }
        }
        self.pending.clear();
        self.now.clone_from(&there);
        self.durable = there;
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, octets) => {
                content.resize(content.len().max(at + octets.len()), 0);
                content[*at..at + octets.len()].copy_from_slice(octets);
            }
            Self::Truncate(length) => content.truncate(*length),
        }
    }
}

impl Directory for Disk {
    type File = DiskFile;

    fn open(&mut self, name: &str) -> io::Result<DiskFile> {
        self.running()?;
        let number = self.0.borrow().names.get(name).copied();
        number
            .map(|number| self.file(number))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<DiskFile> {
        self.running()?;
        if self.0.borrow().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.durably(|state| {
            if !state.names.contains_key(name) {
                state.names.insert(name.to_owned(), state.files.len());
                state.files.push(Content::default());
            }
        })?;
        let number = self.0.borrow().names[name];
        let mut file = self.file(number);
        file.truncate(0)?;
        Ok(file)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        if !self.0.borrow().names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.durably(|state| {
            if let Some(number) = state.names.remove(from) {
                state.names.insert(to.to_owned(), number);
            }
        })
    }
}

impl Storage for DiskFile {
    fn length(&self) -> io::Result<u64> {
        self.disk.running()?;
        Ok(self.disk.0.borrow().files[self.number].now.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.running()?;
        let state = self.disk.0.borrow();
        let from = index(offset)?;
        let octets = state.files[self.number]
            .now
            .get(from..from + into.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(octets);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.disk.running()?;
        let mut state = self.disk.0.borrow_mut();
        let full = state.full;
        let part = match full {
            true => octets.len() / 2,
            false => octets.len(),
        };
        let change = Change::Write(index(offset)?, octets[..part].to_vec());
        state.files[self.number].change(change);
        match full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let number = self.number;
        self.disk.durably(|state| state.files[number].sync())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.running()?;
        let change = Change::Truncate(index(length)?);
        self.disk.0.borrow_mut().files[self.number].change(change);
        Ok(())
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}
