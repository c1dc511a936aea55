//! `(IA)3` (arXiv 2205.05638): a scale for each output of a layer, its bias included, or for each input.

use std::sync::Arc;

use tch::Tensor;

use super::design::{Design, LayerPlan, Start, TensorPlan};
use super::kind::{Kind, memory, module, targets};
use super::placed::Layer;
use crate::Shape;
use crate::lora::extents;
use spartui_facts::recipe;
use spartui_model::{BaseLayer, Merged, Model};

pub static IA3: Kind =
    Kind { name: "ia3", prefix: &["ia3."], design, size: |_| None, shape: |_| Shape::Own, live: None };

fn design(settings: &recipe::Method, model: &Model) -> Result<Design, String> {
    let mut design = Design::default();
    let names = model.group_names();
    let own = |name: &String| {
        names.get(name).map(String::as_str).ok_or_else(|| {
            format!(
                "method.ia3.inputs: the model has no group \"{}\"; it has {}",
                name.escape_debug(),
                model.groups().join(", ")
            )
        })
    };
    let inputs = if settings.ia3.inputs.iter().any(|name| name == "all-linear") {
        model.groups().iter().map(|group| &**group).collect()
    } else {
        settings.ia3.inputs.iter().map(own).collect::<Result<Vec<_>, String>>()?
    };
    for (at, site) in targets(settings, model) {
        let [out, input] = extents(site);
        let scales_input = inputs.contains(&site.group);
        let width = if scales_input { input } else { out };
        let name = format!("{}.scale", module(site));
        // Decay towards 0 would shut the layer down.
        let scale = design.add(TensorPlan::new(name, &[width], at, Start::Constant(1.0)).without_decay());
        design.layers.push(LayerPlan {
            site: at,
            tensors: vec![scale],
            layer: Arc::new(Scaled { scales_input }),
            per_token: if scales_input { memory(model, input, 0, input) } else { memory(model, 0, out, out) },
        });
    }
    Ok(design)
}

#[derive(Debug)]
struct Scaled {
    scales_input: bool,
}

impl Layer for Scaled {
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], _: Option<u64>) -> Tensor {
        let scale = &tensors[0];
        if self.scales_input {
            (base.forward)(&(x.to_kind(scale.kind()) * scale).to_kind(x.kind()), base.bias)
        } else {
            (base.forward)(x, base.bias).to_kind(scale.kind()) * scale
        }
    }

    fn merge(&self, tensors: &[Tensor], weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let scale = &tensors[0];
        Some(if self.scales_input {
            (weight * scale, bias.map(Tensor::shallow_clone))
        } else {
            (weight * scale.unsqueeze(1), bias.map(|bias| bias * scale))
        })
    }
}
