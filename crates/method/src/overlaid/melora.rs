//! `MELoRA` (arXiv 2402.17263): the input is divided into n chunks, and a small low-rank product maps chunk j of the input
//! to chunk j of the output. The sum is a block-diagonal product of rank up to n r.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, Size, divides, extent, memory, module, targets};
use super::placed::{Dropout, Layer, numbers};
use crate::lora::extents;
use crate::{Factors, Shape};
use spartui_facts::recipe;
use spartui_model::{BaseLayer, Merged, Model};

pub static MELORA: Kind = Kind {
    name: "melora",
    prefix: &["melora."],
    design,
    size: |_| Some(Size { called: "rank", highest: 1 << 16, field: |method| &mut method.melora.rank }),
    shape: |_| Shape::LowRank,
    live: None,
};

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn design(settings: &recipe::Method, model: &Model) -> Result<Design, String> {
    let mut design = Design { draws: settings.melora.dropout > 0.0, ..Design::default() };
    let (rank, blocks) = (extent(settings.melora.rank), extent(settings.melora.blocks));
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        divides("method.melora.blocks", blocks, &[("inputs", input), ("outputs", out)], site)?;
        // As the reference: uniform up to the root of one over the width of a block.
        let start = Start::Uniform((blocks as f64 / input.max(1) as f64).sqrt());
        let name = |part: &str| format!("{}.{part}", module(site));
        let down = design.add(TensorPlan::new(name("A"), &[blocks, rank, input / blocks], at, start));
        let up = design.add(TensorPlan::new(name("B"), &[blocks, out / blocks, rank], at, Start::Constant(0.0)));
        let dropout = Dropout::new(settings.melora.dropout, settings.seed, &site.name);
        let masked = if dropout.draws() { 2 * input } else { 0 };
        let layer = Blocks { scale: settings.melora.alpha / rank as f64, dropout };
        design.layers.push(LayerPlan {
            site: at,
            tensors: vec![down, up],
            layer: Arc::new(layer),
            per_token: memory(model, input, blocks * rank + masked, 3 * out),
        });
    }
    Ok(design)
}

#[derive(Debug)]
struct Blocks {
    scale: f64,
    dropout: Dropout,
}

impl Layer for Blocks {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let [down, up] = tensors else { unreachable!("two tensors were planned") };
        let kind = down.kind();
        let blocks = down.size()[0];
        let y = (base.forward)(x, base.bias).to_kind(kind);
        let x = self.dropout.apply(x, kind, noise);
        // `[blocks, tokens, width]`
        let chunks = x.reshape([-1, blocks, down.size()[2]]).transpose(0, 1);
        let low = chunks.matmul(&down.transpose(1, 2)) * self.scale;
        let product = low.matmul(&up.transpose(1, 2)).transpose(0, 1);
        &y + product.reshape(y.size())
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let product = Tensor::block_diag(&tensors[1].matmul(&tensors[0]).unbind(0));
        Some((weight + product * self.scale, bias.map(Tensor::shallow_clone)))
    }

    fn factors(&self, tensors: &[Tensor]) -> Option<Factors> {
        let [down, up] = [&tensors[0], &tensors[1]].map(|tensor| Tensor::block_diag(&tensor.unbind(0)));
        Some(Factors {
            rank: usize::try_from(down.size()[0]).unwrap_or(0),
            down: numbers(&down),
            up: numbers(&up),
            magnitude: None,
            scale: self.scale,
        })
    }
}
