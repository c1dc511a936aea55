//! The keyed permutation that selection and batching share.
//!
//! A permutation of `0..n` that is never stored: a balanced Feistel network over the next even number of bits, with
//! cycle-walking to stay inside `0..n` (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). Position
//! and inverse both cost O(1). It is meant to scatter, not to keep secrets.

/// Rounds of the network. Four make a pseudo-random permutation of strong round functions (Luby and Rackoff); ours is
/// a cheap mixer, so there are some to spare.
const ROUNDS: usize = 8;

/// Values that are turned side by side: the rounds of one wait for each other, those of several do not.
const LANES: usize = 8;

/// Derives an independent stream of randomness from a seed and what it is for.
#[must_use]
pub fn derive_key(seed: u64, purpose: &str, detail: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [purpose, detail] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut key = [0; 8];
    hasher.finalize_xof().fill(&mut key);
    u64::from_le_bytes(key)
}

/// Mixes 64 bits so that each output bit depends on each input bit (the finalizer of SplitMix64, Steele et al. 2014).
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
    /// The permutation of `0..len` that belongs to `key`. `len` is at most 2^62.
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

    /// Puts the element in the place of each rank; many at once are several times as fast as one by one.
    pub fn at_all(&self, ranks: &mut [u64]) {
        self.walk(ranks, |lanes| {
            let [mut left, mut right] = self.halves(lanes);
            for key in self.round_keys {
                for lane in 0..LANES {
                    (left[lane], right[lane]) = (right[lane], left[lane] ^ (mix(right[lane] ^ key) & self.mask()));
                }
            }
            std::array::from_fn(|lane| left[lane] << self.half_bits | right[lane])
        });
    }

    /// Puts the rank in the place of each element; see [`Permutation::at_all`].
    pub fn ranks_of_all(&self, elements: &mut [u64]) {
        self.walk(elements, |lanes| {
            let [mut left, mut right] = self.halves(lanes);
            for key in self.round_keys.into_iter().rev() {
                for lane in 0..LANES {
                    (left[lane], right[lane]) = (right[lane] ^ (mix(left[lane] ^ key) & self.mask()), left[lane]);
                }
            }
            std::array::from_fn(|lane| left[lane] << self.half_bits | right[lane])
        });
    }

    /// Turns all values, and again those that lie outside, until none does.
    fn walk(&self, values: &mut [u64], turn: impl Fn([u64; LANES]) -> [u64; LANES]) {
        let mut outside: Vec<usize> = (0..values.len()).collect();
        while !outside.is_empty() {
            for places in outside.chunks(LANES) {
                let mut lanes = [0; LANES];
                places.iter().zip(&mut lanes).for_each(|(&place, lane)| *lane = values[place]);
                places.iter().zip(turn(lanes)).for_each(|(&place, value)| values[place] = value);
            }
            outside.retain(|&place| values[place] >= self.len);
        }
    }

    fn halves(&self, values: [u64; LANES]) -> [[u64; LANES]; 2] {
        [values.map(|value| value >> self.half_bits), values.map(|value| value & self.mask())]
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
        fn many_at_once_are_the_same_as_one_by_one(key: u64, len in 1_u64..5000, some in prop::collection::vec(any::<u64>(), 0..60)) {
            let permutation = Permutation::new(key, len);
            let some: Vec<u64> = some.into_iter().map(|value| value % len).collect();
            let (mut elements, mut ranks) = (some.clone(), some.clone());
            permutation.at_all(&mut elements);
            permutation.ranks_of_all(&mut ranks);
            for ((value, element), rank) in some.into_iter().zip(elements).zip(ranks) {
                prop_assert_eq!((element, rank), (permutation.at(value), permutation.rank_of(value)));
            }
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
        // Chi-square with 15 degrees of freedom: above 37.7 once in a thousand keys.
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
