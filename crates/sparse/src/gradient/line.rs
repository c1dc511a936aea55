//! Layout of the operands: row by row in tensors, and for the kernels transposed, in whole cache lines.

use std::ops::Range;

/// One cache line of a column: 16 tokens in `f32`, or 32 in `bf16` by pairs. Past the last token there are zeros.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Line(pub [f32; 16]);

impl Line {
    pub const ZERO: Self = Self([0.0; 16]);
}

/// Lines of a column that are held at a time: as many as fit the registers (AVX-512 has 32) with room for the sums.
pub const TILE: usize = 8;

/// Distance between columns in lines. Odd, since with an even one the columns would fall into few sets of the cache.
pub const STRIDE: usize = TILE + 1;

/// Some columns of a row-major matrix `[tokens, width]`.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    /// The scalars, from the first of the first column on.
    pub values: &'a [T],
    /// Distance between rows in scalars.
    pub width: usize,
    pub columns: usize,
    pub tokens: usize,
}

impl<'a, T: Copy> Rows<'a, T> {
    /// Up to `count` columns from `first` on.
    pub fn columns(self, first: usize, count: usize) -> Self {
        let columns = count.min(self.columns - first);
        Self { values: self.values.get(first..).unwrap_or_default(), columns, ..self }
    }

    pub fn tokens(self, tokens: Range<usize>) -> Self {
        Self { values: &self.values[tokens.start * self.width..], tokens: tokens.len(), ..self }
    }

    /// The scalars of a row.
    #[inline]
    pub fn row(self, token: usize) -> &'a [T] {
        &self.values[token * self.width..][..self.columns]
    }

    /// Divides these rows into pieces of `tokens` tokens and, at each of the given first columns, `columns` columns.
    /// Each piece comes with the index of its first line.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "so that it is compiled with the features of its caller")]
    pub fn pieces(self, firsts: &[usize], columns: usize, tokens: usize) -> impl Iterator<Item = (Self, usize)> {
        (0..self.tokens).step_by(tokens).enumerate().flat_map(move |(line, token)| {
            let rows = self.tokens(token..self.tokens.min(token + tokens));
            firsts.iter().map(move |&first| (rows.columns(first, columns), first * STRIDE + line))
        })
    }
}
