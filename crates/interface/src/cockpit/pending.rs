//! A pending value.

pub mod act;
pub mod draw;
pub mod value;

use spartui_facts::protocol::{CommandId, Consequences};
use spartui_facts::recipe::{self, Field, Kind, Value};

use crate::text;
use crate::typed::Typed;

/// A pending value: not in force, and not sent except as a preview request.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Dotted name of the field.
    pub field: String,
    /// The current value.
    pub from: Option<Value>,
    /// The pending value, or why the typed text is invalid.
    pub value: Result<Value, String>,
    /// The typed text, if it is being typed.
    pub typed: Option<Typed>,
    /// The engine's preview of the value.
    pub preview: Preview,
}

/// The engine's preview of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Preview {
    /// No preview was requested.
    None,
    /// A preview was requested.
    Asked(CommandId),
    /// The effects of the value.
    Answered(Consequences),
    /// The value would be rejected.
    Refused(String),
}

impl Edit {
    /// Begins typing.
    pub fn type_in(&mut self) {
        let text = self.value.as_ref().map(text::value).unwrap_or_default();
        self.typed = Some(Typed { cursor: text.chars().count(), text, fresh: true });
    }

    /// Parses the typed text.
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

    /// The field's choices, if it has a fixed set.
    #[must_use]
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match Field::find(&self.field).ok()?.kind {
            Kind::Choice(words) => Some(words),
            Kind::Flag => Some(&["false", "true"]),
            _ => None,
        }
    }
}
