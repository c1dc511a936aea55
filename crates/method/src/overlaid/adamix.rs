//! `AdaMix` (arXiv 2205.12410): several experts for each layer, of which one is drawn for each pass; evaluation takes their
//! mean. A second pass with other experts keeps their predictions together.
//!
//! With the variant `adapter` an expert is the first half of a bottleneck after the layer, whose second half all share;
//! with `lora` it is the factor A of a low-rank product, whose B all share.

use std::sync::Arc;

use tch::{Kind as Type, Tensor};

use super::design::{Design, LayerPlan, Start, TensorPlan, Terms};
use super::kind::{Kind, Live, Size, extent, memory, module, targets};
use super::placed::{Layer, numbers};
use crate::lora::extents;
use crate::{Factors, Shape};
use spartui_facts::permutation::{derive_key, mix};
use spartui_facts::recipe::{self, AdaMixVariant};
use spartui_model::{BaseLayer, Merged, Model};

pub static ADAMIX: Kind = Kind {
    name: "adamix",
    prefix: &["adamix."],
    design: |settings, model| {
        Ok(match settings.adamix.variant {
            AdaMixVariant::Adapter => adapters(settings, model),
            AdaMixVariant::Lora => products(settings, model),
        })
    },
    size: |method| {
        Some(match method.adamix.variant {
            AdaMixVariant::Adapter => {
                Size { called: "bottleneck", highest: 1 << 16, field: |method| &mut method.adamix.bottleneck }
            }
            AdaMixVariant::Lora => Size { called: "rank", highest: 1 << 16, field: |method| &mut method.adamix.rank },
        })
    },
    shape: |method| match method.adamix.variant {
        AdaMixVariant::Adapter => Shape::Own,
        AdaMixVariant::Lora => Shape::LowRank,
    },
    live: Some(Live {
        copy: |from, to| to.adamix.consistency = from.adamix.consistency,
        terms: |settings, _| Terms {
            consistency: Some(settings.adamix.consistency).filter(|weight| *weight > 0.0),
            penalty: None,
        },
    }),
};

/// Draws one expert of each layer.
#[derive(Debug)]
struct Routing {
    key: u64,
}

impl Routing {
    fn new(settings: &recipe::Method, module: &str) -> Self {
        Self { key: derive_key(settings.seed, "adamix", module) }
    }

    /// The expert of this pass, of a tensor whose first dimension counts them; their mean in evaluation.
    fn choose(&self, experts: &Tensor, noise: Option<u64>) -> Tensor {
        match noise {
            None => experts.mean_dim([0_i64].as_slice(), false, experts.kind()),
            Some(noise) => {
                let count = experts.size()[0].max(1).unsigned_abs();
                experts.select(0, (mix(self.key ^ noise) % count).cast_signed())
            }
        }
    }
}

fn adapters(settings: &recipe::Method, model: &Model) -> Design {
    let mut design = Design { draws: true, ..Design::default() };
    let (experts, width) = (extent(settings.adamix.experts), extent(settings.adamix.bottleneck));
    let drawn = Start::Normal { mean: 0.0, deviation: 0.02 };
    for (at, site) in targets(settings, model) {
        let out = extents(site)[0];
        let mut add = |part: &str, shape: &[i64], decays: bool, start: Start| {
            let plan = TensorPlan::new(format!("{}.{part}", module(site)), shape, at, start);
            design.add(if decays { plan } else { plan.without_decay() })
        };
        let tensors = vec![
            add("down.weight", &[experts, width, out], true, drawn),
            add("down.bias", &[experts, width], false, Start::Constant(0.0)),
            add("up.weight", &[out, width], true, drawn),
            add("up.bias", &[out], false, Start::Constant(0.0)),
        ];
        design.layers.push(LayerPlan {
            site: at,
            tensors,
            layer: Arc::new(Bottleneck { routing: Routing::new(settings, module(site)) }),
            per_token: memory(model, 0, out + 2 * width, 2 * out),
        });
    }
    design
}

#[derive(Debug)]
struct Bottleneck {
    routing: Routing,
}

impl Layer for Bottleneck {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let y = (base.forward)(x, base.bias).to_kind(kind);
        let [weight, bias] = [0, 1].map(|part| self.routing.choose(&tensors[part], noise));
        let low = y.linear(&weight, Some(&bias)).gelu("none");
        &y + low.linear(&tensors[2], Some(&tensors[3]))
    }
}

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn products(settings: &recipe::Method, model: &Model) -> Design {
    let mut design = Design { draws: true, ..Design::default() };
    let (experts, rank) = (extent(settings.adamix.experts), extent(settings.adamix.rank));
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        let name = |part: &str| format!("{}.{part}", module(site));
        let start = Start::Uniform(1.0 / (input.max(1) as f64).sqrt());
        let down = design.add(TensorPlan::new(name("A"), &[experts, rank, input], at, start));
        let up = design.add(TensorPlan::new(name("B"), &[out, rank], at, Start::Constant(0.0)));
        let layer =
            Products { scale: settings.adamix.alpha / rank as f64, routing: Routing::new(settings, module(site)) };
        design.layers.push(LayerPlan {
            site: at,
            tensors: vec![down, up],
            layer: Arc::new(layer),
            per_token: memory(model, input, rank, 2 * out),
        });
    }
    design
}

#[derive(Debug)]
struct Products {
    scale: f64,
    routing: Routing,
}

impl Layer for Products {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let kind = tensors[0].kind();
        let down = self.routing.choose(&tensors[0], noise);
        let low = x.to_kind(kind).linear(&down, None::<&Tensor>) * self.scale;
        (base.forward)(x, base.bias).to_kind(kind) + low.linear(&tensors[1], None::<&Tensor>)
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let product = tensors[1].matmul(&self.routing.choose(&tensors[0], None)) * self.scale;
        Some((weight + product, bias.map(Tensor::shallow_clone)))
    }

    fn factors(&self, tensors: &[Tensor]) -> Option<Factors> {
        let down = self.routing.choose(&tensors[0], None).to_kind(Type::Float);
        Some(Factors {
            rank: usize::try_from(down.size()[0]).unwrap_or(0),
            down: numbers(&down),
            up: numbers(&tensors[1]),
            magnitude: None,
            scale: self.scale,
        })
    }
}
