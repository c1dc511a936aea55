//! Adapters without indices: where a run's selection is keyed, seed and count determine the trainable scalars.
//!
//! A folder of this form has `config.json` and `head_init.safetensors` as the form with indices, and one file with the
//! deltas of all parameters, in the order of their sorted indices. It saves 4 bytes for each dimension of each delta.

mod file;

use std::path::Path;

pub(super) use file::{KeyedFile, read_keyed};

use self::file::{Counts, Header, digest};
use super::adapter::{Adapter, KEYED, ParameterDelta};
use super::merged::{Outline, write_shard};
use spartui_facts::error::Result;
use spartui_sparse::Selection;

/// An adapter whose deltas are exactly at the first scalars of a keyed selection, so that it can be written without
/// indices.
#[derive(Debug, Clone, Copy)]
pub struct Keyed<'a> {
    adapter: &'a Adapter,
    seed: u64,
}

impl Adapter {
    /// The adapter in the form without indices, if it has one: the indices of each parameter must be exactly the first
    /// ones of the selection of this seed. After scalars were retired there is none.
    #[must_use]
    pub fn to_keyed(&self, seed: u64) -> Option<Keyed<'_>> {
        let fits = |(name, shape, delta): (&str, &[usize], Option<&ParameterDelta>)| {
            delta.is_none_or(|delta| delta.indices == selected(seed, name, scalars(shape), delta.indices.len()))
        };
        self.below_head().all(fits).then_some(Keyed { adapter: self, seed })
    }
}

impl Keyed<'_> {
    /// Writes the adapter's folder as [`Adapter::write`], but without indices.
    ///
    /// # Errors
    /// Those of [`Adapter::write`].
    pub fn write(&self, folder: &Path, tokenizer_folder: Option<&Path>) -> Result<u64> {
        let adapter = self.adapter;
        adapter.write_with(folder, tokenizer_folder, adapter.bytes(1), |new| {
            let values = self.values();
            let outlines: Vec<Outline> =
                values.iter().map(|(name, values)| file::outline(name, values.len())).collect();
            let header = self.header();
            write_shard(&new.join(KEYED), &header.metadata(), &outlines, |number, to| {
                file::write_values(values[number].1, to, &new.join(KEYED))
            })
        })
    }

    /// The deltas of each parameter that has any, then those of the head.
    fn values(&self) -> Vec<(&str, &[f32])> {
        let below = self.adapter.below_head().filter_map(|(name, _, delta)| Some((name, delta?.deltas.as_slice())));
        let head = self.adapter.head.iter().map(|part| (part.parameter.as_str(), part.deltas.as_slice()));
        below.filter(|(_, values)| !values.is_empty()).chain(head).collect()
    }

    fn header(&self) -> Header {
        let counts = |shape: &[usize], delta: Option<&ParameterDelta>| Counts {
            scalars: scalars(shape),
            count: delta.map_or(0, |delta| delta.indices.len()),
        };
        let parameters =
            self.adapter.below_head().map(|(name, shape, delta)| (name.to_owned(), counts(shape, delta))).collect();
        let deltas = self.adapter.below_head().filter_map(|(_, _, delta)| delta);
        Header::new(self.seed, parameters, digest(deltas, &self.adapter.head))
    }
}

fn scalars(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The indices of the first `count` scalars of the selection, sorted.
fn selected(seed: u64, name: &str, scalars: usize, count: usize) -> Vec<u32> {
    let selection = Selection::new(seed, name, scalars as u64);
    let indices = selection.indices(0..count.min(scalars) as u64);
    indices.into_iter().map(|index| u32::try_from(index).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests;
