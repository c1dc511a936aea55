//! The keyed permutation that selection and batching share.
//!
//! A permutation of `0..n` that is never stored: a balanced Feistel network over the next even number of bits, with
//! cycle-walking to stay inside `0..n` (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Position
//! and inverse both cost O(1). It is meant to scatter, not to keep secrets.

use std::ops::Range;

/// Rounds of the network. Four make a pseudo-random permutation with strong round functions (Luby and Rackoff); ours
/// is a cheap mixer, so there are some to spare.
const ROUNDS: usize = 8;

/// Values encrypted side by side, in vectors: the rounds of one value depend on each other, those of different values
/// do not.
const LANES: usize = 128;

/// Derives an independent key from a seed and its purpose.
#[must_use]
pub fn derive_key(seed: u64, purpose: &str, detail: &str) -> u64 {
    u64::from_le_bytes(derive_bytes(seed, purpose, detail))
}

/// As many bytes of an independent key.
pub(crate) fn derive_bytes<const LENGTH: usize>(seed: u64, purpose: &str, detail: &str) -> [u8; LENGTH] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [purpose, detail] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut key = [0; LENGTH];
    hasher.finalize_xof().fill(&mut key);
    key
}

/// Mixes 64 bits so that each output bit depends on each input bit (the finalizer of SplitMix64, Steele et al. 2014).
#[inline]
#[must_use]
pub const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A pseudo-random permutation of `0..len`, chosen by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permutation {
    len: u64,
    half_bits: u32,
    round_keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `0..len` for `key`. `len` is at most 2^62.
    #[must_use]
    pub fn new(key: u64, len: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        let mut round_keys = [0; ROUNDS];
        let mut state = key;
        for round_key in &mut round_keys {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            *round_key = mix(state);
        }
        Self { len, half_bits: bits.div_ceil(2).max(1), round_keys }
    }

    /// How many positions it permutes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it permutes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `rank`, which is below [`Permutation::len`].
    #[must_use]
    pub fn at(&self, rank: u64) -> u64 {
        debug_assert!(rank < self.len);
        let mut value = self.encrypt(rank);
        while value >= self.len {
            value = self.encrypt(value);
        }
        value
    }

    /// The rank of `element`, which is below [`Permutation::len`].
    #[must_use]
    pub fn rank_of(&self, element: u64) -> u64 {
        debug_assert!(element < self.len);
        let mut value = self.decrypt(element);
        while value >= self.len {
            value = self.decrypt(value);
        }
        value
    }

    /// The elements at these ranks, all below [`Permutation::len`], in no particular order; several times as fast as
    /// one by one. Always inlined, so that it is compiled with the features of its caller.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::inline_always, reason = "see above")]
    pub fn elements(&self, ranks: Range<u64>) -> Vec<u64> {
        let mut walking: Vec<u64> = ranks.collect();
        let mut elements = vec![0; walking.len()];
        let mut done = 0;
        while !walking.is_empty() {
            self.encrypt_all(&mut walking);
            let mut left = 0;
            // Whether a value is inside is unpredictable, so a branch would cost more than storing it twice.
            for at in 0..walking.len() {
                let value = walking[at];
                let is_inside = value < self.len;
                elements[done] = value;
                walking[left] = value;
                done += usize::from(is_inside);
                left += usize::from(!is_inside);
            }
            walking.truncate(left);
        }
        elements
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as above")]
    fn encrypt_all(&self, values: &mut [u64]) {
        let (mut left, mut right) = ([0; LANES], [0; LANES]);
        for lanes in values.chunks_mut(LANES) {
            for ((left, right), value) in left.iter_mut().zip(&mut right).zip(&*lanes) {
                (*left, *right) = (value >> self.half_bits, value & self.mask());
            }
            // Two rounds at a time, so that the halves need not be swapped.
            for keys in self.round_keys.chunks_exact(2) {
                self.round(&mut left, &right, keys[0]);
                self.round(&mut right, &left, keys[1]);
            }
            for ((left, right), value) in left.iter().zip(&right).zip(lanes) {
                *value = left << self.half_bits | right;
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as above")]
    fn round(&self, one: &mut [u64; LANES], other: &[u64; LANES], key: u64) {
        for (one, other) in one.iter_mut().zip(other) {
            *one ^= mix(other ^ key) & self.mask();
        }
    }

    fn mask(&self) -> u64 {
        (1 << self.half_bits) - 1
    }

    fn encrypt(&self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> self.half_bits, value & self.mask());
        for key in self.round_keys {
            (left, right) = (right, left ^ (mix(right ^ key) & self.mask()));
        }
        left << self.half_bits | right
    }

    fn decrypt(&self, value: u64) -> u64 {
        let (mut left, mut right) = (value >> self.half_bits, value & self.mask());
        for key in self.round_keys.into_iter().rev() {
            (left, right) = (right ^ (mix(left ^ key) & self.mask()), left);
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_at_once_are_the_same_as_one_by_one(key: u64, len in 1_u64..5000, ends: [u64; 2]) {
            let permutation = Permutation::new(key, len);
            let [from, to] = ends.map(|end: u64| end % (len + 1));
            let ranks = from.min(to)..from.max(to);
            let mut elements = permutation.elements(ranks.clone());
            let mut expected: Vec<u64> = ranks.map(|rank| permutation.at(rank)).collect();
            elements.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(elements, expected);
        }

        #[test]
        fn every_element_comes_once(key: u64, len in 1_u64..3000) {
            let permutation = Permutation::new(key, len);
            let mut seen: Vec<u64> = (0..len).map(|rank| permutation.at(rank)).collect();
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..len));
        }

        #[test]
        fn rank_is_the_inverse(key: u64, len in 1_u64..1 << 40, at in any::<u64>()) {
            let permutation = Permutation::new(key, len);
            prop_assert_eq!(permutation.rank_of(permutation.at(at % len)), at % len);
        }
    }

    #[test]
    fn the_first_positions_are_spread_evenly() {
        let (cells, drawn) = (16_u64, 16_000_u64);
        let permutation = Permutation::new(derive_key(1, "test", "site"), 1_000_003);
        let mut counts = vec![0_u64; 16];
        for rank in 0..drawn {
            counts[usize::try_from(permutation.at(rank) * cells / 1_000_003).unwrap()] += 1;
        }
        // Chi-square with 15 degrees of freedom: above 37.7 for one in a thousand keys.
        let expected = 1000.0;
        let chi_square: f64 =
            counts.iter().map(|&count| (f64::from(u32::try_from(count).unwrap()) - expected).powi(2) / expected).sum();
        assert!(chi_square < 37.7, "{chi_square}: {counts:?}");
    }

    #[test]
    fn seed_purpose_and_detail_each_make_another_key() {
        let key = derive_key(1, "selection", "a");
        assert_ne!(key, derive_key(2, "selection", "a"));
        assert_ne!(key, derive_key(1, "batches", "a"));
        assert_ne!(key, derive_key(1, "selection", "b"));
        assert_ne!(derive_key(1, "ab", "c"), derive_key(1, "a", "bc"));
    }
}
