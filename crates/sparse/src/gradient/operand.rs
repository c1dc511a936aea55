//! The needed columns of one of the two matrices, in groups of a cache line.

use std::ops::Range;

use super::kernel::Kernel;
use super::line::{Line, Rows};
use crate::memory::{Cache, prefetch};

/// Adjacent columns of a matrix, of which only groups with a needed column are read.
pub struct Operand<'a, T> {
    rows: Rows<'a, T>,
    /// First columns of the needed groups of `Kernel::COLUMNS` columns.
    firsts: Vec<usize>,
}

impl<'a, T: Copy> Operand<'a, T> {
    pub fn new<K: Kernel<Scalar = T>>(rows: Rows<'a, T>, wanted: impl Fn(usize) -> bool) -> Self {
        let is_wanted = |first: &usize| (*first..rows.columns.min(*first + K::COLUMNS)).any(&wanted);
        Self { rows, firsts: (0..rows.columns).step_by(K::COLUMNS).filter(is_wanted).collect() }
    }

    /// Transposes these tokens: the column at `c` goes to `lines[c * STRIDE..]`.
    pub fn transpose<K: Kernel<Scalar = T>>(&self, kernel: K, tokens: Range<usize>, lines: &mut [Line]) {
        kernel.transpose(self.rows.tokens(tokens), &self.firsts, lines);
    }

    /// Prefetches these tokens.
    #[inline]
    pub fn prefetch(&self, tokens: Range<usize>) {
        for token in tokens {
            let row = self.rows.values.as_ptr().wrapping_add(token * self.rows.width);
            for first in &self.firsts {
                prefetch(row.wrapping_add(*first), Cache::First);
            }
        }
    }
}
