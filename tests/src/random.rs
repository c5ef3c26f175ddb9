//! A few random choices that can be repeated.

/// xorshift64.
pub struct Random(u64);

impl Random {
    /// From `AVOUCH_SEED`, or a new one; printed, so that a failure can be repeated.
    pub fn seeded() -> Self {
        let seed = match std::env::var("AVOUCH_SEED") {
            Ok(seed) => seed.parse().expect("AVOUCH_SEED is a number"),
            Err(_) => {
                let octets = pki::Serial::random().expect("random numbers");
                let octets = octets.as_bytes()[8..16].try_into().expect("16 octets");
                u64::from_be_bytes(octets) | 1
            }
        };
        println!("AVOUCH_SEED={seed}");
        Self(seed)
    }

    /// 0 to `limit` - 1.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
