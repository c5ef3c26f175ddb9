//! Whether to ask at all: a side that was away is asked again only after a pause, and then by one alone.

use std::time::{Duration, Instant};

/// So many answers in a row that were late count as being away.
const LATE_IN_A_ROW: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a question, as far as the other side's state goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Experience {
    /// It answers, be it to say that it will not.
    Answered,
    /// It said nothing in time.
    Late,
    /// There is no connection to it.
    Gone,
}

/// Opened by failures, closed by the first answer.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    late: u32,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    length: Duration,
    until: Instant,
    /// Somebody is trying, so that nobody else needs to.
    trying: bool,
}

impl Breaker {
    /// Whether a question may be asked now. Whoever gets leave must tell by [`Breaker::note`] or [`Breaker::forget`].
    pub(crate) fn lets_through(&mut self, now: Instant) -> bool {
        let lets = self.would_let_through(now);
        if let Some(pause) = &mut self.pause
            && lets
        {
            pause.trying = true;
        }
        lets
    }

    /// Whether [`Breaker::lets_through`] would say yes.
    pub(crate) fn would_let_through(&self, now: Instant) -> bool {
        self.pause
            .is_none_or(|pause| !pause.trying && pause.until <= now)
    }

    /// Takes note of what became of a question.
    pub(crate) fn note(&mut self, experience: Experience, now: Instant) {
        match experience {
            Experience::Answered => *self = Self::default(),
            Experience::Late => {
                self.late += 1;
                if self.late >= LATE_IN_A_ROW || self.pause.is_some() {
                    self.open(now);
                }
            }
            Experience::Gone => self.open(now),
        }
    }

    /// A question was given up before anything could be learnt from it.
    pub(crate) fn forget(&mut self) {
        if let Some(pause) = &mut self.pause {
            pause.trying = false;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.pause.is_some()
    }

    fn open(&mut self, now: Instant) {
        let length = match self.pause {
            None => FIRST_PAUSE,
            // Questions that were under way when it opened lengthen nothing.
            Some(pause) if !pause.trying => return,
            Some(pause) => (2 * pause.length).min(LONGEST_PAUSE),
        };
        self.pause = Some(Pause {
            length,
            until: now + length,
            trying: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Experience::{Answered, Gone, Late};
    use super::*;

    #[test]
    fn some_late_answers_are_borne() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..3 {
            for _ in 1..LATE_IN_A_ROW {
                breaker.note(Late, now);
            }
            assert!(breaker.lets_through(now));
            breaker.note(Answered, now);
        }
        for _ in 0..LATE_IN_A_ROW {
            breaker.note(Late, now);
        }
        assert!(breaker.is_open() && !breaker.lets_through(now));
    }

    #[test]
    fn without_a_connection_it_opens_at_once_and_one_tries_after_each_longer_pause() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        breaker.note(Gone, now);
        let mut length = FIRST_PAUSE;
        for _ in 0..10 {
            assert!(!breaker.lets_through(now + length - Duration::from_millis(1)));
            now += length;
            assert!(breaker.lets_through(now), "{length:?}");
            assert!(!breaker.lets_through(now), "one is enough");
            breaker.note(Gone, now);
            length = (2 * length).min(LONGEST_PAUSE);
        }
        now += LONGEST_PAUSE;
        assert!(breaker.lets_through(now));
        breaker.note(Answered, now);
        assert!(breaker.lets_through(now) && breaker.lets_through(now) && !breaker.is_open());
        breaker.note(Gone, now);
        assert!(breaker.lets_through(now + FIRST_PAUSE), "short again");
    }

    #[test]
    fn those_under_way_when_it_opened_lengthen_no_pause() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            breaker.note(Gone, now);
        }
        assert!(breaker.lets_through(now + FIRST_PAUSE));
    }

    #[test]
    fn a_try_that_was_given_up_leaves_its_place_to_the_next() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.note(Gone, now);
        let later = now + FIRST_PAUSE;
        assert!(breaker.lets_through(later));
        breaker.forget();
        assert!(breaker.lets_through(later));
    }
}
