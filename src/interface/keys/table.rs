//! The table itself.

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Action, Binding, Context, Press};
use crate::interface::state::Panel;

const fn char(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::NONE)
}

const fn code(code: KeyCode) -> Press {
    Press(code, KeyModifiers::NONE)
}

const fn control(c: char) -> Press {
    Press(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn bind(context: Context, keys: &'static [(Press, Action)], footer: &'static str, help: &'static str) -> Binding {
    let footer = if footer.is_empty() { None } else { Some(footer) };
    Binding { context, keys, help, footer, repeats: false }
}

/// A binding whose keys may be held down.
const fn step(context: Context, keys: &'static [(Press, Action)], footer: &'static str, help: &'static str) -> Binding {
    Binding { repeats: true, ..bind(context, keys, footer, help) }
}

/// Every key, in the order of the help and the footer.
#[rustfmt::skip]
pub const TABLE: &[Binding] = &[
    bind(Context::Pending, &[(code(KeyCode::Enter), Action::Apply)], "apply", "apply the pending value"),
    bind(Context::Pending, &[(code(KeyCode::Esc), Action::Discard)], "discard", "discard the pending value"),
    step(Context::Pending, &[(code(KeyCode::Left), Action::Turn(-1)), (code(KeyCode::Right), Action::Turn(1))], "change", "the next value down and up"),

    bind(Context::Typing, &[(code(KeyCode::Enter), Action::Apply)], "apply", "apply what was typed"),
    bind(Context::Typing, &[(code(KeyCode::Esc), Action::Discard)], "discard", "discard what was typed"),
    step(Context::Typing, &[(code(KeyCode::Left), Action::Cursor(-1)), (code(KeyCode::Right), Action::Cursor(1)), (code(KeyCode::Home), Action::Cursor(isize::MIN / 2)), (code(KeyCode::End), Action::Cursor(isize::MAX / 2))], "move", "move in what was typed"),
    step(Context::Typing, &[(code(KeyCode::Backspace), Action::Backspace), (code(KeyCode::Delete), Action::Delete)], "", "take a character away"),

    bind(Context::Screen, &[(char('?'), Action::Help)], "help", "this help"),
    bind(Context::Screen, &[(char(':'), Action::Palette)], "palette", "everything by its name: actions, fields to set, themes"),
    bind(Context::Screen, &[(char('t'), Action::Themes)], "", "choose a theme"),
    bind(Context::Screen, &[(char('T'), Action::NextTheme)], "", "the next theme"),
    bind(Context::Lost, &[(char('r'), Action::Reconnect)], "reconnect", "connect to the run again"),
    bind(Context::Cockpit, &[(char('q'), Action::Quit)], "quit", "leave: stop cleanly, abort, detach or stay; who only watches leaves at once"),
    bind(Context::Cockpit, &[(char('w'), Action::TakeOver)], "take over", "take the wheel: steer in place of who does"),
    bind(Context::Cockpit, &[(char(' '), Action::Pause)], "pause", "pause and resume"),
    step(Context::Cockpit, &[(char('['), Action::Sparser(false)), (char(']'), Action::Sparser(true))], "sparsity", "sparsity down and up; of the selected group, where the sparsity panel has the focus"),
    step(Context::Cockpit, &[(char('-'), Action::Faster(false)), (char('='), Action::Faster(true)), (char('+'), Action::Faster(true))], "rate", "learning rate down and up"),
    bind(Context::Rows, &[(code(KeyCode::Enter), Action::Edit)], "edit", "edit the selected value in place"),
    bind(Context::Cockpit, &[(char('u'), Action::Undo)], "undo", "take the last change of a value back; the steps since stay"),
    bind(Context::Cockpit, &[(char('d'), Action::Detach)], "detach", "leave, and let the run go on; `spartui attach RUN` comes back to it"),
    bind(Context::Cockpit, &[(char('U'), Action::UndoSteps)], "", "go back to before the last change, as if it had never been; the steps since stay on their branch"),
    bind(Context::Cockpit, &[(char('b'), Action::Timeline)], "branches", "branches and kept states: go there, keep for good"),
    bind(Context::Cockpit, &[(char('n'), Action::Snapshot)], "", "keep the state of now: in memory, and as a checkpoint"),
    bind(Context::Cockpit, &[(char('e'), Action::Evaluate)], "evaluate", "evaluate on the validation rows now"),
    bind(Context::Cockpit, &[(char('x'), Action::Export)], "export", "write the adapter now"),
    bind(Context::Cockpit, &[(char('s'), Action::Stop)], "stop", "finish the step, write checkpoint and adapter, end"),
    bind(Context::Cockpit, &[(code(KeyCode::Tab), Action::Focus(1)), (code(KeyCode::BackTab), Action::Focus(-1))], "panel", "the next panel and the one before"),
    bind(Context::Rows, &[(code(KeyCode::Right), Action::Focus(1)), (code(KeyCode::Left), Action::Focus(-1)), (char('l'), Action::Focus(1)), (char('h'), Action::Focus(-1))], "", "the next panel and the one before"),
    bind(Context::Cockpit, &[
        (char('1'), Action::FocusOn(Panel::Loss)), (char('2'), Action::FocusOn(Panel::Sparsity)), (char('3'), Action::FocusOn(Panel::Settings)),
        (char('4'), Action::FocusOn(Panel::Memory)), (char('5'), Action::FocusOn(Panel::Validation)), (char('6'), Action::FocusOn(Panel::Log)),
        (char('7'), Action::FocusOn(Panel::Charts)), (char('8'), Action::FocusOn(Panel::Device)), (char('9'), Action::FocusOn(Panel::Map)),
    ], "", "the panel of this number"),
    bind(Context::Cockpit, &[(char('m'), Action::Maximise)], "maximise", "give the panel the whole screen, and back"),
    step(Context::Rows, &[(code(KeyCode::Down), Action::Row(1)), (code(KeyCode::Up), Action::Row(-1)), (char('j'), Action::Row(1)), (char('k'), Action::Row(-1))], "", "the next row and the one before; scroll"),
    step(Context::Rows, &[(code(KeyCode::PageDown), Action::Row(10)), (code(KeyCode::PageUp), Action::Row(-10))], "", "ten rows further and back"),

    bind(Context::Cursor, &[(char('r'), Action::RewindHere)], "rewind", "go back to the step under the cursor; what follows is a new branch, and the old one stays"),
    step(Context::Cursor, &[(code(KeyCode::Left), Action::CursorBy(-1)), (code(KeyCode::Right), Action::CursorBy(1)), (char('h'), Action::CursorBy(-1)), (char('l'), Action::CursorBy(1))], "cursor", "move the cursor to the sample before and after"),
    step(Context::Cursor, &[(code(KeyCode::PageUp), Action::CursorBy(-10)), (code(KeyCode::PageDown), Action::CursorBy(10))], "", "ten samples back and forth"),
    bind(Context::Cursor, &[(code(KeyCode::Home), Action::CursorBy(isize::MIN / 2)), (code(KeyCode::End), Action::CursorBy(isize::MAX / 2))], "", "to the first and the last step"),
    bind(Context::Cursor, &[(char('<'), Action::CursorLowest(true)), (char('>'), Action::CursorLowest(false))], "min max", "to the lowest and the highest loss in sight"),
    bind(Context::Cursor, &[(char('a'), Action::CursorAnchor)], "compare", "compare with this step: the difference is shown while the cursor moves on"),
    bind(Context::Cursor, &[(code(KeyCode::Esc), Action::CursorUp)], "", "take the cursor away"),
    bind(Context::Chart, &[(char('c'), Action::CursorUp)], "cursor", "a cursor on the loss, and away again"),
    step(Context::Chart, &[(char('z'), Action::Zoom(true)), (char('Z'), Action::Zoom(false)), (code(KeyCode::Up), Action::Zoom(true)), (code(KeyCode::Down), Action::Zoom(false)), (char('k'), Action::Zoom(true)), (char('j'), Action::Zoom(false))], "zoom", "zoom in and out; the mouse wheel does so under the pointer"),
    step(Context::Chart, &[(code(KeyCode::Left), Action::Pan(-1)), (code(KeyCode::Right), Action::Pan(1)), (char('h'), Action::Pan(-1)), (char('l'), Action::Pan(1))], "pan", "move to earlier and later steps"),
    bind(Context::Chart, &[(char('f'), Action::Follow)], "follow", "follow the newest steps, or fit all"),
    bind(Context::Cockpit, &[(char('o'), Action::Metric(1)), (char('O'), Action::Metric(-1))], "metric", "what the large chart shows, or the selected one of the grid of charts: loss, gradient, rate, speed and more"),
    bind(Context::Cockpit, &[(char('y'), Action::LogAxis)], "log y", "logarithmic and linear loss axis"),
    bind(Context::Cockpit, &[(char('v'), Action::Example)], "example", "view the first training example, with what is learned marked"),
    step(Context::Cockpit, &[(char(','), Action::Smooth(-1)), (char('.'), Action::Smooth(1))], "smooth", "smooth the loss less and more"),
    bind(Context::Cockpit, &[(code(KeyCode::Esc), Action::Leave)], "", "leave the maximised panel; never the program"),

    bind(Context::Help, &[(code(KeyCode::Esc), Action::Leave), (char('?'), Action::Leave), (char('q'), Action::Leave)], "close", "close the help"),
    bind(Context::Help, &[(char('/'), Action::Palette), (char(':'), Action::Palette)], "find", "find an action by its name"),
    step(Context::Help, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (char('j'), Action::OverlayRow(1)), (char('k'), Action::OverlayRow(-1)), (code(KeyCode::PageDown), Action::OverlayRow(10)), (code(KeyCode::PageUp), Action::OverlayRow(-10))], "scroll", "scroll the help"),

    bind(Context::Palette, &[(code(KeyCode::Enter), Action::Choose)], "do it", "do what is selected"),
    bind(Context::Palette, &[(code(KeyCode::Tab), Action::Complete)], "complete", "put the name that is selected in place of what was typed"),
    step(Context::Palette, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (code(KeyCode::PageDown), Action::OverlayRow(10)), (code(KeyCode::PageUp), Action::OverlayRow(-10))], "select", "the next line and the one before"),
    step(Context::Palette, &[(code(KeyCode::Left), Action::Cursor(-1)), (code(KeyCode::Right), Action::Cursor(1)), (code(KeyCode::Home), Action::Cursor(isize::MIN / 2)), (code(KeyCode::End), Action::Cursor(isize::MAX / 2))], "", "move in what was typed"),
    step(Context::Palette, &[(code(KeyCode::Backspace), Action::Backspace), (code(KeyCode::Delete), Action::Delete)], "", "take a character away"),
    bind(Context::Palette, &[(code(KeyCode::Esc), Action::Leave)], "close", "close the palette"),

    bind(Context::Themes, &[(code(KeyCode::Enter), Action::Choose), (char(' '), Action::Choose)], "keep", "keep the theme that is shown"),
    step(Context::Themes, &[(code(KeyCode::Down), Action::OverlayRow(1)), (code(KeyCode::Up), Action::OverlayRow(-1)), (char('j'), Action::OverlayRow(1)), (char('k'), Action::OverlayRow(-1)), (char('t'), Action::OverlayRow(1))], "preview", "show the next theme and the one before"),
    bind(Context::Themes, &[(code(KeyCode::Esc), Action::Leave), (char('q'), Action::Leave)], "go back", "go back to the theme before"),

    bind(Context::Example, &[(code(KeyCode::Esc), Action::Leave), (char('v'), Action::Leave), (char('q'), Action::Leave)], "close", "close the example"),

    bind(Context::Timeline, &[(code(KeyCode::Enter), Action::TimelineGo)], "go there", "go on from the selected branch or state"),
    bind(Context::Timeline, &[(char('p'), Action::TimelinePin)], "pin", "keep the selected branch or state for good, or no longer"),
    bind(Context::Timeline, &[(char('n'), Action::Snapshot)], "keep now", "keep the state of now"),
    step(Context::Timeline, &[(code(KeyCode::Down), Action::TimelineRow(1)), (code(KeyCode::Up), Action::TimelineRow(-1)), (char('j'), Action::TimelineRow(1)), (char('k'), Action::TimelineRow(-1)), (code(KeyCode::PageDown), Action::TimelineRow(10)), (code(KeyCode::PageUp), Action::TimelineRow(-10))], "select", "the next row and the one before"),
    bind(Context::Timeline, &[(code(KeyCode::Esc), Action::Leave), (char('b'), Action::Leave), (char('q'), Action::Leave)], "close", "close the list"),

    bind(Context::Cursor, &[(char('g'), Action::Jump)], "to step", "to the step that is typed then"),
    bind(Context::Jump, &[(code(KeyCode::Enter), Action::JumpThere)], "go there", "move the cursor to the step that was typed"),
    bind(Context::Jump, &[(code(KeyCode::Esc), Action::JumpNowhere)], "stay", "leave the cursor where it is"),
    step(Context::Jump, &[(code(KeyCode::Backspace), Action::JumpErase)], "", "take the last digit away"),
    bind(Context::Map, &[(code(KeyCode::Enter), Action::MapMeasure)], "measure", "density, size of the update, share that the cast keeps"),
    step(Context::Map, &[(code(KeyCode::Left), Action::MapLayer(-1)), (code(KeyCode::Right), Action::MapLayer(1)), (char('h'), Action::MapLayer(-1)), (char('l'), Action::MapLayer(1))], "layer", "the layer before and the next"),
    bind(Context::Cockpit, &[(char('A'), Action::Acknowledge)], "", "acknowledge the alerts: they are no longer shown above the panels"),
    bind(Context::Timeline, &[(char('c'), Action::TimelineCompare)], "compare", "compare the rows that are selected from now on with this one, or no longer"),
    bind(Context::Cockpit, &[(char('p'), Action::Playground)], "playground", "a text through the base model and the adapted one, side by side, while training goes on"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Enter), Action::PlaygroundAsk)], "ask", "ask both models"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Esc), Action::PlaygroundLeave)], "close", "break off what is being answered; else close the playground"),
    bind(Context::PlaygroundText, &[(code(KeyCode::Tab), Action::PlaygroundTyping(false))], "more keys", "beside the text, where keys choose a state, an example and more"),
    step(Context::PlaygroundText, &[(code(KeyCode::Up), Action::PlaygroundPast(-1)), (code(KeyCode::Down), Action::PlaygroundPast(1))], "earlier texts", "texts that were asked about before"),
    step(Context::PlaygroundText, &[(code(KeyCode::Left), Action::PlaygroundCursor(-1)), (code(KeyCode::Right), Action::PlaygroundCursor(1)), (code(KeyCode::Home), Action::PlaygroundCursor(isize::MIN / 2)), (code(KeyCode::End), Action::PlaygroundCursor(isize::MAX / 2))], "", "move in the text"),
    step(Context::PlaygroundText, &[(code(KeyCode::Backspace), Action::PlaygroundErase(false)), (code(KeyCode::Delete), Action::PlaygroundErase(true))], "", "take a character away"),
    step(Context::PlaygroundText, &[(code(KeyCode::PageDown), Action::PlaygroundScroll(10)), (code(KeyCode::PageUp), Action::PlaygroundScroll(-10))], "", "scroll the answers"),

    bind(Context::Playground, &[(code(KeyCode::Enter), Action::PlaygroundAsk)], "ask", "ask both models"),
    bind(Context::Playground, &[(code(KeyCode::Esc), Action::PlaygroundLeave), (char('q'), Action::PlaygroundLeave)], "close", "break off what is being answered; else close the playground"),
    bind(Context::Playground, &[(code(KeyCode::Tab), Action::PlaygroundTyping(true)), (char('i'), Action::PlaygroundTyping(true))], "type", "back to typing the text"),
    step(Context::Playground, &[(code(KeyCode::Left), Action::PlaygroundMoment(-1)), (code(KeyCode::Right), Action::PlaygroundMoment(1)), (char('h'), Action::PlaygroundMoment(-1)), (char('l'), Action::PlaygroundMoment(1))], "state", "ask of a newer kept state, and of an older one"),
    step(Context::Playground, &[(char('v'), Action::PlaygroundRow(1)), (char('V'), Action::PlaygroundRow(-1))], "example", "the next row of the validation data, and the one before"),
    bind(Context::Playground, &[(char('a'), Action::PlaygroundLive)], "live", "ask again by itself when the step has moved, or no longer"),
    bind(Context::Playground, &[(char('c'), Action::PlaygroundChat)], "chat", "put the text into the model's chat template, or not"),
    step(Context::Playground, &[(char('-'), Action::PlaygroundTokens(-1)), (char('='), Action::PlaygroundTokens(1)), (char('+'), Action::PlaygroundTokens(1))], "tokens", "let a language model write fewer tokens, and more"),
    step(Context::Playground, &[(code(KeyCode::Down), Action::PlaygroundScroll(1)), (code(KeyCode::Up), Action::PlaygroundScroll(-1)), (char('j'), Action::PlaygroundScroll(1)), (char('k'), Action::PlaygroundScroll(-1)), (code(KeyCode::PageDown), Action::PlaygroundScroll(10)), (code(KeyCode::PageUp), Action::PlaygroundScroll(-10))], "", "scroll the answers"),

    bind(Context::Quit, &[(char('s'), Action::StopNow)], "stop and leave", "stop cleanly: finish the step, write checkpoint and adapter, leave"),
    bind(Context::Quit, &[(char('d'), Action::Detach)], "detach", "leave, and let the run go on"),
    bind(Context::Quit, &[(char('a'), Action::AbortNow)], "abort", "abort: write nothing more, leave"),
    bind(Context::Quit, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave), (char('q'), Action::Leave)], "stay", "stay"),

    bind(Context::Stop, &[(code(KeyCode::Enter), Action::StopNow), (char('y'), Action::StopNow)], "stop", "stop cleanly; the screen stays"),
    bind(Context::Stop, &[(code(KeyCode::Esc), Action::Leave), (char('n'), Action::Leave)], "go on", "go on training"),

    bind(Context::Always, &[(control('c'), Action::Interrupt)], "", "as q; a second one stops cleanly, a third one aborts"),
    bind(Context::Always, &[(control('l'), Action::Redraw)], "", "draw the screen anew"),
];
