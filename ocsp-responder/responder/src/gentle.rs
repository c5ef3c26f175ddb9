//! Work that can wait: verifying large answer sets ahead, and letting go of those that were replaced.
//!
//! Both go through gigabytes. One thread does them, and rests nine times as long as it worked. It has the scheduler's
//! idle policy: even at the lowest priority of the usual one, on a core that requests keep busy it made one in a hundred
//! of them wait for milliseconds.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use answers::AnswerSet;
use thread_priority::ThreadPriority;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::Notify;

use crate::live::Live;

/// Rest for each moment of work.
const REST: u32 = 9;

/// Hands work to the thread; when this goes, so does the thread.
#[derive(Debug)]
pub(crate) struct Gentle {
    jobs: Sender<Job>,
    /// Sets that were handed over.
    asked: Vec<Weak<AnswerSet>>,
    done: Arc<Notify>,
}

enum Job {
    /// To be verified, if anybody still has it then.
    Verify(Weak<AnswerSet>),
    /// Read by nobody else any more.
    LetGo(Arc<Live>),
}

impl Gentle {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, receiver) = channel();
        let done = Arc::new(Notify::new());
        let tell = Arc::clone(&done);
        std::thread::Builder::new()
            .name("gentle".to_owned())
            .spawn(move || work(&receiver, &tell))?;
        Ok(Self {
            jobs,
            asked: Vec::new(),
            done,
        })
    }

    /// Verifies all of a set some time; asks once for each.
    pub(crate) fn verify(&mut self, set: &Arc<AnswerSet>) {
        self.asked.retain(|asked| asked.strong_count() > 0);
        let set = Arc::downgrade(set);
        if !self.asked.iter().any(|asked| asked.ptr_eq(&set)) {
            self.asked.push(Weak::clone(&set));
            // The thread ends only with this.
            let _ = self.jobs.send(Job::Verify(set));
        }
    }

    /// Frees what nobody reads any more.
    pub(crate) fn let_go(&self, live: Arc<Live>) {
        let _ = self.jobs.send(Job::LetGo(live));
    }

    /// Told after each set that was verified, or found damaged.
    pub(crate) fn done(&self) -> Arc<Notify> {
        Arc::clone(&self.done)
    }
}

fn work(jobs: &Receiver<Job>, done: &Notify) {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
    {
        tracing::warn!("sets are verified at the priority of requests: {error}");
    }
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Verify(set) => {
                let Some(set) = set.upgrade() else { continue };
                // The set remembers damage, for readiness and for whoever wants to use it.
                if let Err(damaged) = set.verify_all(rest) {
                    tracing::error!("{damaged}");
                }
                done.notify_one();
            }
            Job::LetGo(live) => let_go(live),
        }
    }
}

fn let_go(live: Arc<Live>) {
    let Some(live) = Arc::into_inner(live) else {
        return;
    };
    for channel in live.into_channels().into_values() {
        let Some(channel) = Arc::into_inner(channel) else {
            continue;
        };
        let sets: Vec<_> = channel.sets.values().cloned().collect();
        drop(channel);
        for set in sets.into_iter().filter_map(Arc::into_inner) {
            set.release(rest);
        }
    }
}

fn rest(worked: Duration) {
    std::thread::sleep(worked * REST);
}
