//! A thread for each cable: the octets of its device, and the link's end of it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc::UnboundedSender;
use wire::link::{Breach, Endpoint, Event, LinkSettings, Millis, Quality, Role, SessionKeys};

use crate::device::{Device, Socket};

/// A device that is gone is looked for again after so long.
const LOOK_AGAIN: Millis = 1_000;
/// How often the counters are shown.
const SHOW: Millis = 1_000;
/// How much is read at once.
const PIECE: usize = 4_096;

/// Where a cable is plugged in, and who must be at its other end.
pub(crate) struct Plug {
    pub(crate) socket: Socket,
    pub(crate) baud: u32,
    pub(crate) keys: SessionKeys,
}

/// What a cable tells. Sessions are counted from 1.
#[derive(Debug)]
pub(crate) enum LineEvent {
    Up {
        session: u64,
    },
    Message(Vec<u8>),
    Down,
    Breach(&'static str),
    /// There may be room for more.
    Room,
}

#[derive(Debug)]
enum Order {
    /// For this session, and for no other.
    Send {
        session: u64,
        octets: Vec<u8>,
    },
    Reset,
    Stop,
}

/// What can be seen of a line at any time.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Octets that wait for the link, and that it has and the other end has not acknowledged.
    waiting: AtomicUsize,
    backlog: AtomicUsize,
    /// There is a [`LineEvent::Room`] that nobody has looked at.
    pub(crate) told_room: AtomicBool,
    state: Mutex<(bool, Quality)>,
}

impl Shown {
    /// Octets that are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.waiting.load(Ordering::SeqCst) + self.backlog.load(Ordering::SeqCst)
    }

    /// Whether the device is open, and how good the line is.
    pub(crate) fn state(&self) -> (bool, Quality) {
        // Nothing panics while it holds the lock, so a poisoned state is a whole one.
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner's handle on a line; the thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    orders: mpsc::Sender<Order>,
    wake: UnixStream,
    pub(crate) shown: Arc<Shown>,
}

impl Line {
    /// Starts the thread. Events go to `events` with the cable's number.
    pub(crate) fn start(
        cable: usize,
        plug: Plug,
        events: UnboundedSender<(usize, LineEvent)>,
    ) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let (orders, received) = mpsc::channel();
        let shown = Arc::new(Shown::default());
        let work = Work {
            cable,
            settings: LinkSettings::new(plug.baud),
            plug,
            events,
            orders: received,
            woken,
            shown: Arc::clone(&shown),
        };
        thread::Builder::new()
            .name(format!("cable-{cable}"))
            .spawn(move || work.run())?;
        Ok(Self {
            orders,
            wake,
            shown,
        })
    }

    /// Sends a message in this session; if that is over, the message is dropped.
    pub(crate) fn send(&self, session: u64, octets: Vec<u8>) {
        self.shown.waiting.fetch_add(octets.len(), Ordering::SeqCst);
        self.order(Order::Send { session, octets });
    }

    /// Begins a new session.
    pub(crate) fn reset(&self) {
        self.order(Order::Reset);
    }

    fn order(&self, order: Order) {
        // The thread ends only when this handle is dropped, or with the whole process.
        drop(self.orders.send(order));
        // A full pipe wakes as well.
        let _ = (&self.wake).write(&[0]);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.order(Order::Stop);
    }
}

struct Work {
    cable: usize,
    plug: Plug,
    settings: LinkSettings,
    events: UnboundedSender<(usize, LineEvent)>,
    orders: mpsc::Receiver<Order>,
    woken: UnixStream,
    shown: Arc<Shown>,
}

/// What changes while a line is served.
struct Served {
    endpoint: Endpoint,
    device: Option<Device>,
    /// When to look for the device again.
    look_at: Millis,
    /// Why it could not be opened the last time.
    missing: Option<String>,
    /// Octets that the device has not taken yet.
    leaving: Vec<u8>,
    /// Messages that the link has not taken yet.
    messages: VecDeque<Vec<u8>>,
    session: u64,
    up: bool,
    backlog: usize,
    show_at: Millis,
}

impl Work {
    fn run(self) {
        let start = Instant::now();
        // Lossless: a process does not run that long.
        let now = || start.elapsed().as_millis() as Millis;
        let keys = self.plug.keys.clone();
        let endpoint = Endpoint::new(Role::Host, keys, self.settings, Box::new(random), now());
        let mut served = Served {
            endpoint,
            device: None,
            look_at: 0,
            missing: None,
            leaving: Vec::new(),
            messages: VecDeque::new(),
            session: 0,
            up: false,
            backlog: 0,
            show_at: 0,
        };
        loop {
            self.look_for_device(&mut served, now());
            if let Err(error) = self.read(&mut served, now()) {
                self.lost(&mut served, &error, now());
            }
            self.tell(&mut served);
            if self.obey(&mut served, now()) {
                return;
            }
            if let Err(error) = self.write(&mut served, now()) {
                self.lost(&mut served, &error, now());
            }
            // A reset or a silence that was noticed just now.
            self.tell(&mut served);
            self.show(&mut served, now());
            self.wait(&served, now());
        }
    }

    fn look_for_device(&self, served: &mut Served, now: Millis) {
        if served.device.is_some() || now < served.look_at {
            return;
        }
        let path = self.plug.socket.path().display();
        match self.plug.socket.open(self.plug.baud) {
            Ok(device) => {
                tracing::info!(baud = self.plug.baud, "{path}: open");
                served.device = Some(device);
                served.missing = None;
                served.leaving.clear();
                served.endpoint.reset(now);
            }
            Err(error) => {
                let why = error.to_string();
                if served.missing.as_ref() != Some(&why) {
                    tracing::error!(
                        "{why}; is the cable plugged in, and may this user open its device? It is tried every second"
                    );
                }
                served.missing = Some(why);
                served.look_at = now + LOOK_AGAIN;
            }
        }
    }

    fn lost(&self, served: &mut Served, error: &io::Error, now: Millis) {
        tracing::error!(
            "{}: the device is lost: {error}",
            self.plug.socket.path().display()
        );
        served.device = None;
        served.look_at = now + LOOK_AGAIN;
        served.leaving.clear();
        served.endpoint.reset(now);
    }

    fn read(&self, served: &mut Served, now: Millis) -> io::Result<()> {
        let Some(device) = &served.device else {
            return Ok(());
        };
        let mut piece = [0; PIECE];
        while let Some(count) = device.read(&mut piece)? {
            served.endpoint.receive(&piece[..count], now);
            if count < PIECE {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, served: &mut Served, now: Millis) -> io::Result<()> {
        let Some(device) = &served.device else {
            return Ok(());
        };
        loop {
            if served.leaving.is_empty() {
                match served.endpoint.transmit(now) {
                    Some(octets) => served.leaving = octets,
                    None => return Ok(()),
                }
            }
            let written = device.write(&served.leaving)?;
            served.leaving.drain(..written);
            if !served.leaving.is_empty() {
                return Ok(());
            }
        }
    }

    /// Tells what the link has to say.
    fn tell(&self, served: &mut Served) {
        while let Some(event) = served.endpoint.event() {
            let event = match event {
                Event::Up => {
                    served.session += 1;
                    served.up = true;
                    LineEvent::Up {
                        session: served.session,
                    }
                }
                Event::Message(octets) => LineEvent::Message(octets),
                Event::Down(reason) => {
                    tracing::warn!(
                        "{}: the session is over: {reason:?}",
                        self.plug.socket.path().display()
                    );
                    served.up = false;
                    self.forget_messages(served);
                    LineEvent::Down
                }
                Event::Breach(breach) => LineEvent::Breach(words(breach)),
                _ => continue,
            };
            self.send_event(event);
        }
    }

    /// Takes the orders that there are. Whether one of them is to stop.
    fn obey(&self, served: &mut Served, now: Millis) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Send { session, octets }) => {
                    if served.up && session == served.session {
                        served.messages.push_back(octets);
                    } else {
                        self.shown.waiting.fetch_sub(octets.len(), Ordering::SeqCst);
                    }
                }
                Ok(Order::Reset) => served.endpoint.reset(now),
                Ok(Order::Stop) | Err(mpsc::TryRecvError::Disconnected) => return true,
                Err(mpsc::TryRecvError::Empty) => break,
            }
        }
        while let Some(message) = served.messages.front() {
            // Full or not up: later, or never, when the session is found to be over.
            if served.endpoint.send(message).is_err() {
                break;
            }
            let sent = served
                .messages
                .pop_front()
                .map_or(0, |message| message.len());
            let backlog = served.endpoint.backlog();
            self.shown.backlog.store(backlog, Ordering::SeqCst);
            self.shown.waiting.fetch_sub(sent, Ordering::SeqCst);
        }
        false
    }

    fn forget_messages(&self, served: &mut Served) {
        let octets = served.messages.drain(..).map(|message| message.len()).sum();
        self.shown.waiting.fetch_sub(octets, Ordering::SeqCst);
    }

    fn show(&self, served: &mut Served, now: Millis) {
        let backlog = served.endpoint.backlog();
        self.shown.backlog.store(backlog, Ordering::SeqCst);
        if backlog < served.backlog && !self.shown.told_room.swap(true, Ordering::SeqCst) {
            self.send_event(LineEvent::Room);
        }
        served.backlog = backlog;
        if now >= served.show_at {
            served.show_at = now + SHOW;
            let state = (served.device.is_some(), served.endpoint.quality());
            *self
                .shown
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = state;
        }
    }

    fn send_event(&self, event: LineEvent) {
        // Nobody listens when the process stops.
        drop(self.events.send((self.cable, event)));
    }

    /// Waits for octets, for an order, for room in the device, or for what is due.
    fn wait(&self, served: &Served, now: Millis) {
        let due = match &served.device {
            Some(_) if served.leaving.is_empty() => served.endpoint.deadline(),
            Some(_) => None,
            None => Some(served.look_at),
        };
        let next = due.map_or(served.show_at, |due| due.min(served.show_at));
        let mut wanted = PollFlags::IN;
        if !served.leaving.is_empty() {
            wanted |= PollFlags::OUT;
        }
        let mut descriptors = vec![PollFd::new(&self.woken, PollFlags::IN)];
        descriptors.extend(
            served
                .device
                .iter()
                .map(|device| PollFd::new(device, wanted)),
        );
        let wait = Duration::from_millis(next.saturating_sub(now));
        let timeout = Timespec::try_from(wait).ok();
        // A signal is no reason to do anything but look again.
        let _ = poll(&mut descriptors, timeout.as_ref());
        let mut woken = [0; 64];
        while matches!((&self.woken).read(&mut woken), Ok(count) if count == woken.len()) {}
    }
}

fn words(breach: Breach) -> &'static str {
    match breach {
        Breach::Handshake => {
            "the other end does not have the keys of this cable: are the link keys of both ends from one ceremony, and is the \
             right cable plugged in?"
        }
        Breach::Record => "somebody other than the signer sent a frame in a running session",
        _ => "the signer broke the rules for messages",
    }
}

fn random(octets: &mut [u8]) {
    // A system without random numbers has nothing to go on with; telemetry ends the process at a panic.
    rand::fill(octets).expect("the system gives random numbers");
}
