//! `spartui` without a subcommand: the launcher, and the screens that are opened from it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::background::{Background, program};
use super::detached::DetachedRun;
use super::launch::no_signals;
use super::live::{Run, Stage};
use super::looks::Looks;
use spartui_engine::socket::Link;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{Command, Ending, Purpose};
use spartui_hub::Hub;
use spartui_interface::frame::Severity;
use spartui_interface::input::watch_signals_of_screen;
use spartui_interface::launcher::{Launcher, Place};
use spartui_interface::{ComparisonScreen, Inspector, Open, Outcome, RaceScreen, State};
use spartui_run::read_race;

/// Shows the launcher, and each run that the user opens, until the user leaves or the terminal goes.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn run(runs: PathBuf, looks: &Looks) -> Result<()> {
    let mut launcher = Launcher::new(looks.look()?, place(runs)?);
    let mut stage = Stage::take(watch_signals_of_screen().map_err(no_signals)?, &launcher.env.look)?;
    loop {
        let stays = match stage.show(&mut launcher) {
            Outcome::Open(Open::Inspect(folders)) => inspect(&mut stage, &mut launcher, folders),
            Outcome::Open(Open::Compare { runs, like }) => compare(&mut stage, &mut launcher, runs, like),
            Outcome::Open(Open::Attach(folder)) => {
                let race = is_race(&folder);
                visit(&mut stage, &mut launcher, Ok(Run::Found { folder, purpose: Purpose::Steer }), race)
            }
            Outcome::Open(Open::Train { recipe, name }) => {
                let begun = begin(&launcher, ["train".into(), recipe.into(), "--run".into(), name.into()]);
                visit(&mut stage, &mut launcher, begun, false)
            }
            Outcome::Open(Open::Race { recipe, name, options }) => {
                let fixed: [OsString; 4] = ["race".into(), recipe.into(), "--run".into(), name.into()];
                let begun = begin(&launcher, fixed.into_iter().chain(options.into_iter().map(OsString::from)));
                visit(&mut stage, &mut launcher, begun, true)
            }
            Outcome::Open(Open::Resume(folder)) => {
                let race = is_race(&folder);
                let begun = begin(&launcher, ["resume".into(), folder.into()]);
                visit(&mut stage, &mut launcher, begun, race)
            }
            Outcome::Open(Open::Extend { folder, set }) => {
                let begun = begin(&launcher, ["resume".into(), folder.into(), "--set".into(), set.into()]);
                visit(&mut stage, &mut launcher, begun, false)
            }
            _ => false,
        };
        if !stays {
            drop(stage);
            Looks::save_theme(&launcher.env.look);
            return Ok(());
        }
    }
}

fn place(runs: PathBuf) -> Result<Place> {
    let folder = std::env::current_dir()
        .map_err(|error| Error::failed(format!("the working folder cannot be read: {error}; go to another one")))?;
    Ok(Place {
        folder,
        runs,
        program: program().unwrap_or_else(|_| "spartui".into()),
        cache: Hub::from_environment().ok().map(|hub| hub.cache),
        home: std::env::home_dir(),
        zone: chrono::Local::now().offset().local_minus_utc(),
    })
}

/// Shows the curves of runs; gives whether to show the launcher again.
fn inspect(stage: &mut Stage, launcher: &mut Launcher, folders: Vec<PathBuf>) -> bool {
    let runs = launcher.place.folder.join(&launcher.place.runs);
    let mut inspector = Inspector::new(runs, folders, launcher.env.look.clone());
    let outcome = stage.show(&mut inspector);
    launcher.env.look = inspector.env.look;
    launcher.layers.clear();
    outcome != Outcome::Detached
}

/// Shows a comparison of runs; gives whether to show the launcher again.
fn compare(stage: &mut Stage, launcher: &mut Launcher, candidates: Vec<PathBuf>, like: Option<PathBuf>) -> bool {
    let runs = launcher.place.folder.join(&launcher.place.runs);
    let mut screen = ComparisonScreen::new(runs, candidates, like, launcher.env.look.clone());
    let outcome = stage.show(&mut screen);
    launcher.env.look = screen.env.look;
    launcher.layers.clear();
    outcome != Outcome::Detached
}

/// Shows a run; gives whether to show the launcher again.
fn visit(stage: &mut Stage, launcher: &mut Launcher, run: Result<Run>, race: bool) -> bool {
    let connected = run.and_then(|mut run| Ok((run.connect()?, run)));
    let (link, mut run) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            launcher.say(Severity::Error, error.message());
            return true;
        }
    };
    if race {
        return visit_race(stage, launcher, run, link);
    }
    let mut cockpit = State::new(launcher.env.look.clone(), (0, 0));
    let outcome = stage.cockpit(&mut run, link, &mut cockpit);
    run.left(&outcome);
    launcher.env.look = cockpit.env.look.clone();
    let ends = outcome == Outcome::Detached || cockpit.leaving == Some(Command::Terminate);
    let folder = cockpit.ready.as_ref().map(|ready| ready.folder.as_path());
    let name = cockpit.ready.as_ref().map_or("the run", |ready| ready.run.as_str());
    let folder = known_folder(folder, launcher);
    let (severity, message) = visit_message(name, &outcome, folder.as_deref(), cockpit.ending.as_ref());
    launcher.back_from(folder.as_deref(), severity, &message);
    !ends
}

fn is_race(folder: &Path) -> bool {
    read_race(folder).is_ok_and(|race| race.is_some())
}

/// As [`visit`], for a race.
fn visit_race(stage: &mut Stage, launcher: &mut Launcher, mut run: Run, link: Link) -> bool {
    let mut screen = RaceScreen::new(launcher.env.look.clone());
    let outcome = stage.race(&mut run, link, &mut screen);
    run.left(&outcome);
    launcher.env.look = screen.env.look.clone();
    let folder = screen.race.as_ref().map(|race| race.folder.as_path());
    let name = screen.race.as_ref().map_or("the race", |race| race.name.as_str());
    let folder = known_folder(folder, launcher);
    let (severity, message) = visit_message(name, &outcome, folder.as_deref(), screen.asked_to_end());
    launcher.back_from(folder.as_deref(), severity, &message);
    outcome != Outcome::Detached
}

/// The folder of a run as the launcher lists it.
fn known_folder(folder: Option<&Path>, launcher: &Launcher) -> Option<PathBuf> {
    Some(launcher.place.folder.join(folder?))
}

/// Starts the process of a run.
fn begin(launcher: &Launcher, arguments: impl IntoIterator<Item = OsString>) -> Result<Run> {
    let folder = [OsString::from("--runs-dir"), launcher.place.runs.clone().into()];
    Background::start(folder.into_iter().chain(arguments)).map(Run::Begun)
}

/// How a visit of a run ended: one sentence, with its severity.
fn visit_message(name: &str, outcome: &Outcome, folder: Option<&Path>, asked: Option<&Command>) -> (Severity, String) {
    match outcome {
        Outcome::Finished(summary) => {
            let how = match summary.ending {
                Ending::Completed => "has taken all its steps",
                Ending::Stopped => "was stopped",
                Ending::StoppedEarly => "ended early, since it no longer improved",
                Ending::Aborted => "was aborted",
                Ending::Terminated => "was terminated; its checkpoint is written",
            };
            let weight = if summary.ending == Ending::Completed { Severity::Done } else { Severity::Info };
            (weight, format!("{name} {how}"))
        }
        Outcome::Faulted { message, .. } => (Severity::Error, message.clone()),
        _ => match folder.map(|folder| DetachedRun::read(folder, asked)) {
            Some(left) if !left.is_running() => {
                (if left.is_failed() { Severity::Warning } else { Severity::Info }, left.sentence())
            }
            Some(_) => (Severity::Info, format!("{name} goes on")),
            None => (Severity::Info, "the run was not loaded yet".into()),
        },
    }
}
