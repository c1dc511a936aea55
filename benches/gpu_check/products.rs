//! The sampled product, and the dense one with a gather, against float64.

use spartui::sparse::Selection;
use spartui::sparse::gradient::{Product, dense_then_gather, sampled_on_device};
use tch::{Kind, Tensor};

use crate::check::{Checks, DEVICE, name, random};

/// Tokens, inputs and outputs: odd ones, wide ones, single ones.
const SHAPES: [[i64; 3]; 10] = [
    [1, 1, 1],
    [7, 33, 65],
    [16, 64, 64],
    [100, 384, 1536],
    [513, 511, 257],
    [1024, 2048, 512],
    [77, 14_336, 1024],
    [640, 9001, 33],
    [2048, 2048, 2048],
    [300, 48, 40_000],
];
const DENSITIES: [f64; 6] = [1e-5, 1e-3, 0.01, 0.05, 0.4, 1.0];

pub fn check(checks: &mut Checks) {
    tch::manual_seed(1);
    for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
        let (mut sampled, mut dense, mut cases, mut same) = (0.0_f64, 0.0_f64, 0, true);
        for shape in SHAPES {
            for density in DENSITIES {
                let case = Case::new(shape, density, kind);
                let first = case.sampled();
                sampled = sampled.max(case.error(&first));
                dense = dense.max(case.error(&dense_then_gather(&case.x, &case.dy, &case.cohorts())));
                same &= case.sampled() == first;
                cases += 1;
            }
        }
        let what = format!("{}, {cases} products against float64, relative error", name(kind));
        // A sum of so many products in float32, whatever the operands' type.
        checks.check(&format!("{what}, sampled"), &format!("{sampled:.1e}"), sampled < 3e-6);
        checks.check(&format!("{what}, dense"), &format!("{dense:.1e}"), dense < 3e-6);
        checks.check(&format!("{}, a second time", name(kind)), "the same bits", same);
    }
}

/// A product whose scalars are in two cohorts.
struct Case {
    x: Tensor,
    dy: Tensor,
    indices: [Tensor; 2],
}

impl Case {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    fn new([tokens, width, height]: [i64; 3], density: f64, kind: Kind) -> Self {
        let scalars = (width * height).cast_unsigned();
        let count = ((scalars as f64 * density).round() as u64).clamp(1, scalars);
        let selection = Selection::new(3, "weight", scalars);
        let indices = [0..count / 3, count / 3..count];
        let indices = indices.map(|ranks| Tensor::from_slice(&selection.indices(ranks)).to_device(DEVICE));
        Self { x: random([tokens, width], kind), dy: random([tokens, height], kind), indices }
    }

    fn cohorts(&self) -> Vec<&Tensor> {
        self.indices.iter().collect()
    }

    fn sampled(&self) -> Vec<Tensor> {
        let product = Product { input: &self.x, output_gradient: &self.dy, indices: self.cohorts() };
        sampled_on_device(&product).unwrap_or_default()
    }

    /// Distance from the product in `f64`, relative to its norm; not a number where anything is missing.
    fn error(&self, found: &[Tensor]) -> f64 {
        let wide = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        let exact = wide(&self.dy).transpose(0, 1).matmul(&wide(&self.x)).view(-1);
        let exact = Tensor::cat(&self.indices.iter().map(|at| exact.index_select(0, at)).collect::<Vec<_>>(), 0);
        if found.len() != 2 {
            return f64::INFINITY;
        }
        let found = wide(&Tensor::cat(found, 0));
        let error = ((found - &exact).norm() / exact.norm()).double_value(&[]);
        if error.is_nan() { f64::INFINITY } else { error }
    }
}
