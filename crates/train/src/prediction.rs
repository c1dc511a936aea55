//! Forecast of a run's peak memory, before its first step.
//!
//! It counts the tensors that are alive at each moment of a step; the largest moment is the peak. The overhead of
//! libtorch and of the allocator was measured and is given by constants.

mod account;

use tch::Device;

use account::{Account, Moment, bytes_of};
use spartui_data::{Example, Order, epoch_batches};
use spartui_facts::error::Result;
use spartui_facts::protocol::{Memory, mebibytes};
use spartui_facts::recipe::{KeepState, Recipe, Recompute, Steps, Train};
use spartui_method as method;
use spartui_model::Model;

/// Pages of libtorch's code that become resident in the first steps, in bytes.
const CODE: u64 = 18 << 20;

/// Buffers of the matrix products for packed operands, in `f32` and in narrower dtypes, in bytes.
const BUFFERS: [u64; 2] = [20 << 20, 36 << 20];

/// Fragmentation of the allocator at the peak, as a share of the tensors.
const HOLES: f64 = 0.03;

/// Epochs whose batches are examined; the others are similar.
const EPOCHS: u64 = 4;

/// Number of snapshots in memory in the long run: a few at each distance from the newest step.
const SNAPSHOTS: u64 = 16;

/// The sizes of a batch that determine memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Number of rows.
    pub rows: u64,
    /// Tokens of each row, padding included.
    pub width: u64,
    /// Number of target tokens; 0 for a classifier.
    pub targets: u64,
}

impl Extent {
    fn of<'a>(rows: impl Iterator<Item = &'a Example>) -> Self {
        rows.fold(Self::default(), |extent, row| Self {
            rows: extent.rows + 1,
            width: extent.width.max(row.tokens.len() as u64),
            targets: extent.targets + row.target_tokens() as u64,
        })
    }

    /// The largest micro-batch of a run.
    #[must_use]
    pub fn largest(recipe: &Recipe, examples: &[Example]) -> Self {
        let lengths: Vec<usize> = examples.iter().map(|example| example.tokens.len()).collect();
        let size = match recipe.train.micro_batch_size {
            0 => recipe.train.batch_size,
            size => size,
        };
        let epochs = if recipe.data.shuffle { recipe.train.total_steps(1).clamp(1, EPOCHS) } else { 1 };
        let batches = (0..epochs).flat_map(|epoch| epoch_batches(&lengths, &Order::of(recipe), epoch));
        let extents = batches.flat_map(|batch| {
            let parts = batch.chunks(size.max(1)).map(|rows| Self::of(rows.iter().map(|&row| &examples[row])));
            parts.collect::<Vec<_>>()
        });
        extents.max_by_key(|extent| (extent.rows * extent.width, extent.targets)).unwrap_or_default()
    }

    /// The first batch of an evaluation, which has the longest rows.
    #[must_use]
    pub fn of_evaluation(recipe: &Recipe, examples: &[Example]) -> Self {
        let mut rows: Vec<&Example> = examples.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.tokens.len()));
        Self::of(rows.into_iter().take(super::session::evaluation_rows(recipe)))
    }
}

/// Memory beside the model and its training, and the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The program before it loads anything, in bytes.
    pub program: u64,
    /// Rows and tokenizer, in bytes.
    pub data: u64,
    /// Memory of the machine or device, in bytes.
    pub limit: u64,
}

/// The predicted peak by owner, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prediction {
    /// Base weights.
    pub weights: u64,
    /// Indices, original values and deltas, the head, and snapshots; with method full the weights in `f32`.
    pub deltas: u64,
    /// Both moments of the optimizer.
    pub moments: u64,
    /// Tensors kept from the forward pass for the backward pass.
    pub kept: u64,
    /// Transient tensors: gradients, logits, temporaries.
    pub working: u64,
    /// Overhead of libtorch and the allocator.
    pub slack: u64,
    /// Rows and tokenizer.
    pub data: u64,
    /// Program and libtorch.
    pub program: u64,
    /// Memory of the machine or device.
    pub limit: u64,
}

impl Prediction {
    /// The forecast for a run of this recipe on micro-batches and evaluations of these extents. A model without weights
    /// is enough: see [`Model::outline`]. `head` counts the scalars of the classification head.
    ///
    /// # Errors
    /// Where the method's settings do not fit the model.
    pub fn new(
        recipe: &Recipe,
        model: &Model,
        head: u64,
        (batch, evaluation): (Extent, Extent),
        around: Surroundings,
    ) -> Result<Self> {
        let counts = method::counts(&recipe.method, model, head)?;
        let needs = method::definition(recipe.method.kind).needs(&recipe.method, model, &counts);
        let step = Account { recipe, model, counts: &counts, needs: &needs, batch };
        let moments = step.moments().into_iter().chain(step.survey()).chain([step.evaluation(evaluation)]);
        let moment = moments.max_by_key(Moment::bytes);
        let Moment { kept, working } = moment.unwrap_or_default();
        let (all, size) = (model.base_parameters(), bytes_of(model.kind));
        let on_cpu = model.device == Device::Cpu;
        let buffers = if on_cpu { BUFFERS[usize::from(size < 4)] } else { 0 };
        Ok(Self {
            weights: all * size,
            deltas: needs.held.deltas + 12 * head,
            moments: needs.held.moments + 8 * head,
            kept,
            working,
            slack: buffers + holes(kept + working) + step.holes_for_the_largest(),
            data: around.data,
            program: around.program + if on_cpu { CODE } else { 0 },
            limit: around.limit,
        })
    }

    /// The predicted peak.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts().into_iter().map(|(_, bytes)| bytes).sum()
    }

    /// The parts, each with its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 8] {
        [
            ("weights", self.weights),
            ("deltas", self.deltas),
            ("moments", self.moments),
            ("kept for the backward pass", self.kept),
            ("working memory", self.working),
            ("libtorch and allocator", self.slack),
            ("data", self.data),
            ("program", self.program),
        ]
    }

    /// The forecast by the owners of measured memory.
    #[must_use]
    pub fn by_owner(&self) -> Memory {
        Memory {
            step: 0,
            weights: self.weights,
            deltas: self.deltas,
            moments: self.moments,
            activations: self.kept + self.working + self.slack,
            data: self.data,
            program: self.program,
            other: 0,
            total: self.total(),
            limit: self.limit,
            peak: 0,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, and not negative"
)]
fn holes(bytes: u64) -> u64 {
    (bytes as f64 * HOLES) as u64
}

/// The inputs of a memory forecast beside the recipe.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The model; one without weights is enough: see [`Model::outline`].
    pub model: &'a Model,
    /// Scalars of the classification head.
    pub head: u64,
    /// The training rows.
    pub train: &'a [Example],
    /// The validation rows.
    pub validation: &'a [Example],
    /// Memory beside the model and its training.
    pub around: Surroundings,
}

impl Plan<'_> {
    /// The forecast for a run with this recipe.
    ///
    /// # Errors
    /// As [`Prediction::new`].
    pub fn predict(&self, recipe: &Recipe) -> Result<Prediction> {
        let extents = (Extent::largest(recipe, self.train), Extent::of_evaluation(recipe, self.validation));
        let mut predicted = Prediction::new(recipe, self.model, self.head, extents, self.around)?;
        predicted.deltas += self.snapshots(recipe, &predicted);
        Ok(predicted)
    }

    /// Bytes of snapshots, which are held in the machine's memory: deltas and moments of each, and shared lists. A
    /// snapshot that is not kept is in memory while a checkpoint is written from it.
    fn snapshots(&self, recipe: &Recipe, predicted: &Prediction) -> u64 {
        let (one, budget) = (predicted.moments / 2 * 3, recipe.history.budget_mb << 20);
        if self.model.device != Device::Cpu {
            0
        } else if recipe.history.every > 0 && one <= budget {
            budget.min(SNAPSHOTS * one)
        } else if self.writes_while_it_trains(recipe) {
            one
        } else {
            // The last snapshot, which does not coincide with the memory of a step.
            one.saturating_sub(predicted.kept + predicted.working + predicted.slack)
        }
    }

    /// Whether checkpoints are written before the end of the run.
    fn writes_while_it_trains(&self, recipe: &Recipe) -> bool {
        // An interval that resolves to 0 in a run of one step resolves to 0 in every run.
        let are_any = |steps: Steps| steps.of(1) > 0;
        let Train { checkpoint_every, evaluate_every, keep, .. } = recipe.train;
        let keeps_best = method::definition(recipe.method.kind).keeps_base(&recipe.method) || keep == KeepState::Best;
        are_any(checkpoint_every) || (keeps_best && !self.validation.is_empty() && are_any(evaluate_every))
    }

    /// A warning of one sentence for a run that is predicted to exceed the limit: how much memory it needs, and which
    /// settings need less.
    #[must_use]
    pub fn warning(&self, recipe: &Recipe, predicted: &Prediction) -> Option<String> {
        let mib = mebibytes;
        let (needed, there_is) = (predicted.total(), self.around.limit);
        if needed <= there_is {
            return None;
        }
        let remedy = |(settings, recipe): (String, Recipe)| {
            let other = self.predict(&recipe).ok()?.total();
            (other < needed).then(|| format!("{settings} (about {} MiB)", mib(other)))
        };
        let remedies: Vec<String> = remedies(recipe).into_iter().filter_map(remedy).collect();
        let advice = match remedies.join(", ") {
            none if none.is_empty() => "take a smaller model or shorter rows".to_owned(),
            some => format!("what needs less: {some}"),
        };
        Some(format!("this run will need about {} MiB, and there are {}; {advice}", mib(needed), mib(there_is)))
    }
}

/// Changed settings that need less memory, as a user would write them, each with the changed recipe.
fn remedies(recipe: &Recipe) -> Vec<(String, Recipe)> {
    let mut remedies = Vec::new();
    let mut add = |settings: &str, change: &dyn Fn(&mut Recipe)| {
        let mut changed = recipe.clone();
        change(&mut changed);
        if changed != *recipe {
            remedies.push((settings.to_owned(), changed));
        }
    };
    add("train.micro_batch_size = 1", &|recipe| recipe.train.micro_batch_size = 1);
    add("train.recompute = \"blocks\"", &|recipe| recipe.train.recompute = Recompute::Blocks);
    add("both", &|recipe| {
        recipe.train.micro_batch_size = 1;
        recipe.train.recompute = Recompute::Blocks;
    });
    let mut lighter = recipe.method.clone();
    let settings = method::definition(recipe.method.kind).lighten(&mut lighter);
    add(settings, &|recipe| recipe.method = lighter.clone());
    remedies
}
