//! Boxes over the screen: the questions before the run is ended.

use ratatui::layout::Rect;

use crate::interface::keys::{Action, Context, Keymap};
use crate::interface::layout::centred;
use crate::interface::pen::Pen;
use crate::interface::state::{Stage, State};
use crate::interface::theme::Meaning;

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
        (&state.look.keys, Context::Quit),
        &[
            (Action::StopNow, stop),
            (Action::Detach, "detach: the run goes on without this terminal"),
            (Action::AbortNow, "abort: write nothing more, leave"),
            (Action::Leave, "stay"),
        ],
    );
}

/// Asks whether to stop.
pub fn stop(pen: &mut Pen, screen: Rect, state: &State) {
    question(
        pen,
        screen,
        " stop ",
        "Stop the run after this step?",
        (&state.look.keys, Context::Stop),
        &[(Action::StopNow, "stop cleanly: write checkpoint and adapter"), (Action::Leave, "go on training")],
    );
}

fn question(
    pen: &mut Pen,
    screen: Rect,
    title: &str,
    question: &str,
    (keys, context): (&Keymap, Context),
    answers: &[(Action, &str)],
) {
    let place = centred(screen, 60, answers.len() as u16 + 5);
    let inner = pen.frame(place, Meaning::Warn);
    pen.put(place.x + 2, place.y, place.width.saturating_sub(4), title, Meaning::Warn);
    let mut rows = Pen::rows(inner).map(|row| Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row }).skip(1);
    if let Some(row) = rows.next() {
        pen.put(row.x, row.y, row.width, question, Meaning::Text);
    }
    let known = answers.iter().filter_map(|(action, answer)| Some((keys.label(context, *action)?, answer)));
    for (row, (key, answer)) in rows.skip(usize::from(inner.height > answers.len() as u16 + 2)).zip(known) {
        pen.put(row.x + 1, row.y, 6, &key, Meaning::Key);
        pen.put(row.x + 8, row.y, row.width.saturating_sub(8), answer, Meaning::Text);
    }
}
