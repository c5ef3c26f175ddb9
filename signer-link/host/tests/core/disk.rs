//! A folder that forgets what was not synced, fails when it is told to, and can be full.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use journal::Storage;
use signer_host::core::Directory;

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    names: HashMap<String, usize>,
    files: Vec<Content>,
    syncs: u64,
    /// At this sync the machine stops.
    crash_at: Option<u64>,
    crashed: bool,
    /// Nothing more can be written.
    full: bool,
}

#[derive(Debug, Default)]
struct Content {
    durable: Vec<u8>,
    now: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct DiskFile {
    disk: Disk,
    number: usize,
}

impl Disk {
    /// The machine stops at the sync after so many more.
    pub(crate) fn crash_after(&self, syncs: u64) {
        let mut state = self.0.borrow_mut();
        state.crash_at = Some(state.syncs + syncs + 1);
    }

    pub(crate) fn is_crashed(&self) -> bool {
        self.0.borrow().crashed
    }

    /// The machine starts again; of what was written and not synced, `part` (of 256) is there.
    pub(crate) fn restart(&self, part: u8) {
        let mut state = self.0.borrow_mut();
        state.crashed = false;
        state.crash_at = None;
        for file in &mut state.files {
            let mut there = file.durable.clone();
            if let Some(tail) = file.now.strip_prefix(&file.durable[..]) {
                there.extend_from_slice(&tail[..tail.len() * usize::from(part) / 256]);
            }
            file.now.clone_from(&there);
            file.durable = there;
        }
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.0.borrow_mut().full = full;
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.0.borrow().syncs
    }

    /// What is in a file.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        let number = *state.names.get(name)?;
        Some(state.files[number].now.clone())
    }

    /// Another machine with the same content.
    pub(crate) fn copy(&self) -> Self {
        let state = self.0.borrow();
        let files = state.files.iter().map(|file| Content {
            durable: file.durable.clone(),
            now: file.durable.clone(),
        });
        Self(Rc::new(RefCell::new(State {
            names: state.names.clone(),
            files: files.collect(),
            ..State::default()
        })))
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

    fn durably(&self) -> io::Result<()> {
        self.running()?;
        let mut state = self.0.borrow_mut();
        state.syncs += 1;
        if state.crash_at == Some(state.syncs) {
            state.crashed = true;
            return Err(io::Error::other("the machine stops"));
        }
        Ok(())
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
        self.durably()?;
        let mut state = self.0.borrow_mut();
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let number = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), number);
        drop(state);
        Ok(self.file(number))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.durably()?;
        let mut state = self.0.borrow_mut();
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
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
        let from = usize::try_from(offset).unwrap();
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
        let content = &mut state.files[self.number].now;
        // A full disk takes the first part of it.
        let octets = match full {
            true => &octets[..octets.len() / 2],
            false => octets,
        };
        let from = usize::try_from(offset).unwrap();
        content.resize(content.len().max(from + octets.len()), 0);
        content[from..from + octets.len()].copy_from_slice(octets);
        match full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.durably()?;
        let mut state = self.disk.0.borrow_mut();
        let file = &mut state.files[self.number];
        file.durable.clone_from(&file.now);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.running()?;
        let mut state = self.disk.0.borrow_mut();
        let file = &mut state.files[self.number];
        file.now.truncate(usize::try_from(length).unwrap());
        // No half of a truncation is of interest here.
        file.durable.truncate(file.now.len());
        Ok(())
    }
}
