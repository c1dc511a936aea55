//! Races: several runs that train in turns on one copy of the base weights.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::recipe::Value;

/// A race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// Its name.
    pub name: String,
    /// Its folder, with the folders of its lanes in it.
    pub folder: PathBuf,
    /// The lanes in the order of their numbers.
    pub lanes: Vec<Lane>,
    /// The interval of successive halving in steps; none for no halving.
    pub halve_every: Option<u64>,
}

/// One lane of a race, a run of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Name of the run.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The fields in which it differs from the others, with their values.
    pub varied: Vec<(String, Value)>,
    /// Its origin, if it was cloned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Whether it was stopped individually, by hand or by halving: it is left out when the race is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out: bool,
}

/// The origin of a cloned lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Number of the lane that it was cloned from.
    pub lane: u32,
    /// Optimizer steps done at that time.
    pub step: u64,
}

impl Lane {
    /// Its distinguishing settings, such as `learning_rate 0.001, sparsity 0.99`; its name if there are none.
    #[must_use]
    pub fn label(&self) -> String {
        let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let value = |value: &Value| match value {
            Value::Float(number) => format!("{number}"),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let varied: Vec<String> =
            self.varied.iter().map(|(name, set)| format!("{} {}", short(name), value(set))).collect();
        let label = if varied.is_empty() { self.name.clone() } else { varied.join(", ") };
        match self.origin {
            None => label,
            Some(Origin { lane, step }) => format!("{label} (from lane {} at {step})", lane + 1),
        }
    }
}
