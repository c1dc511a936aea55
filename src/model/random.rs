//! Normal random numbers that depend on a key and a position alone.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::permutation::mix;

/// Numbers that a device draws at a time.
const PIECE: i64 = 1 << 22;

/// A tensor of one dimension of `count` numbers of mean 0 and this standard deviation, by Box and Muller's transform of two
/// uniform numbers each. Devices give the same ones, but for the last bit now and then.
pub(super) fn normal(key: u64, count: i64, deviation: f64, (kind, device): (Kind, Device)) -> Tensor {
    if device == Device::Cpu {
        return Tensor::from_slice(&on_cpu(key, count.cast_unsigned(), deviation)).to_kind(kind);
    }
    let numbers = Tensor::empty([count], (kind, device));
    let mut from = 0;
    while from < count {
        let size = PIECE.min(count - from);
        numbers.narrow(0, from, size).copy_(&by_tensors(key, from, size, deviation, device));
        from += size;
    }
    numbers
}

fn on_cpu(key: u64, count: u64, deviation: f64) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = |position: u64| (mix(key ^ mix(position)) >> 11) as f64 * 2_f64.powi(-53) + 2_f64.powi(-54);
    #[expect(clippy::cast_possible_truncation, reason = "to f32")]
    let value = |at: u64| {
        let radius = (-2.0 * uniform(2 * at).ln()).sqrt();
        (deviation * radius * (std::f64::consts::TAU * uniform(2 * at + 1)).cos()) as f32
    };
    (0..count).into_par_iter().map(value).collect()
}

/// The same by libtorch's operations, which a device does faster than the CPU can draw and copy.
fn by_tensors(key: u64, from: i64, size: i64, deviation: f64, device: Device) -> Tensor {
    let places = Tensor::arange_start(from, from + size, (Kind::Int64, device)) * 2;
    let uniform = |positions: &Tensor| {
        let bits = mixed(&mixed(positions).bitwise_xor(key.cast_signed()));
        shifted(&bits, 11).to_kind(Kind::Double) * 2_f64.powi(-53) + 2_f64.powi(-54)
    };
    let radius = (uniform(&places).log() * -2.0).sqrt();
    let turn = (uniform(&(&places + 1)) * std::f64::consts::TAU).cos();
    (radius * turn * deviation).to_kind(Kind::Float)
}

/// [`mix`] of each.
fn mixed(bits: &Tensor) -> Tensor {
    let bits = bits.bitwise_xor_tensor(&shifted(bits, 30)) * 0xbf58_476d_1ce4_e5b9_u64.cast_signed();
    let bits = bits.bitwise_xor_tensor(&shifted(&bits, 27)) * 0x94d0_49bb_1331_11eb_u64.cast_signed();
    bits.bitwise_xor_tensor(&shifted(&bits, 31))
}

/// To the right, zeros from the left.
fn shifted(bits: &Tensor, by: i64) -> Tensor {
    bits.bitwise_right_shift_tensor_scalar(by).bitwise_and(i64::MAX >> (by - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_draws_what_the_cpu_draws() {
        let here = normal(7, 10_000, 0.02, (Kind::Float, Device::Cpu));
        let there = by_tensors(7, 0, 10_000, 0.02, Device::Cpu);
        let apart = ((&here - there).abs() / (here.abs() + 1e-6)).max().double_value(&[]);
        assert!(apart < 2e-7, "{apart}");
        let later = by_tensors(7, 4_000, 10, 0.02, Device::Cpu);
        assert!((later - here.narrow(0, 4_000, 10)).abs().max().double_value(&[]) < 1e-8);
    }
}
