//! How a race begins.

use std::time::Instant;

use crossbeam_channel::Receiver;

use super::halving::Halving;
use super::router::Router;
use super::{Lane, Race};
use crate::data::quoted;
use crate::engine::Outbox;
use crate::engine::loading::load;
use crate::engine::memory::Probe;
use crate::engine::record::{Record, default_name};
use crate::engine::start::{Begun, begin};
use crate::engine::training::{Again, Company, Training};
use crate::error::{Error, Result};
use crate::protocol::{self, Command};
use crate::recipe::{Recipe, Value};
use crate::run::{Measured, RunFolder, lanes_of};
use crate::train::{Session, Tree};

/// What all lanes are made with.
pub(super) struct Common<'a> {
    pub probe: &'a Probe,
    pub router: &'a Router,
    pub attended: bool,
    /// Lanes that share the budget of the snapshots in memory.
    pub lanes: u64,
}

impl Race {
    /// Loads what all lanes share, and only then makes the folders.
    ///
    /// # Errors
    /// Refuses lanes that cannot train beside each other; nothing is left behind then.
    pub(super) fn prepare(
        race: crate::engine::Race,
        attended: bool,
        commands: Receiver<Command>,
        outbox: &mut Outbox,
    ) -> Result<Self> {
        let mut probe = Probe::new();
        let crate::engine::Race { launch, lanes: varied, halve_every } = race;
        let recipes = varied.iter().map(|varied| recipe_of(&launch.recipe, varied)).collect::<Result<Vec<_>>>()?;
        let halving = halve_every.map(|every| Halving::new(every, &recipes)).transpose()?;
        let (loaded, later) = load(launch.recipe.clone(), &commands, outbox)?;
        let sessions = loaded.sessions(recipes)?;
        let Some(first) = sessions.first() else { return Err(Error::refused("a race without lanes is none")) };
        probe.loaded(first);
        let default = format!("{}-race", default_name(first));
        let folder = RunFolder::create(&launch.runs, launch.name.as_deref(), &launch.recipe, &default)?;
        let measured = Measured::start(launch.recipe.clone(), first.folder.clone());
        let router = Router::start(later, commands);
        let common =
            Common { probe: &probe, router: &router, attended, lanes: u64::try_from(sessions.len()).unwrap_or(1) };
        let runs = lanes_of(folder.path());
        let mut lanes = Vec::with_capacity(sessions.len());
        for (session, varied) in sessions.into_iter().zip(varied) {
            let name = name_of(lanes.len());
            let run = RunFolder::create(&runs, Some(&name), &session.recipe, &name)?;
            let measured = measured.beside(&session.recipe);
            let record = Record::open(run, &session, measured)?;
            let about = protocol::Lane { name, folder: record.folder(), varied, origin: None };
            lanes.push(lane(about, session, record, Tree::default(), &common));
        }
        let race =
            Self { name: folder.name(), folder, lanes, router, halving, attended, started: Instant::now(), peak: 0 };
        race.announce(outbox);
        Ok(race)
    }
}

/// A lane of a session that is away from the model.
pub(super) fn lane(
    about: protocol::Lane,
    mut session: Session,
    record: Record,
    tree: Tree,
    common: &Common<'_>,
) -> Lane {
    let commands = common.router.add();
    Lane::new(about, |outbox| {
        session.enter();
        let history = begin(&session, common.lanes);
        let begun = Begun { session, record, tree, history, again: Again::default(), given: Vec::new() };
        let mut training = Training::new(begun, common.probe.beside(), commands, common.attended);
        training.company = Company::Others { bytes: 0 };
        training.announce(outbox);
        training.housekeeping(outbox);
        training.session.leave();
        training
    })
}

/// Name of the lane at a place.
pub(super) fn name_of(place: usize) -> String {
    format!("lane-{}", place + 1)
}

fn recipe_of(common: &Recipe, varied: &[(String, Value)]) -> Result<Recipe> {
    let mut recipe = common.clone();
    for (field, value) in varied {
        recipe.set(field, value.clone()).map_err(|why| Error::refused(format!("--vary {}: {why}", quoted(field))))?;
    }
    Ok(recipe)
}
