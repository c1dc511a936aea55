//! The table with the user's own keys in it.

use crossterm::event::{KeyEvent, KeyEventKind};

use super::{Action, Binding, Context, Press, TABLE};

/// The most keys of a line that the footer names.
const SHORT: usize = 2;

/// The table of keys, with the user's own keys in place of the built-in ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    pub(super) lines: Vec<Bound>,
}

/// A line of the table with the keys that are in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The line.
    pub line: &'static Binding,
    /// Each key with what it does.
    pub keys: Vec<(Press, Action)>,
    /// Whether keys are named in ASCII.
    plain: bool,
}

impl Default for Keymap {
    /// The built-in keys.
    fn default() -> Self {
        let bound = |line: &'static Binding| Bound { line, keys: line.keys.to_vec(), plain: false };
        Self { lines: TABLE.iter().map(bound).collect() }
    }
}

impl Keymap {
    /// As it is, but keys are named in ASCII alone where `plain` says so.
    #[must_use]
    pub fn named_plainly(mut self, plain: bool) -> Self {
        self.lines.iter_mut().for_each(|bound| bound.plain = plain);
        self
    }

    /// What a key event does where these contexts are active, the nearest first.
    #[must_use]
    pub fn action(&self, contexts: &[Context], event: KeyEvent) -> Option<Action> {
        let press = Press::of(event);
        let find = |context: &Context| {
            self.lines(*context).find_map(|bound| {
                let action = bound.keys.iter().find(|(known, _)| *known == press)?.1;
                Some((bound.line.repeats, action))
            })
        };
        let (repeats, action) = contexts.iter().find_map(find)?;
        match event.kind {
            KeyEventKind::Press => Some(action),
            KeyEventKind::Repeat => repeats.then_some(action),
            KeyEventKind::Release => None,
        }
    }

    /// The lines of a context, in the order of the table.
    pub fn lines(&self, context: Context) -> impl Iterator<Item = &Bound> {
        self.lines.iter().filter(move |bound| bound.line.context == context)
    }

    /// The name on the screen of the first key that does this in this context; none where no key does.
    #[must_use]
    pub fn label(&self, context: Context, action: Action) -> Option<String> {
        self.lines(context).find_map(|bound| bound.label_of(action))
    }

    /// The end of a sentence that names the key to go on with, as in `…; r connects again`; nothing where there is none.
    #[must_use]
    pub fn advice(&self, context: Context, action: Action, does: &str) -> String {
        self.label(context, action).map_or_else(String::new, |key| format!("; {key} {does}"))
    }

    /// Keys with what they do, for the edge of a box: ` Enter goes there · Esc closes `. What no key does is left out.
    #[must_use]
    pub fn hints(&self, context: Context, hints: &[(Action, &str)]) -> String {
        let known = hints.iter().filter_map(|(action, does)| Some((self.label(context, *action)?, does)));
        let hints: Vec<String> = known.map(|(key, does)| format!("{key} {does}")).collect();
        if hints.is_empty() { String::new() } else { format!(" {} ", hints.join(" · ")) }
    }
}

impl Bound {
    /// The names of its keys on the screen.
    #[must_use]
    pub fn label(&self) -> String {
        self.labels(usize::MAX)
    }

    /// The names of the keys that the footer has room for.
    #[must_use]
    pub fn short_label(&self) -> String {
        self.labels(SHORT)
    }

    /// As [`Bound::short_label`], each key with its own name.
    pub fn short_labels(&self) -> impl Iterator<Item = (Press, String)> {
        self.keys.iter().take(SHORT).map(|(press, _)| (*press, press.label(self.plain)))
    }

    /// The name of the first key that does this.
    #[must_use]
    pub fn label_of(&self, action: Action) -> Option<String> {
        let (press, _) = self.keys.iter().find(|(_, known)| *known == action)?;
        Some(press.label(self.plain))
    }

    /// What its keys do, each once, whether a key is left for it or not.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        let keys = self.line.keys;
        keys.iter().enumerate().filter_map(move |(index, (_, action))| {
            (!keys[..index].iter().any(|(_, before)| before == action)).then_some(*action)
        })
    }

    fn labels(&self, most: usize) -> String {
        self.keys.iter().take(most).map(|(press, _)| press.label(self.plain)).collect::<Vec<_>>().join(" ")
    }
}
