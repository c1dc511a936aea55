//! The sampled product of some rows, for one thread, in pieces that fit its caches.
//!
//! Each scalar is the product of two columns, whose elements lie in different rows of a row-major matrix. So a tile of
//! tokens is transposed first: the input's columns into a buffer that stays in the second-level cache, and chunk by
//! chunk the output gradient's into one that stays in the first-level cache. Then each column of the chunk is
//! multiplied by the columns of the input at which its row of the weight has trainable scalars; transfers from the
//! second-level to the first-level cache dominate the time. Meanwhile the operands of the next piece are prefetched
//! from memory.

use std::cell::RefCell;
use std::ops::Range;

use super::kernel::Kernel;
use super::line::{Line, Rows, STRIDE, TILE};
use super::operand::Operand;

/// Most columns of the input that are held transposed at a time: less than half a megabyte. With more of them the
/// output gradients are transposed less often, until the cache is full.
const BLOCK: usize = 768;

/// Rows of the weight whose output gradients are held transposed at a time.
pub const CHUNK: usize = 64;

/// Some rows of weights that share an input.
pub struct Part<'a, T> {
    /// `[tokens, in]`
    pub input: Rows<'a, T>,
    pub strips: Vec<Strip<'a, T>>,
}

/// Adjacent rows of one weight.
pub struct Strip<'a, T> {
    /// `[tokens, rows]`
    pub output_gradient: Rows<'a, T>,
    /// Flat index of the first scalar.
    pub first: i64,
    pub cohorts: Vec<Cohort<'a>>,
}

/// The scalars of one cohort.
pub struct Cohort<'a> {
    /// Flat and sorted.
    pub indices: &'a [i64],
    pub gradient: &'a mut [f32],
}

/// Transposed columns of one thread, kept for its next part.
#[derive(Default)]
struct Buffers {
    block: Vec<Line>,
    chunk: Vec<Line>,
}

impl<'a, T: Copy> Part<'a, T> {
    /// Adds the products to the gradients.
    pub fn compute<K: Kernel<Scalar = T>>(&mut self, kernel: K) {
        thread_local! {
            static BUFFERS: RefCell<Buffers> = RefCell::default();
        }
        BUFFERS.with_borrow_mut(|buffers| {
            buffers.block.resize(BLOCK * STRIDE, Line::ZERO);
            buffers.chunk.resize(CHUNK * STRIDE, Line::ZERO);
            self.compute_with(kernel, buffers);
        });
    }

    fn compute_with<K: Kernel<Scalar = T>>(&mut self, kernel: K, buffers: &mut Buffers) {
        let blocks = Blocks::of(self.input.columns);
        let strips = std::mem::take(&mut self.strips);
        let (mut chunks, outputs): (Vec<_>, Vec<_>) =
            strips.into_iter().flat_map(|strip| strip.cut::<K>(&blocks)).unzip();
        let inputs = self.inputs::<K>(&chunks, &blocks);
        let rounds = blocks.rounds(self.input.tokens, TILE * K::TOKENS);
        for (at, round) in rounds.iter().enumerate() {
            let next_round = rounds.get(at + 1);
            inputs[round.block].transpose(kernel, round.tokens.clone(), &mut buffers.block);
            for (at, chunk) in chunks.iter_mut().enumerate() {
                let output = &outputs[at];
                output.operands[round.block].transpose(kernel, round.tokens.clone(), &mut buffers.chunk);
                let (next, its_round) =
                    outputs.get(at + 1).map_or((&outputs[0], next_round), |output| (output, Some(round)));
                let rows = chunk.output_gradient.columns;
                let share =
                    |operand, tokens: Range<usize>| Share { operand, each: tokens.len().div_ceil(rows), tokens };
                let ahead = Ahead {
                    output: its_round.map(|round| share(&next.operands[round.block], round.tokens.clone())),
                    input: next_round
                        .map(|round| share(&inputs[round.block], part_of(&round.tokens, at, outputs.len()))),
                };
                chunk.multiply(kernel, &blocks, round, &output.starts, buffers, &ahead);
            }
        }
    }

    /// For each block, the needed columns of the input.
    fn inputs<K: Kernel<Scalar = T>>(&self, chunks: &[Strip<'_, T>], blocks: &Blocks) -> Vec<Operand<'a, T>> {
        let cohorts = chunks.iter().flat_map(|chunk| chunk.cohorts.iter().map(|cohort| (chunk.first, cohort)));
        let scalars: usize = cohorts.clone().map(|(_, cohort)| cohort.indices.len()).sum();
        // With that many scalars hardly any group of columns is unneeded.
        let all = scalars > blocks.width;
        let mut wanted = vec![all; blocks.width];
        if !all {
            for (first, cohort) in cohorts {
                for index in cohort.indices {
                    let column = usize::try_from(index - first).unwrap_or_default() % blocks.width;
                    wanted[column] = true;
                }
            }
        }
        let operand = |columns: Range<usize>| {
            let rows = self.input.columns(columns.start, columns.len());
            Operand::new::<K>(rows, |column| wanted[columns.start + column])
        };
        (0..blocks.count).map(|block| operand(blocks.columns(block))).collect()
    }
}

impl<'a, T: Copy> Strip<'a, T> {
    /// Splits the first `rows` rows off, of a weight with `width` columns.
    pub fn take(&mut self, rows: usize, width: usize) -> Self {
        let end = self.first + flat_index(rows * width);
        let count = |cohort: &Cohort<'_>| cohort.indices.partition_point(|index| *index < end);
        let counts: Vec<_> = self.cohorts.iter().map(count).collect();
        self.take_counted(rows, width, &counts)
    }

    /// As [`Strip::take`], with the number of scalars of each cohort in these rows.
    fn take_counted(&mut self, rows: usize, width: usize, counts: &[usize]) -> Self {
        let take = |(cohort, count): (&mut Cohort<'a>, &usize)| Cohort {
            indices: cohort.indices.split_off(..*count).unwrap_or_default(),
            gradient: cohort.gradient.split_off_mut(..*count).unwrap_or_default(),
        };
        let taken = Self {
            output_gradient: self.output_gradient.columns(0, rows),
            first: self.first,
            cohorts: self.cohorts.iter_mut().zip(counts).map(take).collect(),
        };
        self.output_gradient = self.output_gradient.columns(rows, self.output_gradient.columns - rows);
        self.first += flat_index(rows * width);
        taken
    }

    /// Chunks of up to `CHUNK` rows, each with its output gradient.
    fn cut<K: Kernel<Scalar = T>>(mut self, blocks: &Blocks) -> impl Iterator<Item = (Self, Output<'a, T>)> {
        std::iter::from_fn(move || {
            let rows = CHUNK.min(self.output_gradient.columns);
            (rows > 0).then(|| {
                let starts = |cohort: &Cohort<'_>| blocks.starts(self.first, rows, cohort.indices);
                let starts: Vec<_> = self.cohorts.iter().map(starts).collect();
                let counts: Vec<_> = starts.iter().map(|starts| starts.last().copied().unwrap_or(0)).collect();
                let chunk = self.take_counted(rows, blocks.width, &counts);
                let output = Output::of::<K>(chunk.output_gradient, starts, blocks);
                (chunk, output)
            })
        })
    }

    /// Adds the products of a round, whose operands are in the buffers.
    fn multiply<K: Kernel<Scalar = T>>(
        &mut self,
        kernel: K,
        blocks: &Blocks,
        round: &Round,
        starts: &[Vec<usize>],
        buffers: &Buffers,
        ahead: &Ahead<'_, T>,
    ) {
        let lines = round.tokens.len().div_ceil(K::TOKENS);
        let rows = self.output_gradient.columns;
        for row in 0..rows {
            ahead.prefetch(row);
            let column = &buffers.chunk[row * STRIDE..][..lines];
            let origin = self.first + flat_index(row * blocks.width + blocks.columns(round.block).start);
            for (cohort, starts) in self.cohorts.iter_mut().zip(starts) {
                let scalars = blocks.scalars(starts, row, round.block);
                let (indices, gradient) = (&cohort.indices[scalars.clone()], &mut cohort.gradient[scalars]);
                kernel.multiply(column, &buffers.block, origin, indices, gradient);
            }
        }
    }
}

/// The output gradient of a chunk, prepared before the first round.
struct Output<'a, T> {
    /// For each cohort, see [`Blocks::starts`].
    starts: Vec<Vec<usize>>,
    /// For each block, the needed columns of the output gradient.
    operands: Vec<Operand<'a, T>>,
}

impl<'a, T: Copy> Output<'a, T> {
    fn of<K: Kernel<Scalar = T>>(output_gradient: Rows<'a, T>, starts: Vec<Vec<usize>>, blocks: &Blocks) -> Self {
        let operand = |block: usize| {
            let wanted = |row: usize| starts.iter().any(|starts| !blocks.scalars(starts, row, block).is_empty());
            Operand::new::<K>(output_gradient, wanted)
        };
        Self { operands: (0..blocks.count).map(operand).collect(), starts }
    }
}

/// The division of a weight's columns into blocks.
pub struct Blocks {
    width: usize,
    block: usize,
    pub count: usize,
}

/// A block of columns and a tile of tokens.
struct Round {
    block: usize,
    tokens: Range<usize>,
}

impl Blocks {
    pub fn of(width: usize) -> Self {
        let block = width.div_ceil(width.div_ceil(BLOCK)).next_multiple_of(32);
        Self { width, block, count: width.div_ceil(block) }
    }

    fn columns(&self, block: usize) -> Range<usize> {
        block * self.block..self.width.min((block + 1) * self.block)
    }

    fn rounds(&self, tokens: usize, tile: usize) -> Vec<Round> {
        let tiles = (0..tokens).step_by(tile).map(|token| token..tokens.min(token + tile));
        tiles.flat_map(|tokens| (0..self.count).map(move |block| Round { block, tokens: tokens.clone() })).collect()
    }

    /// Positions of the first scalar of each row and block in the sorted indices, and the position past the last one;
    /// `first` is the flat index of the first row's first scalar.
    fn starts(&self, first: i64, rows: usize, indices: &[i64]) -> Vec<usize> {
        let mut starts = vec![0];
        let ends =
            (0..rows).flat_map(|row| (0..self.count).map(move |block| row * self.width + self.columns(block).end));
        for end in ends {
            let end = first + flat_index(end);
            let mut at = starts.last().copied().unwrap_or_default();
            // Counting 16 at a time is faster than a search for the first index that is too large.
            loop {
                let some = &indices[at..indices.len().min(at + 16)];
                let count = some.iter().filter(|index| **index < end).count();
                at += count;
                if count < 16 {
                    break;
                }
            }
            starts.push(at);
        }
        starts
    }

    /// The scalars of a row in a block.
    fn scalars(&self, starts: &[usize], row: usize, block: usize) -> Range<usize> {
        let at = row * self.count + block;
        starts[at]..starts[at + 1]
    }
}

/// The next operands, prefetched while the rows of a chunk are computed.
struct Ahead<'a, T> {
    output: Option<Share<'a, T>>,
    input: Option<Share<'a, T>>,
}

/// Some tokens of an operand.
struct Share<'a, T> {
    operand: &'a Operand<'a, T>,
    tokens: Range<usize>,
    /// Tokens to prefetch for each row.
    each: usize,
}

impl<T: Copy> Ahead<'_, T> {
    /// Prefetches this row's share.
    #[inline]
    fn prefetch(&self, row: usize) {
        for Share { operand, tokens, each } in [&self.output, &self.input].into_iter().flatten() {
            let first = tokens.start + row * each;
            operand.prefetch(first.min(tokens.end)..tokens.end.min(first + each));
        }
    }
}

/// Part `number` of a range that is divided into `of` equal parts.
fn part_of(range: &Range<usize>, number: usize, of: usize) -> Range<usize> {
    range.start + range.len() * number / of..range.start + range.len() * (number + 1) / of
}

/// An index in the type of index tensors.
pub fn flat_index(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
