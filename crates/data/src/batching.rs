//! Assembles batches: which rows, and their ids as a rectangle.

use super::example::{Example, Target};
use spartui_facts::permutation::{Permutation, derive_key};
use spartui_facts::recipe::Recipe;

/// Number of batches whose rows are sorted by length together. More would save little padding, and would make the
/// batches of consecutive epochs more similar.
const WINDOW: usize = 50;

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Rows per batch; at least one.
    pub batch_size: usize,
    /// If false, the order of the file, without grouping.
    pub shuffle: bool,
    /// Whether batches have rows of similar length.
    pub group_by_length: bool,
    /// Seed of the order.
    pub seed: u64,
}

impl Order {
    /// The order according to a recipe.
    #[must_use]
    pub fn of(recipe: &Recipe) -> Self {
        Self {
            batch_size: recipe.train.batch_size,
            shuffle: recipe.data.shuffle,
            group_by_length: recipe.data.group_by_length,
            seed: recipe.train.seed,
        }
    }
}

/// The batches of an epoch (the first is 0) as row numbers. Every row occurs exactly once; one batch may be shorter.
#[must_use]
pub fn epoch_batches(lengths: &[usize], order: &Order, epoch: u64) -> Vec<Vec<usize>> {
    let size = order.batch_size.max(1);
    if !order.shuffle {
        return cut(&(0..lengths.len()).collect::<Vec<_>>(), size);
    }
    let mut rows = shuffled(lengths.len(), derive_key(order.seed, "batches", &epoch.to_string()));
    if !order.group_by_length {
        return cut(&rows, size);
    }
    for window in rows.chunks_mut(size.saturating_mul(WINDOW)) {
        window.sort_by_key(|&row| lengths[row]);
    }
    let batches = cut(&rows, size);
    // Otherwise each window would go from short rows to long ones.
    let key = derive_key(order.seed, "order of batches", &epoch.to_string());
    shuffled(batches.len(), key).into_iter().map(|at| batches[at].clone()).collect()
}

fn shuffled(len: usize, key: u64) -> Vec<usize> {
    let permutation = Permutation::new(key, len as u64);
    // A value below a usize fits a usize.
    (0..len as u64).map(|rank| usize::try_from(permutation.at(rank)).unwrap_or_default()).collect()
}

fn cut(rows: &[usize], size: usize) -> Vec<Vec<usize>> {
    rows.chunks(size).map(<[usize]>::to_vec).collect()
}

/// A batch of examples, each row padded on its right. Only `lengths` says what is padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[rows, width]`, padded with 0.
    pub ids: Vec<i64>,
    /// Tokens of each row.
    pub lengths: Vec<usize>,
    /// Tokens of the longest row.
    pub width: usize,
    /// Token types, shaped as `ids`; empty if all are 0.
    pub token_types: Vec<i64>,
    /// Label of each row; empty for token targets.
    pub labels: Vec<usize>,
    /// Whether each token is a target, `[rows, width]`, padded with false; empty for labels.
    pub trained: Vec<bool>,
}

/// Collates examples of one task.
pub fn collate<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Batch {
    let examples: Vec<&Example> = examples.into_iter().collect();
    let width = examples.iter().map(|example| example.tokens.len()).max().unwrap_or(0);
    let mut batch = Batch {
        ids: Vec::with_capacity(width * examples.len()),
        lengths: examples.iter().map(|example| example.tokens.len()).collect(),
        width,
        token_types: Vec::new(),
        labels: Vec::new(),
        trained: Vec::new(),
    };
    let typed = examples.iter().any(|example| !example.token_types.is_empty());
    for example in &examples {
        append(&mut batch.ids, example.tokens.iter().map(|&id| i64::from(id)), width);
        if typed {
            append(&mut batch.token_types, example.token_types.iter().map(|&kind| i64::from(kind)), width);
        }
        match &example.target {
            Target::Label(label) => batch.labels.push(*label),
            Target::Tokens(trained) => append(&mut batch.trained, trained.iter().copied(), width),
        }
    }
    batch
}

/// Appends a row, padded to `width`.
fn append<T: Copy + Default>(rows: &mut Vec<T>, row: impl Iterator<Item = T>, width: usize) {
    let end = rows.len() + width;
    rows.extend(row);
    rows.resize(end, T::default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labelled(length: usize, label: usize) -> Example {
        Example { tokens: vec![7; length], token_types: Vec::new(), target: Target::Label(label) }
    }

    fn an_order() -> impl Strategy<Value = Order> {
        (1_usize..9, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(
            |(batch_size, shuffle, group_by_length, seed)| Order { batch_size, shuffle, group_by_length, seed },
        )
    }

    proptest! {
        #[test]
        fn every_row_comes_once_an_epoch(lengths in prop::collection::vec(1_usize..40, 0..900), order in an_order(), epoch in 0_u64..9) {
            let batches = epoch_batches(&lengths, &order, epoch);
            prop_assert_eq!(&batches, &epoch_batches(&lengths, &order, epoch));
            prop_assert_eq!(batches.len(), lengths.len().div_ceil(order.batch_size));
            prop_assert!(batches.iter().filter(|batch| batch.len() != order.batch_size).count() <= 1);
            let mut rows: Vec<usize> = batches.into_iter().flatten().collect();
            if !order.shuffle {
                prop_assert!(rows.iter().copied().eq(0..lengths.len()));
            }
            rows.sort_unstable();
            prop_assert!(rows.into_iter().eq(0..lengths.len()));
        }

        #[test]
        fn epochs_and_seeds_differ(seed: u64, group_by_length: bool) {
            let lengths: Vec<usize> = (0..200).map(|row| row % 17 + 1).collect();
            let order = Order { batch_size: 8, shuffle: true, group_by_length, seed };
            let first = epoch_batches(&lengths, &order, 0);
            prop_assert_ne!(&first, &epoch_batches(&lengths, &order, 1));
            prop_assert_ne!(&first, &epoch_batches(&lengths, &Order { seed: seed ^ 1, ..order }, 0));
        }

        #[test]
        fn a_batch_is_a_rectangle(lengths in prop::collection::vec(0_usize..9, 0..6)) {
            let examples: Vec<Example> =
                lengths.iter().enumerate().map(|(label, &length)| labelled(length, label)).collect();
            let batch = collate(&examples);
            prop_assert_eq!(batch.ids.len(), batch.width * examples.len());
            for (row, &length) in lengths.iter().enumerate() {
                let ids = &batch.ids[row * batch.width..(row + 1) * batch.width];
                let right = ids.iter().enumerate().all(|(at, &id)| id == if at < length { 7 } else { 0 });
                prop_assert!(right);
            }
            prop_assert_eq!(&batch.lengths, &lengths);
            prop_assert_eq!(batch.labels, (0..lengths.len()).collect::<Vec<_>>());
            prop_assert!(batch.token_types.is_empty() && batch.trained.is_empty());
        }
    }

    #[test]
    fn grouping_makes_padding_rare_and_leaves_no_trend() {
        let lengths: Vec<usize> = (0..4000).map(|row| row * 7919 % 200 + 1).collect();
        let padding = |group_by_length| {
            let order = Order { batch_size: 16, shuffle: true, group_by_length, seed: 3 };
            let batches = epoch_batches(&lengths, &order, 0);
            let widths: Vec<usize> =
                batches.iter().map(|batch| batch.iter().map(|&row| lengths[row]).max().unwrap_or(0)).collect();
            let filled: usize = widths.iter().zip(&batches).map(|(width, batch)| width * batch.len()).sum();
            let rising = widths.windows(2).filter(|pair| pair[0] < pair[1]).count();
            (filled - lengths.iter().sum::<usize>(), rising)
        };
        let ((grouped, rising), (plain, _)) = (padding(true), padding(false));
        assert!(grouped * 10 < plain, "{grouped} {plain}");
        assert!((60..190).contains(&rising), "{rising} of 249");
    }

    #[test]
    fn types_and_trained_tokens_are_filled_up_like_ids() {
        let row = |tokens: &[u32], types: &[u8], trained: &[bool]| Example {
            tokens: tokens.to_vec(),
            token_types: types.to_vec(),
            target: Target::Tokens(trained.to_vec()),
        };
        let rows = [row(&[5, 6, 7], &[0, 1, 1], &[false, true, true]), row(&[8], &[], &[false])];
        let batch = collate(&rows);
        assert_eq!(batch.ids, [5, 6, 7, 8, 0, 0]);
        assert_eq!(batch.token_types, [0, 1, 1, 0, 0, 0]);
        assert_eq!(batch.trained, [false, true, true, false, false, false]);
        assert!(batch.labels.is_empty());
        assert_eq!(rows[0].target_tokens() + rows[1].target_tokens(), 2);
    }
}
