//! What a training step costs, and the floor under it.

use std::time::Instant;

use tch::{Device, Tensor};

use super::{Targets, Trained, TrainedHead, forward_backward};
use crate::method::{Method, Patch, Plan, State};
use crate::model::{Batch, Model, Tap};
use crate::permutation::mix;
use crate::protocol::Group;
use crate::recipe::{self, Recompute, TaskKind};
use crate::sparse::{AdamW, Footprint, Resized, Saved};

/// Takes steps on random tokens and times them.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its head.
    pub head: &'a mut TrainedHead,
    /// How it is adapted.
    pub method: &'a mut dyn Method,
    /// Rows of a batch.
    pub rows: usize,
    /// Tokens of a row.
    pub width: usize,
    /// What the backward pass computes again.
    pub recompute: Recompute,
    /// Steps taken.
    pub step: u64,
}

impl Stopwatch<'_> {
    /// Milliseconds of a whole step: forward and backward pass, norm, update.
    pub fn step(&mut self) -> f64 {
        // A rate too small to lead the weights anywhere.
        self.train(|norm| 1e-6 / norm.max(1.0)).0
    }

    /// A whole step at a rate that may depend on the gradient's norm: its milliseconds and its loss.
    pub fn train(&mut self, rate: impl Fn(f64) -> f64) -> (f64, f64) {
        self.step += 1;
        let (batch, targets, weight) = self.batch();
        let adamw = AdamW { betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
        self.method.begin_pass(self.step, 0);
        wait(self.model.device);
        let started = Instant::now();
        let mut trained = Trained { head: self.head, method: self.method };
        let loss = forward_backward(self.model, &mut trained, &batch, &targets, weight, self.recompute);
        let norm = (self.method.squared_gradient_norm() + self.head.squared_gradient_norm()).sqrt();
        self.method.update(&adamw, rate(norm), 1.0, self.step);
        self.head.update(&adamw, rate(norm), 1.0, self.step);
        wait(self.model.device);
        (milliseconds(started), loss)
    }

    /// Milliseconds of what no method of this kind can do without: the same forward pass and the gradients of the inputs of
    /// the same blocks, and nothing done with them.
    pub fn floor(&mut self) -> f64 {
        let (batch, targets, weight) = self.batch();
        let everywhere = self.method.trains_everything();
        let adapted = if everywhere { vec![true; self.model.sites.len()] } else { self.method.adapted().to_vec() };
        let mut floor = Floor { adapted };
        wait(self.model.device);
        let started = Instant::now();
        let mut trained = Trained { head: self.head, method: &mut floor };
        forward_backward(self.model, &mut trained, &batch, &targets, weight, self.recompute);
        wait(self.model.device);
        let time = milliseconds(started);
        self.head.forget();
        time
    }

    fn batch(&self) -> (Batch, Targets, f64) {
        let vocabulary = self.model.config.vocab_size.cast_unsigned();
        let tokens = self.rows * self.width;
        let ids: Vec<i64> =
            (0..tokens as u64).map(|at| (mix(self.step << 32 | at) % vocabulary).cast_signed()).collect();
        let batch = Batch::new(&ids, &vec![self.width; self.rows], self.model.device);
        let targets = match self.model.task {
            TaskKind::SequenceClassification => {
                let labels = self.head.head.labels().max(1);
                let labels: Vec<i64> = (0..self.rows).map(|row| (row % labels).cast_signed() as i64).collect();
                Targets::Labels(Tensor::from_slice(&labels).to_device(self.model.device))
            }
            TaskKind::CausalLm => {
                let at: Vec<usize> = (0..tokens).filter(|at| at % self.width != 0).collect();
                let place = |at: &usize| at.cast_signed() as i64 - 1;
                Targets::Tokens {
                    at: Tensor::from_slice(&at.iter().map(place).collect::<Vec<_>>()).to_device(self.model.device),
                    ids: Tensor::from_slice(&at.iter().map(|&at| ids[at]).collect::<Vec<_>>())
                        .to_device(self.model.device),
                }
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "targets are below 2^53")]
        let weight = 1.0 / targets.count().max(1) as f64;
        (batch, targets, weight)
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Waits for what was asked of a device.
fn wait(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index.cast_signed() as i64);
    }
}

/// Listens at the same sites and does nothing with what it hears.
#[derive(Debug)]
struct Floor {
    adapted: Vec<bool>,
}

impl Method for Floor {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, _: &[Tap], _: &[Tensor]) {}

    fn squared_gradient_norm(&self) -> f64 {
        0.0
    }

    fn update(&mut self, _: &AdamW, _: f64, _: f64, _: u64) {}

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Ok(Plan::default())
    }

    fn apply(&mut self, _: &recipe::Method, _: u64, _: [f64; 2]) -> Result<Resized, String> {
        Ok(Resized::default())
    }

    fn configure(&mut self, _: &recipe::Method) {}

    fn sparsity_bounds(&self) -> (f64, f64) {
        (1.0, 1.0)
    }

    fn trainable(&self) -> u64 {
        0
    }

    fn retired(&self) -> u64 {
        0
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    fn save(&self) -> Vec<(usize, Vec<Saved>)> {
        Vec::new()
    }

    fn state(&self) -> State {
        State::default()
    }

    fn restore(&mut self, _: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        Vec::new()
    }

    fn patches_of(&self, _: &State, _: u64) -> Result<Vec<Patch>, String> {
        Ok(Vec::new())
    }

    fn forget(&mut self) {}
}
