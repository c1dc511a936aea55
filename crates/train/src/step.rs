//! The optimizer step of a session, and its faults.

use std::rc::Rc;
use std::time::Instant;

use super::faults::{Attempt, NotFinite, out_of_memory};
use super::session::Session;
use super::survey::survey;
use super::{Trained, forward_backward, rate_at, to_tensors};
use spartui_data::{self as data, Example, Order, Target};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::Step;
use spartui_facts::recipe::{self, OptimizerKind, Recompute};
use spartui_model::Model;
use spartui_sparse::{Optimizer, Rule};

/// Loss and number of tokens of the passes over a batch.
#[derive(Default)]
struct BatchResult {
    loss: f64,
    tokens: usize,
}

impl Session {
    /// One optimizer step: batch, forward and backward pass, clipping, update.
    ///
    /// # Errors
    /// Where loss or gradient is not finite, or memory runs out; nothing was updated then.
    pub fn train_step(&mut self) -> Result<Step> {
        match self.attempt_step()? {
            Attempt::Taken(step) => Ok(step),
            Attempt::NotFinite(fault) => Err(Error::failed(fault.to_string())),
            Attempt::OutOfMemory(why) => Err(Error::failed(why)),
        }
    }

    /// As [`Session::train_step`], but returns faults after which training can go on as an [`Attempt`]. After a fault
    /// the session is unchanged.
    ///
    /// # Errors
    /// Where the computation failed for another reason.
    pub fn attempt_step(&mut self) -> Result<Attempt> {
        let started = Instant::now();
        let rows = self.next_batch();
        let step = self.step + 1;
        let result = out_of_memory(|| {
            let result = self.passes(&rows);
            let of = self.total_steps();
            // A regularization term that is not finite is a fault, like a loss.
            let terms = tch::no_grad(|| self.method.prepare(step, of));
            BatchResult { loss: if terms.is_finite() { result.loss } else { terms }, ..result }
        });
        let BatchResult { loss, tokens } = match result {
            Ok(result) => result,
            Err(fault) => {
                self.clear_gradients();
                return fault.map(Attempt::OutOfMemory);
            }
        };
        let updating = Instant::now();
        let grad_norm = (self.method.squared_gradient_norm() + self.head.squared_gradient_norm()).sqrt();
        if !loss.is_finite() || !grad_norm.is_finite() {
            self.clear_gradients();
            let lines = rows.iter().map(|&row| self.data.train.lines[row]).collect();
            let file = self.data.train.left_out.file.clone();
            return Ok(Attempt::NotFinite(NotFinite { step, loss, grad_norm, file, lines }));
        }
        let of_step = |peak| rate_at(&self.recipe.schedule, peak, step, self.total_steps());
        let (rate, head_rate) = (of_step(self.learning_rate()), of_step(self.head_learning_rate()));
        self.update([rate, head_rate], self.clipping(grad_norm), step);
        let seconds = started.elapsed().as_secs_f64();
        self.timing.add(seconds, updating.elapsed().as_secs_f64());
        Ok(Attempt::Taken(self.taken(rate, (loss, grad_norm), (rows.len(), tokens), seconds)))
    }

    /// Skips a step whose loss or gradient is not finite: counts it as taken, without an update.
    pub fn skip_step(&mut self, fault: &NotFinite) -> Step {
        let rows = self.next_batch();
        let tokens = rows.iter().map(|&row| self.data.train.examples[row].tokens.len()).sum();
        self.taken(0.0, (fault.loss, fault.grad_norm), (rows.len(), tokens), 0.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
    fn taken(
        &mut self,
        learning_rate: f64,
        (loss, grad_norm): (f64, f64),
        (examples, tokens): (usize, usize),
        seconds: f64,
    ) -> Step {
        self.step += 1;
        let total = self.total_steps();
        let (last, every) = (self.step == total, self.recipe.train.evaluate_every.of(total));
        let is_due = last || (every > 0 && self.step.is_multiple_of(every));
        self.progress.evaluation_due = is_due && self.can_evaluate();
        Step {
            step: self.step,
            epoch: self.step as f64 / self.steps_per_epoch() as f64,
            loss,
            learning_rate,
            grad_norm,
            examples,
            tokens,
            seconds,
            trainable: self.trainable(),
            sparsity: self.sparsity(),
            branch: self.branch,
        }
    }

    /// Forward and backward passes over these rows, micro-batch by micro-batch. Each loss is divided by the number of
    /// targets of all, so that the result does not depend on the size of the micro-batches.
    fn passes(&mut self, rows: &[usize]) -> BatchResult {
        let micro_batch = self.micro_batch();
        assert!(micro_batch <= self.memory_for, "DefaultCPUAllocator: not enough memory: you tried to allocate");
        let mut trained = Trained { head: &mut self.head, collector: self.method.as_mut() };
        let examples = &self.data.train.examples;
        passes(&self.model, &mut trained, examples, (rows, micro_batch), (self.step + 1, self.recipe.train.recompute))
    }

    /// Computes the base model's dense gradients on the first batches, if the method selects by them. Returns whether
    /// it does. The changes of other sessions must be removed from the model.
    ///
    /// # Errors
    /// Where a gradient is not finite, or memory runs out; nothing has changed then.
    pub(super) fn survey(&mut self, settings: &recipe::Method) -> Result<bool> {
        let (model, data) = (Rc::clone(&self.model), Rc::clone(&self.data));
        let (micro_batch, recompute) = (self.micro_batch(), self.recipe.train.recompute);
        let examples = &data.train.examples;
        let lengths: Vec<usize> = examples.iter().map(|example| example.tokens.len()).collect();
        let order = Order::of(&self.recipe);
        survey(&model, self.method.as_mut(), &self.head.start, settings, |trained| {
            let batches = (0..).flat_map(|epoch| data::epoch_batches(&lengths, &order, epoch));
            for rows in batches.take(settings.gradient_batches) {
                passes(&model, trained, examples, (&rows, micro_batch), (0, recompute));
            }
        })
    }

    /// Number of examples of a micro-batch.
    #[must_use]
    pub fn micro_batch(&self) -> usize {
        match self.recipe.train.micro_batch_size {
            0 => self.recipe.train.batch_size,
            size => size.min(self.recipe.train.batch_size),
        }
    }

    /// Clears the accumulated gradients.
    fn clear_gradients(&mut self) {
        self.method.clear_gradients();
        self.head.clear_gradients();
    }

    fn update(&mut self, [rate, head_rate]: [f64; 2], scale: f64, step: u64) {
        let optimizer = optimizer(&self.recipe.optimizer);
        let [of_method, of_head] = self.class_factors;
        self.method.update(&optimizer, rate * of_method, scale, step);
        self.head.update(&optimizer, head_rate * of_head, scale, step);
        self.method.evolve(step, self.total_steps(), optimizer.betas);
    }

    /// Gradient clipping: the factor that reduces a gradient of this norm to the bound, as PyTorch's `clip_grad_norm_`.
    fn clipping(&self, norm: f64) -> f64 {
        match self.recipe.optimizer.max_grad_norm {
            0.0 => 1.0,
            bound => (bound / (norm + 1e-6)).min(1.0),
        }
    }

    fn next_batch(&mut self) -> Vec<usize> {
        let per_epoch = self.steps_per_epoch();
        let (epoch, at) = (self.step / per_epoch, self.step % per_epoch);
        if self.epoch.as_ref().is_none_or(|(current, _)| *current != epoch) {
            let lengths: Vec<usize> = self.data.train.examples.iter().map(|example| example.tokens.len()).collect();
            self.epoch = Some((epoch, data::epoch_batches(&lengths, &Order::of(&self.recipe), epoch)));
        }
        let batches = self.epoch.as_ref().map(|(_, batches)| batches);
        batches.and_then(|batches| batches.get(usize::try_from(at).unwrap_or(0))).cloned().unwrap_or_default()
    }
}

/// The registry of optimizers: that of a recipe.
fn optimizer(settings: &recipe::Optimizer) -> Optimizer {
    let &recipe::Optimizer { kind, betas, epsilon, weight_decay, .. } = settings;
    let rule = match kind {
        OptimizerKind::Adamw => Rule::AdamW,
        OptimizerKind::AdamAtan2 => Rule::AdamAtan2,
    };
    Optimizer { rule, betas, epsilon, weight_decay }
}

/// Forward and backward passes over these rows in micro-batches; see [`Session::passes`].
fn passes(
    model: &Model,
    trained: &mut Trained<'_>,
    examples: &[Example],
    (rows, micro_batch): (&[usize], usize),
    (step, recompute): (u64, Recompute),
) -> BatchResult {
    let targets: usize = rows.iter().map(|&row| targets_of(&examples[row])).sum();
    #[expect(clippy::cast_precision_loss, reason = "targets are below 2^53")]
    let weight = 1.0 / targets.max(1) as f64;
    let mut result = BatchResult::default();
    let micro_batches = rows.chunks(micro_batch.clamp(1, rows.len().max(1)));
    for (number, rows) in (0..).zip(micro_batches) {
        trained.collector.begin_pass(step, number);
        let batch = data::collate(rows.iter().map(|&row| &examples[row]));
        result.tokens += batch.lengths.iter().sum::<usize>();
        let (inputs, targets) = to_tensors(model, &batch);
        result.loss += forward_backward(model, trained, &inputs, &targets, weight, recompute);
    }
    result
}

/// The number of targets of an example: one label, or its target tokens.
fn targets_of(example: &Example) -> usize {
    match example.target {
        Target::Label(_) => 1,
        Target::Tokens(_) => example.target_tokens(),
    }
}
