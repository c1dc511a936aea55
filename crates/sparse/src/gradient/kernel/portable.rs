//! The kernel for all other processors: loops that compilers vectorize (for NEON, among others).

use std::marker::PhantomData;

use super::super::line::{Line, Rows, STRIDE};
use super::{Kernel, Lanes, Widen};

/// Reads `f32` or `bf16` and computes in `f32`.
#[derive(Clone, Copy)]
pub struct Portable<T>(PhantomData<T>);

impl<T> Portable<T> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Widen> Kernel for Portable<T> {
    type Scalar = T;

    const COLUMNS: usize = 16;
    const TOKENS: usize = 16;

    fn transpose(self, rows: Rows<'_, T>, firsts: &[usize], lines: &mut [Line]) {
        for (piece, at) in rows.pieces(firsts, 16, 16) {
            transpose(piece, &mut lines[at..]);
        }
    }

    fn multiply(self, row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
        super::multiply::<[f32; 16]>(row, block, origin, indices, gradient);
    }
}

pub fn transpose<T: Widen>(rows: Rows<'_, T>, lines: &mut [Line]) {
    let mut columns = [Line::ZERO; 16];
    for token in 0..rows.tokens {
        for (column, value) in columns.iter_mut().zip(rows.row(token)) {
            column.0[token] = value.widen();
        }
    }
    for (place, column) in lines.iter_mut().step_by(STRIDE).zip(&columns[..rows.columns]) {
        *place = *column;
    }
}

impl Lanes for [f32; 16] {
    const ZERO: Self = [0.0; 16];

    #[inline(always)]
    fn add_product(mut self, a: &Line, b: &Line) -> Self {
        for (sum, (a, b)) in self.iter_mut().zip(a.0.iter().zip(&b.0)) {
            // Where there is no such instruction, `mul_add` is a slow function.
            *sum = if cfg!(target_arch = "aarch64") { a.mul_add(*b, *sum) } else { *sum + a * b };
        }
        self
    }

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (sum, other) in self.iter_mut().zip(other) {
            *sum += other;
        }
        self
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self.iter().sum()
    }
}
