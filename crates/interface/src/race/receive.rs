//! Applies the engine's events to a race.

use std::time::Duration;

use super::{LaneView, RaceScreen};
use crate::cockpit::{Connection, State};
use crate::frame::{Effect, Input, Outcome, Screen, Severity};
use crate::text;
use spartui_facts::protocol::{
    Audience, CommandId, CommandStatus, Event, Level, Race, ServerMessage, first_command_id,
};

/// Number of command identifiers for the race itself, and for each lane.
const IDS: CommandId = 10_000;

/// Tells every lane with how many others it alternates.
fn count(screen: &mut RaceScreen) {
    let train = screen.lanes.iter().filter(|lane| lane.trains()).count();
    screen.lanes.iter_mut().for_each(|lane| lane.state.pace.others = train.saturating_sub(1));
}

/// Applies an event.
pub fn receive_event(screen: &mut RaceScreen, event: Event) -> Vec<Effect> {
    match event {
        Event::Loading { what, fraction } => {
            let what = text::safe_text(&what);
            match screen.loading.iter_mut().find(|(known, _)| *known == what) {
                Some((_, share)) => *share = fraction,
                None => screen.loading.push((what, fraction)),
            }
        }
        Event::Race(race) => receive_race(screen, *race),
        Event::Lane { lane, told } => {
            let lane = lane as usize;
            let trained = screen.lanes.get(lane).is_some_and(LaneView::trains);
            // Only the lane with the open cockpit may have effects.
            to_lane(screen, lane, Input::Engine(told));
            match screen.lanes.get(lane) {
                Some(view) if trained && !view.trains() => {
                    let said = format!("lane {}: {}", lane + 1, view.standing());
                    screen.say(Severity::Info, said);
                    count(screen);
                }
                _ => {}
            }
        }
        Event::Halved { step, kept, stopped } => {
            let names = |lanes: &[u32]| lanes.iter().map(|lane| (lane + 1).to_string()).collect::<Vec<_>>().join(", ");
            let said = format!("step {step}: lanes {} go on, {} are stopped", names(&kept), names(&stopped));
            screen.say(Severity::Warning, said);
        }
        Event::CommandStatus { id, status } if screen.cloning == Some(id) => match status {
            CommandStatus::Queued => {}
            CommandStatus::Applied { step } => {
                screen.cloning = None;
                screen.selected = screen.lanes.len().saturating_sub(1);
                screen.say(Severity::Done, format!("lane {} begins at step {step}", screen.lanes.len()));
            }
            CommandStatus::Rejected { why } => {
                screen.cloning = None;
                screen.say(Severity::Error, why);
            }
        },
        Event::Note { level, message } => {
            let weight = if level == Level::Warning { Severity::Warning } else { Severity::Info };
            screen.say(weight, message);
        }
        Event::Finished(summary) => return ended(screen, Outcome::Finished(summary)),
        Event::Fault { message, refused } => {
            screen.say(Severity::Error, &message);
            return ended(screen, Outcome::Faulted { message, refused });
        }
        _ => {}
    }
    Vec::new()
}

fn receive_race(screen: &mut RaceScreen, race: Race) {
    for about in race.lanes.iter().skip(screen.lanes.len()) {
        let mut look = screen.env.look.clone();
        look.warnings.clear();
        let Connection { client, owner, .. } = screen.connection;
        let mut state = State::new(look, screen.env.size).connected(client, owner);
        state.number_from(first_command_id(client) + IDS * (1 + screen.lanes.len() as CommandId));
        state.connection = screen.connection.clone();
        state.env.now = screen.env.now;
        let mut about = about.clone();
        about.name = text::safe_text(&about.name);
        screen.lanes.push(LaneView { about, state, hidden: false });
    }
    screen.race = Some(Box::new(race));
    count(screen);
}

fn ended(screen: &mut RaceScreen, outcome: Outcome) -> Vec<Effect> {
    if screen.ending.is_some() || screen.race.is_none() {
        return vec![Effect::Quit(outcome)];
    }
    if let Outcome::Finished(summary) = &outcome {
        let best = screen.ranking().first().map(|lane| format!("; lane {} is the best", lane + 1)).unwrap_or_default();
        let said = format!("the race has ended ({}){best}", summary.ending);
        screen.say(Severity::Done, said);
    }
    screen.ended = Some(outcome);
    Vec::new()
}

/// Handles a message about the connection.
pub fn receive_news(screen: &mut RaceScreen, news: ServerMessage) -> Vec<Effect> {
    match news {
        ServerMessage::Event(event) => return receive_event(screen, event),
        ServerMessage::Clock { seconds } => {
            screen.env.now = Duration::try_from_secs_f64(seconds).unwrap_or(screen.env.now);
            screen.connection.past = Some(screen.env.now).filter(|_| !screen.connection.live);
            let now = screen.env.now;
            screen.lanes.iter_mut().for_each(|lane| lane.state.env.now = now);
        }
        ServerMessage::Live => (screen.connection.live, screen.connection.past) = (true, None),
        ServerMessage::Audience(audience) => update_audience(screen, audience),
        ServerMessage::Refused { why } => screen.connection.lost = Some(why),
        ServerMessage::Lost { alive: false, why } if screen.running() => return killed(screen, &why),
        ServerMessage::Lost { why, .. } if screen.running() => {
            let why = screen.connection.lost.take().unwrap_or(why);
            screen.say(Severity::Error, &why);
            screen.connection.lost = Some(why);
        }
        ServerMessage::Lost { .. } | ServerMessage::Hello { .. } | ServerMessage::Standing(_) => {}
    }
    share(screen);
    Vec::new()
}

/// The process of all lanes is gone, so none of them goes on.
fn killed(screen: &mut RaceScreen, why: &str) -> Vec<Effect> {
    let fault = |message: String| Event::Fault { message, refused: false };
    for lane in 0..screen.lanes.len() {
        if screen.lanes[lane].trains() {
            to_lane(screen, lane, Input::Engine(Box::new(fault(why.to_owned()))));
        }
    }
    let race = screen.race.as_ref();
    let remedy = race.map(|race| format!("; `spartui resume {}` resumes its lanes from their checkpoints", race.name));
    receive_event(screen, fault(format!("{why}{}", remedy.unwrap_or_default())))
}

/// Copies the connection to all lanes.
fn share(screen: &mut RaceScreen) {
    for lane in &mut screen.lanes {
        lane.state.connection = screen.connection.clone();
    }
}

fn update_audience(screen: &mut RaceScreen, audience: Audience) {
    let steered = screen.connection.steers();
    let known = std::mem::replace(&mut screen.connection.audience, audience);
    if known.clients.is_empty() {
        return;
    }
    match (steered, screen.connection.steers()) {
        (true, false) => {
            screen.layer = None;
            screen.say(Severity::Warning, "another interface steers this race now");
        }
        (false, true) => screen.say(Severity::Done, "you steer now"),
        _ => {}
    }
}

/// Passes an input to a lane's cockpit.
pub fn to_lane(screen: &mut RaceScreen, lane: usize, input: Input) -> Vec<Effect> {
    screen.lanes.get_mut(lane).map_or_else(Vec::new, |lane| lane.state.update(input))
}
