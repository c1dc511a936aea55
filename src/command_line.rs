//! The command line: one file for each subcommand.

mod attach;
mod background;
mod bench;
mod columns;
mod compare;
mod console;
mod curves;
mod demo;
mod doctor;
mod evaluate;
mod export;
mod generate;
mod inspect;
mod kept;
mod keys;
mod launch;
mod launcher;
mod left;
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
    /// Without one: the launcher, where there is a terminal.
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
    /// Go on with a run, from its newest checkpoint, as if it had never been interrupted.
    Resume(resume::Arguments),
    /// Repeat a run from its recipe and its journal.
    Replay(replay::Arguments),
    /// What a run would be before it is one: rows, what trains, memory, time of a step.
    Plan(plan::Arguments),
    /// The interface on a run that another process trains.
    Attach(attach::Arguments),
    /// Write a prediction for each row of a file, as JSON lines.
    Predict(predict::Arguments),
    /// Loss and accuracy on the rows of a file, with Matthews correlation or perplexity.
    Evaluate(evaluate::Arguments),
    /// Continue a text, or answer a user.
    Generate(generate::Arguments),
    /// Write what a run learned in another format, or merged into its model.
    Export(export::Arguments),
    /// What a model, an adapter, a run or a recipe's data holds.
    Inspect(inspect::Arguments),
    /// The curves of runs, live or past: zoom, compare, write pictures.
    Curves(curves::Arguments),
    /// Runs beside each other: spread over seeds, and paired tests on the same validation rows.
    Compare(compare::Arguments),
    /// List the runs.
    Runs(runs::Arguments),
    /// Print the keys of the interface, as a file to change them with.
    Keys(keys::Arguments),
    /// Time of a step, and the floor under it, on random tokens.
    Bench(bench::Arguments),
    /// What works on this machine, what does not, how to fix it.
    Doctor,
}

impl Sub {
    /// Whether this process computes: one that shows what another one computes needs no device.
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
    // Panics are caught where they can happen and told in one sentence; nobody wants Rust's report between.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() || std::io::stdout().is_terminal() => error.exit(),
        // The help, or the version.
        Err(asked) => return ended(&StandardOutput.say(&asked.render().to_string())),
    };
    let Some(subcommand) = arguments.subcommand else {
        return ended(&launcher::run(arguments.runs_dir, &arguments.looks));
    };
    let cuda = if subcommand.computes() { crate::libtorch::load_cuda() } else { Ok(false) };
    ended(&spartui_model::guarded(|| match subcommand {
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

/// The command line; without a subcommand and without a terminal for the launcher, the help.
fn parse() -> std::result::Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    let matches = command.clone().try_get_matches()?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let given = |name: &&&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    match &arguments.subcommand {
        None if !live::is_possible() => {
            let why = console::hindrance().unwrap_or_default();
            let help = command.render_help();
            let said = format!("{help}\nThe launcher needs a terminal: {why}.\n");
            Err(clap::Error::raw(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, said))
        }
        Some(_) => match ["theme", "keys", "ascii", "colours"].iter().find(given) {
            Some(name) => {
                let why = format!("--{name} before a subcommand is the launcher's; put it behind the subcommand\n");
                Err(command.error(ErrorKind::ArgumentConflict, why))
            }
            None => Ok(arguments),
        },
        None => Ok(arguments),
    }
}

/// How the program ends.
fn ended(done: &Result<()>) -> ExitCode {
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

/// Prints a line to standard output; a reader that has gone, as with `| head`, ends the program quietly.
///
/// # Errors
/// Where standard output cannot be written.
fn print_line(line: &str) -> Result<()> {
    StandardOutput.say(&format!("{line}\n"))
}

/// Says something on standard error: a note, or a warning.
fn tell(kind: &str, what: &str) {
    end_progress();
    eprintln!("spartui: {kind}: {what}");
}

/// A line of progress that overwrites itself, where standard error is a terminal.
fn show_progress(what: &str, fraction: Option<f32>) {
    if std::io::stderr().is_terminal() {
        let share = fraction.map_or_else(String::new, |fraction| format!(" {:.0} %", fraction * 100.0));
        eprint!("\r\x1b[K{what}{share}");
    }
}

/// Takes the line of progress away.
fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// The recipe's fields with meaning, values and default, from the one table.
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
