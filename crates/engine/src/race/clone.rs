//! Clones a lane.

use super::Race;
use super::begin::{Common, lane, name_of};
use crate::Outbox;
use crate::record::Record;
use crate::start::{StartState, begin};
use crate::training::JournalReplay;
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{self, Command, Origin};
use spartui_facts::quote::one_line;
use spartui_facts::recipe::Value;
use spartui_run::{RunFolder, lanes_of};

/// The most lanes in a race.
const MOST: usize = 64;

/// The first identifier of commands given to a clone.
const FIRST: u64 = 1 << 41;

impl Race {
    /// Starts another lane from the state of this one. It gets a copy of journal and metrics, so that it is a run that
    /// can be replayed like any other; its own settings are applied at its first step.
    ///
    /// # Errors
    /// Refuses a lane that has ended or does not exist, and settings that it cannot have.
    pub(super) fn clone_lane(&mut self, number: u32, set: Vec<(String, Value)>, outbox: &mut Outbox) -> Result<()> {
        let place = self.lanes.len();
        if place >= MOST {
            return Err(Error::refused(format!("a race has at most {MOST} lanes; stop some and start another race")));
        }
        let parent = self.lanes.get_mut(number as usize).and_then(|lane| Some((&lane.about, lane.training.as_mut()?)));
        let Some((about, parent)) = parent else {
            return Err(Error::refused(format!(
                "lane {} has ended; clone another lane, or resume it with `spartui resume`",
                number + 1
            )));
        };
        for (field, value) in &set {
            parent.session.preview(field, value.clone()).map_err(Error::refused)?;
        }
        parent.session.enter();
        let snapshot = parent.session.snapshot(parent.tree.journal());
        parent.session.leave();
        let (recipe, tree) = (parent.record.recipe().clone(), parent.tree.clone());
        let mut session = parent.session.beside(recipe.clone())?;
        session.restore(&snapshot)?;
        session.leave();
        if !parent.record.flush() {
            return Err(Error::failed("the lane's folder cannot be written; free some space and try again"));
        }
        let name = name_of(place);
        let run = RunFolder::create(&lanes_of(self.folder.path()), Some(&name), &recipe, &name)?;
        for (from, to) in [
            (parent.record.run_folder().journal_path(), run.journal_path()),
            (parent.record.run_folder().metrics_path(), run.metrics_path()),
        ] {
            if from.is_file() {
                std::fs::copy(&from, &to).map_err(|error| {
                    Error::failed(format!("cannot copy {}: {}", from.display(), one_line(&error.to_string())))
                })?;
            }
        }
        let record = Record::open(run, &session, parent.record.measured.with_recipe(&recipe))?;
        let mut varied = about.varied.clone();
        for (field, value) in &set {
            varied.retain(|(name, _)| name != field);
            varied.push((field.clone(), value.clone()));
        }
        let origin = Some(Origin { lane: number, step: session.step });
        let about = protocol::Lane { name, folder: record.folder(), varied, origin, out: false };
        let probe = parent.probe.beside();
        let lanes = u64::try_from(place + 1).unwrap_or(1);
        let common = Common { probe: &probe, router: &self.router, attended: self.attended, lanes };
        let history = begin(&session, lanes);
        let begun = StartState { session, record, tree, history, replay: JournalReplay::default(), given: Vec::new() };
        let new = lane(about, begun, &common);
        self.lanes.push(new);
        let lane = u32::try_from(place).unwrap_or(u32::MAX);
        for (id, (field, value)) in (FIRST..).zip(set) {
            let asked = Box::new(Command::Set { id, field, value });
            self.router.pass_on(Command::Lane { lane, asked });
        }
        self.announce(outbox);
        Ok(())
    }
}
