//! The playground's actions, and the handling of the engine's answers.

use std::time::Duration;

use crate::cockpit::{Dialog, Playground, Stage, State};
use crate::frame::Effect;
use crate::keys::{Action, Context};
use spartui_facts::protocol::{About, Answer, Command, CommandId, CommandStatus, Question};

/// The least time between two automatic questions.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Runs an action of the playground.
pub fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Playground => open(state),
        Action::PlaygroundAsk => {
            let text = state.playground.typed.text.clone();
            if text.trim().is_empty() {
                let key = |context, action| state.env.look.keys.label(context, action);
                let beside = key(Context::PlaygroundText, Action::PlaygroundTyping(false));
                let row = key(Context::Playground, Action::PlaygroundRow(1));
                let or = beside.zip(row).map_or_else(String::new, |(beside, row)| {
                    format!(", or press {beside} and {row} for a row of the validation data")
                });
                state.hint(format!("type a text first{or}"));
                return Vec::new();
            }
            let about = if state.playground.chat { About::Chat { text } } else { About::Text { text } };
            return ask(state, about);
        }
        Action::PlaygroundRow(by) => {
            let row = state.playground.row.map_or(0, |row| row.saturating_add_signed(by));
            state.playground.row = Some(row);
            return ask(state, About::Row { row });
        }
        Action::PlaygroundLeave => return leave(state),
        Action::PlaygroundTyping(typing) => state.playground.typing = typing,
        Action::PlaygroundPast(by) => state.playground.recall(by),
        Action::PlaygroundCursor(_) | Action::PlaygroundErase(_) | Action::Line(_) => {
            state.playground.typed.act(action);
        }
        Action::PlaygroundMoment(by) => return choose(state, by),
        Action::PlaygroundLive => {
            state.playground.live = !state.playground.live;
            return stepped(state);
        }
        Action::PlaygroundChat => {
            if state.ready.as_ref().is_some_and(|ready| ready.chat) {
                state.playground.chat = !state.playground.chat;
            } else {
                state.hint("this model has no chat template; the text is read as it is");
            }
        }
        Action::PlaygroundTokens(by) => state.playground.lengthen(by),
        Action::PlaygroundScroll(by) => {
            state.playground.scroll = state.playground.scroll.saturating_add_signed(by).min(10_000);
        }
        _ => {}
    }
    Vec::new()
}

/// Whether keys go into the playground's text.
#[must_use]
pub fn is_typing(state: &State) -> bool {
    state.layers.last() == Some(&Dialog::Playground) && state.playground.typing
}

fn open(state: &mut State) {
    match state.stage {
        Stage::Training => {
            state.playground.typing = true;
            state.layers.push(Dialog::Playground);
        }
        Stage::Loading => state.hint("the run is not loaded yet"),
        Stage::Finished(_) | Stage::Faulted { .. } => {
            state.hint("the run has ended; `spartui predict` and `spartui generate` use its adapter");
        }
    }
}

/// Cancels the answer in progress; else closes the playground.
fn leave(state: &mut State) -> Vec<Effect> {
    match state.playground.asked.take() {
        Some(asked) => {
            state.playground.live = false;
            vec![Effect::Send(Command::BreakOff { asked })]
        }
        None => {
            state.layers.pop();
            Vec::new()
        }
    }
}

/// The states that can be asked: the current one, then the kept ones, newest first.
#[must_use]
pub fn moments(state: &State) -> Vec<Option<(u32, u64)>> {
    let mut kept: Vec<(u64, u32)> = state.history.tree.kept.iter().map(|kept| (kept.step, kept.branch)).collect();
    kept.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
    kept.dedup();
    std::iter::once(None).chain(kept.into_iter().map(|(step, branch)| Some((branch, step)))).collect()
}

/// Selects another state, and asks it the last question.
fn choose(state: &mut State, by: isize) -> Vec<Effect> {
    let moments = moments(state);
    let now = moments.iter().position(|at| *at == state.playground.at).unwrap_or(0);
    let next = now.saturating_add_signed(by).min(moments.len() - 1);
    if next == now {
        let key = state.env.look.keys.advice(Context::Cockpit, Action::Snapshot, "in the cockpit keeps one");
        let why = if moments.len() == 1 { format!("no state is kept yet{key}") } else { "there is no other".into() };
        state.hint(why);
        return Vec::new();
    }
    state.playground.at = moments[next];
    if state.playground.shown.is_none() && state.playground.asked.is_none() {
        return Vec::new();
    }
    let about = state.playground.about.clone();
    ask(state, about)
}

fn ask(state: &mut State, about: About) -> Vec<Effect> {
    if state.stage != Stage::Training || state.leaving.is_some() {
        state.hint("there is no run that trains");
        return Vec::new();
    }
    let mut effects = Vec::new();
    if let Some(asked) = state.playground.asked.take() {
        effects.push(Effect::Send(Command::BreakOff { asked }));
    }
    let id = state.fresh_id();
    let playground = &mut state.playground;
    if !matches!(about, About::Row { .. }) {
        playground.remember();
    }
    playground.asked = Some(id);
    playground.about = about.clone();
    playground.refused = None;
    playground.coming = None;
    let max_new_tokens = playground.max_new_tokens();
    let question = Question { about, at: playground.at, max_new_tokens, temperature: 0.0, seed: 0 };
    effects.push(Effect::Send(Command::Predict { id, question }));
    effects
}

/// Handles a part of an answer.
pub fn receive(state: &mut State, id: CommandId, answer: Answer) {
    if is_asked(&state.playground, id) {
        state.playground.receive(answer);
    }
}

/// Handles the status of a command; returns whether the command was a question of the playground.
pub fn answered(state: &mut State, id: CommandId, status: &CommandStatus) -> bool {
    if !is_asked(&state.playground, id) {
        return false;
    }
    match status {
        CommandStatus::Queued => {}
        CommandStatus::Applied { .. } => state.playground.done(),
        CommandStatus::Rejected { why } => {
            state.playground.done();
            state.playground.live = false;
            state.playground.refused = Some(crate::text::safe_text(why));
        }
    }
    true
}

fn is_asked(playground: &Playground, id: CommandId) -> bool {
    playground.asked == Some(id)
}

/// The step has changed: asks again if that is enabled.
pub fn stepped(state: &mut State) -> Vec<Effect> {
    let playground = &state.playground;
    let is_due = playground.live
        && playground.at.is_none()
        && playground.asked.is_none()
        && state.layers.last() == Some(&Dialog::Playground)
        && state.connection.hindrance().is_none()
        && state.env.now.saturating_sub(playground.last) >= PATIENCE;
    let here = (state.history.tree.current, state.step());
    match &playground.shown {
        Some(shown) if is_due && shown.at != here => {
            let about = shown.about.clone();
            state.playground.last = state.env.now;
            ask(state, about)
        }
        _ => Vec::new(),
    }
}
