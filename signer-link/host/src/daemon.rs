//! The daemon: a thread for the core, one for each cable, and the socket on the runtime.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use keystore::{LinkEnd, LinkKeys};
use pki::Clock;
use telemetry::{Context, Part, Stopper};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use wire::link::SessionKeys;

use crate::config::{CableConfig, Config};
use crate::core::{CableSettings, Core, DiskDirectory, Now, Output, View};
use crate::line::{Line, LineEvent, Plug, Shown};
use crate::metrics::Metrics;
use crate::server::{Local, Service, Socket, Told};
use crate::state::state;

/// Messages of local processes that may wait for the core.
const QUEUE: usize = 64;
/// How often the core looks at itself if nothing happens, and how often it may show how it is.
const IDLE: Duration = Duration::from_secs(1);
const SHOW: Duration = Duration::from_millis(200);

/// Runs until it is told to stop.
pub async fn run(context: Context<Config>) -> anyhow::Result<()> {
    let config = &context.config;
    if !(1..=2).contains(&config.cables.len()) {
        anyhow::bail!("the configuration must have one [[cables]], or two with a standby");
    }
    fs::create_dir_all(&config.data)
        .with_context(|| format!("{} cannot be made", config.data.display()))?;
    let metrics = Metrics::register(&context.registry)?;
    let (cables, plugs): (Vec<_>, Vec<_>) = config
        .cables
        .iter()
        .map(plug)
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    if let [one, other] = cables[..]
        && one.signer_id == other.signer_id
    {
        anyhow::bail!(
            "both cables have the keys of signer {}; each signer has an id of its own",
            one.signer_id
        );
    }
    let (signal, mut ended) = mpsc::channel::<()>(1);
    let (shown, view) = watch::channel(View::default());
    let (requests, local) = mpsc::channel(QUEUE);
    let (events, lines) = mpsc::unbounded_channel();
    let started = Started {
        data: DiskDirectory::new(&config.data),
        settings: config.settings(),
        clock: Arc::clone(&context.clock),
        start: Instant::now(),
    };
    let cable_settings = cables.clone();
    // The outbox and the archives are read, and checked, whole.
    let (started, core) =
        tokio::task::spawn_blocking(move || started.open(&cable_settings)).await??;
    let lines_started: Vec<Line> = plugs
        .into_iter()
        .enumerate()
        .map(|(cable, plug)| Line::start(cable, plug, events.clone()))
        .collect::<Result<_, _>>()?;
    let lines_shown: Vec<Arc<Shown>> = lines_started
        .iter()
        .map(|line| Arc::clone(&line.shown))
        .collect();
    let work = Work {
        core,
        clock: started.clock,
        start: started.start,
        lines: lines_started,
        bauds: config.cables.iter().map(|cable| cable.baud).collect(),
        sessions: vec![0; cables.len()],
        callers: HashMap::new(),
        shown,
    };
    let stop = context.stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    thread::Builder::new()
        .name("core".to_owned())
        .spawn(move || {
            runtime.block_on(work.run(local, lines, &stop));
            drop(signal);
        })?;
    let socket = Socket::bind(&config.socket, config.socket_gid)?;
    let show = show(
        metrics.clone(),
        // Known before the daemon announces itself: it is not ready before they are.
        [context.health.part("signer"), context.health.part("outbox")],
        view,
        lines_shown,
        cables
            .iter()
            .map(|cable| cable.signer_id)
            .zip(config.cables.iter().map(|cable| cable.baud))
            .collect(),
    );
    let stop = context.stop.clone();
    let show = tokio::spawn(async move { stop.run_until_stopped(show).await });
    context.announce(Some(format!("unix:{}", config.socket.display())))?;
    let service = Service {
        callers: config.callers.clone().into(),
        core: requests,
        metrics,
    };
    socket.serve(service, &context.stop).await;
    show.await?;
    // The core makes durable what it has taken.
    ended.recv().await;
    Ok(())
}

/// Where a cable is plugged in, and who must be at its end.
fn plug(cable: &CableConfig) -> anyhow::Result<(CableSettings, Plug)> {
    let keys = LinkKeys::load(&cable.keys, LinkEnd::Host)?;
    let settings = CableSettings::new(keys.signer().get(), cable.baud);
    let plug = Plug {
        socket: cable.socket()?,
        baud: cable.baud,
        keys: SessionKeys {
            private: *keys.private(),
            peer: *keys.peer(),
            psk: *keys.psk(),
        },
    };
    Ok((settings, plug))
}

struct Started {
    data: DiskDirectory,
    settings: crate::core::Settings,
    clock: Arc<dyn Clock>,
    start: Instant,
}

impl Started {
    fn open(self, cables: &[CableSettings]) -> anyhow::Result<(Self, Core<DiskDirectory>)> {
        let now = now(&*self.clock, self.start);
        let core = Core::open(self.data.clone(), self.settings.clone(), cables, now)?;
        Ok((self, core))
    }
}

fn now(clock: &dyn Clock, start: Instant) -> Now {
    Now {
        // Lossless: a process does not run that long.
        millis: start.elapsed().as_millis() as u64,
        time: clock.now(),
    }
}

/// The core's thread: what comes goes in, what follows goes out.
struct Work {
    core: Core<DiskDirectory>,
    clock: Arc<dyn Clock>,
    start: Instant,
    lines: Vec<Line>,
    bauds: Vec<u32>,
    /// The session that stands on each cable, as far as the core knows.
    sessions: Vec<u64>,
    callers: HashMap<u64, mpsc::UnboundedSender<Told>>,
    shown: watch::Sender<View>,
}

impl Work {
    async fn run(
        mut self,
        mut local: mpsc::Receiver<Local>,
        mut lines: mpsc::UnboundedReceiver<(usize, LineEvent)>,
        stop: &Stopper,
    ) {
        let mut show_at = Instant::now();
        loop {
            let now = self.now();
            let wait = self.core.deadline(now.millis).map_or(IDLE, |deadline| {
                Duration::from_millis(deadline.saturating_sub(now.millis).max(1)).min(IDLE)
            });
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((cable, event)) = lines.recv() => self.line(cable, event),
                Some(message) = local.recv() => self.local(message),
                () = sleep_until((Instant::now() + wait).into()) => {}
            }
            self.take_all(&mut local, &mut lines);
            self.step();
            if Instant::now() >= show_at {
                show_at = Instant::now() + SHOW;
                let view = self.core.view(self.now());
                self.shown.send_replace(view);
            }
        }
        self.take_all(&mut local, &mut lines);
        self.step();
    }

    /// All that is there: one sync for it.
    fn take_all(
        &mut self,
        local: &mut mpsc::Receiver<Local>,
        lines: &mut mpsc::UnboundedReceiver<(usize, LineEvent)>,
    ) {
        while let Ok((cable, event)) = lines.try_recv() {
            self.line(cable, event);
        }
        for _ in 0..QUEUE {
            let Ok(message) = local.try_recv() else {
                return;
            };
            self.local(message);
        }
    }

    fn step(&mut self) {
        for (cable, line) in self.lines.iter().enumerate() {
            line.shown.told_room.store(false, Ordering::SeqCst);
            self.core.backlog(cable, line.shown.under_way());
        }
        for output in self.core.run(self.now()) {
            match output {
                Output::Send { cable, octets } => {
                    self.lines[cable].send(self.sessions[cable], octets);
                }
                Output::Reset { cable } => self.lines[cable].reset(),
                Output::Reply { caller, reply } => {
                    if let Some(replies) = self.callers.get(&caller.connection) {
                        // Whoever asked may be gone; the answer stands in the outbox.
                        drop(replies.send(Told::Reply(reply)));
                    }
                }
            }
        }
    }

    fn line(&mut self, cable: usize, event: LineEvent) {
        let now = self.now();
        match event {
            LineEvent::Up { session } => {
                self.sessions[cable] = session;
                self.core.up(cable, now);
            }
            LineEvent::Message(octets) => self.core.received(cable, &octets, now),
            LineEvent::Down => self.core.down(cable, now),
            LineEvent::Breach(what) => self.core.breach(cable, what),
            LineEvent::Room => {}
        }
    }

    fn local(&mut self, message: Local) {
        match message {
            Local::Opened(connection, replies) => {
                self.callers.insert(connection, replies);
            }
            Local::Asked(caller, request) => {
                let now = self.now();
                self.core.ask(caller, *request, now);
            }
            Local::State(answer) => {
                let state = state(&self.core, &self.lines, &self.bauds, self.now());
                // Whoever asked may be gone.
                drop(answer.send(state));
            }
            Local::Closed(connection) => {
                self.callers.remove(&connection);
                self.core.forget(connection);
            }
        }
    }

    fn now(&self) -> Now {
        now(&*self.clock, self.start)
    }
}

/// Shows in metrics and readiness how everything is, for ever.
async fn show(
    metrics: Metrics,
    [signer, outbox]: [Part; 2],
    mut view: watch::Receiver<View>,
    lines: Vec<Arc<Shown>>,
    cables: Vec<(u8, u32)>,
) {
    let mut alarms = Vec::new();
    let mut lines_at = Instant::now();
    while view.changed().await.is_ok() {
        let view = view.borrow_and_update().clone();
        metrics.show(&view);
        let elapsed = lines_at.elapsed();
        if elapsed >= IDLE {
            lines_at = Instant::now();
            for (line, (signer_id, baud)) in lines.iter().zip(&cables) {
                let (open, quality) = line.state();
                // Lossless: about a second.
                metrics.show_line(
                    *signer_id,
                    *baud,
                    open,
                    &quality,
                    elapsed.as_millis() as u64,
                );
            }
        }
        tell(&signer, &outbox, &view);
        for alarm in view.alarms.iter().filter(|alarm| !alarms.contains(*alarm)) {
            tracing::error!("alarm: {alarm}");
        }
        alarms = view.alarms;
    }
}

fn tell(signer: &Part, outbox: &Part, view: &View) {
    match view.active {
        Some(_) => signer.set_ready(),
        None => {
            let reasons: Vec<&str> = view.cables.iter().map(|cable| &*cable.reason).collect();
            signer.set_failed(reasons.join("; "));
        }
    }
    match view
        .alarms
        .iter()
        .find(|alarm| alarm.kind == crate::core::AlarmKind::Outbox)
    {
        Some(alarm) => outbox.set_failed(alarm.text.clone()),
        None => outbox.set_ready(),
    }
}
