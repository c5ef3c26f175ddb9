//! Where an endpoint's random numbers come from.

/// A source of random octets that nobody can guess; a seeded one replays a simulation.
pub trait Random: Send {
    /// Fills all of it.
    fn fill(&mut self, octets: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send> Random for F {
    fn fill(&mut self, octets: &mut [u8]) {
        self(octets);
    }
}
