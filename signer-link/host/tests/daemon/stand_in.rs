//! A signer at the other end of a pseudo-terminal.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pki::{Clock, SystemClock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tty::{Line, Pty};
use wire::link::{Endpoint, Event, LinkSettings, Role, SessionKeys};

use crate::signer::Signer;

/// How soon it sees that it is to end.
const LOOK: u64 = 20;

/// A cable that is plugged in; dropping it unplugs it.
pub(crate) struct StandIn {
    path: PathBuf,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A signer that outlives its cable.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Signer>>);

impl Shared {
    pub(crate) fn new(signer: Signer) -> Self {
        Self(Arc::new(Mutex::new(signer)))
    }

    pub(crate) fn get(&self) -> MutexGuard<'_, Signer> {
        self.0.lock().unwrap()
    }
}

impl StandIn {
    pub(crate) fn start(signer: &Shared, keys: &SessionKeys) -> Self {
        let pty = Pty::open().unwrap();
        let path = pty.path().to_owned();
        let end = Arc::new(AtomicBool::new(false));
        let (signer, keys, ending) = (signer.clone(), keys.clone(), Arc::clone(&end));
        let thread = thread::spawn(move || serve(&pty, &signer, keys, &ending));
        Self {
            path,
            end,
            thread: Some(thread),
        }
    }

    pub(crate) fn device(&self) -> &Path {
        &self.path
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(pty: &Pty, signer: &Shared, keys: SessionKeys, end: &AtomicBool) {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap();
    let random = |octets: &mut [u8]| aws_lc_rs::rand::fill(octets).unwrap();
    let settings = LinkSettings::new(921_600);
    let mut endpoint = Endpoint::new(Role::Signer, keys, settings, Box::new(random), now());
    let mut leaving: Vec<u8> = Vec::new();
    let mut messages: VecDeque<Vec<u8>> = VecDeque::new();
    let mut piece = [0; 4096];
    while !end.load(Ordering::SeqCst) {
        while let Some(count) = pty.read(&mut piece).unwrap() {
            endpoint.receive(&piece[..count], now());
        }
        while let Some(event) = endpoint.event() {
            let mut signer = signer.get();
            signer.time = SystemClock.now();
            match event {
                Event::Up => messages = VecDeque::from([signer.greet()]),
                Event::Message(octets) => messages.extend(signer.hear(&octets)),
                Event::Down(_) => messages.clear(),
                other => panic!("{other:?}"),
            }
        }
        while let Some(message) = messages.front() {
            if endpoint.send(message).is_err() {
                break;
            }
            messages.pop_front();
        }
        loop {
            if leaving.is_empty() {
                leaving = endpoint.transmit(now()).unwrap_or_default();
            }
            let written = pty.write(&leaving).unwrap();
            leaving.drain(..written);
            if leaving.is_empty() != (written > 0) || written == 0 {
                break;
            }
        }
        let due = endpoint.deadline().unwrap_or(u64::MAX).min(now() + LOOK);
        let wait = Duration::from_millis(due.saturating_sub(now()));
        let mut wanted = PollFlags::IN;
        if !leaving.is_empty() {
            wanted |= PollFlags::OUT;
        }
        let timeout = Timespec::try_from(wait).unwrap();
        poll(&mut [PollFd::new(pty, wanted)], Some(&timeout)).unwrap();
    }
}
