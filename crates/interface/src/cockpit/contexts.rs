//! The active key contexts.

use super::{Dialog, State};
use crate::keys::{Context, Panel};

impl State {
    /// The active key contexts, the nearest first, without those of an overlay.
    pub(super) fn own_contexts(&self) -> Vec<Context> {
        let mut contexts = match (self.layers.last(), &self.edit) {
            (Some(Dialog::Example), _) => vec![Context::Example],
            (Some(Dialog::Timeline), _) => vec![Context::Timeline],
            (Some(Dialog::Playground), _) if self.playground.typing => vec![Context::PlaygroundText, Context::Text],
            (Some(Dialog::Playground), _) => vec![Context::Playground, Context::Screen],
            (Some(Dialog::Quit), _) => vec![Context::Quit],
            (Some(Dialog::Stop), _) => vec![Context::Stop],
            (None, _) if self.jump.is_some() => vec![Context::Jump, Context::Text],
            (None, Some(edit)) if edit.typed.is_some() => vec![Context::Typing, Context::Text],
            (None, edit) => {
                let mut contexts = if edit.is_some() { vec![Context::Pending] } else { Vec::new() };
                if self.connection.lost.is_some() {
                    contexts.push(Context::Lost);
                }
                if self.focus == Panel::Loss && self.cursor.is_some() {
                    contexts.push(Context::Cursor);
                }
                if self.focus == Panel::Map {
                    contexts.push(Context::Map);
                }
                contexts.push(if self.focus == Panel::Loss { Context::Chart } else { Context::Rows });
                contexts.extend([Context::Screen, Context::Cockpit]);
                contexts
            }
        };
        contexts.push(Context::Always);
        contexts
    }
}
