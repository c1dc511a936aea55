//! `spartui plan RECIPE`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::inspect::{count_labels, describe_rows, table};
use super::train::guess_columns;
use super::{end_progress, print_line, show_progress};
use spartui_data::{Dataset, Example, Target};
use spartui_engine::Probe;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{
    Group, Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRemark, PlannedRows, PlannedTime, Sparsity,
};
use spartui_facts::quote::place;
use spartui_facts::recipe::Recipe;
use spartui_facts::series::median;
use spartui_hub as hub;
use spartui_run::resolve_match;
use spartui_train::{Prediction, Session};

/// Time for steps after the first one.
const STEPS_FOR: Duration = Duration::from_millis(2500);
/// Most steps that are taken.
const MOST_STEPS: usize = 20;
/// Time for the evaluation of rows.
const EVALUATION_FOR: Duration = Duration::from_millis(800);
/// Bars of the histogram of lengths.
const LENGTH_BARS: usize = 24;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The recipe, a TOML file.
    recipe: PathBuf,
    /// Set a field of the recipe; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Print a JSON object on a line for each part of the plan, as soon as it is known.
    #[arg(long)]
    json: bool,
    /// Do not download the model: if it is not on this machine, say so and stop.
    #[arg(long)]
    no_download: bool,
    /// Skip the calibration: take no step, and predict no time.
    #[arg(long)]
    no_calibration: bool,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let outcome = Recipe::load(&arguments.recipe, &arguments.set).and_then(|mut recipe| {
        resolve_match(&mut recipe, runs)?;
        let guessed = guess_columns(&mut recipe, &arguments.recipe, &arguments.set)?;
        if let Some(what) = guessed {
            if arguments.json { print_part(&Planned::Doing { what, fraction: None }) } else { print_line(&what) }?;
        }
        plan(recipe, arguments)
    });
    end_progress();
    if let (Err(error), true) = (&outcome, arguments.json) {
        print_part(&Planned::Refused { message: error.message().to_owned() })?;
    }
    outcome
}

fn plan(recipe: Recipe, arguments: &Arguments) -> Result<()> {
    super::train::require_paths(&recipe, &arguments.recipe)?;
    if arguments.no_download && !is_here(&recipe.model.path)? {
        let message = format!("{} is not on this machine yet; a run downloads it", place(&recipe.model.path));
        return if arguments.json { print_part(&Planned::Later { message }) } else { print_line(&message) };
    }
    let mut probe = Probe::new();
    let mut progress = ProgressReport { json: arguments.json, last: None };
    let mut session = Session::load(recipe, &mut |what, fraction| progress.report(what, fraction))?;
    end_progress();
    probe.loaded(&session);
    let around = probe.surroundings(&session);
    let prediction = session.memory_plan(around);
    let predicted = prediction.predict(&session.recipe);
    let warning = predicted.as_ref().ok().and_then(|predicted| prediction.warning(&session.recipe, predicted));
    if arguments.json {
        print_part(&Planned::Data(rows(&session)))?;
        print_part(&Planned::Model(session.summary()))?;
        let remarks = session.model.remarks.iter();
        let remarks: Vec<PlannedRemark> =
            remarks.map(|remark| PlannedRemark { text: remark.text.clone(), warns: remark.warns }).collect();
        if !remarks.is_empty() {
            print_part(&Planned::ModelRemarks { remarks })?;
        }
        print_part(&Planned::Sparsity(session.sparsity_report()))?;
        if let Some(chosen) = session.chosen_rate() {
            print_part(&Planned::Rate(PlannedRate { rate: chosen.rate, basis: chosen.basis(), head: chosen.head }))?;
        }
        let remarks = session.remarks();
        if !remarks.is_empty() {
            print_part(&Planned::Remarks { remarks })?;
        }
        match &predicted {
            Ok(predicted) => print_part(&Planned::Memory(memory(predicted, warning.clone())))?,
            Err(error) => progress.report(&format!("the memory cannot be predicted: {}", error.message()), None),
        }
    } else {
        print_rows(&session)?;
        print_sparsity(&session.sparsity_report())?;
        session.chosen_rate().map_or(Ok(()), |chosen| print_line(&format!("rate        {}\n", chosen.remark())))?;
        for remark in session.remarks() {
            print_line(&format!("warning     {remark}\n"))?;
        }
        print_memory(predicted, warning)?;
    }
    if arguments.no_calibration {
        return Ok(());
    }
    let time = calibrate(&mut session, &mut progress)?;
    end_progress();
    if arguments.json { print_part(&Planned::Time(time)) } else { print_time(&time) }
}

/// Whether a model can be used without a download; a path that is neither a folder nor a name is refused later.
fn is_here(model: &Path) -> Result<bool> {
    let is_name = model.to_str().is_some_and(hub::is_hub_name) && !model.exists();
    let hub = hub::Hub { offline: true, ..hub::Hub::from_environment()? };
    Ok(!is_name || hub.resolve(model, &mut |_, _| {}).is_ok())
}

/// Reports the current activity, once for each percent.
struct ProgressReport {
    json: bool,
    last: Option<(String, Option<u32>)>,
}

impl ProgressReport {
    fn report(&mut self, what: &str, fraction: Option<f32>) {
        if !self.json {
            return show_progress(what, fraction);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage")]
        let now = (what.to_owned(), fraction.map(|fraction| (fraction.clamp(0.0, 1.0) * 100.0) as u32));
        if self.last.as_ref() != Some(&now) {
            // An error is reported with the next part.
            let _ = print_part(&Planned::Doing { what: what.to_owned(), fraction });
            self.last = Some(now);
        }
    }
}

fn print_part(part: &Planned) -> Result<()> {
    let json = serde_json::to_string(part);
    print_line(&json.map_err(|error| Error::failed(format!("a part of the plan cannot be written: {error}")))?)
}

/// Measures a few real steps of the run and a part of an evaluation. Nothing is written.
fn calibrate(session: &mut Session, progress: &mut ProgressReport) -> Result<PlannedTime> {
    let (total_steps, steps_per_epoch) = (session.total_steps(), session.steps_per_epoch());
    let wanted = usize::try_from(total_steps).unwrap_or(usize::MAX).min(MOST_STEPS);
    let mut milliseconds = Vec::new();
    progress.report("timing steps", Some(0.0));
    let first = session.train_step()?.seconds * 1e3;
    let begun = Instant::now();
    while milliseconds.len() + 1 < wanted && begun.elapsed() < STEPS_FOR {
        milliseconds.push(session.train_step()?.seconds * 1e3);
        #[expect(clippy::cast_precision_loss, reason = "at most twenty steps")]
        let share = milliseconds.len() as f32 / wanted as f32;
        progress.report("timing steps", Some(share.max(begun.elapsed().div_duration_f32(STEPS_FOR)).min(1.0)));
    }
    // The first step warms caches up; it counts where there is no other.
    if milliseconds.is_empty() {
        milliseconds.push(first);
    }
    let step_ms = median(milliseconds.iter().copied()).unwrap_or(first);
    if session.can_evaluate() {
        progress.report("timing an evaluation", None);
    }
    let evaluation_seconds = evaluation(session);
    let evaluations = match session.recipe.train.evaluate_every.of(total_steps) {
        _ if !session.can_evaluate() => 0,
        0 => 1,
        // The last step is evaluated too, whether it is its turn or not.
        every => total_steps.div_ceil(every),
    };
    #[expect(clippy::cast_precision_loss, reason = "steps are below 2^53")]
    let seconds = total_steps as f64 * step_ms / 1e3 + evaluations as f64 * evaluation_seconds;
    let measured = milliseconds.len();
    Ok(PlannedTime { step_ms, measured, total_steps, steps_per_epoch, evaluation_seconds, evaluations, seconds })
}

/// Estimates the seconds of an evaluation from the time for a part of the rows.
#[expect(clippy::cast_precision_loss, reason = "rows are below 2^53")]
fn evaluation(session: &Session) -> f64 {
    let all = session.data.validation.examples.len();
    let (begun, mut rows) = (Instant::now(), 0);
    let whole = session.evaluate(|done| {
        rows = done;
        if begun.elapsed() < EVALUATION_FOR { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let seconds = begun.elapsed().as_secs_f64();
    if whole.is_some() || rows == 0 { seconds } else { seconds / rows as f64 * all as f64 }
}

fn rows(session: &Session) -> PlannedData {
    let data = &session.data;
    let of = |examples: &[Example], place: usize| {
        examples.iter().filter(|example| example.target == Target::Label(place)).count()
    };
    let labels =
        data.labels.iter().enumerate().map(|(place, label)| {
            (label.clone(), of(&data.train.examples, place), of(&data.validation.examples, place))
        });
    PlannedData {
        train: planned_rows(&data.train),
        validation: planned_rows(&data.validation),
        labels: labels.collect(),
        findings: data.findings.clone(),
    }
}

fn planned_rows(part: &Dataset) -> PlannedRows {
    let mut sorted: Vec<usize> = part.examples.iter().map(|example| example.tokens.len()).collect();
    sorted.sort_unstable();
    let longest = sorted.last().copied().unwrap_or(0);
    let mut lengths = vec![0; LENGTH_BARS.min(longest)];
    for length in &sorted {
        let at = length.saturating_sub(1) * lengths.len() / longest.max(1);
        if let Some(count) = lengths.get_mut(at) {
            *count += 1;
        }
    }
    PlannedRows {
        rows: sorted.len(),
        tokens: sorted.iter().sum(),
        learned: part.examples.iter().map(Example::target_tokens).sum(),
        median: sorted.get(sorted.len() / 2).copied().unwrap_or(0),
        longest,
        lengths,
        left_out: part.left_out.sentence(),
        read_as: part.read_as.clone(),
    }
}

fn memory(predicted: &Prediction, warning: Option<String>) -> PlannedMemory {
    let parts = predicted.parts().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    PlannedMemory { memory: predicted.by_owner(), parts, warning }
}

fn print_rows(session: &Session) -> Result<()> {
    let data = &session.data;
    describe_rows(data).into_iter().try_for_each(|line| print_line(&line))?;
    for remark in &session.model.remarks {
        print_line(&format!("{:<11} {}", if remark.warns { "warning" } else { "note" }, remark.text))?;
    }
    if !data.labels.is_empty() {
        print_line("")?;
        count_labels(data).into_iter().try_for_each(|line| print_line(&line))?;
    }
    print_line("")
}

#[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
fn print_sparsity(sparsity: &Sparsity) -> Result<()> {
    print_line(&format!(
        "trainable   {} of {} parameters, sparsity {:.4} %",
        sparsity.trainable,
        sparsity.parameters,
        sparsity.sparsity * 100.0
    ))?;
    sparsity.remark.as_ref().map_or(Ok(()), |remark| print_line(&format!("            {remark}")))?;
    print_line(&format!("{:<18} {:>14} {:>12} {:>9}", "group", "parameters", "trainable", "density"))?;
    if sparsity.head > 0 {
        print_line(&format!("{:<18} {:>14} {:>12} {:>9}", "head", sparsity.head, sparsity.head, "100 %"))?;
    }
    for Group { name, parameters, trainable, .. } in sparsity.groups.iter().filter(|group| group.trainable > 0) {
        let density = *trainable as f64 / (*parameters).max(1) as f64 * 100.0;
        print_line(&format!("{name:<18} {parameters:>14} {trainable:>12} {density:>7.2} %"))?;
    }
    print_line("")
}

fn print_memory(predicted: Result<Prediction>, warning: Option<String>) -> Result<()> {
    match predicted {
        Ok(predicted) => table(&predicted).into_iter().try_for_each(|line| print_line(&line))?,
        Err(error) => print_line(&format!("the memory of a run cannot be predicted: {}", error.message()))?,
    }
    warning.map_or(Ok(()), |warning| print_line(&warning))?;
    print_line("")
}

fn print_time(time: &PlannedTime) -> Result<()> {
    print_line(&format!("step        {:.1} ms, the median of {} steps", time.step_ms, time.measured))?;
    if time.evaluations > 0 {
        print_line(&format!("evaluation  {:.1} s", time.evaluation_seconds))?;
    }
    let evaluations = match time.evaluations {
        0 => String::new(),
        1 => " and an evaluation".into(),
        evaluations => format!(" and {evaluations} evaluations"),
    };
    print_line(&format!(
        "run         {} steps{evaluations}, about {}",
        time.total_steps,
        spartui_interface::text::duration(Duration::try_from_secs_f64(time.seconds).unwrap_or_default())
    ))
}
