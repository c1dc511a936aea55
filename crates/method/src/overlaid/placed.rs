//! The overlay of one layer.

use std::fmt::Debug;
use std::sync::Arc;

use tch::{Kind, Tensor};

use crate::Factors;
use spartui_facts::permutation::{derive_key, mix};
use spartui_model::{BaseLayer, Kept, Merged, Overlay, Tape, dropout_mask};

/// What a layer computes with the tensors of a method. Tensors come in the order of the layer's plan.
pub trait Layer: Debug + Send + Sync {
    /// The output of the layer for `x`, in any data type. `noise` keys the random draws; none in evaluation.
    fn forward(&self, base: &BaseLayer<'_>, x: &Tensor, tensors: &[Tensor], noise: Option<u64>) -> Tensor;

    /// The weight, `[out, in]`, and bias that do the same; none where no such weight exists. The weight has the data
    /// type of the tensors.
    fn merge(&self, _tensors: &[Tensor], _weight: &Tensor, _bias: Option<&Tensor>) -> Option<Merged> {
        None
    }

    /// The low-rank product that is added to the weight, where that is all that the layer adds.
    fn factors(&self, _tensors: &[Tensor]) -> Option<Factors> {
        None
    }
}

/// A tensor of a method with its number.
#[derive(Debug)]
pub struct Bound {
    pub number: usize,
    pub tensor: Tensor,
    pub trains: bool,
}

/// A layer with its tensors.
#[derive(Debug)]
pub struct Placed {
    pub layer: Arc<dyn Layer>,
    pub tensors: Vec<Bound>,
}

impl Placed {
    fn values(&self) -> Vec<Tensor> {
        self.tensors.iter().map(|bound| bound.tensor.shallow_clone()).collect()
    }
}

impl Overlay for Placed {
    fn apply(&self, base: &BaseLayer<'_>, x: &Tensor, tape: &mut Tape<'_>) -> (Tensor, Kept) {
        for bound in self.tensors.iter().filter(|bound| bound.trains) {
            tape.register_leaf(bound.number, &bound.tensor);
        }
        (self.layer.forward(base, x, &self.values(), tape.noise()).to_kind(x.kind()), None)
    }

    fn share(&self) -> Box<dyn Overlay> {
        let share = |bound: &Bound| Bound { tensor: bound.tensor.shallow_clone(), ..*bound };
        Box::new(Self { layer: Arc::clone(&self.layer), tensors: self.tensors.iter().map(share).collect() })
    }

    fn merge(&self, weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let kind = self.tensors.first().map_or(Kind::Float, |bound| bound.tensor.kind());
        let bias = bias.map(|bias| bias.to_kind(kind));
        tch::no_grad(|| self.layer.merge(&self.values(), &weight.to_kind(kind), bias.as_ref()))
    }
}

/// Dropout of a layer's input.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
    key: u64,
}

impl Dropout {
    /// With this probability; `site` is the name of the layer's weight.
    pub fn new(probability: f64, seed: u64, site: &str) -> Self {
        Self { probability, key: derive_key(seed, "overlay dropout", site) }
    }

    /// Whether it draws anything.
    pub fn draws(&self) -> bool {
        self.probability > 0.0
    }

    /// The input in this data type, with dropout where there is noise.
    pub fn apply(&self, x: &Tensor, kind: Kind, noise: Option<u64>) -> Tensor {
        let x = x.to_kind(kind);
        match noise.filter(|_| self.draws()) {
            None => x,
            Some(noise) => {
                let mask = dropout_mask(mix(self.key ^ noise), self.probability, (kind, x.device()), &x.size());
                x * mask
            }
        }
    }
}

/// Copies a tensor's numbers, row-major.
pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    crate::Dense::new(String::new(), tensor).values
}
