//! Quitting the cockpit, and ending the run from it.

use super::{Dialog, Stage, State};
use crate::frame::{Effect, Outcome, Severity};
use spartui_facts::protocol::Command;

/// Asks how to quit, or quits if the run has ended or is only watched.
pub fn ask_to_quit(state: &mut State) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    if state.connection.hindrance().is_some() {
        return vec![Effect::Quit(Outcome::Left)];
    }
    state.layers.push(Dialog::Quit);
    Vec::new()
}

/// The first interrupt asks, the second one stops cleanly, the third one aborts, and the fourth quits without waiting
/// for an engine that does not answer.
pub fn interrupt(state: &mut State) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    if state.connection.hindrance().is_some() {
        return vec![Effect::Quit(Outcome::Left)];
    }
    match state.leaving {
        Some(Command::Abort) => {
            let message = "the engine did not answer and was left behind; the run folder holds its last checkpoint";
            vec![Effect::Quit(Outcome::Faulted { message: message.into(), refused: false })]
        }
        Some(_) => end(state, Command::Abort),
        None if state.layers.last() == Some(&Dialog::Quit) => end(state, Command::Stop),
        None => {
            state.layers.push(Dialog::Quit);
            Vec::new()
        }
    }
}

/// Asks the engine to stop; from the quit dialog, also quits then.
pub fn stop(state: &mut State) -> Vec<Effect> {
    if state.layers.last() == Some(&Dialog::Quit) {
        return end(state, Command::Stop);
    }
    state.layers.clear();
    state.say(Severity::Info, "stopping after this step; checkpoint and adapter are written");
    state.ending = Some(Command::Stop);
    vec![Effect::Send(Command::Stop)]
}

/// Asks the engine to end in this way, and quits when it has.
pub fn end(state: &mut State, command: Command) -> Vec<Effect> {
    if let Some(outcome) = outcome(state) {
        return vec![Effect::Quit(outcome)];
    }
    state.layers.clear();
    state.edit = None;
    let saying = match command {
        Command::Abort => "aborting; nothing more is written",
        Command::Terminate => "ending; a checkpoint is written",
        _ => "stopping after this step; checkpoint and adapter are written",
    };
    state.say(Severity::Info, saying);
    state.leaving = Some(command.clone());
    state.ending = Some(command.clone());
    vec![Effect::Send(command)]
}

/// How the run ended, if it has.
pub fn outcome(state: &State) -> Option<Outcome> {
    match &state.stage {
        Stage::Loading | Stage::Training => None,
        Stage::Finished(summary) => Some(Outcome::Finished(summary.clone())),
        Stage::Faulted { message, refused } => Some(Outcome::Faulted { message: message.clone(), refused: *refused }),
    }
}
