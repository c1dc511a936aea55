//! Benchmark of a training step, and of its floor.

use std::time::Instant;

use rand::Rng;
use tch::{Device, Tensor};

use super::listener::Listener;
use super::survey::survey;
use super::{Targets, Trained, TrainedHead, forward_backward};
use spartui_facts::error::Result;
use spartui_facts::random::Source;
use spartui_facts::recipe::{self, Recompute, TaskKind};
use spartui_method::Method;
use spartui_model::{Batch, Model, Stage};
use spartui_sparse::{Optimizer, Rule};

/// Times training steps on random tokens.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    /// The model.
    pub model: &'a Model,
    /// The classification head.
    pub head: &'a mut TrainedHead,
    /// The method that adapts the model.
    pub method: &'a mut dyn Method,
    /// Rows of a batch.
    pub rows: usize,
    /// Tokens of a row.
    pub width: usize,
    /// What the backward pass recomputes.
    pub recompute: Recompute,
    /// Steps taken.
    pub step: u64,
    /// Number of steps in all, over which a method may spread what it does.
    pub of: u64,
}

impl Stopwatch<'_> {
    /// Makes the selection of a method that selects by gradients, on a random batch.
    ///
    /// # Errors
    /// As [`Method::apply`].
    pub fn choose(&mut self, settings: &recipe::Method) -> Result<()> {
        let (batch, targets, weight) = self.batch();
        let (model, recompute) = (self.model, self.recompute);
        let surveyed = survey(model, self.method, &self.head.start, settings, |trained| {
            forward_backward(model, trained, &batch, &targets, weight, recompute);
        });
        if surveyed? {
            self.method.apply(settings, 0, [0.9, 0.99]).map_err(spartui_facts::error::Error::refused)?;
        }
        Ok(())
    }

    /// Milliseconds of a whole step: forward and backward pass, norm, update.
    pub fn step(&mut self) -> f64 {
        // A rate too small to change the weights noticeably.
        self.train(|norm| 1e-6 / norm.max(1.0)).0
    }

    /// A whole step at a learning rate that may depend on the gradient's norm. Returns its duration in milliseconds and
    /// its loss.
    pub fn train(&mut self, rate: impl Fn(f64) -> f64) -> (f64, f64) {
        self.step += 1;
        let (batch, targets, weight) = self.batch();
        let optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
        self.method.begin_pass(self.step, 0);
        wait(self.model.device);
        let started = Instant::now();
        let mut trained = Trained { head: self.head, collector: self.method };
        let loss = forward_backward(self.model, &mut trained, &batch, &targets, weight, self.recompute);
        self.method.prepare(self.step, self.of);
        let norm = (self.method.squared_gradient_norm() + self.head.squared_gradient_norm()).sqrt();
        self.method.update(&optimizer, rate(norm), 1.0, self.step);
        self.head.update(&optimizer, rate(norm), 1.0, self.step);
        self.method.evolve(self.step, self.of, optimizer.betas);
        wait(self.model.device);
        (milliseconds(started), loss)
    }

    /// Milliseconds of the floor, which no method of this kind avoids: the same forward pass and the gradients of the
    /// inputs of the same blocks, which are discarded.
    pub fn floor(&mut self) -> f64 {
        let (batch, targets, weight) = self.batch();
        let mut floor = Listener::new(self.tapped(), |_, _| {});
        wait(self.model.device);
        let started = Instant::now();
        let mut trained = Trained { head: self.head, collector: &mut floor };
        forward_backward(self.model, &mut trained, &batch, &targets, weight, self.recompute);
        wait(self.model.device);
        let time = milliseconds(started);
        self.head.clear_gradients();
        time
    }

    /// The sites whose taps make the backward pass reach the same blocks as the method's.
    fn tapped(&self) -> Vec<bool> {
        let method = &self.method;
        let every = method.needs_gradient().len() == self.model.parameters.len()
            && method.needs_gradient().iter().all(|needed| *needed);
        if every || method.adapted().contains(&true) {
            return if every { vec![true; self.model.sites.len()] } else { method.adapted().to_vec() };
        }
        // One site of the lowest block is enough.
        let parameters = self.model.parameters.iter().zip(method.needs_gradient()).filter(|(_, needed)| **needed);
        let of_parameters = parameters.filter_map(|(parameter, _)| match parameter.stage {
            Stage::Embedding => Some(0),
            Stage::Block(layer) => Some(layer),
            Stage::Output => None,
        });
        let leaves = self.model.sites.iter().zip(method.registers_leaves()).filter(|(_, leaf)| **leaf);
        let lowest = of_parameters.chain(leaves.map(|(site, _)| site.layer)).min();
        let first = self.model.sites.iter().position(|site| Some(site.layer) == lowest);
        (0..self.model.sites.len()).map(|site| Some(site) == first).collect()
    }

    fn batch(&self) -> (Batch, Targets, f64) {
        let tokens = self.rows * self.width;
        let mut generator = Source::new(0, "tokens to measure with", "").sequence(self.step);
        let ids: Vec<i64> =
            (0..tokens).map(|_| generator.random_range(0..self.model.config.vocab_size.max(1))).collect();
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

/// Synchronizes with a device.
fn wait(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index.cast_signed() as i64);
    }
}
