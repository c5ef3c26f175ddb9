//! The policy process: starts the other two, opens the journal, and feeds the core with what they and the console say.

use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use keystore::{LinkEnd, LinkKeys};
use pki::{Clock as _, SystemClock, Time};
use wire::FromSigner;

use crate::clock::SignerClock;
use crate::config::Config;
use crate::confine::{Confinement, confine};
use crate::console::{self, Command};
use crate::core::{Core, Opening, Rules};
use crate::key::Opened;
use crate::key_process::KeyProcess;
use crate::log::Log;
use crate::memory::Memory;
use crate::pipe::Said;
use crate::policy::Policy;

/// How often the dead-man switch is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Messages that are taken together: they share the syncs of the journal.
const TOGETHER: usize = 64;

type Signer = Core<journal::DiskFile, KeyProcess>;

/// What the policy process waits for.
enum Happened {
    Link(Said),
    LinkGone,
    /// A line of the console; when it is dealt with, the console may ask for the next.
    Console(Asked, SyncSender<bool>),
}

/// What the console asks for, with the answers that it collected itself.
enum Asked {
    Command(Command),
    Unlock(Time),
    Date(Time),
    Promote(Time),
}

/// Runs until the console says `quit`, or another process of the signer is gone.
pub fn run(path: &Path, config: &Config) -> anyhow::Result<()> {
    let link_keys = LinkKeys::load(&config.link_keys, LinkEnd::Signer)?;
    let signer_id = link_keys.signer().get();
    let policy = policy(config)?;
    let (mut link, mut link_process) = start_link(path)?;
    let mut keys = KeyProcess::start(config)?;
    let begun = Instant::now();
    let mut memory = Memory::default();
    let log = Log::open(&config.journal, |receipt, record| {
        memory.replay(receipt, record)
    })?;
    tracing::info!(records = log.head().sequence, "journal open");
    if memory.is_standby() && memory.follows() {
        keys.prepare_spare()?;
    }
    let enforced = confine(&Confinement::policy(&config.journal, &[]))?;
    tracing::info!("policy process confined: {enforced}");
    let clock = SignerClock::confirmed(SystemClock.now(), 0);
    let rules = Rules {
        policy,
        limits: config.limits,
        signer_id,
    };
    let mut core = Core::start(keys, (log, memory), rules, clock, 0)?;
    // The first signer of its CAs needs nobody to promote it.
    if core.memory().is_standby() && !core.memory().follows() {
        core.promote(0)?;
    }

    if config.wind_down {
        core.wind_down(0)?;
    }

    let (events, happened) = channel();
    read_link(link.try_clone()?, events.clone());
    if config.passphrase_file.is_some() {
        let opened = core.keys_mut().open()?;
        unlocked(&mut core, opened, SystemClock.now(), 0)?;
    }
    if io::stdin().is_terminal() {
        read_console(events);
    } else {
        drop(events);
    }
    let result = serve(&mut core, &mut link, &happened, begun);
    core.keys_mut().stop();
    drop(link);
    // It ends when its socket closes.
    link_process.wait()?;
    result
}

fn serve(
    core: &mut Signer,
    link: &mut UnixStream,
    happened: &Receiver<Happened>,
    begun: Instant,
) -> anyhow::Result<()> {
    let now = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    loop {
        let mut next = match happened.recv_timeout(TICK) {
            Ok(happened) => Some(happened),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the link process is gone"),
        };
        core.tick(now());
        let mut messages = Vec::new();
        while let Some(event) = next.take() {
            match event {
                Happened::Link(Said::Message(message)) => {
                    messages.push(message);
                    if messages.len() < TOGETHER {
                        next = happened.try_recv().ok();
                    }
                    continue;
                }
                other => {
                    // In their order.
                    answer(core, link, &std::mem::take(&mut messages), now())?;
                    if !handle(core, link, other, now())? {
                        return Ok(());
                    }
                }
            }
        }
        answer(core, link, &messages, now())?;
    }
}

fn answer(
    core: &mut Signer,
    link: &mut UnixStream,
    messages: &[Vec<u8>],
    now: u64,
) -> anyhow::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    for answer in core.receive(messages, now) {
        say(link, &answer)?;
    }
    Ok(())
}

/// Whether to go on.
fn handle(
    core: &mut Signer,
    link: &mut UnixStream,
    event: Happened,
    now: u64,
) -> anyhow::Result<bool> {
    match event {
        Happened::Link(Said::Up) => {
            tracing::info!("session with the host");
            let hello = Said::Greeting(core.link_up(now).encode()?);
            hello.write(link).context("the link process is gone")?;
        }
        Happened::Link(Said::Down(reason)) => {
            tracing::warn!("no session with the host: {reason}");
            core.link_down();
        }
        Happened::Link(Said::Breach(what)) => core.breach(&what, now),
        Happened::Link(Said::Stranger) => core.stranger(now),
        Happened::Link(_) => {}
        Happened::LinkGone => anyhow::bail!("the link process is gone"),
        Happened::Console(Asked::Command(Command::Quit), _) => return Ok(false),
        Happened::Console(said, go_on) => {
            if let Err(error) = obey(core, said, now) {
                println!("{error:#}");
            }
            // The console is gone with its terminal.
            let _ = go_on.send(true);
        }
    }
    Ok(true)
}

fn obey(core: &mut Signer, said: Asked, now: u64) -> anyhow::Result<()> {
    match said {
        Asked::Unlock(time) => {
            let opened = core.keys_mut().open()?;
            unlocked(core, opened, time, now)?;
            println!("{}", console::describe(&core.status(now)));
        }
        Asked::Date(time) => {
            core.confirm_date(time, now)?;
            println!("{}", console::describe(&core.status(now)));
        }
        Asked::Command(Command::Lock(reason)) => {
            core.lock(&format!("at the console: {reason}"), now);
        }
        // Dual control: two have confirmed the date, and as many holders as open the keys type their passphrases.
        Asked::Promote(time) => {
            core.may_be_promoted()?;
            if let Some((position, last)) = core.memory().vouched_for() {
                println!(
                    "It knows what signer {} (promotion epoch {}) did up to its record {}, of {}. If that is too little, or \
                     another signer was active since, type no passphrase.",
                    last.signer_id,
                    last.epoch,
                    position.sequence,
                    Time::from_unix(last.time)
                );
            }
            let opened = core.keys_mut().open_anew()?;
            unlocked(core, opened, time, now)?;
            let epoch = core.promote(now)?;
            println!("This is the active signer now, in promotion epoch {epoch}.");
        }
        Asked::Command(Command::WindDown) => match core.wind_down(now)? {
            true => println!("Nothing is issued to subscribers from now on."),
            false => println!("It winds down already."),
        },
        Asked::Command(Command::EndWindDown) => match core.end_wind_down() {
            true => println!("With the next `unlock`, certificates are issued again."),
            false => println!(
                "It takes those who can unlock: `quit`, start the signer again, and say this before `unlock`. Take \
                 `wind_down` out of its configuration first. (If it does not wind down, there is nothing to end.)"
            ),
        },
        Asked::Command(Command::Log(count)) => {
            let head = core.log().head().sequence;
            for sequence in head.saturating_sub(count) + 1..=head {
                let (record, _) = core.log().read(sequence)?;
                println!("{sequence:>10} {record:?}");
            }
        }
        Asked::Command(Command::Help) => println!("{}", console::HELP),
        Asked::Command(_) => println!("{}", console::describe(&core.status(now))),
    }
    Ok(())
}

/// Takes the keys into use that holders have opened.
fn unlocked(core: &mut Signer, opened: Opened, time: Time, now: u64) -> anyhow::Result<()> {
    core.unlock(
        &Opening {
            holders: opened.holders,
            executable: opened.executable,
            time,
        },
        now,
    )?;
    Ok(())
}

fn say(link: &mut UnixStream, message: &FromSigner) -> anyhow::Result<()> {
    let message = Said::Message(message.encode()?);
    message.write(link).context("the link process is gone")
}

/// Starts the process that has the cable.
fn start_link(config: &Path) -> anyhow::Result<(UnixStream, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Process::new(std::env::current_exe()?)
        .arg("link")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .context("the link process cannot be started")?;
    Ok((ours, child))
}

fn read_link(mut link: UnixStream, events: Sender<Happened>) {
    thread::spawn(move || {
        loop {
            let event = match Said::read(&mut link) {
                Ok(Some(said)) => Happened::Link(said),
                Ok(None) => Happened::LinkGone,
                Err(error) => {
                    tracing::error!("the link process: {error}");
                    Happened::LinkGone
                }
            };
            let last = matches!(event, Happened::LinkGone);
            if events.send(event).is_err() || last {
                return;
            }
        }
    });
}

/// Reads the terminal line by line; the next only when the one before is dealt with, since the key process may have to
/// ask for passphrases at the same terminal.
fn read_console(events: Sender<Happened>) {
    thread::spawn(move || {
        let mut lines = BufReader::new(io::stdin());
        println!("signer console; `help` says what can be said here");
        while let Ok(true) = one_line(&mut lines, &events) {}
    });
}

fn one_line(lines: &mut BufReader<io::Stdin>, events: &Sender<Happened>) -> io::Result<bool> {
    use std::io::BufRead as _;
    print!("signer> ");
    io::stdout().flush()?;
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(false);
    }
    let said = match Command::parse(&line) {
        Ok(None) => return Ok(true),
        Err(wrong) => {
            println!("{wrong}");
            return Ok(true);
        }
        Ok(Some(command @ (Command::Unlock | Command::Date | Command::Promote))) => {
            let time = SystemClock.now();
            if !console::confirm_date(time, lines, &mut io::stdout())? {
                return Ok(true);
            }
            match command {
                Command::Unlock => Asked::Unlock(time),
                Command::Promote => Asked::Promote(time),
                _ => Asked::Date(time),
            }
        }
        Ok(Some(command)) => Asked::Command(command),
    };
    let (go_on, done) = sync_channel(1);
    if events.send(Happened::Console(said, go_on)).is_err() {
        return Ok(false);
    }
    Ok(done.recv().unwrap_or(false))
}

fn policy(config: &Config) -> anyhow::Result<Policy> {
    let policy = match &config.profiles {
        Some(directory) => Policy::load(directory, config.rule_set, config.idn.clone())?,
        None => {
            tracing::warn!(
                "no profiles are configured: any end-entity certificate that keeps the standards is signed"
            );
            Policy::without_profiles(config.idn.clone())
        }
    };
    if let Some(uri) = &config.pgp_policy {
        // It stands in every certification, in a field of that length.
        let good = uri.len() <= 250 && uri.bytes().all(|octet| octet.is_ascii_graphic());
        anyhow::ensure!(
            good,
            "pgp_policy {uri:?} is no URI of at most 250 characters"
        );
    }
    Ok(policy
        .with_base_url(config.base_url.clone())
        .with_pgp_policy(config.pgp_policy.clone()))
}
