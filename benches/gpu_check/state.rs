//! The optimizer's update and the life of deltas: the same bits as on the CPU.

use spartui::sparse::{Cast, Delta, Optimizer, Rule, Selection};
use tch::{Device, Kind, Tensor};

use crate::check::{Checks, DEVICE, name};

const ADAMW: Optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
const SCALARS: i64 = 300_000;

pub fn check(checks: &mut Checks) {
    let rules = [Rule::AdamW, Rule::AdamAtan2];
    for (rule, kind) in rules.into_iter().flat_map(|rule| [Kind::Float, Kind::BFloat16].map(|kind| (rule, kind))) {
        let optimizer = Optimizer { rule, ..ADAMW };
        for stochastic in [false, true] {
            tch::manual_seed(2);
            let start = Tensor::randn([SCALARS], (Kind::Float, Device::Cpu)).to_kind(kind);
            let [here, there] =
                [Device::Cpu, DEVICE].map(|device| life(&start.to_device(device).copy(), &optimizer, stochastic));
            let what = format!("{rule:?}, {}, {} cast", name(kind), if stochastic { "stochastic" } else { "nearest" });
            let figure = format!("{} of {SCALARS} weights differ from the CPU's", here.differing(&there));
            checks.check(&what, &figure, here.differing(&there) == 0);
            checks.check(&format!("{what}, back to a snapshot"), "the same bits", there.restored);
            checks.check(&format!("{what}, all taken off"), "the same bits as before training", there.removed);
        }
    }
}

/// What became of a weight.
struct Life {
    weight: Tensor,
    restored: bool,
    removed: bool,
}

impl Life {
    fn differing(&self, other: &Self) -> i64 {
        self.weight.not_equal_tensor(&other.weight.to_device(Device::Cpu)).sum(Kind::Int64).int64_value(&[])
    }
}

/// Trains, shrinks, grows, goes back and takes everything off again.
fn life(weight: &Tensor, optimizer: &Optimizer, stochastic: bool) -> Life {
    let start = weight.copy();
    let mut delta = Delta::new(weight, Selection::new(5, "weight", SCALARS.cast_unsigned()));
    let cast = |step: u64| {
        move |cohort: usize| {
            if stochastic { Cast::Stochastic { key: step << 8 | cohort as u64 } } else { Cast::Nearest }
        }
    };
    for (step, count) in (1..).zip([50_000, 50_000, 20_000, 20_000, 90_000, 90_000]) {
        delta.resize(count, step - 1, false, optimizer.betas);
        let gradients: Vec<Tensor> = delta.indices().map(|indices| gradient(indices, step)).collect();
        delta.update(optimizer, &gradients, (1e-3, 0.7), step, cast(step));
    }
    let (trained, saved) = (weight.copy(), delta.save());
    let gradients: Vec<Tensor> = delta.indices().map(|indices| gradient(indices, 7)).collect();
    delta.update(optimizer, &gradients, (1e-3, 1.0), 7, cast(7));
    delta.restore(&saved, cast(6));
    let restored = delta.save() == saved && (stochastic || *weight == trained);
    delta.remove();
    Life { weight: trained, restored, removed: *weight == start }
}

/// Any numbers that are the same on both devices.
fn gradient(indices: &Tensor, step: u64) -> Tensor {
    let numbers: Vec<i64> = Vec::try_from(indices.to_device(Device::Cpu)).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "any numbers do")]
    let value = |number: i64| (number as f32 * 0.37 + step as f32).sin();
    Tensor::from_slice(&numbers.into_iter().map(value).collect::<Vec<_>>()).to_device(indices.device())
}
