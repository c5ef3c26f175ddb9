//! How long an acknowledgement takes: RFC 6298's estimate.

use super::Millis;

#[derive(Debug)]
pub(crate) struct RoundTrip {
    /// Smoothed value and its variation.
    estimate: Option<(Millis, Millis)>,
    /// What an acknowledgement may take on this line in any case.
    floor: Millis,
}

impl RoundTrip {
    pub(crate) fn new(floor: Millis) -> Self {
        Self {
            estimate: None,
            floor,
        }
    }

    pub(crate) fn sample(&mut self, measured: Millis) {
        self.estimate = Some(match self.estimate {
            None => (measured, measured / 2),
            Some((smoothed, variation)) => (
                (7 * smoothed + measured) / 8,
                (3 * variation + smoothed.abs_diff(measured)) / 4,
            ),
        });
    }

    pub(crate) fn smoothed(&self) -> Option<Millis> {
        self.estimate.map(|(smoothed, _)| smoothed)
    }

    /// After this time without acknowledgement a frame is lost.
    pub(crate) fn patience(&self) -> Millis {
        let expected = self
            .estimate
            .map_or(500, |(smoothed, variation)| smoothed + 4 * variation);
        expected.max(self.floor)
    }
}
