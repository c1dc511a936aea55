//! Applies the engine's events to the state.

use std::path::Path;
use std::time::Duration;

use super::leaving::outcome;
use super::{Edit, Preview, Redo, RequestKind, Stage, State, alerts, playground};
use crate::frame::{Effect, Severity};
use crate::keys::{Action, Context};
use crate::text;
use spartui_facts::protocol::{
    CommandId, CommandStatus, Consequences, Ending, Evaluation, Event, Intervention, Level, Ready, Step, Summary,
};
use spartui_facts::recipe::Field;

/// Applies one event to the state.
pub fn receive(state: &mut State, event: Event) -> Vec<Effect> {
    alerts::act::watch(state, &event);
    match event {
        Event::Loading { what, fraction } => loading(state, &what, fraction),
        Event::Ready(ready) => became_ready(state, ready),
        Event::Example(example) => state.example = Some(example),
        Event::Step(step) => {
            stepped(state, step);
            return playground::act::stepped(state);
        }
        Event::Evaluating { done, of } => state.evaluating = Some((done, of)),
        Event::Evaluated(evaluation) => evaluated(state, evaluation),
        Event::Confused(confusion) => state.history.confusion = Some(*confusion),
        Event::Memory(memory) => {
            state.history.add_memory(&memory);
            state.memory = Some(memory);
        }
        Event::Sparsity(sparsity) => {
            state.group_row = state.group_row.min(sparsity.groups.len());
            if state.sparsity.is_none() {
                state.map.group = sparsity
                    .groups
                    .iter()
                    .filter(|group| group.is_in_layers())
                    .position(|group| group.targeted)
                    .unwrap_or(0);
            }
            state.map.walk((0, 0), &sparsity.groups);
            state.sparsity = Some(sparsity);
        }
        Event::Setting { field, value } => {
            state.settings.insert(field, value);
        }
        Event::TotalSteps { total_steps } => {
            if let Some(ready) = &mut state.ready {
                ready.total_steps = total_steps;
            }
        }
        Event::Intervention(intervention) => intervened(state, intervention),
        Event::CommandStatus { id, status } => {
            if !playground::act::answered(state, id, &status) {
                answered(state, id, status);
            }
        }
        Event::Predicted { id, answer } => playground::act::receive(state, id, answer),
        Event::Vitals(vitals) => state.pulse.push(*vitals),
        Event::Previewed { id, outcome } => previewed(state, id, outcome),
        Event::Paused { step } => {
            state.paused = true;
            state.paused_at = Some(state.env.now);
            state.note(Severity::Info, format!("paused after step {step}"));
        }
        Event::Resumed { step, stood } => {
            state.paused = false;
            state.paused_at = None;
            state.paused_for = Duration::try_from_secs_f64(stood).unwrap_or_default();
            state.note(Severity::Info, format!("goes on after step {step}"));
        }
        Event::Checkpointed { path, bytes, .. } => {
            let size = text::bytes(bytes);
            let path = within_run(state, &path);
            state.note(Severity::Done, format!("wrote {path} ({size})"));
        }
        Event::Exported { step, path, bytes } => {
            let size = text::bytes(bytes);
            let path = within_run(state, &path);
            state.say(Severity::Done, format!("wrote {path} ({size}) after step {step}"));
        }
        Event::Note { level, message } => match level {
            Level::Info => state.note(Severity::Info, message),
            Level::Warning => state.say(Severity::Warning, message),
        },
        Event::Rewound { step, branch, left } => rewound(state, step, branch, left),
        Event::Recomputing { done, of } => state.recomputing = Some((done, of)),
        // A race has its own screen.
        Event::Race(_) | Event::Lane { .. } | Event::Halved { .. } => {}
        Event::Branches { branches } => state.history.set_branches(branches),
        Event::Snapshots { snapshots } => state.history.tree.kept = snapshots,
        Event::Fault { message, refused } => {
            state.note(Severity::Error, &message);
            state.stage = Stage::Faulted { message, refused };
            return ended(state);
        }
        Event::Finished(summary) => {
            finished(state, &summary);
            state.stage = Stage::Finished(summary);
            return ended(state);
        }
    }
    Vec::new()
}

/// A path relative to the run's folder.
fn within_run(state: &State, path: &Path) -> String {
    let folder = state.ready.as_ref().map(|ready| ready.folder.as_path());
    folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(path).display().to_string()
}

/// The engine is gone; without a reported cause, that is a failure.
pub fn engine_gone(state: &mut State) -> Vec<Effect> {
    if !state.running() || state.connection.lost.is_some() {
        return Vec::new();
    }
    let message = match &state.ready {
        Some(ready) => {
            let log = ready.folder.join("log.txt");
            format!("the engine ended without saying why; see {}", log.display())
        }
        None => "the engine ended without saying why before the run was loaded".into(),
    };
    receive(state, Event::Fault { message, refused: false })
}

/// Drops everything that needs a running engine, and quits if that was requested.
fn ended(state: &mut State) -> Vec<Effect> {
    (state.edit, state.jump) = (None, None);
    state.evaluating = None;
    state.paused = false;
    // The clock stops here.
    state.paused_at = state.paused_at.or(Some(state.env.now));
    state.requests.clear();
    state.layers.clear();
    state.env.notice = None;
    match outcome(state) {
        Some(outcome) if state.leaving.is_some() => vec![Effect::Quit(outcome)],
        _ => Vec::new(),
    }
}

fn loading(state: &mut State, what: &str, fraction: Option<f32>) {
    match state.loading.last_mut() {
        Some((last, known)) if last == what => *known = fraction,
        _ => {
            let what = text::safe_text(what);
            state.note(Severity::Info, &what);
            state.loading.push((what, fraction));
        }
    }
}

fn became_ready(state: &mut State, ready: Box<Ready>) {
    state.stage = Stage::Training;
    state.started = Some(state.env.now);
    let (train, validation) = (ready.train_examples as u64, ready.validation_examples as u64);
    let validation = match validation {
        0 => String::new(),
        rows => format!(" {} validation rows,", text::grouped(rows)),
    };
    let train = text::grouped(train);
    let labels = match ready.labels.len() {
        0 => String::new(),
        labels => format!(" {labels} labels,"),
    };
    let facts = format!(
        "{} on {}: {train} training rows,{validation}{labels} {} steps",
        ready.method, ready.model.name, ready.total_steps
    );
    state.note(Severity::Info, facts);
    state.at = ready.step;
    state.ready = Some(ready);
}

fn stepped(state: &mut State, step: Step) {
    state.history.add_step(&step);
    state.at = step.step;
    state.pace.push(step);
}

/// The run moved to another state: the curves follow, and pending requests are dropped.
fn rewound(state: &mut State, step: u64, branch: u32, left: (u32, u64)) {
    state.recomputing = None;
    let new = state.history.go_to(branch, step);
    state.at = step;
    state.pace.clear();
    (state.cursor, state.jump) = (None, None);
    let interventions = &state.history.interventions;
    state.undo.retain(|change| interventions.contains(change));
    let (was, at) = left;
    let asked =
        |kind: RequestKind| state.requests.iter().find(|request| request.kind == kind).map(|request| request.id);
    let brought_back = asked(RequestKind::Switch(branch)).filter(|id| state.redoing.contains(id));
    match (asked(RequestKind::Undo), brought_back) {
        (Some(_), _) => state.redo.push(Redo::Branch(was)),
        (None, Some(id)) => state.redoing.retain(|redoing| *redoing != id),
        (None, None) => state.redo.clear(),
    }
    state.say(
        Severity::Done,
        if new {
            format!("back at step {step}, on branch {branch}; branch {was} stays, up to step {at}")
        } else {
            format!("on branch {branch} again, at step {step}; branch {was} stays, up to step {at}")
        },
    );
}

fn evaluated(state: &mut State, evaluation: Evaluation) {
    state.evaluating = None;
    state.history.add_evaluation(evaluation);
    let (loss, accuracy) = (text::number(evaluation.eval_loss), text::percent(evaluation.accuracy));
    state.note(
        Severity::Done,
        match evaluation.mcc {
            Some(mcc) => format!("validation loss {loss}, accuracy {accuracy}, mcc {mcc:.3}"),
            None => {
                let perplexity = text::number(evaluation.perplexity());
                format!("validation loss {loss}, perplexity {perplexity}, token accuracy {accuracy}")
            }
        },
    );
}

fn intervened(state: &mut State, intervention: Intervention) {
    let Intervention { step, field, from, to, id, .. } = &intervention;
    let change = format!("{field} {} → {}, step {step}", text::value(from), text::value(to));
    if let Some(at) = state.undoing.iter().position(|undoing| undoing == id) {
        state.undoing.remove(at);
        state.redo.push(Redo::Value(field.clone(), from.clone()));
        let key = state.env.look.keys.label(Context::Cockpit, Action::Redo);
        let advice = key.map_or_else(String::new, |key| format!("; {key} brings it back"));
        state.say(Severity::Done, format!("{change} · taken back{advice}"));
    } else if !State::live_fields().any(|live| is_of(live, field)) {
        // A resumed run was given more steps: that cannot be undone by a key.
        state.note(Severity::Done, &change);
    } else {
        match state.redoing.iter().position(|redoing| redoing == id) {
            Some(at) => drop(state.redoing.remove(at)),
            None => state.redo.clear(),
        }
        state.undo.push(intervention.clone());
        state.note(Severity::Done, &change);
        let key = state.env.look.keys.label(Context::Cockpit, Action::Undo);
        let advice = key.map_or_else(String::new, |key| format!(" · {key} undoes"));
        state.flash(Severity::Done, change + &advice);
    }
    state.history.add_intervention(intervention);
}

/// Whether a setting is this field or one of its entries.
fn is_of(field: &Field, setting: &str) -> bool {
    setting.strip_prefix(field.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn answered(state: &mut State, id: CommandId, status: CommandStatus) {
    let Some(at) = state.requests.iter().position(|request| request.id == id) else { return };
    match status {
        CommandStatus::Queued => state.requests[at].queued = true,
        CommandStatus::Applied { .. } => {
            state.requests.remove(at);
        }
        CommandStatus::Rejected { why } => {
            let request = state.requests.remove(at);
            state.undoing.retain(|undoing| *undoing != id);
            state.redoing.retain(|redoing| *redoing != id);
            state.note(Severity::Info, format!("not done: {}", request.kind.describe()));
            state.say(Severity::Error, format!("refused: {why}"));
        }
    }
}

fn previewed(state: &mut State, id: CommandId, outcome: Result<Consequences, String>) {
    if let Some(Edit { preview, .. }) = &mut state.edit
        && *preview == Preview::Asked(id)
    {
        *preview = match outcome {
            Ok(consequences) => Preview::Answered(consequences),
            Err(why) => Preview::Refused(text::safe_text(&why)),
        };
    }
}

fn finished(state: &mut State, summary: &Summary) {
    let ending = match summary.ending {
        Ending::Completed => "all steps taken",
        Ending::Stopped => "stopped as asked",
        Ending::Aborted => "aborted",
        Ending::Terminated => "ended by a signal",
        Ending::StoppedEarly => "stopped early, since validation got no better",
    };
    state.note(Severity::Done, format!("{ending} after {} steps", summary.steps));
}
