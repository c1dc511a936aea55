//! Selection of the scalars that rank first, without sorting all of them.
//!
//! Scalars rank by a key, lowest first; equal keys rank by position, so that ranks are unique and a count is met
//! exactly, however many keys are equal.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::memory::values;

/// Scalars processed at a time.
const PART: usize = 1 << 20;

/// The key of an excluded scalar.
const NEVER: u32 = u32::MAX;

/// All bits of an `f32` but its sign: as integers they order magnitudes.
const MAGNITUDE: u32 = 0x7fff_ffff;

/// Which magnitudes rank first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The smallest.
    Smallest,
    /// The largest.
    Largest,
}

impl First {
    /// The key of a number, from its magnitude alone.
    #[must_use]
    pub fn key(self, number: f32) -> u32 {
        let magnitude = number.to_bits() & MAGNITUDE;
        match self {
            Self::Smallest => magnitude,
            Self::Largest => MAGNITUDE - magnitude,
        }
    }
}

/// Indices of the `count` scalars of a flat tensor that rank first, ascending. The sorted indices `without` are
/// excluded, and `instead` (sorted indices and values) overrides values. If there are fewer scalars, all of them.
#[must_use]
pub fn first_of(tensor: &Tensor, first: First, count: usize, without: &[i64], instead: (&[i64], &[f32])) -> Vec<i64> {
    lowest(tensor.numel(), count, |range, keys| {
        let (from, len) = (range.start.cast_signed() as i64, range.len().cast_signed() as i64);
        let part = tensor.narrow(0, from, len).to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
        keys.extend(values::<f32>(&part).iter().map(|&number| first.key(number)));
        let inside = |list: &[i64]| {
            let at = |bound: usize| list.partition_point(|index| *index < bound.cast_signed() as i64);
            at(range.start)..at(range.end)
        };
        let place = |index: i64| usize::try_from(index - from).unwrap_or_default();
        let others = inside(instead.0);
        for (&index, &value) in instead.0[others.clone()].iter().zip(&instead.1[others]) {
            keys[place(index)] = first.key(value);
        }
        for &index in &without[inside(without)] {
            keys[place(index)] = NEVER;
        }
    })
}

/// Indices of the `count` lowest keys, ascending; `keys` appends the keys of a range.
fn lowest(scalars: usize, count: usize, mut keys: impl FnMut(Range<usize>, &mut Vec<u32>)) -> Vec<i64> {
    if count == 0 {
        return Vec::new();
    }
    let mut part = Vec::new();
    let mut each = |seen: &mut dyn FnMut(usize, u32)| {
        for from in (0..scalars).step_by(PART) {
            let range = from..scalars.min(from + PART);
            part.clear();
            keys(range.clone(), &mut part);
            range.zip(&part).filter(|(_, key)| **key != NEVER).for_each(|(position, key)| seen(position, *key));
        }
    };
    // The highest selected key, by a histogram of the upper halves and then of the lower halves.
    let mut counts = vec![0_usize; 1 << 16];
    each(&mut |_, key| counts[(key >> 16) as usize] += 1);
    let (upper, before) = place_of(&counts, count);
    counts.fill(0);
    each(&mut |_, key| counts[(key & 0xffff) as usize] += usize::from((key >> 16) as usize == upper));
    let (lower, among) = place_of(&counts, count - before);
    let last = u32::try_from(upper << 16 | lower).unwrap_or(NEVER);
    let mut equal = count - before - among;
    let mut found = Vec::with_capacity(count.min(scalars));
    each(&mut |position, key| {
        let is_equal = key == last && equal > 0;
        equal -= usize::from(is_equal);
        if key < last || is_equal {
            found.push(position.cast_signed() as i64);
        }
    });
    found
}

/// The class of a histogram that contains element `number` (from 1), and the number of elements in the classes before
/// it.
fn place_of(counts: &[usize], number: usize) -> (usize, usize) {
    let mut before = 0;
    for (class, count) in counts.iter().enumerate() {
        if before + count >= number {
            return (class, before);
        }
        before += count;
    }
    // There are fewer elements: all of them are selected.
    (counts.len() - 1, before - counts.last().copied().unwrap_or(0))
}

/// The `count` of the keyed indices that rank first, ascending.
#[must_use]
pub fn first_among(mut keyed: Vec<(u32, i64)>, count: usize) -> Vec<i64> {
    if count == 0 {
        return Vec::new();
    }
    if count < keyed.len() {
        keyed.select_nth_unstable(count - 1);
        keyed.truncate(count);
    }
    let mut found: Vec<i64> = keyed.into_iter().map(|(_, position)| position).collect();
    found.sort_unstable();
    found
}

/// The `count` of the keyed indices that rank last, ascending.
#[must_use]
pub fn last_among(keyed: Vec<(u32, i64)>, count: usize) -> Vec<i64> {
    let turned = keyed.into_iter().map(|(key, position)| (NEVER - key, -position)).collect();
    let mut found: Vec<i64> = first_among(turned, count).into_iter().map(|position| -position).collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(numbers: &[f32], first: First, count: usize, without: &[i64]) -> Vec<i64> {
        let mut all: Vec<(u32, i64)> = (0..).zip(numbers).map(|(at, &number)| (first.key(number), at)).collect();
        all.retain(|(_, at)| !without.contains(at));
        all.sort_unstable();
        let mut found: Vec<i64> = all.into_iter().take(count).map(|(_, at)| at).collect();
        found.sort_unstable();
        found
    }

    proptest! {
        #[test]
        fn the_first_are_exact_whatever_is_equal(
            // Few values, so that many are equal.
            numbers in prop::collection::vec(prop::sample::select(vec![0.0_f32, -0.0, 0.5, -0.5, 1e-30, -3e7, 0.500_001]), 1..300),
            count in 0_usize..300, largest: bool, without in prop::collection::btree_set(0_i64..300, 0..40),
        ) {
            let first = if largest { First::Largest } else { First::Smallest };
            let places: Vec<i64> = (0..).zip(&numbers).map(|(at, _)| at).collect();
            let without: Vec<i64> = without.into_iter().filter(|at| places.contains(at)).collect();
            let left = numbers.len() - without.len();
            let count = count % (left + 1);
            let tensor = Tensor::from_slice(&numbers);
            let found = first_of(&tensor, first, count, &without, (&[], &[]));
            prop_assert_eq!(found.len(), count);
            prop_assert_eq!(&found, &naive(&numbers, first, count, &without));
            let more = first_of(&tensor, first, left, &without, (&[], &[]));
            prop_assert!(found.iter().all(|at| more.binary_search(at).is_ok()));
            prop_assert_eq!(first_of(&tensor, first, left + 7, &without, (&[], &[])).len(), left);
            let keyed: Vec<(u32, i64)> = (0..).zip(&numbers).map(|(at, &number)| (first.key(number), at)).collect();
            let (among, last) = (first_among(keyed.clone(), count), last_among(keyed, numbers.len() - count));
            let mut both = [among.clone(), last].concat();
            both.sort_unstable();
            prop_assert_eq!(both, places);
            prop_assert_eq!(among, naive(&numbers, first, count, &[]));
        }
    }

    #[test]
    fn another_value_is_ranked_in_place_of_the_one_that_is_there() {
        let tensor = Tensor::from_slice(&[5.0_f32, -1.0, 3.0, 0.1]);
        assert_eq!(first_of(&tensor, First::Smallest, 2, &[], (&[0, 3], &[0.01, -9.0])), [0, 1]);
        assert_eq!(first_of(&tensor, First::Largest, 1, &[], (&[3], &[-9.0])), [3]);
        assert_eq!(tensor, Tensor::from_slice(&[5.0_f32, -1.0, 3.0, 0.1]), "the numbers are only looked at");
    }
}
