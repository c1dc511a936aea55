//! Current values.

use super::{Edit, Preview};
use crate::cockpit::State;
use spartui_facts::recipe::Value;

impl Edit {
    /// A pending value of the field with this name: at first the current value, or the one requested last.
    #[must_use]
    pub fn new(state: &State, field: &str) -> Self {
        let from = value_of(state, field);
        let value = state.requested(field).cloned().or_else(|| from.clone());
        Self {
            field: field.to_owned(),
            from,
            value: value.ok_or_else(String::new),
            typed: None,
            preview: Preview::None,
        }
    }
}

/// The current value of a field, including a group's density.
#[must_use]
pub fn value_of(state: &State, field: &str) -> Option<Value> {
    if let Some(name) = field.strip_prefix("method.density.") {
        let group = state.sparsity.as_ref()?.groups.iter().find(|group| group.name == name)?;
        return Some(Value::Float(group.density.unwrap_or_else(|| rounded(density(group)))));
    }
    let value = state.settings.get(field).cloned();
    match (field, &value, &state.sparsity) {
        // As a setting, 0 means as many as the sparsity allows.
        ("method.trainable", Some(Value::Integer(0)), Some(sparsity)) => {
            i64::try_from(sparsity.trainable).ok().map(Value::Integer)
        }
        _ => value,
    }
}

/// Share of a group's scalars that train.
pub fn density(group: &spartui_facts::protocol::Group) -> f64 {
    if group.parameters == 0 { 0.0 } else { group.trainable as f64 / group.parameters as f64 }
}

/// Rounds to four significant digits: a value derived from counts needs no more.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
