//! Many signatures in one piece of memory.

/// Signatures one after the other, each of any length: one allocation for thousands of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Signatures {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Signatures {
    /// Room for `count` signatures of about `length` octets.
    pub fn with_capacity(count: usize, length: usize) -> Self {
        Self {
            octets: Vec::with_capacity(count * length),
            ends: Vec::with_capacity(count),
        }
    }

    /// Adds one.
    pub fn push(&mut self, signature: &[u8]) {
        self.octets.extend_from_slice(signature);
        self.ends.push(self.octets.len());
    }

    /// The one with this number, counted from 0.
    pub fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.octets[begin..end])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_number() {
        let mut signatures = Signatures::with_capacity(3, 2);
        for signature in [&b"one"[..], b"", b"three"] {
            signatures.push(signature);
        }
        assert_eq!(signatures.get(0), Some(&b"one"[..]));
        assert_eq!(signatures.get(1), Some(&b""[..]));
        assert_eq!(signatures.get(2), Some(&b"three"[..]));
        assert_eq!(signatures.get(3), None);
        assert_eq!((signatures.len(), signatures.is_empty()), (3, false));
    }
}
