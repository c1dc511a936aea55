//! The element types of weights, with their conversion to `f32` and back.
#![allow(clippy::inline_always, reason = "compiled for each kind of processor, see `wide`")]

use half::bf16;

use super::memory::Stored;

/// A scalar of a weight.
pub trait Scalar: Stored + Default {
    /// Whether nearly every update of a delta changes the weight, so that comparing the values is not worthwhile.
    const SHOWS_ALL: bool;

    /// Exact conversion to `f32`.
    fn to_f32(self) -> f32;
    /// Rounds to nearest, ties to even.
    fn nearest(value: f32) -> Self;
    /// Stochastic rounding by 16 random bits, for a type narrower than `f32`.
    fn stochastic(value: f32, noise: u16) -> Self;
    /// Whether the two values are equal to the bit.
    fn is_same(self, other: Self) -> bool;
}

impl Scalar for f32 {
    const SHOWS_ALL: bool = true;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn nearest(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn stochastic(value: f32, _: u16) -> Self {
        value
    }

    #[inline(always)]
    fn is_same(self, other: Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Scalar for bf16 {
    const SHOWS_ALL: bool = false;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// As [`bf16::from_f32`], without a branch.
    #[inline(always)]
    fn nearest(value: f32) -> Self {
        let bits = value.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        upper_half(if value.is_nan() { bits | 0x40_0000 } else { rounded })
    }

    #[inline(always)]
    fn stochastic(value: f32, noise: u16) -> Self {
        upper_half(value.to_bits().wrapping_add(u32::from(noise)))
    }

    #[inline(always)]
    fn is_same(self, other: Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

/// The upper half of an `f32` as `bf16`.
#[inline(always)]
fn upper_half(bits: u32) -> bf16 {
    bf16::from_bits((bits >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_is_that_of_half() {
        for high in 0..=u16::MAX {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let value = f32::from_bits(u32::from(high) << 16 | low);
                assert!(<bf16 as Scalar>::nearest(value).is_same(bf16::from_f32(value)), "{value} ({high:x} {low:x})");
            }
        }
    }
}
