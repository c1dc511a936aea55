//! `LoRTA` (arXiv 2410.04060): the products of all layers, matrices and heads are slices of one tensor of low rank.
//!
//! With one set of tensors for the whole model, layer l, matrix m and head h have the coefficients
//! `c_h = C_h[h] * C_m[m] * C_l[l]`. As in the authors' fork of PEFT the heads divide the inputs and A spans the
//! outputs: `y += s A sum_h c_h * (B x_h)`. With `orientation = "output"` A spans the inputs and the heads divide the
//! outputs: `y_h += s B' (c_h * A' x)`.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, Size, extent, memory, targets};
use super::placed::{Dropout, Layer};
use crate::Shape;
use crate::lora::extents;
use spartui_facts::recipe::{self, Orientation};
use spartui_model::{BaseLayer, Merged, Model};

pub static LORTA: Kind = Kind {
    name: "lorta",
    prefix: &["lorta."],
    design,
    size: |_| Some(Size { called: "rank", highest: 1 << 16, field: |method| &mut method.lorta.rank }),
    shape: |_| Shape::Own,
    live: None,
};

#[expect(clippy::cast_precision_loss, reason = "widths are small")]
fn design(settings: &recipe::Method, model: &Model) -> Result<Design, String> {
    let mut design = Design { draws: settings.lorta.dropout > 0.0, ..Design::default() };
    let (rank, heads, width) = (extent(settings.lorta.rank), model.config.heads, model.config.hidden_size);
    for (_, site) in targets(settings, model) {
        if extents(site) != [width, width] || width % heads != 0 {
            let [out, input] = extents(site);
            return Err(format!(
                "method.kind \"lorta\" adapts square weights only, whose {heads} heads have one width; {} makes {out} numbers of \
                 {input}; leave {} out of method.targets",
                site.name, site.group
            ));
        }
    }
    let groups: Vec<&str> = model
        .groups()
        .iter()
        .map(|group| &**group)
        .filter(|group| settings.targets.iter().any(|target| target == group))
        .collect();
    let Some((first, _)) = targets(settings, model).next() else { return Ok(design) };
    let by_rank = Start::Uniform(1.0 / (rank as f64).sqrt());
    let coefficient = Start::Uniform((6.0 / rank as f64).sqrt());
    let mut add = |name: &str, shape: [i64; 2], start| design.add(TensorPlan::new(name.into(), &shape, first, start));
    let tensors = vec![
        add("A", [width, rank], by_rank),
        add("B", [rank, width / heads], Start::Constant(0.0)),
        add("C_h", [heads, rank], coefficient),
        add("C_m", [extent(groups.len()), rank], coefficient),
        add("C_l", [extent(model.layers()), rank], coefficient),
    ];
    for (at, site) in targets(settings, model) {
        let dropout = Dropout::new(settings.lorta.dropout, settings.seed, &site.name);
        let masked = if dropout.draws() { 2 * width } else { 0 };
        let matrix = groups.iter().position(|group| *group == site.group).unwrap_or(0);
        let layer = Slice {
            scale: settings.lorta.alpha / rank as f64,
            matrix: extent(matrix),
            layer: extent(site.layer),
            orientation: settings.lorta.orientation,
            dropout,
        };
        // `B x_h` of each head, and the sum over the heads.
        let kept = heads * rank + rank + masked;
        design.layers.push(LayerPlan {
            site: at,
            tensors: tensors.clone(),
            layer: Arc::new(layer),
            per_token: memory(model, width, kept, 2 * width),
        });
    }
    Ok(design)
}

#[derive(Debug)]
struct Slice {
    scale: f64,
    /// Position of the matrix among the targets of a block.
    matrix: i64,
    layer: i64,
    orientation: Orientation,
    dropout: Dropout,
}

impl Slice {
    /// The coefficients of each head, `[heads, rank]`.
    fn coefficients(&self, tensors: &[Tensor]) -> Tensor {
        &tensors[2] * tensors[3].get(self.matrix) * tensors[4].get(self.layer)
    }
}

impl Layer for Slice {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor {
        let (a, b) = (&tensors[0], &tensors[1]);
        let kind = a.kind();
        let y = (base.forward)(x, base.bias).to_kind(kind);
        let x = self.dropout.apply(x, kind, noise);
        let coefficients = self.coefficients(tensors) * self.scale;
        let heads = coefficients.size()[0];
        let product = match self.orientation {
            Orientation::Input => {
                let by_head = x.reshape([-1, heads, b.size()[1]]).matmul(&b.tr());
                (by_head * coefficients).sum_dim_intlist([1_i64].as_slice(), false, kind).matmul(&a.tr())
            }
            Orientation::Output => {
                let low = x.reshape([-1, a.size()[0]]).matmul(a);
                (low.unsqueeze(1) * coefficients).matmul(b)
            }
        };
        &y + product.reshape(y.size())
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let (a, b) = (&tensors[0], &tensors[1]);
        // For each head `A diag(c_h) B`, side by side.
        let by_head = (a * self.coefficients(tensors).unsqueeze(1)).matmul(b);
        let change = by_head.transpose(0, 1).reshape(weight.size()) * self.scale;
        let change = if self.orientation == Orientation::Input { change } else { change.tr() };
        Some((weight + change, bias.map(Tensor::shallow_clone)))
    }
}
