//! A training session: model, method, optimizer and data.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tch::Kind;

use super::evaluate::{Scores, labelled, predict_logits};
use super::language::{language_scores, row_losses, scores};
use super::{Loaded, Plan, Progress, Snapshot, Surroundings, TrainedHead, start_from_adapter};
use spartui_data::{Dataset, Example, Order, Prepared, Target};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Consequences, Evaluation, ModelSummary, Sparsity};
use spartui_facts::recipe::{
    self, AUTO, EVEN, Field, LanguageBasis, LearningRate, OnShrink, RACE, Recipe, SuggestedRate, TaskKind, Value,
    two_digits,
};
use spartui_method::{self as method, Method};
use spartui_model::{Head, Model, dtype_name};
use spartui_run::{PredictedRows, Predictions};

/// The training of a run, in memory. It does not depend on run folder, channels or clock; only its steps are timed.
#[derive(Debug)]
pub struct Session {
    /// The recipe, with every live change that was made.
    pub recipe: Recipe,
    /// The folder of the base model.
    pub folder: PathBuf,
    /// The model; the lanes of a race share it.
    pub model: Rc<Model>,
    /// The classification head.
    pub head: TrainedHead,
    /// The method that adapts the model.
    pub method: Box<dyn Method>,
    /// The data; the lanes of a race share it.
    pub data: Rc<Prepared>,
    /// Optimizer steps taken.
    pub step: u64,
    /// The current branch.
    pub branch: u32,
    /// The best and the last evaluation so far.
    pub progress: Progress,
    /// The labels of the data, for the snapshots.
    labels: Arc<Vec<String>>,
    /// The batches of the current epoch.
    pub(super) epoch: Option<(u64, Vec<Vec<usize>>)>,
    /// Durations of the last steps, for estimates.
    pub(super) timing: Timing,
    /// The suggestion of the rule, where it chose the learning rate.
    chosen_rate: Option<SuggestedRate>,
    /// For a language model, what the rule goes by.
    language: Option<LanguageBasis>,
    /// Factors of the learning rates of method and head, by the class of their parameters.
    pub(super) class_factors: [f64; 2],
    /// Whether a race of learning rates is still to choose one.
    pub(super) race_is_due: bool,
    /// Most examples of a micro-batch before it fails as out of memory; set by tests only.
    pub(crate) memory_for: usize,
}

/// Rows of the first batch by which a language model is measured.
const MEASURED: usize = 8;

/// What the rule of the learning rate goes by for a language model: its width, and how much it knows of the first rows.
///
/// # Errors
/// Refuses a model whose loss on them is no number, where the recipe leaves the learning rate to the rule.
fn language_basis(recipe: &Recipe, model: &Model, data: &Prepared) -> Result<Option<LanguageBasis>> {
    let basis = language_measure(recipe, model, data);
    let is_broken = basis.is_some_and(|basis| !basis.relative_loss.is_finite());
    match recipe.optimizer.learning_rate {
        LearningRate::Auto | LearningRate::Race if is_broken => Err(Error::refused(
            "the loss of the untrained model on the first rows is no number; check model.path and model.dtype, or give \
             optimizer.learning_rate",
        )),
        _ => Ok(basis.filter(|_| !is_broken)),
    }
}

fn language_measure(recipe: &Recipe, model: &Model, data: &Prepared) -> Option<LanguageBasis> {
    if model.task != TaskKind::CausalLm {
        return None;
    }
    let lengths: Vec<usize> = data.train.examples.iter().map(|example| example.tokens.len()).collect();
    let first = spartui_data::epoch_batches(&lengths, &Order::of(recipe), 0).into_iter().next()?;
    let rows = first.iter().map(|&row| &data.train.examples[row]).filter(|row| row.target_tokens() > 0);
    let rows: Vec<Example> = rows.take(MEASURED).cloned().collect();
    if rows.is_empty() {
        return None;
    }
    let Scores { loss, .. } = language_scores(model, &rows, evaluation_rows(recipe), |_| ControlFlow::Continue(()))?;
    #[expect(clippy::cast_precision_loss, reason = "a vocabulary is small")]
    let of_guessing = (model.config.vocab_size.max(2) as f64).ln();
    Some(LanguageBasis { width: model.config.hidden_size.unsigned_abs(), relative_loss: loss / of_guessing })
}

/// Moving averages of a step's duration in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timing {
    steps: u64,
    /// The whole step.
    whole: f64,
    /// The part that grows with the number of trainable scalars.
    sparse: f64,
}

impl Timing {
    /// Weight of the newest step, after the first ten.
    const NEWEST: f64 = 0.1;

    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
    pub(super) fn add(&mut self, whole: f64, sparse: f64) {
        self.steps += 1;
        let weight = Self::NEWEST.max(1.0 / self.steps as f64);
        self.whole += weight * (whole - self.whole);
        self.sparse += weight * (sparse - self.sparse);
    }
}

impl Session {
    /// Makes passes with more examples than this fail as out of memory. For tests.
    pub fn limit_memory(&mut self, examples: usize) {
        self.memory_for = examples;
    }

    /// Loads model and data of a recipe and builds the session. `progress` is called with the current activity and the
    /// share done, where that is known.
    ///
    /// # Errors
    /// Refuses an invalid model, invalid data and invalid settings.
    pub fn load(recipe: Recipe, progress: &mut dyn FnMut(&str, Option<f32>)) -> Result<Self> {
        Loaded::read(recipe, progress)?.session()
    }

    /// Builds a session on a loaded model and data. The changes of other sessions must be removed from the model: see
    /// [`Method::leave`].
    ///
    /// # Errors
    /// Refuses settings of the method that do not fit this model.
    pub(super) fn of(
        recipe: Recipe,
        folder: PathBuf,
        (model, data): (Rc<Model>, Rc<Prepared>),
        head: Head,
    ) -> Result<Self> {
        let language = language_basis(&recipe, &model, &data)?;
        let mut method = method::build(&recipe.method, &model, &head, recipe.optimizer.betas)?;
        let head = start_from_adapter(&recipe, &model, method.as_mut(), head)?;
        let factors = recipe.optimizer.class_factors(model.config.hidden_size);
        let class_factors = [method.class_factor(factors), factors.readout];
        let mut session = Self {
            folder,
            head: TrainedHead::new(head),
            recipe,
            model,
            method,
            labels: Arc::new(data.labels.clone()),
            data,
            step: 0,
            branch: 0,
            progress: Progress::default(),
            epoch: None,
            timing: Timing::default(),
            chosen_rate: None,
            language,
            race_is_due: false,
            class_factors,
            memory_for: usize::MAX,
        };
        session.recipe.method.sparsity = session.sparsity_by(&session.recipe);
        let settings = session.recipe.method.clone();
        if session.survey(&settings)? {
            session.method.apply(&settings, 0, session.recipe.optimizer.betas).map_err(Error::refused)?;
        }
        // The set of trainable scalars is known from here on.
        session.resolve_auto_rates();
        session.recipe.choose_steps(session.total_steps());
        Ok(session)
    }

    /// Replaces `learning_rate = "auto"`, and that of the head, by numbers. The run's recipe then holds these, so that
    /// the rule of a later version does not change them.
    fn resolve_auto_rates(&mut self) {
        let is_race = self.recipe.optimizer.learning_rate == LearningRate::Race;
        if is_race || self.recipe.optimizer.learning_rate == LearningRate::Auto {
            let mut suggested = self.suggested_rate(&self.recipe.method, self.method.trainable());
            let is_asked = self.recipe.optimizer.head_learning_rate == LearningRate::Auto;
            suggested.head = suggested.head.filter(|_| is_asked && self.head.head.parameters() > 0);
            self.recipe.choose_rates(suggested.rate, suggested.head);
            if is_race {
                // The rule's rates, around which the race goes and which stay where there is none.
                self.recipe.asked.insert("optimizer.learning_rate".into(), RACE.into());
                self.race_is_due = true;
            }
            self.chosen_rate = Some(suggested);
        }
    }

    /// Whether the recipe asks for a race of learning rates that was not run yet.
    #[must_use]
    pub fn races_rates(&self) -> bool {
        self.race_is_due && self.step == 0
    }

    /// The suggested learning rate of a method with `trainable` trainable scalars, head excluded.
    fn suggested_rate(&self, method: &recipe::Method, trainable: u64) -> SuggestedRate {
        method.learning_rate(trainable, self.model.base_parameters(), self.language)
    }

    /// The current learning rate at the schedule's peak.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.rate_of(&self.recipe)
    }

    /// As [`Session::learning_rate`], for the head.
    #[must_use]
    pub fn head_learning_rate(&self) -> f64 {
        match self.recipe.optimizer.head_learning_rate {
            LearningRate::At(rate) => rate,
            LearningRate::Auto | LearningRate::Race => self.learning_rate(),
        }
    }

    /// The learning rate of a recipe, with the current number of trainable scalars.
    fn rate_of(&self, recipe: &Recipe) -> f64 {
        match recipe.optimizer.learning_rate {
            LearningRate::At(rate) => rate,
            LearningRate::Auto | LearningRate::Race => {
                self.suggested_rate(&recipe.method, self.method.trainable()).rate
            }
        }
    }

    /// The suggestion of the rule, where it chose the rate at launch.
    #[must_use]
    pub fn chosen_rate(&self) -> Option<SuggestedRate> {
        self.chosen_rate
    }

    /// Forgets the suggestion of the rule, once a race has chosen another rate.
    pub(super) fn forget_chosen_rate(&mut self) {
        self.chosen_rate = None;
    }

    /// Remarks about the recipe before the launch, a sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let suggested = self.suggested_rate(&self.recipe.method, self.method.trainable());
        self.recipe.remarks(self.total_steps(), Some(&suggested))
    }

    /// The sparsity of a recipe; where it gives a count of trainable parameters, computed from that.
    fn sparsity_by(&self, recipe: &Recipe) -> f64 {
        match recipe.method.trainable {
            trainable @ 1.. if recipe.method.uses_field("sparsity") => self.shortest_sparsity_of(trainable),
            _ => recipe.method.sparsity,
        }
    }

    /// The sparsity for a number of trainable parameters, with as few digits as distinguish it from that of any other
    /// number.
    fn shortest_sparsity_of(&self, trainable: u64) -> f64 {
        let whole = self.sparsity_of(trainable);
        #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
        let (count, all) = (trainable as f64, self.parameters() as f64);
        let rounded = (6..=16).filter_map(|digits| format!("{whole:.digits$}").parse::<f64>().ok());
        let is_same = |sparsity: &f64| ((1.0 - sparsity) * all - count).abs() < 0.25;
        rounded.into_iter().find(is_same).unwrap_or(whole)
    }

    /// A new session at its first step, on the same model and data and with the same labels.
    ///
    /// # Errors
    /// As [`Session::of`], and as [`Loaded::sessions`] where the recipe has another model or other data.
    pub fn beside(&self, recipe: Recipe) -> Result<Self> {
        super::loaded::check_alike(&self.recipe, &recipe)?;
        let shared = (Rc::clone(&self.model), Rc::clone(&self.data));
        Self::of(recipe, self.folder.clone(), shared, self.head.start.copy())
    }

    /// Removes all changes of this session from the model, for other sessions that share it.
    pub fn leave(&mut self) {
        self.method.leave();
    }

    /// Restores in the model what [`Session::leave`] removed, to the bit.
    pub fn enter(&mut self) {
        self.method.enter();
    }

    /// Optimizer steps in one epoch.
    #[must_use]
    pub fn steps_per_epoch(&self) -> u64 {
        self.data.train.examples.len().div_ceil(self.recipe.train.batch_size) as u64
    }

    /// Optimizer steps of the whole run.
    #[must_use]
    pub fn total_steps(&self) -> u64 {
        self.recipe.train.total_steps(self.steps_per_epoch())
    }

    /// Number of trainable parameters, head included.
    #[must_use]
    pub fn trainable(&self) -> u64 {
        self.method.trainable() + self.head.head.parameters()
    }

    /// Number of all parameters, head included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.model.base_parameters() + self.head.head.parameters()
    }

    /// Share of all parameters that stay frozen.
    #[must_use]
    pub fn sparsity(&self) -> f64 {
        self.sparsity_of(self.trainable())
    }

    #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
    fn sparsity_of(&self, trainable: u64) -> f64 {
        1.0 - trainable as f64 / self.parameters() as f64
    }

    /// A copy of the training state and of the current settings. `journal` is the length of the journal at this time.
    #[must_use]
    pub fn snapshot(&self, journal: usize) -> Snapshot {
        Snapshot {
            step: self.step,
            branch: self.branch,
            journal,
            recipe: self.recipe.clone(),
            progress: self.progress.clone(),
            method: self.method.state(),
            head: self.head.state(),
            labels: Arc::clone(&self.labels),
        }
    }

    /// Restores a snapshot of this session, or of one with the same recipe, model and data, to the bit.
    ///
    /// # Errors
    /// Refuses a snapshot that does not fit; nothing has changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let refuse = |why: String| Error::refused(format!("the state of step {} does not fit: {why}", snapshot.step));
        let head = self.head.state();
        self.head.restore(&snapshot.head).map_err(refuse)?;
        if let Err(why) = self.method.restore(&snapshot.method, &snapshot.recipe.method, snapshot.step) {
            self.head.restore(&head).map_err(refuse)?;
            return Err(refuse(why));
        }
        self.recipe = snapshot.recipe.clone();
        self.progress = snapshot.progress.clone();
        self.step = snapshot.step;
        self.branch = snapshot.branch;
        Ok(())
    }

    /// Whether there are validation rows.
    #[must_use]
    pub fn can_evaluate(&self) -> bool {
        !self.data.validation.examples.is_empty()
    }

    /// Evaluates on the validation rows; none if there are none, or if `progress`, which is called with the number of
    /// rows done, stopped the evaluation.
    pub fn evaluate(&self, progress: impl FnMut(usize) -> ControlFlow<()>) -> Option<Evaluation> {
        self.evaluate_in(evaluation_rows(&self.recipe), progress)
    }

    /// As [`Session::evaluate`], with `rows` rows in a batch.
    pub fn evaluate_in(&self, rows: usize, progress: impl FnMut(usize) -> ControlFlow<()>) -> Option<Evaluation> {
        self.evaluate_each(rows, progress).map(|(evaluation, _)| evaluation)
    }

    /// As [`Session::evaluate_in`], with the prediction for each row.
    pub fn evaluate_each(
        &self,
        rows: usize,
        progress: impl FnMut(usize) -> ControlFlow<()>,
    ) -> Option<(Evaluation, Predictions)> {
        if !self.can_evaluate() {
            return None;
        }
        let started = Instant::now();
        let Dataset { examples, lines, fingerprint, .. } = &self.data.validation;
        let (Scores { loss, accuracy, mcc }, predicted) = match self.model.task {
            TaskKind::CausalLm => {
                let mut rows = row_losses(&self.model, examples, rows, progress)?;
                rows.iter_mut().zip(lines).for_each(|(row, line)| row.line = *line);
                (scores(&rows), PredictedRows::Tokens(rows))
            }
            TaskKind::SequenceClassification => {
                let logits = predict_logits(&self.model, &self.head.head, examples, rows, progress)?;
                let logits = logits.to_kind(Kind::Float);
                let labels: Vec<usize> = examples.iter().filter_map(label_of).collect();
                let rows = labelled(&logits, &labels, lines);
                (Scores::of(&logits, &labels), PredictedRows::Labels { names: self.data.labels.clone(), rows })
            }
        };
        let evaluation = Evaluation {
            step: self.step,
            eval_loss: loss,
            accuracy,
            mcc,
            examples: examples.len(),
            seconds: started.elapsed().as_secs_f64(),
            branch: self.branch,
        };
        let (step, branch, rows_hash) = (self.step, self.branch, fingerprint.clone());
        Some((evaluation, Predictions { step, branch, rows_hash, rows: predicted }))
    }

    /// The current value of a live field; `even`, for the proportional allocation, for a group without a density of its
    /// own.
    #[must_use]
    pub fn setting(&self, field: &str) -> Option<Value> {
        let of_group = || field.starts_with("method.density.").then(|| Value::String(EVEN.into()));
        self.recipe.get(field).or_else(of_group)
    }

    /// The effect that [`Session::set`] with the same field and value would have.
    ///
    /// # Errors
    /// One sentence why it is not possible.
    pub fn preview(&self, field: &str, value: Value) -> std::result::Result<Consequences, String> {
        let asks_the_rule = value.as_str() == Some(AUTO);
        let recipe = self.changed(field, value)?;
        let plan = if changes_selection(field) {
            self.method.plan(&recipe.method)?
        } else {
            method::Plan { trainable: self.method.trainable(), ..method::Plan::default() }
        };
        let head = self.head.head.parameters();
        let (now, then) = (self.trainable(), plan.trainable + head);
        let footprint = self.method.footprint();
        let bytes = footprint.deltas + footprint.moments;
        let per_scalar = (8 + self.model.kind.elt_size_in_bytes() + 12) as u64;
        let kept_by_retired = match recipe.method.on_shrink {
            OnShrink::Retire => plan.change.left * 8,
            OnShrink::Revert => plan.change.left * per_scalar,
        };
        #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
        let growth = plan.trainable as f64 / self.method.trainable().max(1) as f64;
        let Timing { whole, sparse, steps } = self.timing;
        Ok(Consequences {
            trainable: (now, then),
            sparsity: (self.sparsity_of(now), self.sparsity_of(then)),
            bytes: (bytes, (bytes + plan.change.joined * per_scalar).saturating_sub(kept_by_retired)),
            step_ms: (steps > 0).then_some((whole * 1e3, (whole - sparse + sparse * growth) * 1e3)),
            leaving: plan.change.left,
            joining: plan.change.joined,
            rate: if changes_selection(field) {
                self.rate_that_goes_with(&recipe, plan.trainable)
            } else {
                asks_the_rule.then(|| (self.learning_rate(), self.rate_of(&recipe)))
            },
        })
    }

    /// The current learning rate, and the one for another number of trainable scalars that has the same ratio to the
    /// suggested rate. None where the two are equal.
    fn rate_that_goes_with(&self, recipe: &Recipe, trainable: u64) -> Option<(f64, f64)> {
        let now = self.learning_rate();
        let by_rule = self.suggested_rate(&self.recipe.method, self.method.trainable()).rate;
        let then = two_digits(now * self.suggested_rate(&recipe.method, trainable).rate / by_rule);
        (then != two_digits(now)).then_some((now, then))
    }

    /// Sets a live field, from the next step on.
    ///
    /// # Errors
    /// One sentence why it is not possible; nothing has changed then.
    pub fn set(&mut self, field: &str, value: Value) -> std::result::Result<(), String> {
        let recipe = self.changed(field, value)?;
        if changes_selection(field) {
            self.survey(&recipe.method).map_err(|error| error.message().to_owned())?;
            self.method.apply(&recipe.method, self.step, recipe.optimizer.betas)?;
        } else if field.starts_with("method.") {
            self.method.configure(&recipe.method);
        }
        self.recipe = recipe;
        Ok(())
    }

    /// As [`Session::set`], but also for the fields of [`super::CARRIED`], which the engine changes after a fault or
    /// for a longer run.
    ///
    /// # Errors
    /// As [`Session::set`].
    pub fn set_again(&mut self, field: &str, value: Value) -> std::result::Result<(), String> {
        if super::snapshot::CARRIED.contains(&field) { self.recipe.set(field, value) } else { self.set(field, value) }
    }

    /// The recipe after a change of a live field.
    fn changed(&self, field: &str, value: Value) -> std::result::Result<Recipe, String> {
        if !Field::find(field)?.live {
            return Err(format!("{field} cannot be changed while the run trains; start another run for that"));
        }
        let own = field.strip_prefix("method.").filter(|of_method| of_method.contains('.'));
        if own
            .is_some_and(|of_method| !field.starts_with("method.density") && !self.recipe.method.uses_field(of_method))
        {
            let kind = self.recipe.method.kind.name();
            return Err(format!("{field} has no effect with method.kind \"{kind}\""));
        }
        let mut recipe = self.recipe.clone();
        recipe.set(field, value)?;
        if recipe.optimizer.learning_rate == LearningRate::Race {
            return Err(format!(
                "{field} = \"{RACE}\" chooses a rate before the first step; give a number or \"{AUTO}\", or start another run with it"
            ));
        }
        recipe.method.sparsity = self.sparsity_by(&recipe);
        recipe.optimizer.learning_rate = LearningRate::At(self.rate_of(&recipe));
        recipe.choose_steps(self.total_steps());
        Ok(recipe)
    }

    /// The trainable scalars by group and layer.
    #[must_use]
    pub fn sparsity_report(&self) -> Sparsity {
        Sparsity {
            step: self.step,
            parameters: self.parameters(),
            trainable: self.trainable(),
            head: self.head.head.parameters(),
            retired: self.method.retired(),
            sparsity: self.sparsity(),
            groups: self.method.groups(),
            remark: self.method.remark(),
        }
    }

    /// Name, family and sizes of the model.
    #[must_use]
    pub fn summary(&self) -> ModelSummary {
        let path = &self.recipe.model.path;
        ModelSummary {
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            family: self.model.config.family.name.to_owned(),
            parameters: self.parameters(),
            layers: self.model.layers(),
            hidden: usize::try_from(self.model.config.hidden_size).unwrap_or(0),
            dtype: dtype_name(self.model.kind).to_owned(),
            device: format!("{:?}", self.model.device).to_lowercase(),
        }
    }

    /// The inputs of this run's memory forecast.
    #[must_use]
    pub fn memory_plan(&self, around: Surroundings) -> Plan<'_> {
        Plan {
            model: &self.model,
            head: self.head.head.parameters(),
            train: &self.data.train.examples,
            validation: &self.data.validation.examples,
            around,
        }
    }

    /// Bytes of deltas and head, of moments, and of data.
    #[must_use]
    pub fn accounted(&self) -> [u64; 3] {
        let method = self.method.footprint();
        let (head, head_moments) = self.head.footprint();
        let rows = self.data.train.examples.iter().chain(&self.data.validation.examples);
        let data = rows.map(|example| (size_of_val(example) + 4 * example.tokens.capacity()) as u64).sum();
        [method.deltas + head, method.moments + head_moments, data]
    }
}

/// Rows of a batch in evaluation.
pub(super) fn evaluation_rows(recipe: &Recipe) -> usize {
    recipe.train.batch_size.max(32)
}

fn label_of(example: &Example) -> Option<usize> {
    match example.target {
        Target::Label(label) => Some(label),
        Target::Tokens(_) => None,
    }
}

fn changes_selection(field: &str) -> bool {
    ["method.sparsity", "method.trainable"].contains(&field) || field.starts_with("method.density")
}
