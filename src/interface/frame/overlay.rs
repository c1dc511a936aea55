//! What can lie over any screen: the help, the palette and the themes. All three are made from the table of keys and
//! from what the screen says of itself.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

mod fuzzy;
mod help;
mod palette;
mod themes;

pub use palette::{Choice, Entry, Palette, entries};

use super::Look;
use crate::interface::keys::{Action, Context, Press};
use crate::interface::pen::Pen;

/// What lies over a screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// All keys.
    Help {
        /// First line that is shown.
        scroll: usize,
    },
    /// Everything that can be done, by name.
    Palette(Palette),
    /// All themes.
    Themes {
        /// The theme before.
        before: usize,
    },
}

/// What a screen says of itself to what lies over it.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// All its contexts, in the order in which its help shows those that are not active.
    pub contexts: &'a [Context],
    /// Those that would be active if nothing lay over it, the nearest first.
    pub active: &'a [Context],
    /// Fields that can be set there.
    pub fields: Vec<Settable>,
}

/// A field that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settable {
    /// Its dotted name.
    pub name: String,
    /// Its value, for people.
    pub value: String,
    /// What it means.
    pub help: &'static str,
}

/// What the screen is to do after a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// This action, of this context.
    Do(Context, Action),
    /// This field is to have the value that this text says.
    Set(String, String),
}

impl Scope<'_> {
    /// Its contexts as the help shows them: first those whose keys can be pressed now.
    fn help(&self) -> Vec<Context> {
        let mut contexts = self.contexts.to_vec();
        contexts.sort_by_key(|context| !self.active.contains(context));
        contexts
    }
}

impl Overlay {
    /// What an action lays over the screen, if it does.
    #[must_use]
    pub fn opened_by(action: Action, look: &Look) -> Option<Self> {
        match action {
            Action::Help => Some(Self::Help { scroll: 0 }),
            Action::Palette => Some(Self::Palette(Palette::default())),
            Action::Themes => Some(Self::Themes { before: look.theme }),
            _ => None,
        }
    }

    /// The contexts in which a key means something while it is there, the nearest first.
    #[must_use]
    pub fn contexts(&self) -> Vec<Context> {
        let own = match self {
            Self::Help { .. } => Context::Help,
            Self::Palette(_) => Context::Palette,
            Self::Themes { .. } => Context::Themes,
        };
        if own == Context::Palette { vec![own, Context::Text, Context::Always] } else { vec![own, Context::Always] }
    }

    /// Takes a key.
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

    /// Takes a character that was typed or pasted.
    pub fn insert(&mut self, c: char) {
        if let Self::Palette(palette) = self {
            palette.insert(c);
        }
    }

    /// Takes a turn of the mouse wheel.
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

    /// Draws it over the screen.
    pub fn draw(&self, pen: &mut Pen, look: &Look, scope: &Scope) {
        let screen: Rect = pen.buffer.area;
        match self {
            Self::Help { scroll } => help::draw(pen, screen, &look.keys, &scope.help(), *scroll),
            Self::Palette(palette) => palette.draw(pen, screen, look, scope),
            Self::Themes { .. } => themes::draw(pen, screen, look),
        }
    }
}
