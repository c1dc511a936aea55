//! Adding deltas to stored values.

use half::{bf16, f16};
use safetensors::Dtype;

use crate::adapter::ParameterDelta;

/// Whether deltas can be added to values of this dtype.
pub(super) fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F64 | Dtype::BF16 | Dtype::F16)
}

/// Adds deltas to a range of a parameter's bytes, which begins at scalar `first`. The sum is computed in `f32` and
/// rounded to nearest in the stored dtype.
///
/// # Errors
/// The index of a scalar that overflows its dtype.
pub(super) fn add(bytes: &mut [u8], dtype: Dtype, first: usize, delta: &ParameterDelta) -> Result<(), usize> {
    let size = dtype.bitsize() / 8;
    let end = first + bytes.len() / size;
    let place = |limit: usize| delta.indices.partition_point(|&index| (index as usize) < limit);
    let here = place(first)..place(end);
    for (&index, &value) in delta.indices[here.clone()].iter().zip(&delta.deltas[here]) {
        let at = (index as usize - first) * size;
        let scalar = &mut bytes[at..at + size];
        let original = read(scalar, dtype);
        write(scalar, dtype, original + value);
        if original.is_finite() && !read(scalar, dtype).is_finite() {
            return Err(index as usize);
        }
    }
    Ok(())
}

/// The bytes of these values in the given dtype.
///
/// # Errors
/// The index of a scalar that overflows the dtype.
pub(super) fn cast(values: impl Iterator<Item = f32>, dtype: Dtype) -> Result<Vec<u8>, usize> {
    let size = dtype.bitsize() / 8;
    let mut bytes = Vec::new();
    for (index, value) in values.enumerate() {
        bytes.resize((index + 1) * size, 0);
        let scalar = &mut bytes[index * size..];
        write(scalar, dtype, value);
        if !read(scalar, dtype).is_finite() {
            return Err(index);
        }
    }
    Ok(bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "training reads float64 weights as float32 too")]
pub(super) fn read(scalar: &[u8], dtype: Dtype) -> f32 {
    match dtype {
        Dtype::BF16 => scalar.as_array().map_or(f32::NAN, |&bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F16 => scalar.as_array().map_or(f32::NAN, |&bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => scalar.as_array().map_or(f32::NAN, |&bytes| f64::from_le_bytes(bytes) as f32),
        _ => scalar.as_array().map_or(f32::NAN, |&bytes| f32::from_le_bytes(bytes)),
    }
}

pub(super) fn write(scalar: &mut [u8], dtype: Dtype, value: f32) {
    match dtype {
        Dtype::BF16 => scalar.copy_from_slice(&bf16::from_f32(value).to_le_bytes()),
        Dtype::F16 => scalar.copy_from_slice(&f16::from_f32(value).to_le_bytes()),
        Dtype::F64 => scalar.copy_from_slice(&f64::from(value).to_le_bytes()),
        _ => scalar.copy_from_slice(&value.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(indices: &[u32], deltas: &[f32]) -> ParameterDelta {
        ParameterDelta { name: "w".into(), indices: indices.into(), deltas: deltas.into() }
    }

    #[test]
    fn sums_are_rounded_to_the_nearest_and_ties_to_even() {
        // Numbers of bfloat16 just above 1 lie 2^-7 apart: half of that is a tie.
        let half = 2.0_f32.powi(-8);
        let mut bytes = cast([1.0, 1.0 + 2.0 * half, 1.0].into_iter(), Dtype::BF16).unwrap();
        add(&mut bytes, Dtype::BF16, 0, &delta(&[0, 1, 2], &[half, half, half * 1.01])).unwrap();
        let numbers: Vec<f32> = bytes.chunks(2).map(|scalar| read(scalar, Dtype::BF16)).collect();
        assert_eq!(numbers, [1.0, 1.0 + 4.0 * half, 1.0 + 2.0 * half]);
    }

    #[test]
    fn every_type_gets_its_own_deltas_wherever_the_bytes_begin() {
        for dtype in [Dtype::F32, Dtype::F64, Dtype::BF16, Dtype::F16] {
            let all = delta(&[1, 4, 5, 9], &[0.5, 0.25, -1.0, 2.0]);
            let whole = cast([1.0; 10].into_iter(), dtype).unwrap();
            let mut at_once = whole.clone();
            add(&mut at_once, dtype, 0, &all).unwrap();
            let size = dtype.bitsize() / 8;
            let mut in_parts = whole;
            for (part, bytes) in in_parts.chunks_mut(3 * size).enumerate() {
                add(bytes, dtype, 3 * part, &all).unwrap();
            }
            assert_eq!(at_once, in_parts);
            let numbers: Vec<f32> = at_once.chunks(size).map(|scalar| read(scalar, dtype)).collect();
            assert_eq!(numbers, [1.0, 1.5, 1.0, 1.0, 1.25, 0.0, 1.0, 1.0, 1.0, 3.0]);
        }
    }

    #[test]
    fn what_leaves_the_range_is_found() {
        let mut bytes = cast([65504.0, 1.0].into_iter(), Dtype::F16).unwrap();
        assert_eq!(add(&mut bytes, Dtype::F16, 7, &delta(&[7], &[100.0])), Err(7));
        assert_eq!(cast([0.0, 1e30].into_iter(), Dtype::F16), Err(1));
    }
}
