//! The parts of the sampled product that depend on processor and dtype: transposing cache lines, and multiplying
//! columns.
//!
//! The shared parts are generic and always inlined, so that they are compiled with the target features of the calling
//! function.
#![allow(clippy::inline_always, clippy::wildcard_imports, reason = "see above; a list of intrinsics tells nothing")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, Avx512Bf16};
pub use portable::Portable;

use half::bf16;

use super::line::{Line, Rows, STRIDE, TILE};
use crate::memory::Stored;

/// An implementation for one kind of processor and one dtype.
pub trait Kernel: Copy + Send + Sync {
    /// Element type of the operands.
    type Scalar: Stored;

    /// Columns that are transposed at once: the scalars in a cache line of a row.
    const COLUMNS: usize;
    /// Tokens in a line.
    const TOKENS: usize;

    /// Transposes up to `TILE * TOKENS` tokens of the columns from each of `firsts` on, `COLUMNS` each or as many as
    /// there are: line `l` of column `c` goes to `lines[c * STRIDE + l]`.
    fn transpose(self, rows: Rows<'_, Self::Scalar>, firsts: &[usize], lines: &mut [Line]);

    /// Adds to each gradient the product of `row` and of the column at its index, which counts from `origin`.
    fn multiply(self, row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]);
}

/// A scalar that converts to `f32` exactly.
pub trait Widen: Stored {
    fn widen(self) -> f32;
}

impl Widen for f32 {
    fn widen(self) -> f32 {
        self
    }
}

impl Widen for bf16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

/// Sums of the products of two columns, in as many lanes as the registers have.
trait Lanes: Copy {
    const ZERO: Self;
    fn add_product(self, a: &Line, b: &Line) -> Self;
    fn add(self, other: Self) -> Self;
    fn sum(self) -> f32;
}

/// See [`Kernel::multiply`]. The number of lines is a constant of `multiply_lines`, so that the compiler can keep the
/// row in registers.
#[inline(always)]
fn multiply<L: Lanes>(row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
    match row.len() {
        1 => multiply_lines::<L, 1>(row, block, origin, indices, gradient),
        2 => multiply_lines::<L, 2>(row, block, origin, indices, gradient),
        3 => multiply_lines::<L, 3>(row, block, origin, indices, gradient),
        4 => multiply_lines::<L, 4>(row, block, origin, indices, gradient),
        5 => multiply_lines::<L, 5>(row, block, origin, indices, gradient),
        6 => multiply_lines::<L, 6>(row, block, origin, indices, gradient),
        7 => multiply_lines::<L, 7>(row, block, origin, indices, gradient),
        _ => multiply_lines::<L, TILE>(row, block, origin, indices, gradient),
    }
}

#[inline(always)]
fn multiply_lines<L: Lanes, const N: usize>(
    row: &[Line],
    block: &[Line],
    origin: i64,
    indices: &[i64],
    gradient: &mut [f32],
) {
    let Some(row) = row.first_chunk::<N>().copied() else { return };
    for (index, gradient) in indices.iter().zip(gradient) {
        #[expect(clippy::cast_possible_truncation, reason = "no index gets past the bounds of the block")]
        let column = (index - origin).cast_unsigned() as usize;
        let Some(column) = block[column * STRIDE..].first_chunk::<N>() else { return };
        let mut lanes = [L::ZERO; 2];
        for at in 0..N {
            lanes[at % 2] = lanes[at % 2].add_product(&row[at], &column[at]);
        }
        *gradient += lanes[0].add(lanes[1]).sum();
    }
}
