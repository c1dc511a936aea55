//! `spartui inspect`

mod race;

use std::path::{Path, PathBuf};

use super::printer::{scored, shown};
use super::train::guess_columns;
use super::{end_progress, print_line, show_progress};
use spartui_adapters::{LoraAdapter, NewTokens, OwnAdapter, Saved, adapter_contents, adapter_shape};
use spartui_data::{self as data, Example, Prepared, Target};
use spartui_engine::Probe;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{self, Evaluation, Step, mebibytes};
use spartui_facts::quote::{one_line, place};
use spartui_facts::recipe::{Recipe, TaskKind};
use spartui_hub as hub;
use spartui_method::{Dense, Factors, Shape};
use spartui_model::{Model, Outputs, dtype_name, task_of};
use spartui_run::{Journal, Metrics, RunFolder, checkpoints, read_race};
use spartui_train::{ExtendedTokenizer, Opening, Plan, Prediction, Surroundings};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a model, an adapter or a run; with --data, a recipe.
    path: PathBuf,
    /// Read the data of a recipe and show some examples token by token, with the target tokens between guillemets.
    #[arg(long)]
    data: bool,
    /// With --data: number of examples.
    #[arg(long, default_value_t = 1, value_name = "N", requires = "data")]
    examples: usize,
    /// With --data: set a field of the recipe; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE", requires = "data")]
    set: Vec<String>,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let path = &arguments.path;
    if arguments.data {
        let mut recipe = Recipe::load(path, &arguments.set)?;
        let guess = guess_columns(&mut recipe, path, &arguments.set)?;
        guess.map_or(Ok(()), |guess| print_line(&guess))?;
        return inspect_data(&recipe, arguments.examples);
    }
    if path.join("recipe.toml").is_file() || runs.join(path).join("recipe.toml").is_file() {
        return inspect_run(&RunFolder::find(runs, path)?);
    }
    if ["sparse_deltas.safetensors", "sparta_keyed.safetensors"].iter().any(|file| path.join(file).is_file()) {
        return inspect_adapter(path);
    }
    match adapter_shape(path) {
        Shape::LowRank => return inspect_lora(path),
        Shape::Own => return inspect_own(path),
        Shape::Sparse if path.join("adapter_config.json").is_file() => return inspect_adapter(path),
        Shape::Sparse | Shape::Whole => {}
    }
    if path.join("config.json").is_file() {
        return inspect_model(path);
    }
    Err(Error::refused(format!(
        "{}: there is no model (config.json), adapter (sparse_deltas.safetensors, adapter_config.json) or run (recipe.toml); give the folder of one",
        path.display()
    )))
}

/// Prints the data of a run with this recipe; the model's weights are not read.
fn inspect_data(recipe: &Recipe, examples: usize) -> Result<()> {
    if recipe.model.path.as_os_str().is_empty() {
        return Err(Error::refused(
            "model.path is not given, and the tokens depend on the model; add --set model.path=DIR",
        ));
    }
    let probe = Probe::new();
    let folder = hub::resolve(&recipe.model.path, &mut |what, fraction| show_progress(what, fraction))?;
    let tokenizer = ExtendedTokenizer::read(&folder, &recipe.model.new_tokens)?.tokenizer;
    let prepared = data::prepare(recipe, &tokenizer, &mut |what, fraction| show_progress(what, fraction))?;
    end_progress();
    describe_rows(&prepared).into_iter().try_for_each(|line| print_line(&line))?;
    if !prepared.labels.is_empty() {
        print_line("")?;
        count_labels(&prepared).into_iter().try_for_each(|line| print_line(&line))?;
    }
    for example in prepared.train.examples.iter().take(examples) {
        let preview = data::preview(&tokenizer, example, &prepared.labels);
        let pieces = preview.pieces.into_iter().map(|piece| (piece.text, piece.trained)).collect();
        print_line("")?;
        print_line(&shown(&protocol::Example { pieces, label: preview.label }))?;
    }
    let predicted = predict(recipe, &folder, &prepared, probe.surroundings_of_rows());
    print_line("")?;
    match predicted {
        Ok(predicted) => table(&predicted).into_iter().try_for_each(|line| print_line(&line)),
        Err(error) => print_line(&format!("the memory of a run cannot be predicted: {}", error.message())),
    }
}

/// Predicts the peak memory of a run with this recipe.
fn predict(recipe: &Recipe, folder: &Path, prepared: &Prepared, around: Surroundings) -> Result<Prediction> {
    let (model, _) = Opening { weights: false, ..Opening::of(recipe, folder) }.open(recipe)?;
    let labels = prepared.labels.len().cast_signed() as i64;
    let shapes = model.head_kind().shapes(labels, model.config.hidden_size).into_iter();
    let head = shapes.map(|shape| shape.iter().product::<i64>().cast_unsigned()).sum();
    let (train, validation) = (&prepared.train.examples, &prepared.validation.examples);
    Plan { model: &model, head, train, validation, around }.predict(recipe)
}

/// The predicted peak memory, with a line for each part.
pub(super) fn table(predicted: &Prediction) -> Vec<String> {
    let line = |name: &str, bytes: u64| format!("{name:<28} {:>8} MiB", mebibytes(bytes));
    let parts = predicted.parts().map(|(name, bytes)| line(name, bytes));
    let all =
        format!("{}, of {} MiB", line("memory at the peak, predicted", predicted.total()), mebibytes(predicted.limit));
    std::iter::once(all).chain(parts.map(|part| format!("  {part}"))).collect()
}

/// Lines about the rows: number and lengths, how they were read, which were left out, and possible mistakes.
pub(super) fn describe_rows(prepared: &Prepared) -> Vec<String> {
    let below = |sentence: &String| format!("            {sentence}");
    let mut lines = Vec::new();
    for (name, part) in [("training", &prepared.train), ("validation", &prepared.validation)] {
        // Without an evaluation, the validation part is empty.
        if part.examples.is_empty() {
            continue;
        }
        lines.push(describe_part(name, &part.examples));
        lines.extend(part.read_as.iter().map(below));
        lines.extend(part.left_out.sentence().iter().map(below));
    }
    lines.extend(prepared.findings.iter().map(|finding| format!("check       {finding}")));
    lines
}

/// A line with the numbers of rows and tokens, and the lengths.
fn describe_part(name: &str, examples: &[Example]) -> String {
    let mut lengths: Vec<usize> = examples.iter().map(|example| example.tokens.len()).collect();
    lengths.sort_unstable();
    let tokens: usize = lengths.iter().sum();
    let learned: usize = examples.iter().map(Example::target_tokens).sum();
    let (half, longest) = (lengths.get(lengths.len() / 2).unwrap_or(&0), lengths.last().unwrap_or(&0));
    let learned = if learned > 0 { format!(", {learned} of them learned") } else { String::new() };
    format!("{name:<11} {} rows, {tokens} tokens{learned}; median {half}, longest {longest}", lengths.len())
}

/// A line for each label with its numbers of rows.
pub(super) fn count_labels(prepared: &Prepared) -> Vec<String> {
    let of = |examples: &[Example], place: usize| {
        examples.iter().filter(|example| example.target == Target::Label(place)).count()
    };
    let labels = prepared.labels.iter().enumerate();
    let lines = labels.map(|(place, label)| {
        let (train, validation) = (of(&prepared.train.examples, place), of(&prepared.validation.examples, place));
        format!("{train:>8} {validation:>8}  {}", one_line(label))
    });
    std::iter::once(format!("{:>8} {:>8}  label", "training", "valid.")).chain(lines).collect()
}

fn inspect_model(path: &Path) -> Result<()> {
    let model = match Model::load(path, "auto", "cpu", task_of(path, true)?) {
        // A model without any head.
        Err(_) => Model::load(path, "auto", "cpu", TaskKind::SequenceClassification)?,
        Ok(model) => model,
    };
    let head = model.stored_head().map_or_else(|| "none".into(), |head| format!("{} parameters", head.parameters()));
    let task = if model.task == TaskKind::CausalLm { "causal-lm" } else { "sequence-classification" };
    print_line(&format!("model       {}", path.display()))?;
    print_line(&format!("family      {}", model.config.family.name))?;
    print_line(&format!("parameters  {} in {}", model.base_parameters(), dtype_name(model.kind)))?;
    print_line(&format!("task        {task}"))?;
    print_line(&format!("head        {head}"))?;
    if model.stored_head().is_some() {
        let labels: Vec<String> = model.config.labels.iter().map(|label| one_line(label)).collect();
        print_line(&format!("labels      {}", labels.join(", ")))?;
        let outputs = match model.config.outputs(labels.len()) {
            Outputs::OneLabel => "one of the labels",
            Outputs::AnyLabels => "any of the labels",
            Outputs::Numbers => "numbers",
        };
        print_line(&format!("outputs     {outputs}"))?;
    }
    print_line(&format!("layers      {} of width {}", model.layers(), model.config.hidden_size))?;
    print_line(&format!("positions   {}", model.config.max_positions))?;
    for remark in &model.remarks {
        print_line(&format!("{:<11} {}", if remark.warns { "warning" } else { "note" }, remark.text))?;
    }
    print_line("")?;
    print_line(&format!("{:<18} {:>6} {:>14} {:>9}", "group", "sites", "parameters", "of all"))?;
    for group in model.groups() {
        let sizes: Vec<u64> =
            model.sites.iter().filter(|site| site.group == group).map(|site| site.weight.numel() as u64).collect();
        let scalars: u64 = sizes.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
        let share = scalars as f64 / model.base_parameters() as f64 * 100.0;
        print_line(&format!("{group:<18} {:>6} {scalars:>14} {share:>7.2} %", sizes.len()))?;
    }
    Ok(())
}

fn inspect_adapter(path: &Path) -> Result<()> {
    let contents = adapter_contents(path)?;
    let touched: Vec<_> = contents.scalars.iter().filter(|(_, scalars)| *scalars > 0).collect();
    let total: usize = touched.iter().map(|(_, scalars)| scalars).sum();
    print_line(&format!("adapter     {}", path.display()))?;
    print_line(&format!("base model  {}", place(&contents.base)))?;
    let labels: Vec<String> = contents.labels.iter().map(|label| label.escape_debug().to_string()).collect();
    print_line(&format!("labels      {}", labels.join(", ")))?;
    print_line(&format!("deltas      {total} in {} of {} parameters", touched.len(), contents.scalars.len()))?;
    touched.iter().try_for_each(|(name, scalars)| print_line(&format!("{scalars:>12}  {}", one_line(name))))?;
    let new = NewTokens::of_adapter(path)?.tokens;
    let new: Vec<String> = new.iter().map(|(text, id)| format!("{} ({id})", one_line(text))).collect();
    if new.is_empty() { Ok(()) } else { print_line(&format!("new tokens  {}", new.join(", "))) }
}

fn inspect_lora(path: &Path) -> Result<()> {
    let LoraAdapter { base, labels, settings, layers, head, saved, .. } = LoraAdapter::read(path)?;
    let scalars =
        |factors: &Factors| factors.down.len() + factors.up.len() + factors.magnitude.as_ref().map_or(0, Vec::len);
    let total: usize = layers.iter().map(|(_, factors)| scalars(factors)).sum();
    let variant = match (settings.by_root, settings.magnitudes) {
        (false, false) => "",
        (true, false) => ", over the rank's root",
        (false, true) => ", with magnitudes",
        (true, true) => ", over the rank's root, with magnitudes",
    };
    print_line(&format!("adapter     {}", path.display()))?;
    print_line(&format!("base model  {}", place(&base)))?;
    if !labels.is_empty() {
        let labels: Vec<String> = labels.iter().map(|label| label.escape_debug().to_string()).collect();
        print_line(&format!("labels      {}", labels.join(", ")))?;
    }
    print_line(&format!("low rank    {}, alpha {}{variant}", settings.rank, settings.alpha))?;
    print_line(&format!("head        {} scalars", head.iter().map(|part| part.init.len()).sum::<usize>()))?;
    for Saved { name, values, .. } in &saved {
        print_line(&format!("whole       {} scalars  {}", values.len(), one_line(name)))?;
    }
    print_line(&format!("factors     {total} scalars on {} layers", layers.len()))?;
    let line = |(name, factors): &(String, Factors)| {
        print_line(&format!("{:>12}  {}, rank {}", scalars(factors), one_line(name), factors.rank))
    };
    layers.iter().try_for_each(line)
}

fn inspect_own(path: &Path) -> Result<()> {
    let OwnAdapter { method, base, labels, learned, head, .. } = OwnAdapter::read(path)?;
    print_line(&format!("adapter     {}", path.display()))?;
    print_line(&format!("base model  {}", place(&base)))?;
    if !labels.is_empty() {
        let labels: Vec<String> = labels.iter().map(|label| label.escape_debug().to_string()).collect();
        print_line(&format!("labels      {}", labels.join(", ")))?;
    }
    print_line(&format!("method      {}, {}", one_line(&method), learned.settings))?;
    print_line(&format!("head        {} scalars", head.iter().map(|part| part.init.len()).sum::<usize>()))?;
    let total: usize = learned.tensors.iter().map(|tensor| tensor.values.len()).sum();
    print_line(&format!("tensors     {total} scalars in {}", learned.tensors.len()))?;
    let line = |tensor: &Dense| print_line(&format!("{:>12}  {}", tensor.values.len(), one_line(&tensor.name)));
    learned.tensors.iter().try_for_each(line)
}

fn inspect_run(run: &RunFolder) -> Result<()> {
    let (recipe, status) = (run.recipe(), run.status()?);
    if let Some(known) = read_race(run.path())? {
        print_line(&format!("race        {} ({})", run.name(), status.state))?;
        print_line(&format!("model       {}", recipe.model.path.display()))?;
        print_line(&format!("data        {}", recipe.data.train.display()))?;
        if let Some(every) = known.halve_every {
            print_line(&format!("halved      every {every} steps"))?;
        }
        return race::lanes(known);
    }
    let readings = Metrics::read(&run.metrics_path())?;
    let steps = |last: Option<&Step>| {
        last.map_or_else(
            || "none".into(),
            |step| format!("{}, loss {:.4}, {} trainable", step.step, step.loss, step.trainable),
        )
    };
    let scores = |scores: &Evaluation| format!("step {}, {}", scores.step, scored(scores));
    let best = readings.evaluations.iter().reduce(|best, next| if next.is_better_than(best) { next } else { best });
    print_line(&format!("run         {} ({})", run.name(), status.state))?;
    print_line(&format!("model       {}", recipe.model.path.display()))?;
    print_line(&format!("data        {}", recipe.data.train.display()))?;
    let (heading, method) = recipe.method.summary();
    print_line(&format!("{heading:<11} {method}"))?;
    print_line(&format!("steps       {}", steps(readings.steps.last())))?;
    print_line(&format!("best        {}", best.map_or_else(|| "not evaluated".into(), scores)))?;
    for found in checkpoints(&run.checkpoints_path())? {
        print_line(&format!("checkpoint  {}", found.path.display()))?;
    }
    for entry in Journal::read(&run.journal_path())? {
        print_line(&format!("step {:>6}  {}", entry.step(), entry.describe()))?;
    }
    Ok(())
}
