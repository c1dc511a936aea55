//! Division of the work among threads: the rows of all weights, in parts of about the same cost.

use super::line::Rows;
use super::part::{Blocks, CHUNK, Part, Strip};

/// Cost of reading and transposing a column, in scalars of the gradient; measured, the same for `f32` and `bf16`.
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

    /// The cost of all rows, without that of the input.
    fn cost(&self) -> usize {
        let scalars: usize = self.rows.cohorts.iter().map(|cohort| cohort.indices.len()).sum();
        scalars + COLUMN * self.height() * Blocks::of(self.input.columns).count
    }

    fn cost_of_input(&self) -> usize {
        COLUMN * self.input.columns
    }

    /// Whether the last part has the same input, so that it is not transposed again.
    fn continues(&self, parts: &[Part<'_, T>]) -> bool {
        parts.last().is_some_and(|part| is_same(part.input, self.input))
    }
}

/// The same matrix, not only an equal one.
fn is_same<T: Copy>(one: Rows<'_, T>, other: Rows<'_, T>) -> bool {
    std::ptr::eq(one.values, other.values) && one.columns == other.columns
}

/// Divides the sites among `tasks` tasks, each of them a list of parts, in the order of the rows, so that at each
/// boundary no more than one input is transposed twice. (More tasks than threads would balance disturbances of a
/// thread, but a few more boundaries cost a tenth of the time.)
pub fn share_out<'a, T: Copy>(sites: Vec<Site<'a, T>>, tasks: usize) -> Vec<Vec<Part<'a, T>>> {
    let mut left = expected(&sites, tasks);
    let mut shared: Vec<Vec<Part<'a, T>>> = (0..tasks).map(|_| Vec::new()).collect();
    let (mut task, mut spent) = (0, 0);
    for mut site in sites {
        let (cost, height) = (site.cost().max(1), site.height());
        while site.height() > 0 {
            let continues = site.continues(&shared[task]);
            let entry = if continues { 0 } else { site.cost_of_input() };
            let each = left.div_ceil(tasks - task);
            let room = each.saturating_sub(spent + entry) * height / cost;
            let chunks = (room + CHUNK / 2) / CHUNK;
            let rows = if task + 1 < tasks { site.height().min(chunks * CHUNK) } else { site.height() };
            if rows > 0 {
                let strip = site.rows.take(rows, site.input.columns);
                match shared[task].last_mut().filter(|_| continues) {
                    Some(part) => part.strips.push(strip),
                    None => shared[task].push(Part { input: site.input, strips: vec![strip] }),
                }
                spent += entry + cost * rows / height;
            }
            if site.height() > 0 {
                left = left.saturating_sub(spent);
                (task, spent) = (task + 1, 0);
            }
        }
    }
    shared
}

/// Estimate of the total cost: most boundaries lie between rows that share an input, which is then transposed once
/// more.
fn expected<T: Copy>(sites: &[Site<'_, T>], tasks: usize) -> usize {
    let rows: usize = sites.iter().map(Site::cost).sum();
    let is_new = |at: &usize| *at == 0 || !is_same(sites[at - 1].input, sites[*at].input);
    let inputs: usize = (0..sites.len()).filter(is_new).map(|at| sites[at].cost_of_input()).sum();
    let mean = sites.iter().map(Site::cost_of_input).sum::<usize>() / sites.len().max(1);
    rows + inputs + mean * tasks.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::super::part::{Cohort, flat_index};
    use super::*;

    /// Rows, columns and input of the seven weights of a Llama's block.
    const BLOCK: [(usize, usize, usize); 7] =
        [(512, 512, 0), (512, 512, 0), (512, 512, 0), (512, 512, 1), (1408, 512, 2), (1408, 512, 2), (512, 1408, 3)];

    /// For each task, the heights of its strips and its cost, inputs included.
    fn shares(tasks: usize, every: usize) -> Vec<(Vec<usize>, usize)> {
        let inputs = [[0.0_f32]; 4];
        let indices: Vec<Vec<i64>> = BLOCK
            .iter()
            .map(|(height, width, _)| (0..height * width).step_by(every).map(flat_index).collect())
            .collect();
        let mut gradients: Vec<Vec<f32>> = indices.iter().map(|indices| vec![0.0; indices.len()]).collect();
        let rows = |columns: usize, input: usize| Rows { values: &inputs[input], width: columns, columns, tokens: 0 };
        let site = |((height, width, input), (indices, gradient))| Site {
            input: rows(width, input),
            rows: Strip { output_gradient: rows(height, 0), first: 0, cohorts: vec![Cohort { indices, gradient }] },
        };
        let sites =
            BLOCK.into_iter().zip(indices.iter().map(Vec::as_slice).zip(gradients.iter_mut().map(Vec::as_mut_slice)));
        let of_task = |parts: Vec<Part<'_, f32>>| {
            let (mut heights, mut cost) = (Vec::new(), 0);
            for Part { input, strips } in parts {
                cost += COLUMN * input.columns;
                for strip in strips {
                    heights.push(strip.output_gradient.columns);
                    let rows = COLUMN * strip.output_gradient.columns * Blocks::of(input.columns).count;
                    cost += rows + strip.cohorts[0].indices.len();
                }
            }
            (heights, cost)
        };
        share_out(sites.map(site).collect(), tasks).into_iter().map(of_task).collect()
    }

    #[test]
    fn all_rows_are_shared_out_and_no_thread_has_much_more_to_do() {
        for (tasks, every) in [(1, 40), (2, 40), (2, 3), (3, 1000), (4, 40), (7, 40)] {
            let shares = shares(tasks, every);
            let heights: usize = shares.iter().flat_map(|(heights, _)| heights).sum();
            assert_eq!(heights, BLOCK.iter().map(|(height, ..)| height).sum::<usize>());
            let costs: Vec<usize> = shares.iter().map(|(_, cost)| *cost).collect();
            let mean = costs.iter().sum::<usize>() / tasks;
            assert!(costs.iter().all(|cost| cost * 100 <= mean * 115), "{tasks} tasks, each {every}th: {costs:?}");
        }
    }
}
