//! The values in force.

use super::{Edit, Preview};
use crate::interface::cockpit::State;
use crate::recipe::Value;

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
