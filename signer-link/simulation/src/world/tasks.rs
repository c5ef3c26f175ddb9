//! What people do after a while: they switch machines on again, plug in cables, unlock signers.

use wire::Mode;

use super::World;
use super::acts::REHEARSAL;
use crate::clock::date;
use crate::violation::{Invariant, Violation, check, violated};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Task {
    /// The host's clock is set right again.
    ClockBack,
    /// There is room on the host's disk again.
    MakeRoom,
    /// The newest image of a signer's disk is put back.
    Newest(usize),
    /// A cable is plugged in again.
    Plug(usize),
    StartHost,
    StartSigner(usize),
    /// Somebody looks at a signer's console, and does what is to be done there.
    Visit(usize),
}

impl World {
    /// Plans a task for some milliseconds from now.
    pub(super) fn plan(&mut self, millis: u64, task: Task) {
        self.planned += 1;
        self.tasks.insert((self.now + millis, self.planned), task);
    }

    /// Whether something is planned.
    pub(super) fn is_planned(&self, task: Task) -> bool {
        self.tasks.values().any(|planned| *planned == task)
    }

    pub(super) fn do_task(&mut self, task: Task) -> Result<(), Violation> {
        self.trace.note(self.now, || format!("{task:?}"));
        match task {
            Task::ClockBack => self.host.clock.ahead = 0,
            Task::MakeRoom => self.host.disk.set_full(false),
            Task::Newest(signer) => return self.put_newest_back(signer),
            Task::Plug(cable) => self.lines[cable].restore(self.now),
            Task::StartHost => return self.start_host(),
            Task::StartSigner(signer) => return self.start_signer(signer),
            Task::Visit(signer) => return self.visit(signer),
        }
        Ok(())
    }

    pub(super) fn start_host(&mut self) -> Result<(), Violation> {
        if self.host.is_running() {
            return Ok(());
        }
        if self.host.disk.is_crashed() {
            self.host.disk.restart(&mut self.random);
        }
        let started = self
            .host
            .start(&self.authority, &self.lines, &mut self.random, self.now);
        self.look_at_archives()?;
        if self.host.disk.is_crashed() {
            self.host_stops();
        }
        started
    }

    pub(super) fn start_signer(&mut self, number: usize) -> Result<(), Violation> {
        let signer = &mut self.signers[number];
        if signer.is_running() {
            return Ok(());
        }
        if signer.disk.is_crashed() {
            signer.disk.restart(&mut self.random);
        }
        signer.start(&self.lines[number], &mut self.random, self.now)?;
        let wait = self.random.u64(100..5_000);
        self.plan(wait, Task::Visit(number));
        if self.signers[number].disk.is_crashed() {
            self.signer_stops(number);
        }
        Ok(())
    }

    /// Somebody unlocks a signer that is sealed, and starts one that is locked anew.
    fn visit(&mut self, number: usize) -> Result<(), Violation> {
        match self.signers[number].mode(self.now) {
            Some((Mode::Sealed, _)) => self.unlock(number),
            Some((Mode::Locked, reason)) => {
                let superseded = number != self.promoted() && reason.contains("promoted");
                check(
                    self.may_lock[number] || superseded || reason.ends_with(REHEARSAL),
                    Invariant::HonestIsServed,
                    || format!("signer {number} has locked itself without a cause: {reason}"),
                )?;
                // Whoever was superseded is left alone.
                if superseded {
                    return Ok(());
                }
                self.signers[number].stop();
                self.start_signer(number)?;
                self.unlock(number)?;
                let mode = self.signers[number].mode(self.now);
                // It may have stopped meanwhile, and is still locked when it is started again.
                self.may_lock[number] = matches!(mode, None | Some((Mode::Locked, _)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn unlock(&mut self, number: usize) -> Result<(), Violation> {
        let millis = self.random.i64(-1_000..=1_000);
        let shown = self.now.saturating_add_signed(millis);
        self.signers[number].unlock(date(shown), self.now)?;
        if self.signers[number].disk.is_crashed() {
            self.signer_stops(number);
        }
        Ok(())
    }

    pub(super) fn host_stops(&mut self) {
        self.trace.note(self.now, || "the host stops".to_owned());
        self.totals.crashes += 1;
        self.host.stop();
        self.caller.host_gone(self.now);
        let wait = self.random.u64(100..6_000);
        self.plan(wait, Task::StartHost);
    }

    pub(super) fn signer_stops(&mut self, number: usize) {
        self.trace
            .note(self.now, || format!("signer {number} stops"));
        self.totals.crashes += 1;
        self.signers[number].stop();
        let wait = self.random.u64(100..6_000);
        self.plan(wait, Task::StartSigner(number));
    }

    /// The end of a restored backup: the true disk is found again.
    fn put_newest_back(&mut self, number: usize) -> Result<(), Violation> {
        let Some(newest) = self.newest[number].take() else {
            return Ok(());
        };
        if let Some((mode, reason)) = self.signers[number].mode(self.now) {
            self.trace
                .note(self.now, || format!("signer {number} was {mode}: {reason}"));
            check(mode != Mode::Active, Invariant::WrongIsRefused, || {
                format!("signer {number} is active with an old journal")
            })?;
        }
        self.signers[number].stop();
        self.signers[number].disk.restore(&newest);
        self.checker.borrow_mut().signers[number].is_old = false;
        self.start_signer(number)
    }

    /// What must be there by now; else the run has gone wrong.
    pub(super) fn expect(&self, holds: bool, what: &str) -> Result<(), Violation> {
        match holds {
            true => Ok(()),
            false => Err(violated(Invariant::EverythingGetsDone, what)),
        }
    }
}
