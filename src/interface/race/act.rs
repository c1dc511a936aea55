//! What the keys of a race do.

use crossterm::event::{KeyEvent, MouseEventKind};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::receive::{self, to_lane};
use super::{Layer, RaceScreen};
use crate::interface::frame::overlay::{Answer, Scope};
use crate::interface::frame::{Effect, Input, Outcome, Overlay, Weight};
use crate::interface::keys::{Action, Context, Press};
use crate::interface::typed::Typed;
use crate::protocol::Command;
use crate::recipe::{Field, Value, parse_assignment};

/// Answers an input.
pub fn update(screen: &mut RaceScreen, input: Input) -> Vec<Effect> {
    match input {
        Input::Engine(event) => receive::event(screen, *event),
        Input::News(news) => receive::news(screen, *news),
        Input::EngineGone if screen.running() && screen.connection.lost.is_none() => {
            let message = "the training thread ended without saying why; please report this".to_owned();
            vec![Effect::Quit(Outcome::Faulted { message, refused: false })]
        }
        Input::EngineGone => Vec::new(),
        Input::Resize(columns, rows) => {
            screen.size = (columns, rows);
            for lane in 0..screen.lanes.len() {
                to_lane(screen, lane, Input::Resize(columns, rows));
            }
            Vec::new()
        }
        Input::Tick(now) => {
            screen.now = now;
            if screen.notice.as_ref().is_some_and(|notice| notice.is_over(now)) {
                screen.notice = None;
            }
            (0..screen.lanes.len()).flat_map(|lane| from_lane(screen, lane, Input::Tick(now))).collect()
        }
        Input::Background { light } => {
            screen.look.fit(light);
            (0..screen.lanes.len()).flat_map(|lane| from_lane(screen, lane, Input::Background { light })).collect()
        }
        Input::Signal(SIGTERM) => terminate(screen),
        Input::Signal(SIGINT) => act(screen, Action::Interrupt),
        Input::Signal(_) | Input::Hangup => vec![Effect::Quit(screen.ended.clone().unwrap_or(Outcome::Detached))],
        Input::Key(event) => key(screen, event),
        Input::Mouse(event) if screen.open.is_none() => wheel(screen, event.kind),
        input => match (screen.open, input) {
            (Some(lane), input) => from_lane(screen, lane, input),
            (None, Input::Paste(text)) => {
                text.chars().filter(|c| !c.is_control()).for_each(|c| type_character(screen, c));
                Vec::new()
            }
            _ => Vec::new(),
        },
    }
}

/// A turn of the wheel goes to what lies on top: what lies over the lanes keeps it.
fn wheel(screen: &mut RaceScreen, kind: MouseEventKind) -> Vec<Effect> {
    let by = match kind {
        MouseEventKind::ScrollUp => -1,
        MouseEventKind::ScrollDown => 1,
        _ => return Vec::new(),
    };
    if screen.overlay.is_some() {
        let below = contexts_below(screen);
        let scope = scope(screen, &below);
        Overlay::scroll(&mut screen.overlay, &mut screen.look, &scope, by);
        return Vec::new();
    }
    if screen.layer.is_some() { Vec::new() } else { act(screen, Action::Row(by)) }
}

/// Gives a lane's cockpit an input. What it asks of the engine is asked of its lane, and leaving it leads back to the race.
fn from_lane(screen: &mut RaceScreen, lane: usize, input: Input) -> Vec<Effect> {
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
        view.state.look = screen.look.clone();
        screen.open = Some(lane);
    }
}

/// Back to the lanes.
fn close(screen: &mut RaceScreen) {
    if let Some(view) = screen.open.take().and_then(|lane| screen.lanes.get_mut(lane)) {
        view.state.layers.clear();
        // What was asked at its end is not asked again.
        view.state.leaving = None;
        (screen.look.theme, screen.look.chosen) = (view.state.look.theme, view.state.look.chosen);
    }
}

/// The contexts in which a key means something now, the nearest first.
pub fn contexts(screen: &RaceScreen) -> Vec<Context> {
    screen.overlay.as_ref().map_or_else(|| contexts_below(screen), Overlay::contexts)
}

/// As [`contexts`], as if neither help nor palette nor themes lay over it.
pub fn contexts_below(screen: &RaceScreen) -> Vec<Context> {
    match &screen.layer {
        Some(Layer::Quit) => vec![Context::Quit, Context::Always],
        Some(Layer::Stop { .. }) => vec![Context::Stop, Context::Always],
        Some(Layer::Clone { .. }) => vec![Context::Typing, Context::Text, Context::Always],
        None if screen.connection.lost.is_some() => {
            vec![Context::Lost, Context::Race, Context::Screen, Context::Always]
        }
        None => vec![Context::Race, Context::Screen, Context::Always],
    }
}

/// What it says of itself to help, palette and themes.
pub fn scope<'a>(screen: &RaceScreen, below: &'a [Context]) -> Scope<'a> {
    Scope { size: screen.size, contexts: &Context::RACE, active: below, fields: Vec::new() }
}

fn key(screen: &mut RaceScreen, event: KeyEvent) -> Vec<Effect> {
    if let Some(lane) = screen.open {
        return key_of_lane(screen, lane, event);
    }
    let below = contexts_below(screen);
    if screen.overlay.is_some() {
        let scope = scope(screen, &below);
        return match Overlay::key(&mut screen.overlay, &mut screen.look, &scope, event) {
            Answer::Do(context, action) if below.contains(&context) => act(screen, action),
            Answer::Do(context, action) => elsewhere(screen, context, action),
            Answer::Nothing | Answer::Set(..) => Vec::new(),
        };
    }
    if let Some(action) = screen.look.keys.action(&below, event) {
        return act(screen, action);
    }
    if let Some(c) = Press::typed(event) {
        type_character(screen, c);
    }
    Vec::new()
}

/// Does an action of a context that is not active: asks the question that it answers, and never answers it at once.
fn elsewhere(screen: &mut RaceScreen, context: Context, action: Action) -> Vec<Effect> {
    match context {
        Context::Quit => ask_to_quit(screen),
        Context::Stop => act(screen, Action::Stop),
        Context::Race | Context::Screen | Context::Always => act(screen, action),
        _ => {
            let key = screen.look.keys.label(context, action).map_or_else(String::new, |key| format!(" ({key})"));
            screen.say(Weight::Info, format!("{}{key} works {}", action.name(), context.heading()));
            Vec::new()
        }
    }
}

/// A key in a lane's cockpit: leaving it leads back, and so does what leaves a layer where there is none.
fn key_of_lane(screen: &mut RaceScreen, lane: usize, event: KeyEvent) -> Vec<Effect> {
    let Some(view) = screen.lanes.get(lane) else { return Vec::new() };
    let state = &view.state;
    let contexts = state.contexts();
    let bare = state.overlay.is_none() && state.layers.is_empty() && state.inspector.is_none();
    let bare = bare && state.edit.is_none() && state.cursor.is_none() && !state.maximised;
    match screen.look.keys.action(&contexts, event) {
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

fn type_character(screen: &mut RaceScreen, c: char) {
    match (&mut screen.overlay, &mut screen.layer) {
        (Some(overlay), _) => overlay.insert(c),
        (None, Some(Layer::Clone { typed, .. })) => typed.insert(c),
        _ => {}
    }
}

/// Does what a key stands for.
pub fn act(screen: &mut RaceScreen, action: Action) -> Vec<Effect> {
    if let Some(overlay) = Overlay::opened_by(action, &screen.look) {
        screen.overlay = Some(overlay);
        return Vec::new();
    }
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
        screen.say(Weight::Warning, why);
        return Vec::new();
    }
    match action {
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => match screen.look.suspend() {
            Ok(effect) => return vec![effect],
            Err(why) => screen.say(Weight::Warning, why),
        },
        Action::NextTheme => {
            let said = screen.look.choose_next();
            screen.say(Weight::Info, said);
        }
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
            screen.say(Weight::Info, "every lane evaluates at its next turn");
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

/// The selection moves along the ranking.
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
        screen.say(Weight::Warning, "the race has ended");
        return Vec::new();
    }
    let paused = screen.lanes.iter().filter(|lane| lane.trains()).all(|lane| lane.state.paused);
    screen.say(Weight::Info, if paused { "all lanes go on" } else { "all lanes stand still after their step" });
    vec![Effect::Send(if paused { Command::Resume } else { Command::Pause })]
}

fn ask_to_stop(screen: &mut RaceScreen, others: bool) {
    let lane = screen.selected;
    let trains = |lane: usize| screen.lanes.get(lane).is_some_and(super::LaneView::trains);
    let any = if others { (0..screen.lanes.len()).any(|other| other != lane && trains(other)) } else { trains(lane) };
    if any {
        screen.layer = Some(Layer::Stop { lane, others });
    } else {
        let why = if others { "no other lane trains" } else { "this lane trains no more" };
        screen.say(Weight::Warning, why);
    }
}

fn stop(screen: &mut RaceScreen) -> Vec<Effect> {
    let asked = screen.layer.take();
    let Some(Layer::Stop { lane, others }) = asked else { return end(screen, Command::Stop) };
    let stops =
        (0..).zip(&screen.lanes).filter(|(number, view): &(usize, _)| (*number != lane) == others && view.trains());
    let command = |(number, _): (usize, _)| {
        let lane = u32::try_from(number).unwrap_or(u32::MAX);
        Effect::Send(Command::Lane { lane, asked: Box::new(Command::Stop) })
    };
    stops.map(command).collect()
}

/// Asks all lanes to end in this way, and leaves when they have.
fn end(screen: &mut RaceScreen, command: Command) -> Vec<Effect> {
    if let Some(outcome) = &screen.ended {
        return vec![Effect::Quit(outcome.clone())];
    }
    screen.layer = None;
    screen.say(
        Weight::Info,
        match command {
            Command::Abort => "aborting all lanes; nothing more is written",
            Command::Terminate => "ending; every lane writes a checkpoint",
            _ => "every lane finishes its step and writes its adapter",
        },
    );
    screen.ending = Some(command.clone());
    vec![Effect::Send(command)]
}

/// The first one asks, the second one stops cleanly, the third one aborts, and the fourth leaves an engine that does not
/// answer.
fn interrupt(screen: &mut RaceScreen) -> Vec<Effect> {
    match screen.ending {
        _ if screen.overlay.take().is_some() => Vec::new(),
        _ if screen.ended.is_some() || screen.race.is_none() || screen.connection.hindrance().is_some() => {
            ask_to_quit(screen)
        }
        Some(Command::Abort) => {
            let message =
                "the engine did not answer and was left behind; the lanes' folders hold their last checkpoints";
            vec![Effect::Quit(Outcome::Faulted { message: message.into(), refused: false })]
        }
        Some(_) => end(screen, Command::Abort),
        None if screen.layer == Some(Layer::Quit) => end(screen, Command::Stop),
        None => ask_to_quit(screen),
    }
}

fn ask_to_clone(screen: &mut RaceScreen) {
    let lane = screen.selected;
    if !screen.lanes.get(lane).is_some_and(super::LaneView::trains) {
        screen.say(Weight::Warning, "this lane trains no more and cannot be cloned");
    } else if screen.cloning.is_some() {
        screen.say(Weight::Warning, "a clone is under way");
    } else {
        screen.layer = Some(Layer::Clone { lane, typed: Typed::default() });
    }
}

fn edit(screen: &mut RaceScreen, action: Action) {
    let Some(Layer::Clone { typed, .. }) = &mut screen.layer else { return };
    typed.act(action);
}

/// Clones a lane with what was typed; what is wrong with that is said, and can be fixed.
fn apply(screen: &mut RaceScreen) -> Vec<Effect> {
    let Some(Layer::Clone { lane, typed }) = &screen.layer else { return Vec::new() };
    let lane = u32::try_from(*lane).unwrap_or(u32::MAX);
    match settings(&typed.text) {
        Err(why) => {
            screen.say(Weight::Error, why);
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

/// Reads `field=value field=value`; a field may be named by its last part.
fn settings(text: &str) -> Result<Vec<(String, Value)>, String> {
    let mut set = Vec::new();
    for assignment in text.split_whitespace() {
        let (name, value) = parse_assignment(assignment)
            .map_err(|_| format!("{assignment} says no value; write field=value, such as learning_rate=1e-3"))?;
        let live = crate::interface::cockpit::State::live_fields();
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
    screen.layer = Some(Layer::Quit);
    Vec::new()
}

fn detach(screen: &mut RaceScreen) -> Vec<Effect> {
    if screen.race.is_none() {
        screen.say(Weight::Warning, "the race is not loaded yet, so there would be nothing to come back to");
        return Vec::new();
    }
    vec![Effect::Quit(screen.ended.clone().unwrap_or(Outcome::Left))]
}

/// A signal to end: it ends the race that this interface began, and else the interface alone.
fn terminate(screen: &mut RaceScreen) -> Vec<Effect> {
    if screen.connection.owner && screen.connection.hindrance().is_none() && screen.running() {
        return end(screen, Command::Terminate);
    }
    vec![Effect::Quit(screen.ended.clone().unwrap_or(Outcome::Left))]
}
