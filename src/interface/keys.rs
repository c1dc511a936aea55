//! The one table of keys. Dispatch, the help and the footer all read it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

mod table;

pub use table::TABLE;

use super::state::{Layer, Panel, State};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each action is described in the table of keys")]
pub enum Action {
    Help,
    Example,
    Quit,
    Interrupt,
    Redraw,
    Leave,
    Pause,
    Sparser(bool),
    Faster(bool),
    Evaluate,
    Export,
    Stop,
    Undo,
    NextTheme,
    Focus(isize),
    FocusOn(Panel),
    Maximise,
    Row(isize),
    Edit,
    Apply,
    Discard,
    Turn(isize),
    Cursor(isize),
    Backspace,
    Delete,
    Smooth(isize),
    LogAxis,
    Metric(isize),
    Zoom(bool),
    Pan(isize),
    Follow,
    ScrollHelp(isize),
    StopNow,
    AbortNow,
    Detach,
    TakeOver,
    Reconnect,
    Timeline,
    TimelineRow(isize),
    TimelineGo,
    TimelinePin,
    Snapshot,
    UndoSteps,
    CursorUp,
    CursorBy(isize),
    CursorLowest(bool),
    CursorAnchor,
    RewindHere,
}

impl Action {
    /// Whether it asks something of an engine that trains.
    #[must_use]
    pub fn steers(self) -> bool {
        matches!(
            self,
            Self::Pause
                | Self::Sparser(_)
                | Self::Faster(_)
                | Self::Evaluate
                | Self::Export
                | Self::Stop
                | Self::Undo
                | Self::Edit
                | Self::TimelineGo
                | Self::TimelinePin
                | Self::Snapshot
                | Self::UndoSteps
                | Self::RewindHere
        )
    }
}

/// Where a key means something. Of the contexts that are active, the first one that knows a key has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Whatever is on the screen.
    Always,
    /// No dialog and no typing.
    Cockpit,
    /// As [`Context::Cockpit`], with the loss in focus.
    Chart,
    /// As [`Context::Chart`], with the cursor up.
    Cursor,
    /// As [`Context::Cockpit`], with a panel in focus that has rows.
    Rows,
    /// As [`Context::Cockpit`], where the connection to the run is lost.
    Lost,
    /// A value is pending.
    Pending,
    /// A value is being typed.
    Typing,
    /// The help is open.
    Help,
    /// The example is open.
    Example,
    /// Branches and kept states are listed.
    Timeline,
    /// The question how to leave is open.
    Quit,
    /// The question whether to stop is open.
    Stop,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Where the keys mean something.
    pub context: Context,
    /// Each key with what it does.
    pub keys: &'static [(Press, Action)],
    /// What they do, for the help.
    pub help: &'static str,
    /// The word for it in the footer, if it is shown there.
    pub footer: Option<&'static str>,
    /// Whether holding the key down goes on doing it.
    pub repeats: bool,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press(pub KeyCode, pub KeyModifiers);

impl Press {
    /// The key of an event. Shift says nothing that the key itself does not say.
    #[must_use]
    pub fn of(event: KeyEvent) -> Self {
        Self(event.code, event.modifiers - KeyModifiers::SHIFT)
    }

    /// Its name.
    #[must_use]
    pub fn label(&self) -> String {
        let name = match self.0 {
            KeyCode::Char(' ') => "Space".into(),
            KeyCode::Char(c) if self.1 == KeyModifiers::CONTROL => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::BackTab => "Shift-Tab".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            other => format!("{other:?}"),
        };
        if self.1 == KeyModifiers::CONTROL { format!("Ctrl-{name}") } else { name }
    }
}

impl Binding {
    /// The names of its keys.
    #[must_use]
    pub fn label(&self) -> String {
        self.keys.iter().map(|(press, _)| press.label()).collect::<Vec<_>>().join(" ")
    }

    /// The names of the keys that the footer has room for.
    #[must_use]
    pub fn short_label(&self) -> String {
        self.keys.iter().take(2).map(|(press, _)| press.label()).collect::<Vec<_>>().join(" ")
    }
}

/// The contexts in which a key means something now, the nearest first.
#[must_use]
pub fn active(state: &State) -> Vec<Context> {
    let mut contexts = match (state.layers.last(), &state.edit) {
        (Some(Layer::Help), _) => vec![Context::Help],
        (Some(Layer::Example), _) => vec![Context::Example],
        (Some(Layer::Timeline), _) => vec![Context::Timeline],
        (Some(Layer::Quit), _) => vec![Context::Quit],
        (Some(Layer::Stop), _) => vec![Context::Stop],
        (None, Some(edit)) if edit.typed.is_some() => vec![Context::Typing],
        (None, edit) => {
            let mut contexts = if edit.is_some() { vec![Context::Pending] } else { Vec::new() };
            if state.connection.lost.is_some() {
                contexts.push(Context::Lost);
            }
            if state.focus == Panel::Loss && state.cursor.is_some() {
                contexts.push(Context::Cursor);
            }
            contexts.push(if state.focus == Panel::Loss { Context::Chart } else { Context::Rows });
            contexts.push(Context::Cockpit);
            contexts
        }
    };
    contexts.push(Context::Always);
    contexts
}

/// What a key event does in this state.
#[must_use]
pub fn dispatch(state: &State, event: KeyEvent) -> Option<Action> {
    let press = Press::of(event);
    let find = |context: Context| {
        TABLE.iter().filter(move |binding| binding.context == context).find_map(|binding| {
            let action = binding.keys.iter().find(|(known, _)| *known == press)?.1;
            Some((binding.repeats, action))
        })
    };
    let (repeats, action) = active(state).into_iter().find_map(find)?;
    match event.kind {
        KeyEventKind::Press => Some(action),
        KeyEventKind::Repeat => repeats.then_some(action),
        KeyEventKind::Release => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings() {
        // Contexts that are active together; what is pending and a cursor may take keys from the panel below them.
        let together: [&[Context]; 11] = [
            &[Context::Always, Context::Cockpit, Context::Chart, Context::Lost],
            &[Context::Always, Context::Cockpit, Context::Rows, Context::Lost],
            &[Context::Always, Context::Pending],
            &[Context::Always, Context::Typing],
            &[Context::Always, Context::Help],
            &[Context::Always, Context::Example],
            &[Context::Always, Context::Timeline],
            &[Context::Always, Context::Cursor],
            &[Context::Always, Context::Quit],
            &[Context::Always, Context::Stop],
            &[Context::Pending],
        ];
        for contexts in together {
            let keys: Vec<Press> = TABLE
                .iter()
                .filter(|binding| contexts.contains(&binding.context))
                .flat_map(|binding| binding.keys.iter().map(|(press, _)| *press))
                .collect();
            for (index, press) in keys.iter().enumerate() {
                assert!(!keys[..index].contains(press), "{} means two things in {contexts:?}", press.label());
            }
        }
    }

    #[test]
    fn what_is_pending_takes_only_keys_that_move_or_answer() {
        let below: Vec<Press> = TABLE
            .iter()
            .filter(|binding| [Context::Cockpit, Context::Chart, Context::Rows].contains(&binding.context))
            .flat_map(|binding| binding.keys.iter().map(|(press, _)| *press))
            .collect();
        for binding in TABLE.iter().filter(|binding| binding.context == Context::Pending) {
            for (press, action) in binding.keys {
                let moves = matches!(action, Action::Apply | Action::Discard | Action::Turn(_));
                assert!(moves || !below.contains(press), "{}", press.label());
            }
        }
    }
}
