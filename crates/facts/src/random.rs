//! Random numbers, keyed by their purpose.
//!
//! The generator is ChaCha with 8 rounds. It is counter-based: any part of its sequence is reached at once, so the
//! numbers do not depend on the order of draws or on the number of threads. Selections and batches use a keyed
//! permutation instead: see [`crate::permutation`].

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::permutation::derive_bytes;

/// The generator of one sequence.
pub type Generator = ChaCha8Rng;

/// Sequences of random numbers for one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source([u8; 32]);

impl Source {
    /// The sequences for a seed and a purpose, independent of those for any other.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, detail: &str) -> Self {
        Self(derive_bytes(seed, purpose, detail))
    }

    /// The generator of the sequence with this number, at its start.
    #[must_use]
    pub fn sequence(&self, number: u64) -> Generator {
        let mut generator = Generator::from_seed(self.0);
        generator.set_stream(number);
        generator
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngCore};

    use super::*;

    /// Otherwise a run would not be replayed as it was. The numbers were computed with Python's blake3 and a ChaCha of 8 rounds
    /// written down from its definition (Bernstein, 2008): key of 32 bytes, block 0, stream 3.
    #[test]
    fn the_numbers_stay_the_same_for_ever() {
        let mut generator = Source::new(7, "weights", "a").sequence(3);
        assert_eq!(
            [generator.next_u64(), generator.next_u64()],
            [4_952_742_756_174_095_583, 11_999_817_215_333_343_972]
        );
    }

    #[test]
    fn seed_purpose_detail_and_number_give_other_numbers() {
        let first = |source: Source, number| source.sequence(number).random::<u64>();
        let one = first(Source::new(1, "a", "bc"), 0);
        assert_eq!(one, first(Source::new(1, "a", "bc"), 0));
        for (source, number) in [((2, "a", "bc"), 0), ((1, "ab", "c"), 0), ((1, "a", "b"), 0), ((1, "a", "bc"), 1)] {
            assert_ne!(one, first(Source::new(source.0, source.1, source.2), number));
        }
    }
}
