//! Sorted lists of distinct indices. The loops do not branch on the values, since such branches cannot be predicted.

/// Positions in `all` of the indices that are in `some`, and of those that are not. Both lists are sorted.
pub fn split(all: &[i64], some: &[i64]) -> [Vec<i64>; 2] {
    let mut among = vec![0; all.len()];
    let mut others = vec![0; all.len()];
    let (mut next, mut counts) = (0, [0, 0]);
    for (position, &index) in (0_i64..).zip(all) {
        // Never true in the usual case, where `some` is a subset of `all`.
        while some.get(next).is_some_and(|&wanted| wanted < index) {
            next += 1;
        }
        let is_among = some.get(next) == Some(&index);
        among[counts[0]] = position;
        others[counts[1]] = position;
        counts[0] += usize::from(is_among);
        counts[1] += usize::from(!is_among);
        next += usize::from(is_among);
    }
    among.truncate(counts[0]);
    others.truncate(counts[1]);
    [among, others]
}

/// The permutation that sorts the concatenation of sorted lists.
pub fn order(lists: &[Vec<i64>]) -> Vec<i64> {
    let mut merged = (Vec::new(), Vec::new());
    let mut before = 0;
    for list in lists {
        let places: Vec<i64> = (before..).take(list.len()).collect();
        before += i64::try_from(list.len()).unwrap_or(i64::MAX);
        merged = merge([&merged.0, list], [&merged.1, &places]);
    }
    merged.1
}

/// Merges two sorted lists, each with a list of values that belong to its indices.
fn merge(indices: [&[i64]; 2], places: [&[i64]; 2]) -> (Vec<i64>, Vec<i64>) {
    let count = indices[0].len() + indices[1].len();
    let (mut merged, mut merged_places) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut at = [0, 0];
    while at[0] < indices[0].len() && at[1] < indices[1].len() {
        let from = usize::from(indices[1][at[1]] < indices[0][at[0]]);
        merged.push(indices[from][at[from]]);
        merged_places.push(places[from][at[from]]);
        at[from] += 1;
    }
    for from in [0, 1] {
        merged.extend_from_slice(&indices[from][at[from]..]);
        merged_places.extend_from_slice(&places[from][at[from]..]);
    }
    (merged, merged_places)
}

/// Bits of a digit: the counts of all digits fit the first-level cache.
const DIGIT: u32 = 11;

/// Radix sort of numbers below `bound`.
pub fn sort(mut values: Vec<u64>, bound: u64) -> Vec<u64> {
    let bits = u64::BITS - bound.leading_zeros();
    let mut sorted = vec![0; values.len()];
    for shift in (0..bits).step_by(DIGIT as usize) {
        #[expect(clippy::cast_possible_truncation, reason = "a digit")]
        let digit = |value: u64| (value >> shift) as usize & ((1 << DIGIT) - 1);
        let mut places = [0_usize; 1 << DIGIT];
        for &value in &values {
            places[digit(value)] += 1;
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for &value in &values {
            let place = &mut places[digit(value)];
            sorted[*place] = value;
            *place += 1;
        }
        std::mem::swap(&mut values, &mut sorted);
    }
    values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(most: usize) -> impl Strategy<Value = Vec<i64>> {
        prop::collection::btree_set(0_i64..500, 0..most).prop_map(|set| set.into_iter().collect())
    }

    proptest! {
        #[test]
        fn split_parts_by_membership(all in numbers(300), some in numbers(300)) {
            let some_set: BTreeSet<i64> = some.iter().copied().collect();
            let [among, others] = split(&all, &some);
            let is_among = |position: &i64| some_set.contains(&all[usize::try_from(*position).unwrap()]);
            prop_assert!(among.iter().all(is_among) && !others.iter().any(is_among));
            prop_assert!(among.windows(2).chain(others.windows(2)).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(among.len() + others.len(), all.len());
        }

        #[test]
        fn order_sorts(lists in prop::collection::vec(numbers(40), 0..5)) {
            let all: Vec<i64> = lists.iter().flatten().copied().collect();
            let order = order(&lists);
            prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), all.len());
            let sorted: Vec<i64> = order.iter().map(|&place| all[usize::try_from(place).unwrap()]).collect();
            prop_assert!(sorted.windows(2).all(|pair| pair[0] <= pair[1]));
        }

        #[test]
        fn sort_sorts(values in prop::collection::vec(any::<u64>(), 0..400), bound in 1..u64::MAX) {
            let values: Vec<u64> = values.into_iter().map(|value| value % bound).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            prop_assert_eq!(sort(values, bound), expected);
        }
    }
}
