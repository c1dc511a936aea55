//! The actions of a race.

use crossterm::event::KeyEvent;

use super::receive::to_lane;
use super::{Dialog, RaceScreen};
use crate::frame::Screen;
use crate::frame::{Effect, Input, Outcome, Severity};
use crate::keys::{Action, Context};
use crate::typed::Typed;
use spartui_facts::protocol::Command;
use spartui_facts::recipe::{Field, Value, parse_assignment};

/// Passes an input to a lane's cockpit. Its commands are sent to its lane, and quitting it leads back to the race.
pub fn from_lane(screen: &mut RaceScreen, lane: usize, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    for effect in to_lane(screen, lane, input) {
        match effect {
            Effect::Send(command) => {
                let lane = u32::try_from(lane).unwrap_or(u32::MAX);
                effects.push(Effect::Send(Command::Lane { lane, asked: Box::new(command) }));
            }
            Effect::Quit(Outcome::Left | Outcome::Finished(_) | Outcome::Faulted { .. }) => close(screen),
            effect => effects.push(effect),
        }
    }
    effects
}

fn open(screen: &mut RaceScreen, lane: usize) {
    if let Some(view) = screen.lanes.get_mut(lane) {
        view.state.env.look = screen.env.look.clone();
        screen.open = Some(lane);
    }
}

/// Returns to the lanes.
fn close(screen: &mut RaceScreen) {
    if let Some(view) = screen.open.take().and_then(|lane| screen.lanes.get_mut(lane)) {
        view.state.layers.clear();
        // A question from its end is not asked again.
        view.state.leaving = None;
        (screen.env.look.theme, screen.env.look.chosen) = (view.state.env.look.theme, view.state.env.look.chosen);
    }
}

/// Runs an action whose context is not active: opens the question that it would answer, and never answers it at once.
pub fn elsewhere(screen: &mut RaceScreen, context: Context, action: Action) -> Vec<Effect> {
    match context {
        Context::Quit => ask_to_quit(screen),
        Context::Stop => act(screen, Action::Stop),
        Context::Race | Context::Screen | Context::Always => act(screen, action),
        _ => {
            let key = screen.env.look.keys.label(context, action).map_or_else(String::new, |key| format!(" ({key})"));
            screen.say(Severity::Info, format!("{}{key} works {}", action.name(), context.heading()));
            Vec::new()
        }
    }
}

/// Handles a key in a lane's cockpit: quitting it leads back, and so does closing a dialog if none is open.
pub fn key_of_lane(screen: &mut RaceScreen, lane: usize, event: KeyEvent) -> Vec<Effect> {
    let Some(view) = screen.lanes.get(lane) else { return Vec::new() };
    let state = &view.state;
    let contexts = state.contexts();
    let bare = state.env.overlay.is_none() && state.layers.is_empty() && state.inspector.is_none();
    let bare = bare && state.edit.is_none() && state.cursor.is_none() && !state.maximised;
    match screen.env.look.keys.action(&contexts, event) {
        Some(Action::Quit | Action::Leave) if bare => {
            close(screen);
            Vec::new()
        }
        Some(Action::Quit) if contexts.contains(&Context::Cockpit) => {
            close(screen);
            Vec::new()
        }
        _ => from_lane(screen, lane, Input::Key(event)),
    }
}

pub fn type_character(screen: &mut RaceScreen, c: char) {
    if let Some(Dialog::Clone { typed, .. }) = &mut screen.layer {
        typed.insert(c);
    }
}

/// Runs an action.
pub fn act(screen: &mut RaceScreen, action: Action) -> Vec<Effect> {
    let steers = matches!(
        action,
        Action::Pause
            | Action::Evaluate
            | Action::Stop
            | Action::RaceOthers
            | Action::RaceClone
            | Action::StopNow
            | Action::AbortNow
    );
    if let Some(why) = screen.connection.hindrance().filter(|_| steers && screen.running()) {
        screen.say(Severity::Warning, why);
        return Vec::new();
    }
    match action {
        Action::Row(by) => walk(screen, by),
        Action::RaceOpen => open(screen, screen.selected),
        Action::RaceHide => {
            let selected = screen.selected;
            if let Some(lane) = screen.lanes.get_mut(selected) {
                lane.hidden = !lane.hidden;
            }
        }
        Action::Metric(by) => screen.metric = screen.metric.moved(by),
        Action::LogAxis => screen.view.log = !screen.view.log,
        Action::Smooth(by) => smooth(screen, by),
        Action::Zoom(closer) => {
            if let Some(extent) = screen.extent() {
                screen.view.zoom(if closer { 0.5 } else { 2.0 }, None, extent);
            }
        }
        Action::Pan(by) => {
            if let Some(extent) = screen.extent() {
                screen.view.pan(by as f64 * 0.25, extent);
            }
        }
        Action::Follow => {
            if let Some(extent) = screen.extent() {
                screen.view.toggle_follow(extent);
            }
        }
        Action::Pause => return pause(screen),
        Action::Evaluate if screen.running() => {
            let id = screen.fresh_id();
            screen.say(Severity::Info, "every lane evaluates at its next turn");
            return vec![Effect::Send(Command::Evaluate { id })];
        }
        Action::Stop => ask_to_stop(screen, false),
        Action::RaceOthers => ask_to_stop(screen, true),
        Action::RaceClone => ask_to_clone(screen),
        Action::Apply => return apply(screen),
        Action::Backspace | Action::Delete | Action::Cursor(_) | Action::Line(_) => edit(screen, action),
        Action::Discard | Action::Leave => screen.layer = None,
        Action::Quit => return ask_to_quit(screen),
        Action::Interrupt => return interrupt(screen),
        Action::StopNow => return stop(screen),
        Action::AbortNow => return end(screen, Command::Abort),
        Action::Detach => return detach(screen),
        Action::TakeOver if screen.running() && !screen.connection.steers() => return vec![Effect::TakeOver],
        Action::Reconnect => return vec![Effect::Quit(Outcome::Reconnect)],
        _ => {}
    }
    Vec::new()
}

/// Moves the selection along the ranking.
fn walk(screen: &mut RaceScreen, by: isize) {
    let ranking = screen.ranking();
    let at = ranking.iter().position(|lane| *lane == screen.selected).unwrap_or(0);
    let next = at.saturating_add_signed(by).min(ranking.len().saturating_sub(1));
    if let Some(&lane) = ranking.get(next) {
        screen.selected = lane;
    }
}

fn smooth(screen: &mut RaceScreen, by: isize) {
    if screen.view.smooth(by) {
        let weight = screen.view.smoothing();
        for lane in &mut screen.lanes {
            lane.state.view.smooth(by);
            lane.state.history.smooth(weight);
        }
    }
}

fn pause(screen: &mut RaceScreen) -> Vec<Effect> {
    if !screen.running() {
        screen.say(Severity::Warning, "the race has ended");
        return Vec::new();
    }
    let paused = screen.lanes.iter().filter(|lane| lane.trains()).all(|lane| lane.state.paused);
    screen.say(Severity::Info, if paused { "all lanes continue" } else { "all lanes pause after their step" });
    vec![Effect::Send(if paused { Command::Resume } else { Command::Pause })]
}

fn ask_to_stop(screen: &mut RaceScreen, others: bool) {
    let lane = screen.selected;
    let trains = |lane: usize| screen.lanes.get(lane).is_some_and(super::LaneView::trains);
    let any = if others { (0..screen.lanes.len()).any(|other| other != lane && trains(other)) } else { trains(lane) };
    if any {
        screen.layer = Some(Dialog::Stop { lane, others });
    } else {
        let why = if others { "no other lane trains" } else { "this lane trains no more" };
        screen.say(Severity::Warning, why);
    }
}

fn stop(screen: &mut RaceScreen) -> Vec<Effect> {
    let asked = screen.layer.take();
    let Some(Dialog::Stop { lane, others }) = asked else { return end(screen, Command::Stop) };
    let stops =
        (0..).zip(&screen.lanes).filter(|(number, view): &(usize, _)| (*number != lane) == others && view.trains());
    let command = |(number, _): (usize, _)| {
        let lane = u32::try_from(number).unwrap_or(u32::MAX);
        Effect::Send(Command::Lane { lane, asked: Box::new(Command::Stop) })
    };
    stops.map(command).collect()
}

/// Asks all lanes to end in this way, and quits when they have.
fn end(screen: &mut RaceScreen, command: Command) -> Vec<Effect> {
    if let Some(outcome) = &screen.ended {
        return vec![Effect::Quit(outcome.clone())];
    }
    screen.layer = None;
    screen.say(
        Severity::Info,
        match command {
            Command::Abort => "aborting all lanes; nothing more is written",
            Command::Terminate => "ending; every lane writes a checkpoint",
            _ => "every lane finishes its step and writes its adapter",
        },
    );
    screen.ending = Some(command.clone());
    vec![Effect::Send(command)]
}

/// The first interrupt asks, the second one stops cleanly, the third one aborts, and the fourth quits without waiting
/// for an engine that does not answer.
fn interrupt(screen: &mut RaceScreen) -> Vec<Effect> {
    match screen.ending {
        _ if screen.env.overlay.take().is_some() => Vec::new(),
        _ if screen.ended.is_some() || screen.race.is_none() || screen.connection.hindrance().is_some() => {
            ask_to_quit(screen)
        }
        Some(Command::Abort) => {
            let message =
                "the engine did not answer and was left behind; the lanes' folders hold their last checkpoints";
            vec![Effect::Quit(Outcome::Faulted { message: message.into(), refused: false })]
        }
        Some(_) => end(screen, Command::Abort),
        None if screen.layer == Some(Dialog::Quit) => end(screen, Command::Stop),
        None => ask_to_quit(screen),
    }
}

fn ask_to_clone(screen: &mut RaceScreen) {
    let lane = screen.selected;
    if !screen.lanes.get(lane).is_some_and(super::LaneView::trains) {
        screen.say(Severity::Warning, "this lane trains no more and cannot be cloned");
    } else if screen.cloning.is_some() {
        screen.say(Severity::Warning, "a clone is under way");
    } else {
        screen.layer = Some(Dialog::Clone { lane, typed: Typed::default() });
    }
}

fn edit(screen: &mut RaceScreen, action: Action) {
    let Some(Dialog::Clone { typed, .. }) = &mut screen.layer else { return };
    typed.act(action);
}

/// Clones a lane with the typed settings; an error is shown and can be corrected.
fn apply(screen: &mut RaceScreen) -> Vec<Effect> {
    let Some(Dialog::Clone { lane, typed }) = &screen.layer else { return Vec::new() };
    let lane = u32::try_from(*lane).unwrap_or(u32::MAX);
    match settings(&typed.text) {
        Err(why) => {
            screen.say(Severity::Error, why);
            Vec::new()
        }
        Ok(set) => {
            screen.layer = None;
            let id = screen.fresh_id();
            screen.cloning = Some(id);
            vec![Effect::Send(Command::Clone { id, lane, set })]
        }
    }
}

/// Parses `field=value field=value`; a field may be named by its last part.
fn settings(text: &str) -> Result<Vec<(String, Value)>, String> {
    let mut set = Vec::new();
    for assignment in text.split_whitespace() {
        let (name, value) = parse_assignment(assignment)
            .map_err(|_| format!("{assignment} says no value; write field=value, such as learning_rate=1e-3"))?;
        let live = crate::cockpit::State::live_fields();
        let short = live.map(|field| field.name).find(|full| full.rsplit('.').next() == Some(name.as_str()));
        let name = short.map_or(name, str::to_owned);
        let field = Field::find(&name)?;
        if !field.live {
            return Err(format!("{name} cannot be changed while a run trains; a clone differs in live fields only"));
        }
        set.push((name.clone(), field.check(&name, value)?));
    }
    Ok(set)
}

fn ask_to_quit(screen: &mut RaceScreen) -> Vec<Effect> {
    if let Some(outcome) = &screen.ended {
        return vec![Effect::Quit(outcome.clone())];
    }
    if screen.race.is_none() {
        return end(screen, Command::Abort);
    }
    if screen.connection.hindrance().is_some() {
        return vec![Effect::Quit(Outcome::Left)];
    }
    screen.layer = Some(Dialog::Quit);
    Vec::new()
}

fn detach(screen: &mut RaceScreen) -> Vec<Effect> {
    if screen.race.is_none() {
        screen.say(Severity::Warning, "the race is still loading; detach when training has started");
        return Vec::new();
    }
    vec![Effect::Quit(screen.ended.clone().unwrap_or(Outcome::Left))]
}

/// A termination signal: it ends a race that this interface started, else only the interface.
pub fn terminate(screen: &mut RaceScreen) -> Vec<Effect> {
    if screen.connection.owner && screen.connection.hindrance().is_none() && screen.running() {
        return end(screen, Command::Terminate);
    }
    vec![Effect::Quit(screen.ended.clone().unwrap_or(Outcome::Left))]
}
