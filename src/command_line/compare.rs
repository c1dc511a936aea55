//! `spartui compare RUN…`

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{end_progress, output, print_line, show_progress};
use spartui_compare::{self as compare, Along, Comparison, Subject};
use spartui_facts::error::{Error, Result};
use spartui_run::{RunFolder, checkpoints, read_checkpoint, refuse_race, runs_of};
use spartui_train::{Session, from_checkpoint, largest_checkpoint};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The runs, by name or folder; a race stands for its lanes. Runs that differ only in their seeds are one setting.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The run against whose setting the others are tested; default: the first run.
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,
    /// Format of the output.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    /// File for the output; default, or -: standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Instead of the comparison, the best metric of each run over the values of this field of the recipe: with
    /// `optimizer.learning_rate`, a learning-rate curve.
    #[arg(long, value_name = "FIELD", conflicts_with = "against")]
    along: Option<String>,
    /// First make the predictions of runs without them, such as those of earlier versions.
    #[arg(long)]
    evaluate: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
    Markdown,
    /// A picture of the curve, with --along.
    Svg,
}

impl Format {
    /// The text format of the comparison; none for a picture.
    fn text_format(self) -> Option<compare::Format> {
        match self {
            Self::Text => Some(compare::Format::Text),
            Self::Json => Some(compare::Format::Json),
            Self::Csv => Some(compare::Format::Csv),
            Self::Markdown => Some(compare::Format::Markdown),
            Self::Svg => None,
        }
    }
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    arguments.output.as_deref().map_or(Ok(()), output::check)?;
    let mut folders: Vec<RunFolder> = Vec::new();
    for run in arguments.runs.iter().chain(&arguments.against) {
        for found in runs_of(RunFolder::find(runs, run)?)? {
            if folders.iter().all(|known| known.path() != found.path()) {
                folders.push(found);
            }
        }
    }
    let mut subjects = Vec::new();
    for folder in &mut folders {
        let mut subject = Subject::read(folder)?;
        if arguments.evaluate && subject.predictions.is_err() {
            predict(folder)?;
            subject = Subject::read(folder)?;
        }
        subjects.push(subject);
    }
    let text = match &arguments.along {
        Some(field) => along(&subjects, field, arguments.format)?,
        None => comparison(&subjects, &folders, arguments, runs)?,
    };
    match &arguments.output {
        Some(path) => output::write(path, text.as_bytes()),
        None => print_line(text.trim_end_matches('\n')),
    }
}

/// The best metric of each run over the values of a field.
fn along(subjects: &[Subject], field: &str, format: Format) -> Result<String> {
    let along = Along::of(subjects, field).map_err(Error::refused)?;
    match format.text_format() {
        Some(format) => format.write_along(&along),
        None => Ok(compare::svg(&along)),
    }
}

/// The comparison.
fn comparison(subjects: &[Subject], folders: &[RunFolder], arguments: &Arguments, runs: &Path) -> Result<String> {
    let against = match &arguments.against {
        Some(run) => {
            let run = RunFolder::find(runs, run)?;
            refuse_race(&run, "--against ")?;
            let path = run.path().to_owned();
            folders.iter().position(|folder| folder.path() == path).unwrap_or(0)
        }
        None => 0,
    };
    let Some(format) = arguments.format.text_format() else {
        return Err(Error::refused(
            "--format svg draws a curve; give the field of its horizontal axis with --along FIELD",
        ));
    };
    let mut comparison = Comparison::of(subjects, against).map_err(Error::refused)?;
    let missing = subjects.iter().any(|run| run.predictions.is_err());
    if missing && comparison.settings.iter().any(|row| row.untested.is_some()) {
        comparison.notes.push("with --evaluate, the missing predictions are made from the newest checkpoints".into());
    }
    format.write(&comparison)
}

/// Evaluates the last state of a run on its validation rows, and writes the predictions into its folder.
fn predict(folder: &mut RunFolder) -> Result<()> {
    folder.claim()?;
    let name = folder.name();
    let mut session = Session::load(folder.recipe().clone(), &mut |what, share| show_progress(what, share))?;
    let found = checkpoints(&folder.checkpoints_path())?.into_iter().next().ok_or_else(|| {
        Error::refused(format!(
            "{name} has no checkpoint to make its predictions from; `spartui replay` repeats the run"
        ))
    })?;
    let checkpoint = read_checkpoint(&found, largest_checkpoint(&session))?;
    session.restore(&from_checkpoint(&checkpoint, &session)?.snapshot)?;
    let rows = session.recipe.train.batch_size.max(32);
    let of = session.data.validation.examples.len();
    let evaluated = session.evaluate_each(rows, |done| {
        #[expect(clippy::cast_precision_loss, reason = "for a line of progress")]
        show_progress(&format!("evaluating {name}"), Some(done as f32 / of.max(1) as f32));
        std::ops::ControlFlow::Continue(())
    });
    end_progress();
    match evaluated {
        Some((_, predictions)) => predictions.write(&folder.predictions_path()),
        None => Ok(()),
    }
}
