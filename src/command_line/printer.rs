//! Events as lines.

mod lanes;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::print_line;
use lanes::Lanes;
use spartui_facts::error::Result;
use spartui_facts::protocol::{Evaluation, Event, Example, Level, Memory, Ready, Step, Summary, mebibytes};
use spartui_facts::quote::quoted;

/// Prints the events of a run.
#[derive(Debug)]
pub struct Printer {
    json: bool,
    total_steps: u64,
    printed: Option<Instant>,
    loading: String,
    /// The lanes, if it prints a race.
    lanes: Lanes,
}

/// Time between two lines of progress.
const EVERY: Duration = Duration::from_secs(2);

impl Printer {
    /// If `json` is set, every event is printed as a line of JSON.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, total_steps: 0, printed: None, loading: String::new(), lanes: Lanes::default() }
    }

    /// Prints an event, unless it has no line.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub fn print(&mut self, event: &Event) -> Result<()> {
        if self.json {
            return serde_json::to_string(event).map_or(Ok(()), |line| print_line(&line));
        }
        self.line(event).map_or(Ok(()), |line| print_line(&line))
    }

    fn line(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Loading { what, .. } if *what != self.loading => {
                self.loading.clone_from(what);
                Some(format!("{what} ..."))
            }
            Event::Ready(ready) => {
                self.total_steps = ready.total_steps;
                let predicted =
                    ready.predicted.as_ref().map(|memory| format!("\nmemory      {}", predicted_memory(memory)));
                Some(introduction(ready) + &predicted.unwrap_or_default())
            }
            Event::TotalSteps { total_steps } => {
                self.total_steps = *total_steps;
                None
            }
            Event::Example(example) => Some(format!("the first example: {}", shown(example))),
            Event::Sparsity(sparsity) if sparsity.step == 0 => Some(format!(
                "training {} of {} parameters, sparsity {:.3} %",
                sparsity.trainable,
                sparsity.parameters,
                sparsity.sparsity * 100.0
            )),
            Event::Step(step) => self.progress(step),
            Event::Evaluated(scores) => Some(format!("step {:>6}  validation {}", scores.step, scored(scores))),
            Event::Intervention(change) => {
                Some(format!("step {:>6}  {}: {} -> {}", change.step, change.field, change.from, change.to))
            }
            Event::Rewound { step, branch, left } => {
                Some(format!("step {:>6}  back to step {step}; what follows is branch {branch}", left.1))
            }
            Event::Exported { path, bytes, .. } => {
                Some(format!("adapter of {} KiB in {}", bytes / 1024, path.display()))
            }
            Event::Note { level: Level::Warning, message } => Some(format!("warning: {message}")),
            Event::Note { level: Level::Info, message } => Some(message.clone()),
            Event::Race(_) | Event::Lane { .. } | Event::Halved { .. } => self.lanes.line(event),
            Event::Finished(summary) => Some(self.lanes.standing().unwrap_or_default() + &conclusion(summary)),
            _ => None,
        }
    }

    fn progress(&mut self, step: &Step) -> Option<String> {
        if self.printed.is_some_and(|at| at.elapsed() < EVERY) && step.step != self.total_steps {
            return None;
        }
        self.printed = Some(Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "examples are below 2^53")]
        let rate = step.examples as f64 / step.seconds;
        Some(format!(
            "step {:>6} of {}  epoch {:.2}  loss {:.4}  rate {:.2e}  {rate:.0} examples/s",
            step.step, self.total_steps, step.epoch, step.loss, step.learning_rate
        ))
    }
}

/// An example in one line, with the target tokens between guillemets.
pub fn shown(example: &Example) -> String {
    let runs = example.runs().into_iter().map(|(text, trained)| if trained { format!("«{text}»") } else { text });
    let text: String = runs.collect();
    match &example.label {
        Some(label) => format!("{text} -> {}", quoted(label)),
        None => text,
    }
}

fn introduction(ready: &Ready) -> String {
    let model = &ready.model;
    let labels = match ready.labels.len() {
        0 => String::new(),
        labels => format!(", {labels} labels"),
    };
    let resumed = match ready.step {
        0 => String::new(),
        step => format!("; continues after step {step}"),
    };
    let validation = match ready.validation_examples {
        0 => String::new(),
        rows => format!(" and {rows} validation"),
    };
    format!(
        "{}: {} with {} parameters, {} on {}; {} training{validation} rows{labels}; {} steps{resumed}",
        ready.run, model.name, model.parameters, model.dtype, model.device, ready.train_examples, ready.total_steps
    )
}

/// The predicted peak memory in a line, with its parts.
pub fn predicted_memory(memory: &Memory) -> String {
    let mib = mebibytes;
    let parts = memory.owners().into_iter().filter(|(_, bytes)| *bytes > 0);
    let parts: Vec<String> = parts.map(|(name, bytes)| format!("{name} {}", mib(bytes))).collect();
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let limit = memory.limit as f64 / f64::from(1 << 30);
    format!("about {} MiB predicted at the peak, of {limit:.1} GiB: {}", mib(memory.total), parts.join(", "))
}

/// The scores of an evaluation.
pub fn scored(scores: &Evaluation) -> String {
    let (loss, accuracy) = (scores.eval_loss, scores.accuracy * 100.0);
    match scores.mcc {
        Some(mcc) => format!("loss {loss:.4}  accuracy {accuracy:.2} %  mcc {mcc:.4}"),
        None => format!("loss {loss:.4}  perplexity {:.3}  token accuracy {accuracy:.2} %", scores.perplexity()),
    }
}

/// The metric of an evaluation by which the best one is chosen.
pub fn score(made: &Evaluation) -> String {
    match made.mcc {
        Some(_) => format!("accuracy {:.2} %", made.accuracy * 100.0),
        None => format!("perplexity {:.3}", made.perplexity()),
    }
}

fn conclusion(summary: &Summary) -> String {
    let mut text = format!("{} after {} steps in {:.1} s", summary.ending, summary.steps, summary.seconds);
    if let Some(seconds) = summary.median_step_seconds {
        let _ = write!(text, "; median step {:.1} ms", seconds * 1e3);
    }
    let _ = write!(text, "; peak memory {} MiB", mebibytes(summary.peak_memory));
    if let Some(predicted) = summary.predicted_memory {
        let _ = write!(text, " (predicted {})", mebibytes(predicted));
    }
    if let Some(best) = summary.best {
        let _ = write!(text, "; best {} at step {}", score(&best), best.step);
    }
    if let Some(held) = held(summary) {
        let _ = write!(text, "\n{held}");
    }
    text
}

/// The name of the run in this folder, for another command: `RUN`, or `RACE/LANE` for one in `runs/RACE/lanes/LANE`.
fn run_of(folder: &Path) -> Option<String> {
    let name = |folder: &Path| Some(folder.file_name()?.to_string_lossy().into_owned());
    let run = name(folder)?;
    match folder.parent() {
        Some(lanes) if lanes.ends_with("lanes") => Some(format!("{}/{run}", name(lanes.parent()?)?)),
        _ => Some(run),
    }
}

/// Which state the adapter of a run holds, and the command for the best state if that is another one.
fn held(summary: &Summary) -> Option<String> {
    let (holds, path) = (summary.holds?, summary.adapter.as_ref()?);
    let what = path.file_name()?.to_string_lossy();
    let at = |step: u64, branch: u32| match branch {
        0 => format!("step {step}"),
        branch => format!("step {step} of branch {branch}"),
    };
    let scored = holds.evaluation.map_or_else(|| "not evaluated".into(), |made| score(&made));
    let text = format!("the {what} holds {} ({scored})", at(holds.step, holds.branch));
    let best = summary.best.filter(|best| (best.step, best.branch) != (holds.step, holds.branch));
    let Some(best) = best else {
        return Some(if holds.evaluation.is_some() { format!("{text}, the best") } else { text });
    };
    let run = run_of(path.parent()?)?;
    Some(format!(
        "{text}; the best is {} ({}): spartui export {run} --at best --output DIR",
        at(best.step, best.branch),
        score(&best)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_named_with_its_race() {
        assert_eq!(run_of(Path::new("runs/first")).as_deref(), Some("first"));
        assert_eq!(run_of(Path::new("runs/duel/lanes/lane-2")).as_deref(), Some("duel/lane-2"));
    }
}
