//! `FineGates` (arXiv 2412.12951): a gate for each input and each output of a layer, `y = g_out (W (g_in x) + b)`, and the
//! layer's bias.
//!
//! A gate is `clamp(tanh(t) + e + 1/2, 0, 1)`; in training `e` is normal, drawn once for each vector of gates and pass.
//! A penalty drives the share of open gates to `1 - target`.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Penalty, Start, TensorPlan, Terms};
use super::kind::{Kind, Live, has_bias, memory, module, targets};
use super::placed::Layer;
use crate::Shape;
use crate::lora::extents;
use spartui_facts::permutation::{derive_key, mix};
use spartui_facts::random::Source;
use spartui_facts::recipe;
use spartui_model::{BaseLayer, Merged, Model, normal};

pub static FINEGATES: Kind = Kind {
    name: "finegates",
    prefix: &["finegates."],
    design: |settings, model| Ok(design(settings, model)),
    size: |_| None,
    shape: |_| Shape::Own,
    live: Some(Live {
        copy: |from, to| {
            let noise = to.finegates.noise;
            to.finegates = recipe::FineGates { noise, ..from.finegates.clone() };
        },
        terms: |settings, design| Terms { penalty: penalty(settings, design), consistency: None },
    }),
};

fn design(settings: &recipe::Method, model: &Model) -> Design {
    let mut design = Design { draws: settings.finegates.noise > 0.0, ..Design::default() };
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        let name = |part: &str| format!("{}.{part}", module(site));
        // The gates' arguments: decay would move them towards one half.
        let mut gate = |part: &str, width: i64| {
            let start = Start::Normal { mean: 1.0, deviation: 0.1 };
            design.add(TensorPlan::new(name(part), &[width], at, start).without_decay())
        };
        let mut tensors = vec![gate("gate_in", input), gate("gate_out", out)];
        if has_bias(site, model) {
            let bias = TensorPlan::new(name("bias"), &[out], at, Start::Constant(0.0)).without_decay();
            tensors.push(design.add(bias));
        }
        let layer =
            Gates { noise: settings.finegates.noise, key: derive_key(settings.seed, "finegates", module(site)) };
        design.layers.push(LayerPlan {
            site: at,
            tensors,
            layer: Arc::new(layer),
            per_token: memory(model, input, out, input + 2 * out),
        });
    }
    design
}

/// `strength` times the mean over the layers of how far the shares of open gates are from `1 - target`, the share being
/// the mean of `Phi((tanh(t) + 1/2) / (1/2))`.
fn penalty(settings: &recipe::Method, design: &Design) -> Option<Penalty> {
    let recipe::FineGates { target, strength, start, .. } = settings.finegates;
    if target <= 0.0 || strength <= 0.0 || design.layers.is_empty() {
        return None;
    }
    let gates: Vec<[usize; 2]> = design.layers.iter().map(|layer| [layer.tensors[0], layer.tensors[1]]).collect();
    #[expect(clippy::cast_precision_loss, reason = "a model has few layers")]
    let each = strength / (2.0 * gates.len() as f64);
    let value = move |values: &[Tensor]| {
        let apart = gates.iter().flatten().map(|&gate| {
            let arguments = &values[gate];
            let open = ((arguments.tanh() + 0.5) / (0.5 * std::f64::consts::SQRT_2)).erf() * 0.5 + 0.5;
            (open.mean(arguments.kind()) - (1.0 - target)).abs()
        });
        apart.reduce(|sum, apart| sum + apart).map_or_else(Tensor::new, |sum| sum * each)
    };
    Some(Penalty { value: Box::new(value), start })
}

#[derive(Debug)]
struct Gates {
    noise: f64,
    key: u64,
}

impl Gates {
    /// The values of gates with these arguments; `side` tells the two vectors of a layer apart.
    fn open(&self, arguments: &Tensor, side: u64, noise: Option<u64>) -> Tensor {
        let middle = arguments.tanh() + 0.5;
        let drawn = match noise.filter(|_| self.noise > 0.0) {
            None => middle,
            Some(noise) => {
                let source = Source::new(mix(mix(self.key ^ noise) ^ side), "finegates", "noise");
                middle + normal(&source, arguments.size()[0], self.noise, (arguments.kind(), arguments.device()))
            }
        };
        drawn.clamp(0.0, 1.0)
    }
}

impl Layer for Gates {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let [input, output] = [0, 1].map(|side| self.open(&tensors[side], side as u64, noise));
        let gated = (x.to_kind(kind) * input).to_kind(x.kind());
        let y = (base.forward)(&gated, base.bias).to_kind(kind);
        let y = tensors.get(2).map_or_else(|| y.shallow_clone(), |bias| &y + bias);
        y * output
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let [input, output] = [0, 1].map(|side| self.open(&tensors[side], side as u64, None));
        let bias = bias.map(|bias| match tensors.get(2) {
            Some(change) => (bias + change) * &output,
            None => bias * &output,
        });
        Some((weight * input * output.unsqueeze(1), bias))
    }
}
