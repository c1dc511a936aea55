//! A value that is being thought about.

pub mod act;
pub mod draw;
pub mod value;

use crate::protocol::{CommandId, Consequences};
use crate::recipe::{self, Field, Kind, Value};

use crate::interface::text;
use crate::interface::typed::Typed;

/// A value that is being thought about: nothing of it is in force, and nothing was sent but the question what it
/// would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Dotted name of the field.
    pub field: String,
    /// The value in force.
    pub from: Option<Value>,
    /// The value under consideration, or why what was typed is none.
    pub value: Result<Value, String>,
    /// The text, where it is typed.
    pub typed: Option<Typed>,
    /// What the engine says that the value would do.
    pub preview: Preview,
}

/// What the engine says that a value would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    /// There is nothing to ask.
    None,
    /// It was asked.
    Asked(CommandId),
    /// It would do this.
    Answered(Consequences),
    /// It cannot be done.
    Refused(String),
}

impl Edit {
    /// Begins to take what is typed.
    pub fn type_in(&mut self) {
        let text = self.value.as_ref().map(text::value).unwrap_or_default();
        self.typed = Some(Typed { cursor: text.chars().count(), text, fresh: true });
    }

    /// Reads what was typed.
    pub fn read_typed(&mut self) {
        if let Some(typed) = &self.typed {
            let parsed = recipe::parse_value(&typed.text);
            self.value = if typed.text.trim().is_empty() {
                Err("type a value".into())
            } else {
                Field::find(&self.field).and_then(|field| field.check(&self.field, parsed))
            };
        }
    }

    /// The words that the field takes, if it takes words.
    #[must_use]
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match Field::find(&self.field).ok()?.kind {
            Kind::Choice(words) => Some(words),
            Kind::Flag => Some(&["false", "true"]),
            _ => None,
        }
    }
}
