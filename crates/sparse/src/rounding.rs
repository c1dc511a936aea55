//! The cast of `w0 + delta` to the weight's dtype.

use tch::{Kind, Tensor};

use spartui_facts::permutation::mix;

/// The cast from `f32` to the dtype of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// Rounding to nearest, ties to even, as in the reference.
    Nearest,
    /// Stochastic rounding, up or down with probabilities that make the mean exact. The key, one for each step, makes
    /// it repeatable.
    ///
    /// The noise of a scalar is a hash of its position by [`mix`], so that a kernel computes it for each scalar alone
    /// and CPU and device round alike, which `gpu_check` compares. On the CPU ChaCha with 8 rounds would be as fast: an
    /// update took 13.3 ns a scalar with it and 13.7 ns with this (medians of three runs on one core, 2026-11-30); a
    /// kernel would compute one of its blocks of 16 numbers for each scalar.
    Stochastic {
        /// Key of the step's randomness.
        key: u64,
    },
}

impl Cast {
    /// Casts `values` (`f32`, one dimension) to `kind`. The stochastic cast applies to `bfloat16` only; other dtypes
    /// are rounded to nearest.
    pub fn apply(self, values: &Tensor, kind: Kind) -> Tensor {
        match self {
            Self::Stochastic { key } if kind == Kind::BFloat16 => stochastic_bfloat16(values, key),
            _ => values.to_kind(kind),
        }
    }
}

/// `bfloat16` is the upper half of `f32`: adding 16 random bits and cutting the lower half off rounds up with the
/// probability that the cut-off part stands for.
fn stochastic_bfloat16(values: &Tensor, key: u64) -> Tensor {
    let noise: Vec<i32> =
        (0..values.numel() as u64).map(|position| i32::from((mix(key ^ mix(position)) & 0xffff) as u16)).collect();
    let noise = Tensor::from_slice(&noise).to_device(values.device());
    let bits = (values.view_dtype(Kind::Int) + noise).bitwise_and(-0x1_0000_i64);
    bits.view_dtype(Kind::Float).to_kind(Kind::BFloat16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_the_stochastic_cast_is_exact_and_the_nearest_is_not() {
        // Between 1 and 1 + 2^-7, the next bfloat16, a quarter of the way up.
        let value = 1.0 + 2_f32.powi(-9);
        let values = Tensor::from_slice(&vec![value; 20_000]);
        let mean = |cast: Cast| cast.apply(&values, Kind::BFloat16).to_kind(Kind::Double).mean(None).double_value(&[]);
        assert!((mean(Cast::Nearest) - 1.0).abs() < 1e-12);
        assert!((mean(Cast::Stochastic { key: 7 }) - f64::from(value)).abs() < 1e-4);
    }

    #[test]
    fn a_key_repeats_and_another_differs() {
        let values = Tensor::from_slice(&[1.001_f32; 1000]);
        let cast = |key| Cast::Stochastic { key }.apply(&values, Kind::BFloat16);
        assert_eq!(cast(3), cast(3));
        assert_ne!(cast(3), cast(4));
    }

    #[test]
    fn what_fits_is_left_alone() {
        let values = Tensor::from_slice(&[0.0_f32, -1.5, 2.0, 0.007_812_5]);
        let cast = Cast::Stochastic { key: 9 }.apply(&values, Kind::BFloat16);
        assert_eq!(cast.to_kind(Kind::Float), values);
    }
}
