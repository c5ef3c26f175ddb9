//! The guard against slow clients: it looks at all connections a few times a second, and clears places when all are taken.

use std::rc::Rc;
use std::time::Duration;

use super::lines::Tasked;
use super::{Core, SWEEPS_PER_SECOND};
use crate::cells::Cell as Counter;
use crate::connection::{Account, Phase, Tick};

const SWEEP: Duration = Duration::from_millis(1000 / SWEEPS_PER_SECOND as u64);
/// While a thread ends, a connection without a request for so long (2 s) is ended. One that is busy gets its next answer with
/// `Connection: close` instead: if we closed it between two requests, the second could be on its way already.
const LAST_CHANCE: Tick = 2 * SWEEPS_PER_SECOND;
/// When all places are taken, one in so many is cleared at once.
const CLEARED: usize = 64;

impl Core {
    /// Cuts whoever is too slow, and at the end tells those who have nothing to say.
    pub(super) async fn sweep(self: Rc<Self>) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            self.around.tick.set(self.around.tick.get().wrapping_add(1));
            self.sweep_short_way();
            for Tasked { abort, line } in self.lines.borrow().values() {
                if let Some(counter) = self.overdue(&line.account) {
                    counter.add(1);
                    abort.abort();
                } else if self.may_end(&line.account) {
                    line.end();
                }
            }
            // Who waits for room may make some now.
            self.room.notify_one();
        }
    }

    fn sweep_short_way(self: &Rc<Self>) {
        let mut short_way = self.short_way.borrow_mut();
        let overdue: Vec<_> = short_way
            .accounts()
            .filter_map(|(number, account)| Some((number, self.overdue(account)?)))
            .collect();
        for &(number, counter) in &overdue {
            counter.add(1);
            short_way.cut(number);
        }
        self.cells().closed.add(overdue.len() as u64);
        if self.around.ending.get() {
            short_way.end(|account| self.may_end(account));
            drop(short_way);
            self.go_on();
        }
    }

    /// Whether the thread ends, and the connection has had time to say something.
    fn may_end(&self, account: &Account) -> bool {
        self.around.ending.get()
            && matches!(account.phase(), Phase::Idle | Phase::New)
            && account.age() >= LAST_CHANCE
    }

    fn overdue(&self, account: &Account) -> Option<&Counter> {
        let cells = self.cells();
        let (limit, counter) = match account.phase() {
            Phase::Idle => (self.limits.idle, &cells.cut_idle),
            Phase::New | Phase::Reading => (self.limits.request, &cells.cut_slow_request),
            Phase::Writing => (self.limits.write_stall, &cells.cut_slow_reader),
        };
        (account.age() > limit).then_some(counter)
    }

    /// All places are taken: connections that have waited longest for their clients give way, be it for a request or
    /// for a response to be taken.
    pub(super) fn make_room(&self) {
        let waits = |account: &Account| account.phase() != Phase::Writing || account.is_blocked();
        let lines = self.lines.borrow();
        let mut short_way = self.short_way.borrow_mut();
        let ages = |account: &Account| waits(account).then(|| account.age());
        let longest = short_way
            .accounts()
            .filter_map(|(_, account)| ages(account))
            .chain(
                lines
                    .values()
                    .filter_map(|tasked| ages(&tasked.line.account)),
            )
            .max();
        let Some(longest) = longest.filter(|&longest| longest > 0) else {
            return;
        };
        let is_oldest = |account: &Account| ages(account) == Some(longest);
        let places = self.limits.connections.div_ceil(CLEARED);
        let oldest: Vec<_> = short_way
            .accounts()
            .filter_map(|(number, account)| is_oldest(account).then_some(number))
            .take(places)
            .collect();
        for &number in &oldest {
            short_way.cut(number);
        }
        let tasked = lines
            .values()
            .filter(|tasked| is_oldest(&tasked.line.account));
        let mut cleared = oldest.len() as u64;
        for tasked in tasked.take(places - oldest.len()) {
            tasked.abort.abort();
            cleared += 1;
        }
        drop(short_way);
        self.cells().cut_crowded.add(cleared);
        if !oldest.is_empty() {
            self.closed(oldest.len() as u64);
        }
    }
}
