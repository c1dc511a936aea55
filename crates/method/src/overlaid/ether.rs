//! `ETHER` and `ETHER+` (arXiv 2405.20271): block-diagonal transformations of a layer's input or output.
//!
//! With unit vectors u and v for each block, `ETHER` reflects, `H = I - 2 u u'`, and `ETHER+` has
//! `H = I - u u' + v v'`, which is the identity at the start, where v is -u. `ETHER` does not start at the identity:
//! a reflection is as far from it as any other.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, divides, extent, memory, module, targets};
use super::placed::Layer;
use crate::Shape;
use crate::lora::extents;
use spartui_facts::recipe::{self, Side};
use spartui_model::{BaseLayer, Merged, Model};

pub static ETHER: Kind = Kind {
    name: "ether",
    prefix: &["ether."],
    design: |settings, model| {
        design(settings, model, "method.ether.blocks", (settings.ether.blocks, settings.ether.side), false)
    },
    size: |_| None,
    shape: |_| Shape::Own,
    live: None,
};

pub static ETHER_PLUS: Kind = Kind {
    name: "ether_plus",
    prefix: &["ether_plus."],
    design: |settings, model| {
        let own = &settings.ether_plus;
        design(settings, model, "method.ether_plus.blocks", (own.blocks, own.side), true)
    },
    size: |_| None,
    shape: |_| Shape::Own,
    live: None,
};

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn design(
    settings: &recipe::Method,
    model: &Model,
    field: &str,
    (blocks, side): (usize, Side),
    relaxed: bool,
) -> Result<Design, String> {
    let mut design = Design::default();
    let blocks = extent(blocks);
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        let mut tensors = Vec::new();
        let (mut of_input, mut kept) = (0, 0);
        let sides = side.input_and_output();
        for (which, what, width) in [(0, "in", input), (1, "out", out)] {
            if !sides[which] {
                continue;
            }
            divides(field, blocks, &[(if what == "in" { "inputs" } else { "outputs" }, width)], site)?;
            let shape = [blocks, width / blocks];
            let start = Start::Uniform((blocks as f64 / width.max(1) as f64).sqrt());
            let name = |vector: &str| format!("{}.{what}.{vector}", module(site));
            // Decay would only change the length of a vector, of which the direction alone counts.
            let u = design.add(TensorPlan::new(name("u"), &shape, at, start).without_decay());
            tensors.push(u);
            if relaxed {
                let start = Start::Times(u, -1.0);
                tensors.push(design.add(TensorPlan::new(name("v"), &shape, at, start).without_decay()));
            }
            if what == "in" { of_input = width } else { kept = width }
        }
        let layer = Reflected { sides, relaxed };
        design.layers.push(LayerPlan {
            site: at,
            tensors,
            layer: Arc::new(layer),
            per_token: memory(model, of_input, kept, 4 * out.max(input)),
        });
    }
    Ok(design)
}

#[derive(Debug)]
struct Reflected {
    /// Whether the input is transformed, and whether the output is.
    sides: [bool; 2],
    relaxed: bool,
}

impl Reflected {
    /// The tensors of the two sides.
    fn split<'a>(&self, tensors: &'a [Tensor]) -> [Option<&'a [Tensor]>; 2] {
        let each = if self.relaxed { 2 } else { 1 };
        let (first, rest) = tensors.split_at(each);
        match self.sides {
            [true, true] => [Some(first), Some(rest)],
            [true, false] => [Some(first), None],
            _ => [None, Some(first)],
        }
    }
}

/// Transforms the last dimension of `x` by one vector for each block, or two.
fn transform(x: &Tensor, vectors: &[Tensor]) -> Tensor {
    let unit = |vector: &Tensor| vector / vector.norm_scalaropt_dim(2.0, [1_i64], true);
    let blocks = x.reshape([&[-1], vectors[0].size().as_slice()].concat());
    let along = |unit: &Tensor| (&blocks * unit).sum_dim_intlist([-1_i64].as_slice(), true, x.kind()) * unit;
    let u = along(&unit(&vectors[0]));
    let change = match vectors.get(1) {
        // In this order nothing is left where v is -u.
        Some(v) => along(&unit(v)) - u,
        None => u * -2.0,
    };
    (&blocks + change).reshape(x.size())
}

impl Layer for Reflected {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], _: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let [input, output] = self.split(tensors);
        let transformed = input.map(|vectors| transform(&x.to_kind(kind), vectors).to_kind(x.kind()));
        let x = transformed.as_ref().unwrap_or(x);
        match output {
            None => (base.forward)(x, base.bias),
            Some(vectors) => {
                let y = transform(&(base.forward)(x, None).to_kind(kind), vectors);
                base.bias.map_or_else(|| y.shallow_clone(), |bias| &y + bias.to_kind(kind))
            }
        }
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let [input, output] = self.split(tensors);
        // Both transformations are symmetric.
        let weight = input.map_or_else(|| weight.shallow_clone(), |vectors| transform(weight, vectors));
        let weight = output.map_or_else(|| weight.shallow_clone(), |vectors| transform(&weight.tr(), vectors).tr());
        Some((weight, bias.map(Tensor::shallow_clone)))
    }
}
