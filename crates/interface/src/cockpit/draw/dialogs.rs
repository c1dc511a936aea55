//! Dialogs over the screen: the questions before the run is ended.

use ratatui::layout::Rect;

use crate::cockpit::{Stage, State};
use crate::keys::{Action, Context, Keymap};
use crate::pen::Pen;
use crate::theme::Meaning;
use crate::widgets::question::Question;

/// Asks how to leave.
pub fn quit(pen: &mut Pen, screen: Rect, state: &State) {
    let stop = match state.stage {
        Stage::Loading => "stop cleanly and leave",
        _ => "stop cleanly (checkpoint and adapter) and leave",
    };
    question(
        pen,
        screen,
        " leave ",
        &format!("The run is at step {}. How shall it end?", state.step()),
        (
            &state.env.look.keys,
            Context::Quit,
            &[
                (Action::StopNow, stop),
                (Action::Detach, "detach: the run goes on without this terminal"),
                (Action::AbortNow, "abort: write nothing more, leave"),
                (Action::Leave, "stay"),
            ],
        ),
    );
}

/// Asks whether to stop.
pub fn stop(pen: &mut Pen, screen: Rect, state: &State) {
    question(
        pen,
        screen,
        " stop ",
        "Stop the run after this step?",
        (
            &state.env.look.keys,
            Context::Stop,
            &[(Action::StopNow, "stop cleanly: write checkpoint and adapter"), (Action::Leave, "go on training")],
        ),
    );
}

fn question(pen: &mut Pen, screen: Rect, title: &str, asked: &str, asks: (&Keymap, Context, &[(Action, &str)])) {
    let (keys, context, answers) = asks;
    let known = answers.iter().filter_map(|(action, answer)| Some((keys.label(context, *action)?, *answer)));
    let question = Question {
        title,
        meaning: Meaning::Warn,
        width: 60,
        roomy: true,
        lines: vec![(asked.to_owned(), Meaning::Text)],
        answers: known.collect(),
        keys: (1, 6),
    };
    question.draw(pen, screen);
}
