//! A value that is being thought about.

pub mod act;
pub mod draw;

use crate::protocol::{CommandId, Consequences};
use crate::recipe::{self, Field, Kind, Value};

use super::State;
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
    /// A thought about the field of this name, at first with the value in force, or on its way into force.
    #[must_use]
    pub fn new(state: &State, field: &str) -> Self {
        let from = value_of(state, field);
        let value = state.awaited(field).cloned().or_else(|| from.clone());
        Self {
            field: field.to_owned(),
            from,
            value: value.ok_or_else(String::new),
            typed: None,
            preview: Preview::None,
        }
    }

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

/// The value in force of a field, that of a group's density too.
#[must_use]
pub fn value_of(state: &State, field: &str) -> Option<Value> {
    if let Some(name) = field.strip_prefix("method.density.") {
        let group = state.sparsity.as_ref()?.groups.iter().find(|group| group.name == name)?;
        return Some(Value::Float(group.density.unwrap_or_else(|| rounded(density(group)))));
    }
    let value = state.settings.get(field).cloned();
    match (field, &value, &state.sparsity) {
        // As a setting, 0 stands for as many as the sparsity leaves.
        ("method.trainable", Some(Value::Integer(0)), Some(sparsity)) => {
            i64::try_from(sparsity.trainable).ok().map(Value::Integer)
        }
        _ => value,
    }
}

/// Share of a group's scalars that train.
pub fn density(group: &crate::protocol::Group) -> f64 {
    if group.parameters == 0 { 0.0 } else { group.trainable as f64 / group.parameters as f64 }
}

/// Four significant digits: what is derived from counts is not typed with more.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
