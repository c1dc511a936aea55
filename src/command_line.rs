//! The command line: one file for each subcommand.

mod attach;
mod background;
mod bench;
mod columns;
mod compare;
mod console;
mod curves;
mod demo;
mod detached;
mod doctor;
mod evaluate;
mod export;
mod generate;
mod inspect;
mod keys;
mod launch;
mod launcher;
mod live;
mod loading;
mod looks;
mod origin;
mod output;
mod plan;
mod predict;
mod printer;
mod race;
mod replay;
mod resume;
mod runs;
mod standard_output;
mod states;
mod train;

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use spartui_facts::error::Result;
use spartui_facts::recipe::{FIELDS, Recipe};
use standard_output::StandardOutput;

/// Fine-tune a language model in the terminal and steer it while it trains (`SpaRTA`).
#[derive(Debug, Parser)]
#[command(name = "spartui", version)]
pub struct Arguments {
    /// Folder of all runs.
    #[arg(long, global = true, default_value = "runs", env = "SPARTUI_RUNS", value_name = "DIR")]
    runs_dir: PathBuf,
    #[command(flatten)]
    looks: looks::Looks,
    /// Without one: the launcher, if there is a terminal.
    #[command(subcommand)]
    subcommand: Option<Sub>,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// The embedded example: a live run in a terminal, progress lines otherwise.
    Demo(demo::Arguments),
    /// Train as a recipe says.
    #[command(after_long_help = recipe_reference())]
    Train(train::Arguments),
    /// Train several candidates in turns on one copy of the model, and compare them while they train.
    Race(race::Arguments),
    /// Continue a run from its newest checkpoint, as if it had never been interrupted.
    Resume(resume::Arguments),
    /// Repeat a run from its recipe and its journal.
    Replay(replay::Arguments),
    /// Predict a run before its launch: rows, trainable parameters, memory, time of a step.
    Plan(plan::Arguments),
    /// Show a run that another process trains, and steer it.
    Attach(attach::Arguments),
    /// Write a prediction for each row of a file, as JSON lines.
    Predict(predict::Arguments),
    /// Evaluate on the rows of a file: loss and accuracy, with Matthews correlation or perplexity.
    Evaluate(evaluate::Arguments),
    /// Continue a text, or answer a user.
    Generate(generate::Arguments),
    /// Write the adapter of a run in another format, or merged into its model.
    Export(export::Arguments),
    /// Show the contents of a model, an adapter, a run, or the data of a recipe.
    Inspect(inspect::Arguments),
    /// Show the curves of runs, live or past: zoom, compare, write pictures.
    Curves(curves::Arguments),
    /// Compare runs: spread over seeds, and paired tests on the same validation rows.
    Compare(compare::Arguments),
    /// List the runs.
    Runs(runs::Arguments),
    /// Print the keys of the interface, as a file in which they can be changed.
    Keys(keys::Arguments),
    /// Measure the time of a step and its lower bound (floor), on random tokens.
    Bench(bench::Arguments),
    /// Check what works on this machine, what does not, and how to fix it.
    Doctor,
}

impl Sub {
    /// Whether this process computes with a model; one that only shows what another process computes needs no device.
    fn computes(&self) -> bool {
        match self {
            Self::Demo(demo) => demo.output.trains_here(),
            Self::Train(train) => train.output.trains_here(),
            Self::Race(race) => race.output.trains_here(),
            Self::Resume(resume) => resume.output.trains_here(),
            Self::Attach(_) | Self::Curves(_) | Self::Runs(_) | Self::Keys(_) => false,
            _ => true,
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // Panics are caught where they can happen and reported in one sentence, without Rust's own report.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() || std::io::stdout().is_terminal() => error.exit(),
        // The help, or the version.
        Err(help) => return exit_code(&StandardOutput.say(&help.render().to_string())),
    };
    let Some(subcommand) = arguments.subcommand else {
        return exit_code(&launcher::run(arguments.runs_dir, &arguments.looks));
    };
    let cuda = if subcommand.computes() { crate::libtorch::load_cuda() } else { Ok(false) };
    exit_code(&spartui_model::guarded(|| match subcommand {
        Sub::Demo(demo) => demo::run(&demo, arguments.runs_dir),
        Sub::Train(train) => train::run(&train, arguments.runs_dir),
        Sub::Race(race) => race::run(&race, arguments.runs_dir),
        Sub::Resume(resume) => resume::run(&resume, arguments.runs_dir),
        Sub::Replay(replay) => replay::run(&replay, arguments.runs_dir),
        Sub::Plan(plan) => plan::run(&plan, &arguments.runs_dir),
        Sub::Attach(attach) => attach::run(&attach, &arguments.runs_dir),
        Sub::Predict(predict) => predict::run(&predict, &arguments.runs_dir),
        Sub::Evaluate(evaluate) => evaluate::run(&evaluate, &arguments.runs_dir),
        Sub::Generate(generate) => generate::run(&generate, &arguments.runs_dir),
        Sub::Export(export) => export::run(&export, &arguments.runs_dir),
        Sub::Inspect(inspect) => inspect::run(&inspect, &arguments.runs_dir),
        Sub::Curves(curves) => curves::run(&curves, &arguments.runs_dir),
        Sub::Compare(compare) => compare::run(&compare, &arguments.runs_dir),
        Sub::Runs(runs) => runs::run(&runs, &arguments.runs_dir),
        Sub::Keys(keys) => keys::run(&keys),
        Sub::Bench(bench) => bench::run(&bench),
        Sub::Doctor => doctor::run(&cuda),
    }))
}

/// Parses the command line; without a subcommand and without a terminal for the launcher, the error is the help.
fn parse() -> std::result::Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    let matches = command.clone().try_get_matches()?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let given = |name: &&&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    match &arguments.subcommand {
        None if !live::is_possible() => {
            let why = console::why_unusable().unwrap_or_default();
            let help = command.render_help();
            let text = format!("{help}\nThe launcher needs a terminal: {why}.\n");
            Err(clap::Error::raw(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, text))
        }
        Some(_) => match ["theme", "keys", "ascii", "colours"].iter().find(given) {
            Some(name) => {
                let why =
                    format!("--{name} before a subcommand applies to the launcher; put it after the subcommand\n");
                Err(command.error(ErrorKind::ArgumentConflict, why))
            }
            None => Ok(arguments),
        },
        None => Ok(arguments),
    }
}

/// Prints an error, and gives the exit status.
fn exit_code(done: &Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.message().is_empty() {
                eprintln!("spartui: {error}");
            }
            error.exit_code()
        }
    }
}

/// Prints a line to standard output; if the reader has gone, as with `| head`, the program ends quietly.
///
/// # Errors
/// Fails if standard output cannot be written.
fn print_line(line: &str) -> Result<()> {
    StandardOutput.say(&format!("{line}\n"))
}

/// Prints a message on standard error; `kind` is `note` or `warning`.
fn print_note(kind: &str, message: &str) {
    end_progress();
    eprintln!("spartui: {kind}: {message}");
}

/// Prints a line of progress that overwrites itself, if standard error is a terminal.
fn show_progress(what: &str, fraction: Option<f32>) {
    if std::io::stderr().is_terminal() {
        let share = fraction.map_or_else(String::new, |fraction| format!(" {:.0} %", fraction * 100.0));
        eprint!("\r\x1b[K{what}{share}");
    }
}

/// Erases the line of progress.
fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// The fields of a recipe with meaning, values and default, from the table of fields.
#[must_use]
pub fn recipe_reference() -> String {
    let defaults = Recipe::default();
    let mut text = String::from("Fields of a recipe (--set FIELD=VALUE); * can be changed while the run trains:\n");
    for field in FIELDS {
        let star = if field.live { "*" } else { " " };
        let default = defaults.get(field.name).map_or_else(String::new, |value| format!(" [{value}]"));
        let _ =
            writeln!(text, "\n {star} {}{default}\n     {}; takes {}", field.name, field.help, field.kind.describe());
    }
    text
}
