//! Starts a run: a new one, from its newest checkpoint, or from another run's journal.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::loading::{ended, load};
use super::memory::Probe;
use super::playground::Playground;
use super::record::{Record, now};
use super::training::{JournalReplay, Peers, Training};
use super::{Launch, Mission, Outbox, Replay, Resume};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{ActionKind, Command, Entry, Event, JournalAction, Level};
use spartui_facts::quote::place;
use spartui_facts::recipe::{Field, Value, number, parse_assignment};
use spartui_run::{
    Changed, Identity, Journal, Metrics, PARTS, PendingIdentity, Reading, RunFolder, State, checkpoints,
    limiting_field, proposed_extension, read_checkpoint,
};
use spartui_train::{CARRIED, Held, History, Session, Tree, Why, from_checkpoint, largest_checkpoint};

/// Everything that a training starts with.
pub(super) struct StartState {
    pub session: Session,
    pub record: Record,
    pub tree: Tree,
    pub history: History,
    pub replay: JournalReplay,
    pub given: Vec<(String, Value)>,
}

impl Training {
    /// Loads everything for the mission, and only then creates or changes a run's folder.
    ///
    /// # Errors
    /// Refuses invalid input; nothing is left behind then.
    pub fn prepare(mission: Mission, attended: bool, commands: Receiver<Command>, outbox: &mut Outbox) -> Result<Self> {
        let mut probe = Probe::new();
        let (begun, deferred) = match mission {
            Mission::Train(launch) => train(*launch, &commands, outbox)?,
            Mission::Resume(resume) => go_on(&resume, &commands, outbox)?,
            Mission::Replay(replay) => repeat(&replay, &commands, outbox)?,
            Mission::Race(_) => return Err(Error::failed("a race is no single run; please report this")),
        };
        probe.loaded(&begun.session);
        let mut training = Self::new(begun, probe, commands, attended);
        training.announce(outbox);
        training.housekeeping(outbox);
        for command in deferred {
            training.obey(command, outbox)?;
        }
        Ok(training)
    }

    pub(super) fn new(begun: StartState, probe: Probe, commands: Receiver<Command>, attended: bool) -> Self {
        let StartState { session, record, tree, history, replay, given } = begun;
        Self {
            session,
            record,
            commands,
            probe,
            predicted: None,
            started: Instant::now(),
            attended,
            paused_at: None,
            paused_for: Duration::ZERO,
            ending: None,
            reported: None,
            step_seconds: None,
            loss: None,
            tree,
            history,
            writing: Weak::new(),
            replay,
            given,
            deferred: Vec::new(),
            lowered: 0,
            written_by: 0,
            playground: Playground::default(),
            sampler: None,
            predictions: None,
            step_unsaved: false,
            peers: Peers::Nobody,
        }
    }
}

/// The snapshot history of a run. The lanes of a race together keep as many snapshots as one run, within the same
/// budget, so they need the memory of one.
pub(super) fn begin(session: &Session, lanes: u64) -> History {
    let settings = &session.recipe.history;
    let lanes = lanes.max(1);
    let budget = settings.budget_mb.saturating_mul(1_000_000) / lanes;
    let mut history = History::new(budget, settings.every.saturating_mul(lanes));
    if history.takes() {
        history.keep(session.snapshot(0), Why::Start);
    }
    history
}

fn train(launch: Launch, commands: &Receiver<Command>, outbox: &mut Outbox) -> Result<(StartState, Vec<Command>)> {
    let Launch { runs, name, overwrite, .. } = &launch;
    RunFolder::check_new(runs, name.as_deref(), *overwrite)?;
    let (loaded, later) = load(launch.recipe, commands, outbox)?;
    let mut later = later;
    let mut session = loaded.session()?;
    let raced = race_rates(&mut session, commands, &mut later, outbox)?;
    let name = launch.name.as_deref();
    if let Some(name) = name.filter(|_| launch.overwrite) {
        RunFolder::delete_existing(&launch.runs, name)?;
    }
    let mut record = Record::create(&launch.runs, name, &session)?;
    launch.remarks.into_iter().chain(raced).for_each(|remark| record.note(Level::Info, remark));
    let (history, tree) = (begin(&session, 1), Tree::default());
    let begun = StartState { session, record, tree, history, replay: JournalReplay::default(), given: Vec::new() };
    Ok((begun, later))
}

/// Chooses the learning rate by a race, where the recipe asks for one. Returns a remark on it.
///
/// # Errors
/// Where the computation fails, or the run was ended.
pub(super) fn race_rates(
    session: &mut Session,
    commands: &Receiver<Command>,
    later: &mut Vec<Command>,
    outbox: &mut Outbox,
) -> Result<Option<String>> {
    if !session.races_rates() {
        return Ok(None);
    }
    let mut is_ended = false;
    let race = session.race_rates(&mut |what, share| {
        outbox.send(Event::Loading { what: what.to_owned(), fraction: Some(share) });
        for command in commands.try_iter() {
            match command {
                Command::Stop | Command::Abort | Command::Terminate => is_ended = true,
                command => later.push(command),
            }
        }
        !is_ended
    })?;
    if is_ended {
        return Err(ended());
    }
    Ok(Some(match race {
        Some(race) => race.remark(),
        None => "the run is too short for a race of learning rates, which takes a tenth of its steps and at least 18; the rule's \
                 rates stay"
            .into(),
    }))
}

fn go_on(resume: &Resume, commands: &Receiver<Command>, outbox: &mut Outbox) -> Result<(StartState, Vec<Command>)> {
    let options = ResumeOptions::of(resume)?;
    let mut folder = RunFolder::find(&resume.runs, &resume.run)?;
    folder.claim()?;
    let state = folder.status().map_or(State::Interrupted, |status| status.state);
    let asks_for_more = options.given.iter().any(|(field, _)| CARRIED.contains(&field.as_str()));
    refuse_ended(&folder, state, asks_for_more)?;
    let (loaded, mut later) = load(folder.recipe().clone(), commands, outbox)?;
    let session = loaded.session()?;
    let measured = PendingIdentity::start(session.recipe.clone(), session.folder.clone());
    let begun = continued(folder, session, measured, options, commands, &mut later)?;
    Ok((begun, later))
}

/// The options with which a run is resumed.
#[derive(Debug, Clone)]
pub(super) struct ResumeOptions {
    given: Vec<(String, Value)>,
    allow_changed: Vec<String>,
    /// Number of lanes that share the memory budget of snapshots.
    pub(super) lanes: u64,
}

impl ResumeOptions {
    /// Parses the user's options.
    ///
    /// # Errors
    /// Refuses fields that cannot be changed on resuming, and unknown parts.
    pub(super) fn of(resume: &Resume) -> Result<Self> {
        let given = resume.set.iter().map(|assignment| given(assignment)).collect::<Result<Vec<_>>>()?;
        check_parts(&resume.allow_changed)?;
        Ok(Self { given, allow_changed: resume.allow_changed.clone(), lanes: 1 })
    }
}

/// Resumes a run from its newest checkpoint, with a session that has taken no step yet and a claimed folder.
///
/// # Errors
/// Refuses a folder that is damaged or has changed.
pub(super) fn continued(
    folder: RunFolder,
    mut session: Session,
    measured: PendingIdentity,
    options: ResumeOptions,
    commands: &Receiver<Command>,
    later: &mut Vec<Command>,
) -> Result<StartState> {
    let state = folder.status().map_or(State::Interrupted, |status| status.state);
    let ResumeOptions { given, allow_changed, lanes } = options;
    let history = begin(&session, lanes);
    let entries = Journal::read(&folder.journal_path())?;
    let (mut notes, mut overlooked) = (Vec::new(), Vec::new());
    let held = newest(&folder, &session, &mut notes)?;
    if let Some(held) = &held {
        wait_for(&measured, commands, later)?;
        overlooked = compare(held.identity.as_ref(), &measured, &allow_changed, &folder, &mut notes)?;
        session.restore(&held.snapshot)?;
    } else {
        notes.push(format!("{} has no checkpoint yet; it begins at its first step", folder.name()));
    }
    let done = held.map_or(0, |held| held.snapshot.journal);
    if done > entries.len() || session.step > session.total_steps() {
        return Err(damaged(&folder, "its journal is shorter than the checkpoint says, or its steps are too many"));
    }
    let tree = Tree::of_journal(&entries[..done], session.step).map_err(|why| damaged(&folder, &why))?;
    if tree.current() != session.branch {
        return Err(damaged(&folder, "its journal and its checkpoint are of different branches"));
    }
    let tree = cut_metrics(&folder, tree, &session)?;
    if !overlooked.is_empty() {
        let branches = u32::try_from(tree.branches().len()).unwrap_or(u32::MAX);
        let (step, branch) = (session.step, session.branch);
        folder.add_changed(&Changed { step, branch, branches, differences: overlooked })?;
    }
    let mut record = Record::open(folder, &session, measured)?;
    let mut pending: VecDeque<Entry> = entries[done..].iter().cloned().collect();
    if state == State::Stopped
        && matches!(entries.last(), Some(Entry::Action(JournalAction { what: ActionKind::Stop, .. })))
    {
        let step = entries.last().map_or(0, Entry::step);
        let entry = Entry::Action(JournalAction { step, what: ActionKind::Resume, id: 0, time: now() });
        record.enter(&entry);
        pending.push_back(entry);
    }
    for note in notes {
        record.note(Level::Warning, note);
    }
    let replay = JournalReplay { entries: pending, journaled: true, now: false };
    Ok(StartState { session, record, tree, history, replay, given })
}

/// A setting given on resuming.
fn given(assignment: &str) -> Result<(String, Value)> {
    let (name, value) = parse_assignment(assignment).map_err(Error::refused)?;
    let field = Field::find(&name).map_err(Error::refused)?;
    if !field.live && !CARRIED.contains(&field.name) {
        return Err(Error::refused(format!(
            "{name} cannot be changed where a run goes on; start another run for that"
        )));
    }
    Ok((name.clone(), field.check(&name, value).map_err(Error::refused)?))
}

fn check_parts(names: &[String]) -> Result<()> {
    match names.iter().find(|name| !PARTS.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::refused(format!(
            "--allow-changed takes some of {}, not {}",
            PARTS.join(", "),
            spartui_facts::quote::quoted(name)
        ))),
    }
}

fn refuse_ended(folder: &RunFolder, state: State, asks_for_more: bool) -> Result<()> {
    let why = match state {
        _ if asks_for_more => return Ok(()),
        State::Completed => "is complete: all its steps were taken",
        State::StoppedEarly => "has ended: its evaluations no longer improved",
        _ => return Ok(()),
    };
    // The limit that ended it, and no other.
    let (field, now) = limiting_field(folder.path())?;
    let more = number(&proposed_extension(field, now)).unwrap_or(now);
    Err(Error::refused(format!("{} {why}; to go on, ask for more, such as --set {field}={more}", place(folder.path()))))
}

fn damaged(folder: &RunFolder, why: &str) -> Error {
    Error::refused(format!(
        "{} is damaged: {}; restore its folder",
        place(folder.path()),
        spartui_facts::quote::one_line(why)
    ))
}

/// The newest valid checkpoint; with a note for each newer one that is damaged.
fn newest(folder: &RunFolder, session: &Session, notes: &mut Vec<String>) -> Result<Option<Held>> {
    for found in checkpoints(&folder.checkpoints_path())? {
        match read_checkpoint(&found, largest_checkpoint(session)) {
            Ok(checkpoint) => {
                let held = from_checkpoint(&checkpoint, session)?;
                held.check_draws()?;
                return Ok(Some(held));
            }
            Err(error) => notes.push(error.message().to_owned()),
        }
    }
    Ok(None)
}

/// Waits for the hashes of large files, and ends if a command asks for it.
fn wait_for(measured: &PendingIdentity, commands: &Receiver<Command>, later: &mut Vec<Command>) -> Result<()> {
    while measured.ready().is_none() {
        match commands.recv_timeout(Duration::from_millis(5)) {
            Ok(Command::Stop | Command::Abort | Command::Terminate) => return Err(super::loading::ended()),
            Ok(command) => later.push(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    Ok(())
}

/// Refuses to resume with other files or another recipe than before, unless that is allowed; returns what has changed.
fn compare(
    before: Option<&Identity>,
    measured: &PendingIdentity,
    allowed: &[String],
    folder: &RunFolder,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, String)>> {
    let (Some(before), Some(Ok(now))) = (before, measured.ready()) else {
        notes.push("the run's original files are not recorded; recipe, weights and data are used unchecked".into());
        return Ok(Vec::new());
    };
    let differences = before.differences(now);
    let (overlooked, others): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|(part, _)| allowed.iter().any(|name| name == part));
    notes.extend(overlooked.iter().map(|(part, what)| format!("{part}: {what}; that was allowed")));
    let Some((part, _)) = others.first() else {
        return Ok(overlooked.into_iter().map(|(part, what)| (part.to_owned(), what)).collect());
    };
    let shown: Vec<String> = others.iter().take(5).map(|(part, what)| format!("{part}: {what}")).collect();
    Err(Error::refused(format!(
        "{} is not what it was ({}); restore it, or go on all the same with --allow-changed {part}",
        place(folder.path()),
        shown.join("; ")
    )))
}

/// Removes the metrics after the checkpoint: those steps are taken again.
fn cut_metrics(folder: &RunFolder, mut tree: Tree, session: &Session) -> Result<Tree> {
    let (branch, step) = (session.branch, session.step);
    let was_evaluated = session.progress.last.is_some_and(|last| last.step == step);
    let path = folder.metrics_path();
    Metrics::cut(&path, |reading| {
        let (of, at, stays) = match reading {
            Reading::Step(reading) => (reading.branch, reading.step, true),
            Reading::Evaluation(reading) => (reading.branch, reading.step, was_evaluated),
        };
        tree.get(of).is_some_and(|grown| at <= grown.tip) && (stays || (of, at) != (branch, step))
    })?;
    for evaluation in Metrics::read(&path)?.evaluations {
        tree.evaluated(evaluation);
    }
    tree.reached(step, session.progress.best);
    Ok(tree)
}

/// Refuses to replay a run that was resumed with other files or another recipe than at its start, unless that is
/// allowed; returns a note for each time it was.
fn changed_midway(folder: &RunFolder, allowed: &[String]) -> Result<Vec<String>> {
    let changed = folder.changed()?;
    let is_allowed = |changed: &Changed| changed.parts().iter().all(|part| allowed.iter().any(|name| name == part));
    let told = |changed: &Changed| {
        let shown: Vec<String> =
            changed.differences.iter().take(5).map(|(part, what)| format!("{part}: {what}")).collect();
        shown.join("; ")
    };
    if let Some(first) = changed.iter().find(|changed| !is_allowed(changed)) {
        let parts = first.parts();
        return Err(Error::refused(format!(
            "{} went on after step {} although something had changed ({}), and a repeat has only what is there now, from the \
             first step on; repeat it all the same with --allow-changed {}",
            place(folder.path()),
            first.step,
            told(first),
            parts.join(",")
        )));
    }
    Ok(changed
        .iter()
        .map(|changed| {
            format!(
                "the run took its steps up to {} with other {} ({}); this repeat takes all of them with what is there now, and \
                 ends elsewhere",
                changed.step,
                changed.parts().join(" and "),
                told(changed)
            )
        })
        .collect())
}

fn repeat(replay: &Replay, commands: &Receiver<Command>, outbox: &mut Outbox) -> Result<(StartState, Vec<Command>)> {
    check_parts(&replay.allow_changed)?;
    let folder = RunFolder::find(&replay.runs, &replay.run)?;
    RunFolder::check_new(&replay.runs, replay.name.as_deref(), false)?;
    let entries = Journal::read(&folder.journal_path())?;
    let mut notes = changed_midway(&folder, &replay.allow_changed)?;
    let (loaded, mut later) = load(folder.recipe().clone(), commands, outbox)?;
    let session = loaded.session()?;
    if let Some(held) = newest(&folder, &session, &mut notes)? {
        let measured = PendingIdentity::start(session.recipe.clone(), session.folder.clone());
        wait_for(&measured, commands, &mut later)?;
        compare(held.identity.as_ref(), &measured, &replay.allow_changed, &folder, &mut notes)?;
    }
    let name = replay.name.clone();
    let default = format!("{}-replay", folder.name());
    let mut record = Record::create_named(&replay.runs, name.as_deref(), &default, &session)?;
    for note in notes {
        record.note(Level::Warning, note);
    }
    let (history, tree) = (begin(&session, 1), Tree::default());
    let replay = JournalReplay { entries: entries.into(), journaled: false, now: false };
    Ok((StartState { session, record, tree, history, replay, given: Vec::new() }, later))
}
