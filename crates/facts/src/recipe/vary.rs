//! The values in which the lanes of a race differ: all combinations, or some drawn at random.

use super::{Field, Recipe, Value, parse_value};
use crate::error::{Error, Result};
use rand::Rng;

use crate::permutation::{Permutation, derive_key};
use crate::random::Source;

/// The fields in which one lane differs from the recipe, with their values.
pub type Lane = Vec<(String, Value)>;

/// Default of the largest number of lanes of a race.
pub const MOST_LANES: usize = 16;
/// Default seed of the random lanes.
pub const LANES_SEED: u64 = 10605;

/// The lanes of a race: every combination of `FIELD=A,B,…`, or `random` of them.
///
/// # Errors
/// Refuses fields that lanes cannot differ in, values that a field does not take, and more lanes than `most`.
pub fn lanes(vary: &[String], recipe: &Recipe, random: Option<usize>, seed: u64, most: usize) -> Result<Vec<Lane>> {
    let varied = vary.iter().map(|text| Varied::parse(text, recipe)).collect::<Result<Vec<_>>>()?;
    let lanes = match random {
        Some(lanes) => drawn(&varied, lanes, seed)?,
        None => grid(&varied, most)?,
    };
    if lanes.len() > most { Err(too_many(lanes.len(), most)) } else { Ok(lanes) }
}

fn too_many(lanes: usize, most: usize) -> Error {
    Error::refused(format!(
        "that makes {lanes} lanes, and {most} are allowed; vary less, draw some with --random {most}, or allow more with \
         --most {lanes}"
    ))
}

/// A field that varies between the lanes.
#[derive(Debug, Clone, PartialEq)]
struct Varied {
    field: String,
    values: Vec<Value>,
    /// In place of values: any number between these.
    range: Option<(f64, f64)>,
}

impl Varied {
    /// Parses `field=a,b,c` or `field=low..high`.
    ///
    /// # Errors
    /// Refuses a field that does not exist and values that it does not take.
    fn parse(text: &str, recipe: &Recipe) -> Result<Self> {
        let refuse = |why: String| Error::refused(format!("--vary {}: {why}", text.escape_debug()));
        let (field, values) = text.split_once('=').ok_or_else(|| refuse("takes FIELD=A,B,…".into()))?;
        let field = field.trim().to_owned();
        if let Some(shared) = ["model.", "task.", "data."].iter().find(|shared| field.starts_with(*shared)) {
            return Err(refuse(format!(
                "the lanes of a race share model and rows, so {shared}* is the same in all of them; start a separate run \
                 for that"
            )));
        }
        let check = |value: Value| {
            let checked = Field::find(&field).and_then(|found| found.check(&field, value))?;
            recipe.clone().set(&field, checked.clone()).map(|()| checked)
        };
        if let Some((low, high)) = range(values) {
            for bound in [low, high] {
                check(Value::Float(bound)).map_err(refuse)?;
            }
            return Ok(Self { field, values: Vec::new(), range: Some((low, high)) });
        }
        let values = split(values).into_iter().map(|text| check(parse_value(text)));
        let values = values.collect::<std::result::Result<Vec<_>, _>>().map_err(refuse)?;
        if let Some(twice) = (1..values.len()).find(|&place| values[..place].contains(&values[place])) {
            return Err(refuse(format!("{} is given twice; give each value once", values[twice])));
        }
        Ok(Self { field, values, range: None })
    }

    /// The value at a position from 0 to below 1 in the list or the range; a range above 0 is even in its logarithm.
    fn at(&self, share: f64) -> Option<Value> {
        match self.range {
            Some((low, high)) if low > 0.0 => Some(Value::Float(low * (high / low).powf(share))),
            Some((low, high)) => Some(Value::Float(low + share * (high - low))),
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "few"
            )]
            None => self.values.get((share * self.values.len() as f64) as usize).cloned(),
        }
    }
}

/// Every combination; the last field changes fastest.
///
/// # Errors
/// Refuses ranges, a field that is given twice, and more than `most` combinations.
fn grid(varied: &[Varied], most: usize) -> Result<Vec<Lane>> {
    once_each(varied)?;
    if let Some(range) = varied.iter().find(|varied| varied.range.is_some()) {
        return Err(Error::refused(format!(
            "--vary {} has a range, of which not all values can be tried; list the values, or draw some with --random LANES",
            range.field
        )));
    }
    let all = varied.iter().fold(1usize, |all, varied| all.saturating_mul(varied.values.len()));
    if all > most {
        return Err(too_many(all, most));
    }
    let mut lanes: Vec<Lane> = vec![Vec::new()];
    for Varied { field, values, .. } in varied {
        let with = |lane: &Lane, value: &Value| lane.iter().cloned().chain([(field.clone(), value.clone())]).collect();
        lanes = lanes.iter().flat_map(|lane| values.iter().map(move |value| with(lane, value))).collect();
    }
    Ok(lanes)
}

/// So many different combinations, drawn with a seed; all of them if there are no more.
///
/// # Errors
/// Refuses a field that is given twice, and 0 lanes.
fn drawn(varied: &[Varied], lanes: usize, seed: u64) -> Result<Vec<Lane>> {
    once_each(varied)?;
    if lanes == 0 {
        return Err(Error::refused("--random takes a number of lanes above 0"));
    }
    if varied.iter().all(|varied| varied.range.is_none()) {
        let all = grid(varied, 1 << 20)?;
        let order = Permutation::new(derive_key(seed, "race", ""), all.len() as u64);
        let chosen = (0..order.len()).take(lanes).filter_map(|rank| usize::try_from(order.at(rank)).ok());
        return Ok(chosen.filter_map(|place| all.get(place).cloned()).collect());
    }
    let lane = |number: usize| {
        let value = |varied: &Varied| {
            let share = Source::new(seed, "race", &varied.field).sequence(number as u64).random::<f64>();
            Some((varied.field.clone(), varied.at(share)?))
        };
        varied.iter().filter_map(value).collect()
    };
    Ok((0..lanes).map(lane).collect())
}

fn once_each(varied: &[Varied]) -> Result<()> {
    match (1..varied.len()).find(|&place| varied[..place].iter().any(|before| before.field == varied[place].field)) {
        None => Ok(()),
        Some(place) => Err(Error::refused(format!(
            "--vary {} is given twice; give all its values at once",
            varied[place].field.escape_debug()
        ))),
    }
}

/// `low..high`.
fn range(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (low < high).then_some((low, high))
}

/// Splits a text at its commas, except for those within quotes and brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0usize, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), character) => quote = Some(open).filter(|open| *open != character),
            (None, '"' | '\'') => quote = Some(character),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn varied(text: &str) -> Result<Varied> {
        Varied::parse(text, &Recipe::default())
    }

    fn shown(lanes: &[Lane]) -> Vec<String> {
        let lane =
            |lane: &Lane| lane.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(" ");
        lanes.iter().map(lane).collect()
    }

    #[test]
    fn every_combination_is_a_lane() {
        let two = [
            varied("method.sparsity=0.9,0.99").unwrap(),
            varied("method.targets=[\"v_proj\",\"o_proj\"],[\"all-linear\"]").unwrap(),
        ];
        assert_eq!(
            shown(&grid(&two, 16).unwrap()),
            [
                "method.sparsity=0.9 method.targets=[\"v_proj\", \"o_proj\"]",
                "method.sparsity=0.9 method.targets=[\"all-linear\"]",
                "method.sparsity=0.99 method.targets=[\"v_proj\", \"o_proj\"]",
                "method.sparsity=0.99 method.targets=[\"all-linear\"]",
            ]
        );
        assert!(grid(&two, 3).unwrap_err().message().contains("4 lanes"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_field() {
        for (text, why) in [
            ("method.sparsty=0.5", "method.sparsity"),
            ("method.sparsity=2", "from 0 to 1"),
            ("method.sparsity", "FIELD=A,B"),
            ("schedule.kind=cosine,cosine", "twice"),
            ("method.sparsity=0.5..3", "from 0 to 1"),
            ("data.max_length=8,16", "share model and rows"),
        ] {
            let error = varied(text).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
        let range = varied("optimizer.learning_rate=1e-4..1e-2").unwrap();
        assert!(grid(std::slice::from_ref(&range), 9).unwrap_err().message().contains("--random"));
        assert!(drawn(&[range.clone(), range], 2, 1).unwrap_err().message().contains("twice"));
    }

    proptest! {
        #[test]
        fn what_is_drawn_lies_in_its_range_and_is_drawn_again(lanes in 1usize..20, seed: u64) {
            let both = [varied("optimizer.learning_rate=1e-5..1e-1").unwrap(), varied("schedule.kind=linear,cosine").unwrap()];
            let some = drawn(&both, lanes, seed).unwrap();
            prop_assert_eq!(some.len(), lanes);
            prop_assert_eq!(&some, &drawn(&both, lanes, seed).unwrap());
            for lane in &some {
                let Value::Float(rate) = lane[0].1 else { panic!("no number") };
                prop_assert!((1e-5..=1e-1).contains(&rate));
                prop_assert!(Recipe::default().set("schedule.kind", lane[1].1.clone()).is_ok());
            }
        }

        #[test]
        fn of_a_grid_different_ones_are_drawn(lanes in 1usize..20, seed: u64) {
            let both = [varied("train.batch_size=1,2,3").unwrap(), varied("method.sparsity=0.9,0.99,0.999").unwrap()];
            let some = shown(&drawn(&both, lanes, seed).unwrap());
            let different: std::collections::BTreeSet<&String> = some.iter().collect();
            prop_assert_eq!(some.len(), lanes.min(9));
            prop_assert_eq!(different.len(), some.len());
        }
    }
}
