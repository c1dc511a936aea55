//! Who computes what: the rows of all weights, cut into parts of about the same cost.

use super::line::Rows;
use super::part::{Blocks, CHUNK, Chunk, Cohort, Part, flat_index};

/// What it costs to read and transpose a column, counted in scalars of the gradient; measured, for `f32` and `bf16` alike.
const COLUMN: usize = 8;

/// One weight.
pub struct Site<'a, T> {
    /// `[tokens, in]`
    pub input: Rows<'a, T>,
    /// `[tokens, out]`
    pub output_gradient: Rows<'a, T>,
    pub cohorts: Vec<Cohort<'a>>,
}

impl<'a, T: Copy> Site<'a, T> {
    fn cost(&self) -> usize {
        let scalars: usize = self.cohorts.iter().map(|cohort| cohort.indices.len()).sum();
        let transposed = self.output_gradient.columns * Blocks::of(self.input.columns).count + self.input.columns;
        scalars + COLUMN * transposed
    }

    /// The same input, not only an equal one.
    fn shares_input(&self, part: &Part<'_, T>) -> bool {
        let (mine, theirs) = (self.input, part.input);
        std::ptr::eq(mine.values, theirs.values) && mine.columns == theirs.columns
    }

    /// The next `rows` rows, from row `first` on, taken out of the cohorts.
    fn take(&mut self, first: usize, rows: usize) -> Chunk<'a, T> {
        let flat = |row: usize| flat_index(row * self.input.columns);
        let end = flat(first + rows);
        let take = |cohort: &mut Cohort<'a>| {
            let count = cohort.indices.partition_point(|index| *index < end);
            let indices = cohort.indices.split_off(..count).unwrap_or_default();
            Cohort { indices, gradient: cohort.gradient.split_off_mut(..count).unwrap_or_default() }
        };
        Chunk {
            output_gradient: self.output_gradient.columns(first, rows),
            first: flat(first),
            cohorts: self.cohorts.iter_mut().map(take).collect(),
        }
    }
}

/// Shares the sites out among so many tasks, each of them a list of parts, in the order of the rows: so at each cut no more
/// than one input is transposed twice. (More tasks than threads would even out what disturbs a thread, but a few cuts more
/// cost a tenth of the time.)
pub fn share_out<'a, T: Copy>(sites: Vec<Site<'a, T>>, tasks: usize) -> Vec<Vec<Part<'a, T>>> {
    let total: usize = sites.iter().map(Site::cost).sum();
    let mut shared: Vec<Vec<Part<'a, T>>> = (0..tasks).map(|_| Vec::new()).collect();
    let mut before = 0;
    for mut site in sites {
        let (cost, height) = (site.cost(), site.output_gradient.columns);
        for first in (0..height).step_by(CHUNK) {
            let rows = CHUNK.min(height - first);
            let middle = before + cost * (first + rows / 2) / height;
            let task = &mut shared[middle * tasks / (total + 1)];
            let chunk = site.take(first, rows);
            match task.last_mut() {
                Some(part) if site.shares_input(part) => part.chunks.push(chunk),
                _ => task.push(Part { input: site.input, chunks: vec![chunk] }),
            }
        }
        before += cost;
    }
    shared
}
