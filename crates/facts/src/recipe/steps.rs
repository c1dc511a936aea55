//! A number of steps in a recipe: a count, a share of the run's steps, or `"auto"`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AUTO;

/// A number of optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Steps {
    /// A tenth of the run's steps, and at most [`MOST`].
    Auto,
    /// This share of the run's steps, rounded up, as transformers rounds its shares.
    Share(f64),
    /// This number.
    Count(u64),
}

/// The most steps that [`Steps::Auto`] stands for.
pub const MOST: u64 = 100;

impl Steps {
    /// The number of steps, in a run of `total` steps.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a run's steps, which are below 2^53"
    )]
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Auto => total.div_ceil(10).clamp(1, MOST),
            Self::Share(share) => (total as f64 * share).ceil() as u64,
            Self::Count(count) => count,
        }
    }
}

impl std::fmt::Display for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str(AUTO),
            Self::Share(share) => write!(f, "{share} of its"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Share(share) => serializer.serialize_f64(*share),
            Self::Count(count) => serializer.serialize_u64(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(u64),
            Share(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Share(share) => Ok(Self::Share(share)),
            Written::Word(word) if word == AUTO => Ok(Self::Auto),
            Written::Word(word) => Err(D::Error::custom(format!("a number of steps or \"{AUTO}\", not \"{word}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::{Recipe, Value};

    /// `TrainingArguments(warmup_steps=share).get_warmup_steps(total)` of transformers 5.23;
    /// `tests/golden/make_steps.py`.
    const GOLDEN: &str = include_str!("../../../../tests/golden/steps.json");

    #[test]
    fn a_share_is_as_many_steps_as_with_transformers() {
        let golden: Vec<(f64, u64, u64)> = serde_json::from_str(GOLDEN).unwrap();
        assert!(golden.len() > 50);
        for (share, total, steps) in golden {
            assert_eq!(Steps::Share(share).of(total), steps, "{share} of {total}");
        }
    }

    #[test]
    fn short_runs_have_ten_evaluations_and_long_ones_one_in_every_hundred_steps() {
        let every = [1, 9, 12, 30, 400, 1000, 20_000].map(|total| Steps::Auto.of(total));
        assert_eq!(every, [1, 1, 2, 3, 40, 100, 100]);
        assert_eq!(Steps::Count(7).of(3), 7);
    }

    #[test]
    fn whole_numbers_are_counts_and_numbers_below_one_are_shares() {
        let mut recipe = Recipe::default();
        let mut warmup = |value: Value| {
            recipe.set("schedule.warmup_steps", value)?;
            let again = Recipe::parse(&recipe.to_toml(), Path::new(""), &[]).unwrap();
            assert_eq!(again, recipe);
            Ok::<_, String>(recipe.schedule.warmup_steps)
        };
        assert_eq!(warmup(Value::Integer(1)), Ok(Steps::Count(1)));
        assert_eq!(warmup(Value::Float(0.25)), Ok(Steps::Share(0.25)));
        assert_eq!(warmup(Value::Float(0.0)), Ok(Steps::Count(0)));
        assert_eq!(warmup(Value::Integer(0)), Ok(Steps::Count(0)));
        for wrong in [Value::Float(1.0), Value::Float(-0.1), Value::Float(f64::NAN), Value::Integer(-3), "auto".into()]
        {
            let why = warmup(wrong).unwrap_err();
            assert!(why.contains("takes a whole number of steps, or a share of the run below 1 such as 0.1"), "{why}");
        }
        let mut every = |value: Value| recipe.set("train.evaluate_every", value).map(|()| recipe.train.evaluate_every);
        assert_eq!(every("auto".into()), Ok(Steps::Auto));
        assert!(every("often".into()).unwrap_err().ends_with(", or \"auto\", not \"often\""));
    }
}
