//! The metrics of a run: its steps and evaluations.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files::failed;
use super::lines::{Lines, for_each_line, retain};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Evaluation, Step};
use spartui_facts::quote::place;
use spartui_facts::series::median;

/// How long a line may wait in memory while steps are taken.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// `metrics.jsonl`, open for appending. Lines that cannot be written wait and are tried again. Call [`Metrics::flush`]
/// where no step follows soon: at a pause, at a checkpoint.
#[derive(Debug)]
pub struct Metrics {
    lines: Lines,
    flushed: Instant,
}

/// The contents of a metrics file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Evaluations, in the order of the file.
    pub evaluations: Vec<Evaluation>,
    /// Number of lines that are neither.
    pub damaged: usize,
}

/// A line of the metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// An optimizer step.
    Step(Step),
    /// An evaluation.
    Evaluation(Evaluation),
}

impl Readings {
    /// Median duration in seconds of the steps for which `filter` is true, given branch and step; none if there are
    /// none. Steps with a duration of 0 were not measured and are left out.
    #[must_use]
    pub fn median_step_seconds(&self, filter: impl Fn(u32, u64) -> bool) -> Option<f64> {
        let steps = self.steps.iter().filter(|step| filter(step.branch, step.step));
        median(steps.map(|step| step.seconds).filter(|&seconds| seconds > 0.0))
    }
}

impl Metrics {
    /// Opens a file for appending, and creates it if it is missing.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let lines = Lines::open(path).map_err(failed("open the metrics", path))?;
        Ok(Self { lines, flushed: Instant::now() })
    }

    /// Adds a step.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn step(&mut self, step: &Step) -> Result<()> {
        self.append(step)
    }

    /// Adds an evaluation.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn evaluation(&mut self, evaluation: &Evaluation) -> Result<()> {
        self.append(evaluation)
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        self.lines.add(line).map_err(|error| Error::failed(format!("a metric cannot be written: {error}")))?;
        if self.flushed.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) }
    }

    /// Hands all lines to the operating system.
    ///
    /// # Errors
    /// Fails where the file cannot be written; the lines then wait in memory.
    pub fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        let path = self.lines.path().to_owned();
        self.lines.flush().map_err(failed("write the metrics", &path))
    }

    /// Another handle to the open file, with which a thread can wait for the disk; none if the system has no handle
    /// left.
    #[must_use]
    pub fn handle(&self) -> Option<File> {
        self.lines.handle().ok()
    }

    /// Removes the steps and evaluations for which `keep` is false, and damaged lines, from a file.
    ///
    /// # Errors
    /// Fails where the file cannot be read or written.
    pub fn cut(path: &Path, keep: impl Fn(&Reading) -> bool) -> Result<()> {
        retain(path, |line| parse(line).is_some_and(|reading| keep(&reading)))
            .map_err(failed("cut the metrics back to the checkpoint in", path))
    }

    /// Reads a file; a missing one is empty. Damaged lines are counted, except a last line that a crash cut off.
    ///
    /// # Errors
    /// Refuses a file that cannot be read.
    pub fn read(path: &Path) -> Result<Readings> {
        let mut readings = Readings::default();
        scan(path, |reading| match reading {
            Some(Reading::Step(step)) => readings.steps.push(step),
            Some(Reading::Evaluation(evaluation)) => readings.evaluations.push(evaluation),
            None => readings.damaged += 1,
        })?;
        Ok(readings)
    }
}

/// Calls `each` for every line, with none for a damaged one.
pub(super) fn scan(path: &Path, mut each: impl FnMut(Option<Reading>)) -> Result<()> {
    let read = for_each_line(path, |_, line, ended| {
        let reading = parse(line);
        if reading.is_some() || ended {
            each(reading);
        }
    });
    read.map_err(|error| Error::refused(format!("cannot read the metrics {}: {error}; check the file", place(path))))
}

/// Parses a line; none if it is damaged.
pub(super) fn parse(line: &[u8]) -> Option<Reading> {
    let is_evaluation = line.windows(11).any(|word| word == b"\"eval_loss\"");
    if is_evaluation { parse_with_nan(line).map(Reading::Evaluation) } else { parse_with_nan(line).map(Reading::Step) }
}

/// Parses a line in which null stands for NaN: JSON has no other way to write it.
fn parse_with_nan<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok().or_else(|| {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
        let fields = fields.into_iter().map(|(name, value)| {
            let value =
                if value.is_null() { toml::Value::Float(f64::NAN) } else { toml::Value::try_from(value).ok()? };
            Some((name, value))
        });
        toml::Value::Table(fields.collect::<Option<toml::Table>>()?).try_into().ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(step: u64, loss: f64) -> Step {
        Step {
            step,
            epoch: 0.03,
            loss,
            learning_rate: 1e-4,
            grad_norm: 0.5,
            examples: 24,
            tokens: 700,
            seconds: 0.1,
            trainable: 2268,
            sparsity: 0.99,
            branch: 0,
        }
    }

    fn evaluation() -> Evaluation {
        Evaluation {
            step: 100,
            eval_loss: 0.25,
            accuracy: 0.9,
            mcc: Some(0.88),
            examples: 200,
            seconds: 1.5,
            branch: 0,
        }
    }

    #[test]
    fn what_was_appended_is_read_in_order_and_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(Metrics::read(&path).unwrap(), Readings::default());
        let mut metrics = Metrics::open(&path).unwrap();
        metrics.step(&step(1, 2.5)).unwrap();
        metrics.evaluation(&evaluation()).unwrap();
        metrics.flush().unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"step\": 2, \"lo")).unwrap();
        let readings = Metrics::read(&path).unwrap();
        assert_eq!(readings, Readings { steps: vec![step(1, 2.5)], evaluations: vec![evaluation()], damaged: 0 });
        Metrics::open(&path).unwrap().step(&step(2, 2.0)).unwrap();
        let readings = Metrics::read(&path).unwrap();
        assert_eq!((readings.steps.len(), readings.damaged), (2, 0));
    }

    #[test]
    fn a_loss_that_is_no_number_is_read_back_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        Metrics::open(&path).unwrap().step(&step(1, f64::NAN)).unwrap();
        assert!(Metrics::read(&path).unwrap().steps[0].loss.is_nan());
    }

    #[test]
    fn lines_wait_a_second_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path).unwrap();
        metrics.step(&step(1, 1.0)).unwrap();
        assert_eq!(Metrics::read(&path).unwrap().steps.len(), 0);
        metrics.flushed = Instant::now().checked_sub(FLUSH_EVERY).unwrap();
        metrics.step(&step(2, 1.0)).unwrap();
        assert_eq!(Metrics::read(&path).unwrap().steps.len(), 2);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), like in "[{}\":,0-9a-z\n ]{0,80}") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            for text in [&bytes[..], like.as_bytes()] {
                std::fs::write(&path, text).unwrap();
                prop_assert!(Metrics::read(&path).unwrap().steps.is_empty());
                let _ = super::super::Journal::read(&path);
            }
        }
    }
}
