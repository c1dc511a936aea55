//! Who computes what: the rows of all weights, cut into parts of about the same cost.

use super::line::Rows;
use super::part::{Blocks, CHUNK, Part, Strip};

/// What it costs to read and transpose a column, counted in scalars of the gradient; measured, for `f32` and `bf16` alike.
const COLUMN: usize = 8;

/// One weight.
pub struct Site<'a, T> {
    /// `[tokens, in]`
    pub input: Rows<'a, T>,
    /// All of its rows.
    pub rows: Strip<'a, T>,
}

impl<T: Copy> Site<'_, T> {
    fn height(&self) -> usize {
        self.rows.output_gradient.columns
    }

    /// With the input transposed or, after another site with the same, without.
    fn cost(&self, before: Option<&Self>) -> usize {
        let scalars: usize = self.rows.cohorts.iter().map(|cohort| cohort.indices.len()).sum();
        let input = if before.is_some_and(|before| is_same(before.input, self.input)) { 0 } else { self.input.columns };
        scalars + COLUMN * (self.height() * Blocks::of(self.input.columns).count + input)
    }
}

/// The same matrix, not only an equal one.
fn is_same<T: Copy>(one: Rows<'_, T>, other: Rows<'_, T>) -> bool {
    std::ptr::eq(one.values, other.values) && one.columns == other.columns
}

/// Shares the sites out among so many tasks, each of them a list of parts, in the order of the rows: so at each cut no more
/// than one input is transposed twice. (More tasks than threads would even out what disturbs a thread, but a few cuts more
/// cost a tenth of the time.)
pub fn share_out<'a, T: Copy>(sites: Vec<Site<'a, T>>, tasks: usize) -> Vec<Vec<Part<'a, T>>> {
    let cost = |(at, site): (usize, &Site<'a, T>)| site.cost(at.checked_sub(1).map(|before| &sites[before]));
    let costs: Vec<usize> = sites.iter().enumerate().map(cost).collect();
    let each = (costs.iter().sum::<usize>() + expected_again(&sites, tasks)).div_ceil(tasks.max(1));
    let mut shared: Vec<Vec<Part<'a, T>>> = (0..tasks).map(|_| Vec::new()).collect();
    let (mut task, mut spent) = (0, 0);
    for (mut site, cost) in sites.into_iter().zip(costs) {
        let height = site.height();
        while site.height() > 0 {
            let room = each.saturating_sub(spent) * height / cost.max(1);
            let chunks = (room + CHUNK / 2) / CHUNK;
            let rows = if task + 1 < tasks { site.height().min(chunks * CHUNK) } else { site.height() };
            if rows > 0 {
                let strip = site.rows.take(rows, site.input.columns);
                match shared[task].last_mut() {
                    Some(part) if is_same(part.input, site.input) => part.strips.push(strip),
                    _ => shared[task].push(Part { input: site.input, strips: vec![strip] }),
                }
                spent += cost * rows / height;
            }
            if site.height() > 0 {
                let again = shared[task].last().is_some_and(|part| is_same(part.input, site.input));
                spent = if again { COLUMN * site.input.columns } else { 0 };
                task += 1;
            }
        }
    }
    shared
}

/// What it is going to cost that a cut between rows which share an input has it transposed once more.
fn expected_again<T: Copy>(sites: &[Site<'_, T>], tasks: usize) -> usize {
    let columns: usize = sites.iter().map(|site| site.input.columns).sum();
    COLUMN * columns / sites.len().max(1) * tasks.saturating_sub(1)
}
