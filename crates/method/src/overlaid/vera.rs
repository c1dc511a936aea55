//! `VeRA` (arXiv 2310.11454): one pair of random factors for all layers, which do not train, and two vectors of scales
//! for each layer, which do: `y += b * B (d * A x)`. A layer that is narrower than the widest one takes the first
//! columns of A and the first rows of B, as PEFT does.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, Size, extent, memory, module, targets};
use super::placed::Layer;
use crate::Shape;
use crate::lora::extents;
use spartui_facts::recipe;
use spartui_model::{BaseLayer, Merged, Model};

pub static VERA: Kind = Kind {
    name: "vera",
    prefix: &["vera."],
    design: |settings, model| Ok(design(settings, model)),
    size: |_| Some(Size { called: "rank", highest: 1 << 16, field: |method| &mut method.vera.rank }),
    shape: |_| Shape::Own,
    live: None,
};

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn design(settings: &recipe::Method, model: &Model) -> Design {
    let mut design = Design::default();
    let rank = extent(settings.vera.rank);
    let Some((first, _)) = targets(settings, model).next() else { return design };
    let widest = |which: usize| targets(settings, model).map(|(_, site)| extents(site)[which]).max().unwrap_or(0);
    let [out, input] = [widest(0), widest(1)];
    // Kaiming's bound for ReLU, as PEFT draws them.
    let bound = |fan: i64| Start::Uniform((6.0 / fan.max(1) as f64).sqrt());
    let down = design.add(TensorPlan::new("A".into(), &[rank, input], first, bound(input)).frozen());
    let up = design.add(TensorPlan::new("B".into(), &[out, rank], first, bound(rank)).frozen());
    for (at, site) in targets(settings, model) {
        let [out, _] = extents(site);
        let name = |part: &str| format!("{}.{part}", module(site));
        let d = design.add(TensorPlan::new(name("d"), &[rank], at, Start::Constant(settings.vera.start)));
        let b = design.add(TensorPlan::new(name("b"), &[out], at, Start::Constant(0.0)));
        design.layers.push(LayerPlan {
            site: at,
            tensors: vec![down, up, d, b],
            layer: Arc::new(Scales),
            per_token: memory(model, 0, rank + out, 2 * out),
        });
    }
    design
}

#[derive(Debug)]
struct Scales;

/// The factors of a layer with these extents: A, `[rank, in]`, and B, `[out, rank]`.
fn factors(tensors: &[Tensor], input: i64) -> [Tensor; 2] {
    let out = tensors[3].size()[0];
    [tensors[0].narrow(1, 0, input), tensors[1].narrow(0, 0, out)]
}

impl Layer for Scales {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], _: Option<u64>) -> Tensor {
        let (d, b) = (&tensors[2], &tensors[3]);
        let kind = d.kind();
        let [down, up] = factors(tensors, x.size().last().copied().unwrap_or(0));
        let low = x.to_kind(kind).linear(&down, None::<&Tensor>) * d;
        (base.forward)(x, base.bias).to_kind(kind) + low.linear(&up, None::<&Tensor>) * b
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let [down, up] = factors(tensors, weight.size()[1]);
        let product = (up * tensors[3].unsqueeze(1)).matmul(&(down * tensors[2].unsqueeze(1)));
        Some((weight + product, bias.map(Tensor::shallow_clone)))
    }
}
