//! What happens, by chance.

use wire::{Mode, Operation, Request, RequestId};

use super::tasks::Task;
use super::{HONEST, IMPOSTOR, World};
use crate::signer::JOURNAL;
use crate::violation::Violation;

/// Why somebody locks the signers. It may take a while until they hear of it.
pub(super) const REHEARSAL: &str = "a rehearsal";

impl World {
    /// One thing happens.
    pub(super) fn act(&mut self) -> Result<(), Violation> {
        match self.random.u8(0..100) {
            0..24 => self.somebody_issues(),
            24..34 => drop(self.caller.revoke(self.now)),
            34..44 => drop(self.caller.complete_crl(self.now)),
            44..48 => drop(self.caller.delta_crl(self.now)),
            48 => self.caller.new_base(),
            49..56 => self.somebody_errs(),
            56..60 => drop(self.caller.again(self.now)),
            60..63 => drop(self.caller.results(self.now)),
            63..65 => self.somebody_reuses_an_id(),
            65..67 => drop(self.caller.compare(self.now)),
            67..72 => self.cut(),
            72..79 => self.host_crashes(),
            79..85 => self.signer_crashes(0),
            85..88 => self.signer_crashes(1),
            88..90 => self.clock_jumps(),
            90..92 => self.disk_fills(),
            92..95 => return self.copy_disks(),
            95 => self.restore_signer(),
            96 => self.restore_host(),
            97 => self.announce_or_lock(),
            _ => return self.promote(),
        }
        Ok(())
    }

    fn somebody_issues(&mut self) {
        let active = self.active();
        for _ in 0..self.random.u8(1..4) {
            self.caller.issue(active, self.now);
        }
    }

    fn somebody_errs(&mut self) {
        let active = self.active();
        self.caller.wrong(active, self.now);
        // And an honest one after him.
        self.caller.issue(active, self.now);
    }

    fn somebody_reuses_an_id(&mut self) {
        // An outbox that was restored does not know the ids that were used since.
        if self.host_image.is_none()
            && let Some(request) = self.caller.reuse(self.now)
        {
            self.host.ask(IMPOSTOR, request, self.now);
        }
    }

    fn cut(&mut self) {
        let cable = self.random.usize(0..2);
        self.totals.cuts += 1;
        self.trace
            .note(self.now, || format!("cable {cable} is cut"));
        self.lines[cable].cut(self.now);
        let wait = match self.random.bool() {
            true => self.random.u64(10..2_000),
            false => self.random.u64(2_000..20_000),
        };
        self.plan(wait, Task::Plug(cable));
    }

    fn host_crashes(&mut self) {
        match self.random.u8(0..4) {
            0 => self.host.disk.crash(),
            _ => {
                let syncs = self.random.u64(0..6);
                self.host.disk.crash_after(syncs, self.random.bool());
            }
        }
    }

    fn signer_crashes(&mut self, number: usize) {
        match self.random.u8(0..4) {
            0 => self.signers[number].disk.crash(),
            _ => {
                let syncs = self.random.u64(0..8);
                let done = self.random.bool();
                self.signers[number].disk.crash_after(syncs, done);
            }
        }
    }

    fn clock_jumps(&mut self) {
        self.host.clock.ahead =
            [-70_000, -20_000, -3_000, 3_000, 20_000, 70_000][self.random.usize(0..6)];
        let wait = self.random.u64(1_000..12_000);
        self.plan(wait, Task::ClockBack);
    }

    fn disk_fills(&mut self) {
        self.host.disk.set_full(true);
        let wait = self.random.u64(500..6_000);
        self.plan(wait, Task::MakeRoom);
    }

    /// Somebody makes backups.
    fn copy_disks(&mut self) -> Result<(), Violation> {
        for number in 0..2 {
            if self.newest[number].is_none() {
                if let Some(durable) = self.signers[number].disk.durable(JOURNAL) {
                    self.checker.borrow_mut().journal(number, &durable)?;
                }
                let records = self.checker.borrow().records(number);
                self.images[number] = Some((self.signers[number].disk.image(), records));
            }
        }
        if self.random.u8(0..4) == 0 && !self.may_promote && self.host_image.is_none() {
            self.host_image = Some(self.host.disk.image());
        }
        Ok(())
    }

    /// Somebody puts a backup of a signer's disk back, of which it cannot know how old it is.
    fn restore_signer(&mut self) {
        let number = self.promoted();
        let Some((image, records)) = &self.images[number] else {
            return;
        };
        // Only what is archived can show that something is missing.
        let shows = self.checker.borrow().has_archived_acts(number, *records);
        if !shows || self.newest[number].is_some() {
            return;
        }
        if self.is_planned(Task::StartSigner(number)) || !self.signers[number].is_running() {
            return;
        }
        self.trace.note(self.now, || {
            format!("signer {number} gets its disk of {records} records back")
        });
        self.totals.images += 1;
        self.signers[number].stop();
        self.newest[number] = Some(self.signers[number].disk.image());
        self.signers[number].disk.restore(image);
        self.checker.borrow_mut().signers[number].is_old = true;
        let wait = self.random.u64(100..1_000);
        self.plan(wait, Task::StartSigner(number));
        let wait = self.random.u64(8_000..20_000);
        self.plan(wait, Task::Newest(number));
    }

    /// Somebody puts a backup of the host's disk back.
    fn restore_host(&mut self) {
        let Some(image) = &self.host_image else {
            return;
        };
        // With both disks old, nobody could know.
        if !self.host.is_running() || self.newest.iter().any(Option::is_some) {
            return;
        }
        self.trace
            .note(self.now, || "the host gets an old disk back".to_owned());
        self.totals.images += 1;
        self.host.stop();
        self.host.disk.restore(image);
        self.caller.outbox_may_forget = true;
        self.checker.borrow_mut().archives_are_old();
        self.host_stops();
    }

    fn announce_or_lock(&mut self) {
        let operation = match self.random.u8(0..3) {
            0 => {
                for number in 0..2 {
                    let wait = self.random.u64(3_000..10_000);
                    self.plan(wait, Task::Visit(number));
                }
                Operation::Lock {
                    reason: REHEARSAL.to_owned(),
                }
            }
            _ => Operation::Maintenance { seconds: 600 },
        };
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let id = RequestId(id);
        self.host.ask(HONEST, Request { id, operation }, self.now);
    }

    /// Two people make the standby the active one: the other is lost, or only thought to be.
    fn promote(&mut self) -> Result<(), Violation> {
        let standby = &self.signers[1];
        let stands_by = matches!(standby.mode(self.now), Some((Mode::Standby, _)));
        // Until then it was the other one's: what only that one would have refused, this one may not know.
        if !self.may_promote
            || self.promoted() == 1
            || !stands_by
            || standby.vouched_for() == 0
            || self.caller.is_wrong_open()
            || self.newest.iter().any(Option::is_some)
            || self.random.bool()
        {
            return Ok(());
        }
        self.trace
            .note(self.now, || "the standby is promoted".to_owned());
        self.totals.promotions += 1;
        if self.random.bool() {
            self.signers[0].disk.crash();
        }
        // The other one locks itself when it hears of it.
        self.may_lock[0] = true;
        self.caller.promoted();
        self.signers[1].promote(self.now)?;
        if self.signers[1].disk.is_crashed() {
            self.signer_stops(1);
        }
        Ok(())
    }
}
