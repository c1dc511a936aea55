//! The kernel for x86 processors with AVX2 and FMA: since about 2013 (Haswell) and 2017 (Zen).

use std::arch::x86_64::*;
use std::marker::PhantomData;

use half::bf16;

use super::super::line::{Line, Rows, STRIDE};
use super::{Kernel, Lanes, Widen, portable};

/// Reads `f32` or `bf16` and computes in `f32`. A value exists only where the processor was found to have AVX2 and FMA.
#[derive(Clone, Copy)]
pub struct Avx2<T>(PhantomData<T>);

impl<T> Avx2<T> {
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(PhantomData))
    }
}

impl<T: Load> Kernel for Avx2<T> {
    type Scalar = T;

    const COLUMNS: usize = 16;
    const TOKENS: usize = 16;

    #[allow(unsafe_code)]
    fn transpose(self, rows: Rows<'_, T>, firsts: &[usize], lines: &mut [Line]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { transpose(rows, firsts, lines) }
    }

    #[allow(unsafe_code)]
    fn multiply(self, row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { multiply(row, block, origin, indices, gradient) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn multiply(row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
    super::multiply::<[__m256; 2]>(row, block, origin, indices, gradient);
}

#[allow(unsafe_code)]
impl Lanes for [__m256; 2] {
    // SAFETY: all bits zero are a vector of zeros.
    const ZERO: Self = unsafe { std::mem::zeroed() };

    #[inline(always)]
    fn add_product(self, a: &Line, b: &Line) -> Self {
        // SAFETY: inlined into code that is compiled for, and only runs with, these features; a line is two aligned
        // vectors.
        unsafe {
            let at = |line: &Line, half: usize| _mm256_load_ps(line.0[half * 8..].as_ptr());
            [_mm256_fmadd_ps(at(a, 0), at(b, 0), self[0]), _mm256_fmadd_ps(at(a, 1), at(b, 1), self[1])]
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { [_mm256_add_ps(self[0], other[0]), _mm256_add_ps(self[1], other[1])] }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let eight = _mm256_add_ps(self[0], self[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

/// A dtype of which eight scalars can be loaded as `f32`.
pub trait Load: Widen {
    fn load(from: &[Self; 8]) -> __m256;
}

#[allow(unsafe_code)]
impl Load for f32 {
    #[inline(always)]
    fn load(from: &[Self; 8]) -> __m256 {
        // SAFETY: eight scalars are there to be read; the features as in `add_product`.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }
}

#[allow(unsafe_code)]
impl Load for bf16 {
    #[inline(always)]
    fn load(from: &[Self; 8]) -> __m256 {
        // SAFETY: eight scalars are there to be read; the features as in `add_product`. The bits of a bf16 are the
        // upper half of the same number as f32.
        unsafe {
            let halves = _mm_loadu_si128(from.as_ptr().cast());
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn transpose<T: Load>(rows: Rows<'_, T>, firsts: &[usize], lines: &mut [Line]) {
    for (piece, at) in rows.pieces(firsts, 16, 16) {
        transpose_piece(piece, &mut lines[at..]);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose_piece<T: Load>(rows: Rows<'_, T>, lines: &mut [Line]) {
    if rows.columns < 16 || rows.tokens < 16 {
        return portable::transpose(rows, lines);
    }
    for column in [0, 8] {
        for token in [0, 8] {
            let mut eight = [_mm256_setzero_ps(); 8];
            for (at, row) in eight.iter_mut().enumerate() {
                let values = &rows.row(token + at)[column..];
                *row = T::load(values.first_chunk().unwrap_or_else(|| unreachable!("sixteen columns, see above")));
            }
            for (at, values) in transpose_eight(eight).into_iter().enumerate() {
                let line: &mut [f32] = &mut lines[(column + at) * STRIDE].0[token..][..8];
                // SAFETY: eight scalars are there to be written.
                #[allow(unsafe_code)]
                unsafe {
                    _mm256_storeu_ps(line.as_mut_ptr(), values);
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn transpose_eight(rows: [__m256; 8]) -> [__m256; 8] {
    let mut pairs = rows;
    for at in [0, 2, 4, 6] {
        pairs[at] = _mm256_unpacklo_ps(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm256_unpackhi_ps(rows[at], rows[at + 1]);
    }
    let mut fours = pairs;
    for at in [0, 4] {
        fours[at] = _mm256_shuffle_ps::<0x44>(pairs[at], pairs[at + 2]);
        fours[at + 1] = _mm256_shuffle_ps::<0xee>(pairs[at], pairs[at + 2]);
        fours[at + 2] = _mm256_shuffle_ps::<0x44>(pairs[at + 1], pairs[at + 3]);
        fours[at + 3] = _mm256_shuffle_ps::<0xee>(pairs[at + 1], pairs[at + 3]);
    }
    let mut columns = fours;
    for at in 0..4 {
        columns[at] = _mm256_permute2f128_ps::<0x20>(fours[at], fours[at + 4]);
        columns[at + 4] = _mm256_permute2f128_ps::<0x31>(fours[at], fours[at + 4]);
    }
    columns
}
