//! Normal random numbers that depend on a key and a position alone.

use rayon::prelude::*;

use crate::permutation::mix;

/// `count` numbers of mean 0 and this standard deviation, by Box and Muller's transform of two uniform numbers each.
pub(super) fn normal(key: u64, count: u64, deviation: f64) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = |position: u64| (mix(key ^ mix(position)) >> 11) as f64 * 2_f64.powi(-53) + 2_f64.powi(-54);
    #[expect(clippy::cast_possible_truncation, reason = "to f32")]
    let value = |at: u64| {
        let radius = (-2.0 * uniform(2 * at).ln()).sqrt();
        (deviation * radius * (std::f64::consts::TAU * uniform(2 * at + 1)).cos()) as f32
    };
    (0..count).into_par_iter().map(value).collect()
}
