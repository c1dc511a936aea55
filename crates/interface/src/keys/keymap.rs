//! The table of keys with the user's keys applied.

use crossterm::event::{KeyEvent, KeyEventKind};

use super::{Action, Binding, Context, Press, TABLE};

/// The most keys of a binding that the footer names.
const SHORT: usize = 2;

/// The table of keys, with the user's own keys in place of the built-in ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    pub(super) lines: Vec<Bound>,
}

/// A binding with its current keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The binding.
    pub line: &'static Binding,
    /// Each key with its action.
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
    /// Names keys in ASCII if `plain`.
    #[must_use]
    pub fn named_plainly(mut self, plain: bool) -> Self {
        self.lines.iter_mut().for_each(|bound| bound.plain = plain);
        self
    }

    /// The action of a key event in these active contexts, the nearest first.
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

    /// The bindings of a context, in the order of the table.
    pub fn lines(&self, context: Context) -> impl Iterator<Item = &Bound> {
        self.lines.iter().filter(move |bound| bound.line.context == context)
    }

    /// The displayed name of the first key of an action in this context; none if it has no key.
    #[must_use]
    pub fn label(&self, context: Context, action: Action) -> Option<String> {
        self.lines(context).find_map(|bound| bound.label_of(action))
    }

    /// The end of a sentence that names a key, as in `…; r connects again`; empty if the action has no key.
    #[must_use]
    pub fn advice(&self, context: Context, action: Action, does: &str) -> String {
        self.label(context, action).map_or_else(String::new, |key| format!("; {key} {does}"))
    }

    /// Key hints for the edge of a box: ` Enter goes there · Esc closes `. Actions without a key are left out.
    #[must_use]
    pub fn hints(&self, context: Context, hints: &[(Action, &str)]) -> String {
        let known = hints.iter().filter_map(|(action, does)| Some((self.label(context, *action)?, does)));
        let hints: Vec<String> = known.map(|(key, does)| format!("{key} {does}")).collect();
        if hints.is_empty() { String::new() } else { format!(" {} ", hints.join(" · ")) }
    }
}

impl Bound {
    /// The displayed names of its keys.
    #[must_use]
    pub fn label(&self) -> String {
        self.labels(usize::MAX)
    }

    /// The displayed names of the keys that the footer shows.
    #[must_use]
    pub fn short_label(&self) -> String {
        self.labels(SHORT)
    }

    /// As [`Bound::short_label`], one name per key.
    pub fn short_labels(&self) -> impl Iterator<Item = (Press, String)> {
        self.keys.iter().take(SHORT).map(|(press, _)| (*press, press.label(self.plain)))
    }

    /// The displayed name of the first key of this action.
    #[must_use]
    pub fn label_of(&self, action: Action) -> Option<String> {
        let (press, _) = self.keys.iter().find(|(_, known)| *known == action)?;
        Some(press.label(self.plain))
    }

    /// Its actions, each once, with or without a key.
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
