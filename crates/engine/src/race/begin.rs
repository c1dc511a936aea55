//! Starts and resumes races.

use std::time::Instant;

use crossbeam_channel::Receiver;

use super::halving::Halving;
use super::router::Router;
use super::{Lane, Race};
use crate::loading::load;
use crate::memory::Probe;
use crate::record::{Record, default_name};
use crate::start::{ResumeOptions, StartState, begin, continued, race_rates};
use crate::training::{JournalReplay, Peers, Training};
use crate::{Launch, Outbox, Resume};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{self, Command, Level};
use spartui_facts::quote::{place, quoted};
use spartui_facts::recipe::{Recipe, Value};
use spartui_run::{LANE, PendingIdentity, RunFolder, State, lane_can_resume, lanes_of, read_race, resolve_match};
use spartui_train::Tree;

/// What all lanes have in common.
pub(super) struct Common<'a> {
    pub probe: &'a Probe,
    pub router: &'a Router,
    pub attended: bool,
    /// Number of lanes that share the memory budget of snapshots.
    pub lanes: u64,
}

impl Race {
    /// Resumes the lanes of a race that had not ended and were not stopped.
    ///
    /// # Errors
    /// Refuses a race that is over, and lanes that have changed.
    pub(super) fn go_on(
        resume: &Resume,
        attended: bool,
        commands: Receiver<Command>,
        outbox: &mut Outbox,
    ) -> Result<Self> {
        let mut probe = Probe::new();
        let mut options = ResumeOptions::of(resume)?;
        let mut folder = RunFolder::find(&resume.runs, &resume.run)?;
        folder.claim()?;
        let of_race = folder.status().map_or(State::Interrupted, |status| status.state);
        let known = read_race(folder.path())?.ok_or_else(|| Error::refused("this run is no race"))?;
        let mut runs = Vec::new();
        for about in known.lanes {
            let mut run = RunFolder::open(&about.folder)?;
            let state = run.status().map_or(State::Interrupted, |status| status.state);
            // A lane that another process trains is refused when it is claimed.
            let goes_on = state == State::Running || lane_can_resume(of_race, state, about.out);
            if goes_on {
                run.claim()?;
            }
            runs.push((about, run, state, goes_on));
        }
        let recipes: Vec<Recipe> =
            runs.iter().filter(|(.., goes_on)| *goes_on).map(|(_, run, ..)| run.recipe().clone()).collect();
        let Some(first) = recipes.first() else {
            return Err(Error::refused(format!(
                "every lane of {} has ended or was stopped by itself; `spartui resume {}` resumes a single one that was \
                 stopped",
                folder.name(),
                place(&lanes_of(folder.path()).join(name_of(0)))
            )));
        };
        let halving = known.halve_every.map(|every| Halving::new(every, &recipes)).transpose()?;
        let (loaded, mut later) = load(first.clone(), &commands, outbox)?;
        let mut sessions = loaded.sessions(recipes)?.into_iter();
        options.lanes = u64::try_from(sessions.len()).unwrap_or(1);
        let mut begun = Vec::new();
        let mut measured: Option<PendingIdentity> = None;
        for (about, run, state, goes_on) in runs {
            let Some(mut session) = goes_on.then(|| sessions.next()).flatten() else {
                begun.push((about, Err(state)));
                continue;
            };
            if measured.is_none() {
                probe.loaded(&session);
            }
            let files = match &measured {
                Some(files) => files.with_recipe(&session.recipe),
                None => PendingIdentity::start(session.recipe.clone(), session.folder.clone()),
            };
            measured.get_or_insert_with(|| files.clone());
            session.enter();
            let mut going = continued(run, session, files, options.clone(), &commands, &mut later)?;
            going.session.leave();
            begun.push((about, Ok(going)));
        }
        let router = Router::start(later, commands);
        let common = Common { probe: &probe, router: &router, attended, lanes: options.lanes };
        let lanes: Vec<Lane> = begun
            .into_iter()
            .map(|(about, begun)| match begun {
                Ok(begun) => lane(about, begun, &common),
                Err(state) => {
                    // Its number is kept, although it receives no commands.
                    drop(common.router.add());
                    Lane::over(about, state)
                }
            })
            .collect();
        let step = lanes.iter().filter(|lane| lane.training.is_some()).map(Lane::steps).min().unwrap_or(0);
        let halving = halving.map(|halving| halving.after(step));
        folder.set_resumed(total_steps(&lanes), None)?;
        let race =
            Self { name: folder.name(), folder, lanes, router, halving, attended, started: Instant::now(), peak: 0 };
        race.announce(outbox);
        Ok(race)
    }

    /// Loads what all lanes share, and only then creates the folders.
    ///
    /// # Errors
    /// Refuses lanes that cannot train together; nothing is left behind then.
    pub(super) fn prepare(
        race: crate::Race,
        attended: bool,
        commands: Receiver<Command>,
        outbox: &mut Outbox,
    ) -> Result<Self> {
        let mut probe = Probe::new();
        let crate::Race { launch, lanes: varied, halve_every } = race;
        RunFolder::check_new(&launch.runs, launch.name.as_deref(), launch.overwrite)?;
        let mut recipes = varied.iter().map(|varied| recipe_of(&launch, varied)).collect::<Result<Vec<_>>>()?;
        if let Some(every) = halve_every {
            for recipe in &mut recipes {
                recipe.choose_evaluations(Halving::evaluations(every));
            }
        }
        let halving = halve_every.map(|every| Halving::new(every, &recipes)).transpose()?;
        let (loaded, mut later) = load(launch.recipe.clone(), &commands, outbox)?;
        let mut sessions = loaded.sessions(recipes)?;
        let mut raced = Vec::with_capacity(sessions.len());
        for session in &mut sessions {
            session.enter();
            raced.push(race_rates(session, &commands, &mut later, outbox)?);
            session.leave();
        }
        let Some(first) = sessions.first() else { return Err(Error::refused("a race without lanes is none")) };
        probe.loaded(first);
        let default = format!("{}-race", default_name(first));
        if let Some(name) = launch.name.as_deref().filter(|_| launch.overwrite) {
            RunFolder::delete_existing(&launch.runs, name)?;
        }
        let folder = RunFolder::create(&launch.runs, launch.name.as_deref(), &launch.recipe, &default)?;
        let measured = PendingIdentity::start(launch.recipe.clone(), first.folder.clone());
        let router = Router::start(later, commands);
        let common =
            Common { probe: &probe, router: &router, attended, lanes: u64::try_from(sessions.len()).unwrap_or(1) };
        let runs = lanes_of(folder.path());
        let mut lanes = Vec::with_capacity(sessions.len());
        for ((session, varied), raced) in sessions.into_iter().zip(varied).zip(raced) {
            let name = name_of(lanes.len());
            let run = RunFolder::create(&runs, Some(&name), &session.recipe, &name)?;
            let measured = measured.with_recipe(&session.recipe);
            let mut record = Record::open(run, &session, measured)?;
            let remarks = launch.remarks.iter().cloned().chain(raced);
            remarks.for_each(|remark| record.note(Level::Info, remark));
            let about = protocol::Lane { name, folder: record.folder(), varied, origin: None, out: false };
            let (history, tree) = (begin(&session, common.lanes), Tree::default());
            let begun =
                StartState { session, record, tree, history, replay: JournalReplay::default(), given: Vec::new() };
            lanes.push(lane(about, begun, &common));
        }
        folder.set_total_steps(total_steps(&lanes))?;
        let race =
            Self { name: folder.name(), folder, lanes, router, halving, attended, started: Instant::now(), peak: 0 };
        race.announce(outbox);
        Ok(race)
    }
}

/// The largest number of steps of any lane.
fn total_steps(lanes: &[Lane]) -> u64 {
    let total = |lane: &Lane| lane.training.as_ref().map_or_else(|| lane.steps(), |it| it.session.total_steps());
    lanes.iter().map(total).max().unwrap_or(0)
}

/// A lane whose changes are removed from the model.
pub(super) fn lane(about: protocol::Lane, mut begun: StartState, common: &Common<'_>) -> Lane {
    let commands = common.router.add();
    Lane::new(about, |outbox| {
        begun.session.enter();
        let mut training = Training::new(begun, common.probe.beside(), commands, common.attended);
        training.peers = Peers::Others { bytes: 0, lanes: 0 };
        training.announce(outbox);
        training.housekeeping(outbox);
        training.session.leave();
        training
    })
}

/// The name of the lane with this index.
pub(super) fn name_of(place: usize) -> String {
    format!("{LANE}{}", place + 1)
}

fn recipe_of(common: &Launch, varied: &[(String, Value)]) -> Result<Recipe> {
    let mut recipe = common.recipe.clone();
    for (field, value) in varied {
        recipe.set(field, value.clone()).map_err(|why| Error::refused(format!("--vary {}: {why}", quoted(field))))?;
    }
    resolve_match(&mut recipe, &common.runs)?;
    Ok(recipe)
}
