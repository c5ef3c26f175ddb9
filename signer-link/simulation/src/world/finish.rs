//! The end of a run: nothing fails any more, and what was asked gets done.

use wire::Mode;

use super::World;
use super::tasks::Task;
use crate::violation::{Invariant, Violation, check};

/// How long everything may take then: some waits go up to half a minute, and there are a few in a row.
const LIMIT: u64 = 240_000;
/// How often people look.
const LOOK: u64 = 2_000;

impl World {
    pub(super) fn finish(&mut self) -> Result<(), Violation> {
        self.trace
            .note(self.now, || "nothing fails any more".to_owned());
        self.mend()?;
        let begun = self.now;
        self.until("what was asked is done", |world| Ok(world.caller.is_idle()))?;
        self.caller.compare(self.now);
        self.until("both sides know the same revocations", |world| {
            let equal = world.caller.is_equal();
            if !equal {
                world.caller.compare(world.now);
            }
            Ok(equal && world.caller.is_idle())
        })?;
        let before = self.caller.crls_signed();
        self.until("a last CRL is signed", |world| {
            let signed = world.caller.crls_signed() > before;
            if !signed {
                world.caller.complete_crl(world.now);
            }
            Ok(signed && world.caller.is_idle())
        })?;
        self.until("the log is archived", |world| {
            Ok(world.checker.borrow().archive_is_whole(world.promoted()))
        })?;
        self.until("the standby has the log", |world| {
            let standby = &world.signers[1];
            let has_it = standby.replicated() == world.checker.borrow().records(0);
            // There is none any more.
            Ok(has_it || world.promoted() == 1)
        })?;
        self.trace
            .note(self.now, || format!("done within {} ms", self.now - begun));
        self.check_superseded()
    }

    /// Everything is repaired, as people do.
    fn mend(&mut self) -> Result<(), Violation> {
        self.tasks.clear();
        self.host.disk.set_full(false);
        self.host.clock.ahead = 0;
        for number in 0..2 {
            self.lines[number].set_good(true);
            self.lines[number].restore(self.now);
            if self.newest[number].is_some() {
                self.do_task(Task::Newest(number))?;
            }
        }
        // A crash that was planned still comes; then the machine is started again.
        Ok(())
    }

    /// Time passes until this holds; people look after the machines meanwhile.
    fn until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<bool, Violation>,
    ) -> Result<(), Violation> {
        let limit = self.now + LIMIT;
        while !holds(self)? {
            self.expect_in_time(what, limit)?;
            for number in 0..2 {
                if self.signers[number].is_running() {
                    self.do_visit(number)?;
                } else if !self.is_planned(Task::StartSigner(number)) {
                    self.start_signer(number)?;
                }
            }
            if !self.host.is_running() && !self.is_planned(Task::StartHost) {
                self.start_host()?;
            }
            let look = self.random.u64(100..LOOK);
            self.pass(look)?;
        }
        Ok(())
    }

    fn do_visit(&mut self, number: usize) -> Result<(), Violation> {
        match self.signers[number].mode(self.now) {
            Some((Mode::Sealed | Mode::Locked, _)) => self.do_task(Task::Visit(number)),
            _ => Ok(()),
        }
    }

    fn expect_in_time(&self, what: &str, limit: u64) -> Result<(), Violation> {
        if self.now < limit {
            return Ok(());
        }
        let modes: Vec<_> = self
            .signers
            .iter()
            .map(|signer| match signer.mode(self.now) {
                Some((mode, reason)) => format!("{mode} ({reason})"),
                None => "off".to_owned(),
            })
            .collect();
        let view = self
            .host
            .core()
            .map(|core| core.view(self.host.now(self.now)));
        let alarms: Vec<_> = view
            .iter()
            .flat_map(|view| &view.alarms)
            .map(ToString::to_string)
            .collect();
        self.expect(
            false,
            &format!(
                "{} s after all was mended, it does not hold that {what}; open: {}; signers: {}; alarms: {}",
                LIMIT / 1_000,
                self.caller.open(),
                modes.join(" and "),
                alarms.join("; "),
            ),
        )
    }

    /// One that was superseded, and could hear of it, is not active.
    fn check_superseded(&mut self) -> Result<(), Violation> {
        if self.promoted() == 0 {
            return Ok(());
        }
        self.pass(10_000)?;
        let Some((mode, reason)) = self.signers[0].mode(self.now) else {
            return Ok(());
        };
        check(mode == Mode::Locked, Invariant::WrongIsRefused, || {
            format!(
                "the signer of epoch {} is {mode} ({reason}) after another was promoted to {}",
                self.signers[0].epoch(),
                self.signers[1].epoch()
            )
        })
    }
}
