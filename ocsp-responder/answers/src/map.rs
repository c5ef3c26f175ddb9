//! A file in memory: the only place where this crate needs the reader's word for something.
#![allow(
    unsafe_code,
    reason = "mapping a file cannot be checked by the compiler"
)]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

use memmap2::{Mmap, UncheckedAdvice};

/// A file that nobody changes, mapped for reading.
#[derive(Debug)]
pub(crate) struct Map(Mmap);

impl Map {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: objects of a publication are written under another name, then never changed or shortened; they are
        // only unlinked, which leaves a map as it is. If somebody changes one all the same, the octets change under the
        // reader: it checks every number that it uses as an offset each time it reads it, so it may serve a response
        // whose signature is wrong, but does not leave the map.
        unsafe { Mmap::map(file) }.map(Self)
    }

    /// Lets the kernel forget that these octets were looked at; they can be read again.
    pub(crate) fn release(&self, range: Range<usize>) {
        // SAFETY: the map is of a file and read-only, so what is read again afterwards is the same.
        let advised = unsafe {
            self.0.unchecked_advise_range(
                UncheckedAdvice::DontNeed,
                range.start,
                range.end - range.start,
            )
        };
        // It is advice: without it the memory is given back later, all at once.
        drop(advised);
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
