//! What a method adds to a model: its tensors, and what each layer computes with them.

use std::fmt;
use std::sync::Arc;

use tch::{Kind, Tensor};

use super::bound;
use super::placed::{Layer, Placed};
use crate::{Factors, PerToken};
use spartui_facts::random::Source;
use spartui_model::{Model, normal, uniform};

/// A tensor of a method.
#[derive(Debug)]
pub struct TensorPlan {
    /// Its name, unique within the method.
    pub name: String,
    /// Extents.
    pub shape: Vec<i64>,
    /// The site that its scalars are counted for.
    pub site: usize,
    /// Whether weight decay applies to it.
    pub decays: bool,
    /// Whether it trains.
    pub trains: bool,
    /// Its values before training.
    pub start: Start,
}

/// Values of a tensor before training.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// All the same.
    Constant(f64),
    /// Uniform from minus this to this.
    Uniform(f64),
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// This factor times an earlier tensor of the design.
    Times(usize, f64),
}

impl TensorPlan {
    /// A tensor that trains, with weight decay.
    pub fn new(name: String, shape: &[i64], site: usize, start: Start) -> Self {
        Self { name, shape: shape.to_vec(), site, decays: true, trains: true, start }
    }

    /// The same without weight decay.
    pub fn without_decay(self) -> Self {
        Self { decays: false, ..self }
    }

    /// The same, but it does not train.
    pub fn frozen(self) -> Self {
        Self { trains: false, decays: false, ..self }
    }

    /// Number of scalars.
    pub fn numel(&self) -> u64 {
        self.shape.iter().product::<i64>().unsigned_abs()
    }
}

/// What one layer computes.
#[derive(Debug)]
pub struct LayerPlan {
    /// Index of its site.
    pub site: usize,
    /// The numbers of the tensors that it is computed from.
    pub tensors: Vec<usize>,
    /// The computation.
    pub layer: Arc<dyn Layer>,
    /// Memory for each token.
    pub per_token: PerToken,
}

/// The value of a regularization term.
pub type PenaltyValue = Box<dyn Fn(&[Tensor]) -> Tensor + Send>;

/// A regularization term of the tensors.
pub struct Penalty {
    /// Its value, from all tensors of the design.
    pub value: PenaltyValue,
    /// First step at which it applies.
    pub start: u64,
}

impl fmt::Debug for Penalty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Penalty").field("start", &self.start).finish_non_exhaustive()
    }
}

/// All that a method adds to a model.
#[derive(Debug, Default)]
pub struct Design {
    /// The tensors.
    pub tensors: Vec<TensorPlan>,
    /// The layers.
    pub layers: Vec<LayerPlan>,
    /// Whether layers draw random numbers in training.
    pub draws: bool,
    /// What follows from settings that can be changed live.
    pub terms: Terms,
}

/// Terms of the loss beside that of the task.
#[derive(Debug, Default)]
pub struct Terms {
    /// Weight of the divergence between two passes, where there are two.
    pub consistency: Option<f64>,
    /// A regularization term.
    pub penalty: Option<Penalty>,
}

impl Design {
    /// Adds a tensor. Returns its number.
    pub fn add(&mut self, tensor: TensorPlan) -> usize {
        self.tensors.push(tensor);
        self.tensors.len() - 1
    }

    /// Number of scalars that train.
    pub fn trainable(&self) -> u64 {
        self.tensors.iter().filter(|tensor| tensor.trains).map(TensorPlan::numel).sum()
    }

    /// Number of scalars that train for each of so many sites.
    pub fn counts(&self, sites: usize) -> Vec<u64> {
        let mut counts = vec![0; sites];
        for tensor in self.tensors.iter().filter(|tensor| tensor.trains) {
            counts[tensor.site] += tensor.numel();
        }
        counts
    }

    /// Draws the tensors' values before training, on the device of the model.
    pub fn draw(&self, purpose: &str, seed: u64, model: &Model) -> Vec<Tensor> {
        let kind = if model.kind == Kind::Double { Kind::Double } else { Kind::Float };
        let options = (kind, model.device);
        let mut drawn: Vec<Tensor> = Vec::new();
        for tensor in &self.tensors {
            let source = Source::new(seed, purpose, &tensor.name);
            let count: i64 = tensor.shape.iter().product();
            let value = match tensor.start {
                Start::Constant(value) => Tensor::full([count], value, options),
                #[expect(clippy::cast_possible_truncation, reason = "to f32")]
                Start::Uniform(bound) => {
                    Tensor::from_slice(&uniform(&source, count, bound as f32)).to_kind(kind).to_device(model.device)
                }
                Start::Normal { mean, deviation } => normal(&source, count, deviation, options) + mean,
                Start::Times(other, factor) => &drawn[other] * factor,
            };
            drawn.push(value.view(tensor.shape.as_slice()));
        }
        drawn
    }

    /// The overlays of the layers with these values of the tensors.
    pub fn placed(&self, values: &[Tensor]) -> Vec<Placed> {
        let trains = |number: usize| self.tensors[number].trains;
        let place =
            |plan: &LayerPlan| Placed { layer: Arc::clone(&plan.layer), tensors: bound(values, &plan.tensors, trains) };
        self.layers.iter().map(place).collect()
    }

    /// The low-rank products that the layers add to their weights, with the indices of the sites.
    pub fn factors(&self, values: &[Tensor]) -> Vec<(usize, Factors)> {
        let factors = self.layers.iter().map(|plan| {
            let tensors: Vec<Tensor> = plan.tensors.iter().map(|&number| values[number].shallow_clone()).collect();
            Some((plan.site, plan.layer.factors(&tensors)?))
        });
        factors.flatten().collect()
    }
}
