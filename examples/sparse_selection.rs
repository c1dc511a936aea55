//! SpaRTA on one matrix, with the library's own parts: which scalars train, what a change of the sparsity does to them, and
//! a few training steps that touch nothing else.
//!
//! ```sh
//! cargo run --release --example sparse_selection
//! ```

use std::io::{self, Write};

use spartui::sparse::{Cast, Delta, Optimizer, Rule, Selection, gradient};
use tch::{Device, Kind, Tensor};

/// The weight of a linear layer: outputs x inputs.
const SHAPE: [i64; 2] = [32, 64];
const SCALARS: u64 = 32 * 64;

fn main() -> io::Result<()> {
    show(&mut io::stdout())
}

/// Does it all, and writes what there is to see.
///
/// # Errors
/// Where that cannot be written.
pub fn show(out: &mut impl Write) -> io::Result<()> {
    // 1. A selection is a keyed permutation of the weight's positions. It belongs to a seed and to the weight's name, and
    //    nothing of it is stored. At 95 % sparsity, the first 102 positions of the permutation train.
    let selection = Selection::new(10605, "layer.weight", SCALARS);
    let at_95 = selection.indices(0..102);
    writeln!(out, "95 % sparsity: {} of {SCALARS} scalars train; the first positions: {:?}", at_95.len(), &at_95[..5])?;

    // 2. A higher sparsity takes fewer of the same permutation, so the sets are nested: raising the sparsity and lowering it
    //    again brings back the same scalars. Membership needs no list.
    let at_99 = selection.indices(0..20);
    let nested = at_99.iter().all(|index| at_95.contains(index));
    writeln!(out, "99 % sparsity: {} scalars train; a subset of those at 95 %: {nested}", at_99.len())?;
    writeln!(out, "position {} trains at 99 %: {}", at_95[0], selection.contains(at_95[0], 20))?;

    // 3. A delta holds what training adds to these scalars. The weight always is `cast(original + delta)`. The gradient is
    //    computed at the trainable positions only; the gradient of the whole matrix never exists.
    tch::manual_seed(1);
    let weight = Tensor::randn(SHAPE, (Kind::Float, Device::Cpu));
    let base = weight.copy();
    let input = Tensor::randn([256, SHAPE[1]], (Kind::Float, Device::Cpu));
    let wanted = input.matmul(&Tensor::randn(SHAPE, (Kind::Float, Device::Cpu)).tr());
    let adamw = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
    let mut delta = Delta::new(&weight, selection);
    delta.resize(102, 0, false, adamw.betas);
    // One scalar in twenty moves, and all of the weight differs from what is wanted: the loss falls, and not to zero.
    for step in 1..=60 {
        let error = input.matmul(&weight.tr()) - &wanted;
        if step % 20 == 1 {
            writeln!(out, "step {step:2}: loss {:.3}", error.square().mean(Kind::Float).double_value(&[]))?;
        }
        // The derivative of the mean of 256 x 32 squared errors.
        let output_gradient = error * (2.0 / (256.0 * 32.0));
        let gradients = gradient::sampled(&input, &output_gradient, delta.indices());
        delta.update(&adamw, &gradients, (0.05, 1.0), step, |_| Cast::Nearest);
    }
    writeln!(out, "scalars that differ from the base weight: {}", differing(&weight, &base))?;

    // 4. Raised to 99 %: scalars that leave are retired and keep their delta, so the model does not change at that moment.
    //    With `true` in place of `false`, their original values would come back.
    let before = weight.copy();
    let resized = delta.resize(20, 60, false, adamw.betas);
    writeln!(out, "raised to 99 %: {} scalars left, {} weights changed", resized.left, differing(&weight, &before))?;

    // 5. What was trained can be taken out again, to the bit: that is how the lanes of a race share one copy of a model.
    delta.remove();
    writeln!(out, "taken out: {} scalars differ from the base weight", differing(&weight, &base))
}

fn differing(weight: &Tensor, other: &Tensor) -> i64 {
    weight.not_equal_tensor(other).sum(Kind::Int64).int64_value(&[])
}
