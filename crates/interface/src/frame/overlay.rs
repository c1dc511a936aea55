//! The overlays of every screen: help, palette and themes. All three are built from the table of keys and from what
//! the screen provides.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

mod fuzzy;
mod help;
mod palette;
mod themes;

pub use palette::{Choice, Entry, Palette, entries};

use super::Look;
use crate::keys::{Action, Context, Press};
use crate::pen::Pen;

/// An overlay.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// The help: all keys.
    Help {
        /// First visible line.
        scroll: usize,
    },
    /// The palette: all actions and fields by name.
    Palette(Palette),
    /// The list of themes.
    Themes {
        /// The theme selected before.
        before: usize,
    },
}

/// What a screen provides to its overlays.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// Columns and rows.
    pub size: (u16, u16),
    /// All its contexts, in the order of its help for those that are not active.
    pub contexts: &'a [Context],
    /// The contexts active without the overlay, the nearest first.
    pub active: &'a [Context],
    /// Its fields that can be set.
    pub fields: Vec<Settable>,
}

/// A field that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settable {
    /// Its dotted name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// Its description.
    pub help: &'static str,
}

/// What a key in an overlay makes the screen do.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// Run this action of this context.
    Do(Context, Action),
    /// Set this field to the value that this text represents.
    Set(String, String),
}

impl Scope<'_> {
    /// Its contexts in the order of the help: the active ones first.
    fn help(&self) -> Vec<Context> {
        let mut contexts = self.contexts.to_vec();
        contexts.sort_by_key(|context| !self.active.contains(context));
        contexts
    }
}

impl Overlay {
    /// The overlay that an action opens, if any.
    #[must_use]
    pub fn opened_by(action: Action, look: &Look) -> Option<Self> {
        match action {
            Action::Help => Some(Self::Help { scroll: 0 }),
            Action::Palette => Some(Self::Palette(Palette::default())),
            Action::Themes => Some(Self::Themes { before: look.theme }),
            _ => None,
        }
    }

    /// The contexts active in the overlay, the nearest first.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context> {
        let own = match self {
            Self::Help { .. } => Context::Help,
            Self::Palette(_) => Context::Palette,
            Self::Themes { .. } => Context::Themes,
        };
        if own == Context::Palette { vec![own, Context::Text, Context::Always] } else { vec![own, Context::Always] }
    }

    /// Handles a key.
    pub fn key(slot: &mut Option<Self>, look: &mut Look, scope: &Scope, event: KeyEvent) -> Answer {
        let Some(overlay) = slot else { return Answer::Nothing };
        if let Some(action) = look.keys.action(&overlay.contexts(), event) {
            return Self::act(slot, look, scope, action);
        }
        if let Some(c) = Press::typed(event) {
            overlay.insert(c);
        }
        Answer::Nothing
    }

    /// Inserts a typed or pasted character.
    pub fn insert(&mut self, c: char) {
        if let Self::Palette(palette) = self {
            palette.insert(c);
        }
    }

    /// Handles the mouse wheel.
    pub fn scroll(slot: &mut Option<Self>, look: &mut Look, scope: &Scope, by: isize) {
        let action = match slot {
            Some(Self::Help { .. }) => Action::OverlayRow(by * 3),
            _ => Action::OverlayRow(by),
        };
        Self::act(slot, look, scope, action);
    }

    fn act(slot: &mut Option<Self>, look: &mut Look, scope: &Scope, action: Action) -> Answer {
        match (&mut *slot, action) {
            (None, _) => return Answer::Nothing,
            (Some(overlay), Action::Leave) => {
                if let Self::Themes { before } = overlay {
                    look.theme = *before;
                }
                *slot = None;
            }
            (Some(_), Action::Palette) => *slot = Some(Self::Palette(Palette::default())),
            (Some(Self::Help { scroll }), Action::OverlayRow(by)) => {
                let last = help::last_scroll(scope.size, &look.keys, &scope.help());
                *scroll = scroll.saturating_add_signed(by).min(last);
            }
            (Some(Self::Themes { .. }), Action::OverlayRow(by)) => themes::walk(look, by),
            (Some(Self::Themes { .. }), Action::Choose) => {
                look.choose(look.theme);
                *slot = None;
            }
            (Some(Self::Palette(palette)), Action::Choose) => {
                let Some(choice) = palette.choose(look, scope) else { return Answer::Nothing };
                *slot = None;
                match choice {
                    Choice::Do(context, action) => return Answer::Do(context, action),
                    Choice::Theme(index) => look.choose(index),
                    Choice::Set(field, value) => return Answer::Set(field, value.unwrap_or_default()),
                }
            }
            (Some(_), Action::Interrupt | Action::Redraw | Action::Suspend) => {
                return Answer::Do(Context::Always, action);
            }
            (Some(Self::Palette(palette)), action) => palette.edit(action, look, scope),
            _ => {}
        }
        Answer::Nothing
    }

    /// Draws the overlay.
    pub fn draw(&self, pen: &mut Pen, look: &Look, scope: &Scope) {
        let screen: Rect = pen.buffer.area;
        match self {
            Self::Help { scroll } => help::draw(pen, screen, &look.keys, &scope.help(), *scroll),
            Self::Palette(palette) => palette.draw(pen, screen, look, scope),
            Self::Themes { .. } => themes::draw(pen, screen, look),
        }
    }
}
