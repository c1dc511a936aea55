//! The kernels for x86 processors with AVX-512: since about 2017 (Skylake-SP) and 2022 (Zen 4).

use std::arch::x86_64::*;

use half::bf16;

use super::super::line::{Line, Rows, STRIDE};
use super::{Kernel, Lanes, portable};

/// Reads `f32` and computes in `f32`. A value exists only where the processor was found to have the features.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")).then_some(Self(()))
    }
}

impl Kernel for Avx512 {
    type Scalar = f32;

    const COLUMNS: usize = 16;
    const TOKENS: usize = 16;

    #[allow(unsafe_code)]
    fn transpose(self, rows: Rows<'_, f32>, firsts: &[usize], lines: &mut [Line]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { transpose(rows, firsts, lines) }
    }

    #[allow(unsafe_code)]
    fn multiply(self, row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { multiply(row, block, origin, indices, gradient) }
    }
}

/// Reads `bf16`; products of pairs are summed in `f32`. A value exists only where the processor was found to have the
/// features.
#[derive(Clone, Copy)]
pub struct Avx512Bf16(());

impl Avx512Bf16 {
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512bf16") && Avx512::detect().is_some();
        found.then_some(Self(()))
    }
}

impl Kernel for Avx512Bf16 {
    type Scalar = bf16;

    const COLUMNS: usize = 32;
    const TOKENS: usize = 32;

    #[allow(unsafe_code)]
    fn transpose(self, rows: Rows<'_, bf16>, firsts: &[usize], lines: &mut [Line]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { transpose_pairs(rows, firsts, lines) }
    }

    #[allow(unsafe_code)]
    fn multiply(self, row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
        // SAFETY: the processor has the features, or there would be no `self`.
        unsafe { multiply_pairs(row, block, origin, indices, gradient) }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn multiply(row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
    super::multiply::<Singles>(row, block, origin, indices, gradient);
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn multiply_pairs(row: &[Line], block: &[Line], origin: i64, indices: &[i64], gradient: &mut [f32]) {
    super::multiply::<Pairs>(row, block, origin, indices, gradient);
}

#[derive(Clone, Copy)]
struct Singles(__m512);

#[derive(Clone, Copy)]
struct Pairs(__m512);

#[allow(unsafe_code)]
impl Lanes for Singles {
    // SAFETY: all bits zero are a vector of zeros.
    const ZERO: Self = unsafe { std::mem::zeroed() };

    #[inline(always)]
    fn add_product(self, a: &Line, b: &Line) -> Self {
        // SAFETY: inlined into code that is compiled for, and only runs with, these features; a line is one aligned
        // vector.
        unsafe { Self(_mm512_fmadd_ps(_mm512_load_ps(a.0.as_ptr()), _mm512_load_ps(b.0.as_ptr()), self.0)) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
}

#[allow(unsafe_code)]
impl Lanes for Pairs {
    // SAFETY: all bits zero are a vector of zeros.
    const ZERO: Self = unsafe { std::mem::zeroed() };

    #[inline(always)]
    fn add_product(self, a: &Line, b: &Line) -> Self {
        // SAFETY: inlined into code that is compiled for, and only runs with, these features; a line is one aligned
        // vector, and any bits are 32 bf16.
        unsafe {
            let at = |line: &Line| std::mem::transmute::<__m512, __m512bh>(_mm512_load_ps(line.0.as_ptr()));
            Self(_mm512_dpbf16_ps(self.0, at(a), at(b)))
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn transpose(rows: Rows<'_, f32>, firsts: &[usize], lines: &mut [Line]) {
    for (piece, at) in rows.pieces(firsts, 16, 16) {
        transpose_piece(piece, &mut lines[at..]);
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_pairs(rows: Rows<'_, bf16>, firsts: &[usize], lines: &mut [Line]) {
    for (piece, at) in rows.pieces(firsts, 32, 32) {
        transpose_piece_of_pairs(piece, &mut lines[at..]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_piece(rows: Rows<'_, f32>, lines: &mut [Line]) {
    if rows.columns == 16 && rows.tokens == 16 {
        let mut sixteen = [_mm512_setzero_ps(); 16];
        for (token, row) in sixteen.iter_mut().enumerate() {
            *row = load(rows, token);
        }
        store(&transpose_sixteen(&sixteen), lines, |at| at);
    } else {
        portable::transpose(rows, lines);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_piece_of_pairs(rows: Rows<'_, bf16>, lines: &mut [Line]) {
    if rows.columns < 32 || rows.tokens < 32 {
        return transpose_odd_piece_of_pairs(rows, lines);
    }
    let (mut low, mut high) = ([_mm512_setzero_ps(); 16], [_mm512_setzero_ps(); 16]);
    for pair in 0..16 {
        let (even, odd) = (_mm512_castps_si512(load(rows, 2 * pair)), _mm512_castps_si512(load(rows, 2 * pair + 1)));
        low[pair] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(even, odd));
        high[pair] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(even, odd));
    }
    // The low halves hold four columns in every eight, the high halves the next four.
    store(&transpose_sixteen(&low), lines, |at| at / 4 * 8 + at % 4);
    store(&transpose_sixteen(&high), lines, |at| at / 4 * 8 + 4 + at % 4);
}

/// The first 64 bytes of a row.
#[inline(always)]
#[allow(unsafe_code)]
fn load<T: Copy>(rows: Rows<'_, T>, token: usize) -> __m512 {
    let row = &rows.row(token)[..64 / size_of::<T>()];
    // SAFETY: so many bytes are there to be read; inlined into code that is compiled for, and only runs with, AVX-512.
    unsafe { _mm512_loadu_ps(row.as_ptr().cast()) }
}

#[inline(always)]
#[allow(unsafe_code)]
fn store(columns: &[__m512; 16], lines: &mut [Line], place: impl Fn(usize) -> usize) {
    let lines = &mut lines[..=place(15) * STRIDE];
    for (at, column) in columns.iter().enumerate() {
        // SAFETY: a line is one aligned vector; the features as in `load`.
        unsafe { _mm512_store_ps(lines[place(at) * STRIDE].0.as_mut_ptr(), *column) };
    }
}

/// Transposes a piece at the edges of a matrix, which has fewer columns or tokens.
fn transpose_odd_piece_of_pairs(rows: Rows<'_, bf16>, lines: &mut [Line]) {
    let bits = |token: usize, column: usize| {
        u32::from(if token < rows.tokens { rows.row(token)[column].to_bits() } else { 0 })
    };
    for column in 0..rows.columns {
        let pair = |pair: usize| f32::from_bits(bits(2 * pair, column) | bits(2 * pair + 1, column) << 16);
        lines[column * STRIDE] = Line(std::array::from_fn(pair));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_sixteen(rows: &[__m512; 16]) -> [__m512; 16] {
    let mut pairs = *rows;
    for at in (0..16).step_by(2) {
        pairs[at] = _mm512_unpacklo_ps(rows[at], rows[at + 1]);
        pairs[at + 1] = _mm512_unpackhi_ps(rows[at], rows[at + 1]);
    }
    let mut fours = pairs;
    for at in (0..16).step_by(4) {
        fours[at] = _mm512_shuffle_ps::<0x44>(pairs[at], pairs[at + 2]);
        fours[at + 1] = _mm512_shuffle_ps::<0xee>(pairs[at], pairs[at + 2]);
        fours[at + 2] = _mm512_shuffle_ps::<0x44>(pairs[at + 1], pairs[at + 3]);
        fours[at + 3] = _mm512_shuffle_ps::<0xee>(pairs[at + 1], pairs[at + 3]);
    }
    // Quarter `q` of `fours[4 * r + c]` holds column `4 * q + c` of rows `4 * r` to `4 * r + 3`.
    let mut columns = fours;
    for at in 0..4 {
        let [a, b, c, d] = [fours[at], fours[at + 4], fours[at + 8], fours[at + 12]];
        let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (even_too, odd_too) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
        columns[at] = _mm512_shuffle_f32x4::<0x88>(even, even_too);
        columns[at + 4] = _mm512_shuffle_f32x4::<0x88>(odd, odd_too);
        columns[at + 8] = _mm512_shuffle_f32x4::<0xdd>(even, even_too);
        columns[at + 12] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_too);
    }
    columns
}
