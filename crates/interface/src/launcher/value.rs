//! The text of a field's value in the form, and its parsing.

use crate::text;
use spartui_facts::recipe::{self, AUTO, Field, Kind, RACE, Value};

/// The displayed value.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => text::value(other),
    }
}

/// The displayed value of this field; an empty table of values by name is shown as empty, since only densities are evenly
/// shared.
#[must_use]
pub fn shown_of(field: &Field, value: &Value) -> String {
    if field.kind == Kind::ValueByName { typed(value) } else { shown(value) }
}

/// The editable text of a value, which [`read`] parses to the same value.
#[must_use]
pub fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(is_plain) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| text::value(item), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Table(table) => {
            let item = |item: &Value| if item.is_float() { text::value(item) } else { item.to_string() };
            let items = table.iter().map(|(key, value)| format!("{} = {}", quoted_key(key), item(value)));
            items.collect::<Vec<_>>().join(", ")
        }
        Value::Float(_) => text::value(value),
        other => other.to_string(),
    }
}

/// Whether an item of a list needs no quotes.
fn is_plain(item: &Value) -> bool {
    match item {
        Value::String(text) => !text.is_empty() && !text.contains([',', '"', '[', ']']) && text.trim() == text,
        Value::Float(_) | Value::Integer(_) => true,
        _ => false,
    }
}

fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

/// Parses the text of a field: a text as it is, a list separated by commas without brackets and quotes, anything else
/// as in a recipe.
///
/// # Errors
/// One sentence from the recipe's validation if the field does not accept it.
pub fn read(field: &Field, typed: &str) -> Result<Value, String> {
    let text = typed.trim();
    let value = match field.kind {
        Kind::Path | Kind::PathOrName | Kind::Choice(_) | Kind::Delimiter | Kind::Encoding => {
            Value::String(unquoted(text))
        }
        Kind::NumberOrAuto(..) | Kind::Rate(..) | Kind::Steps(true) if unquoted(text) == AUTO => {
            Value::String(AUTO.into())
        }
        Kind::Rate(..) if unquoted(text) == RACE => Value::String(RACE.into()),
        Kind::Text => Value::String(if is_quoted(text) { unquoted(text) } else { typed.to_owned() }),
        Kind::PathOrShare => match recipe::parse_value(text) {
            number @ (Value::Float(_) | Value::Integer(_)) => number,
            _ => Value::String(unquoted(text)),
        },
        Kind::Words if !text.starts_with('[') => {
            let words = text.split(',').map(|word| unquoted(word.trim())).filter(|word| !word.is_empty());
            Value::Array(words.map(Value::String).collect())
        }
        Kind::Pair(..) if !text.starts_with('[') => recipe::parse_value(&format!("[{text}]")),
        Kind::NumberByName(..) | Kind::ValueByName if !text.starts_with('{') => {
            recipe::parse_value(&format!("{{ {text} }}"))
        }
        Kind::Integer(..)
        | Kind::Number(..)
        | Kind::NumberOrAuto(..)
        | Kind::Rate(..)
        | Kind::Positive(_)
        | Kind::Steps(_)
            if text.is_empty() =>
        {
            return Err("type a value".into());
        }
        _ => recipe::parse_value(text),
    };
    field.check(field.name, value)
}

fn is_quoted(text: &str) -> bool {
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}

fn unquoted(text: &str) -> String {
    match recipe::parse_value(text) {
        Value::String(inner) if is_quoted(text) => inner,
        _ => text.to_owned(),
    }
}

/// The values that a field accepts, in the syntax of the form.
#[must_use]
pub fn takes(field: &Field) -> String {
    match field.kind {
        Kind::Words => "words, with commas between".into(),
        Kind::Pair(low, high) => format!("two numbers from {low} to below {high}, with a comma between"),
        Kind::NumberByName(..) => "a group's name and its share, such as v_proj = 0.02, o_proj = 0.1".into(),
        Kind::ValueByName => "names and values, such as enable_thinking = false, date_string = \"26 Jul 2024\"".into(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        kind => kind.describe().replace(" in quotes", "").replace('"', ""),
    }
}

/// The field's choices, if it has a fixed set.
#[must_use]
pub fn choices(field: &Field) -> Option<&'static [&'static str]> {
    match field.kind {
        Kind::Choice(words) => Some(words),
        Kind::Flag => Some(&["false", "true"]),
        _ => None,
    }
}

/// The value one step down or up; none if the field has no steps.
#[must_use]
pub fn turned(field: &Field, value: &Value, by: isize) -> Option<Value> {
    use crate::ladder;
    let next = match (field.kind, value) {
        (Kind::Choice(words), Value::String(word)) => {
            let at = words.iter().position(|known| known == word)?;
            let next = (at + words.len()).wrapping_add_signed(by) % words.len();
            Value::String(words[next].to_owned())
        }
        (Kind::Flag, Value::Boolean(flag)) => Value::Boolean(!flag),
        (Kind::Integer(_, high), Value::Integer(number)) if field.name == "method.trainable" => {
            let next = if by > 0 { ladder::up(*number as f64) } else { ladder::down(*number as f64) };
            Value::Integer((next.round() as i64).clamp(1, high))
        }
        (Kind::Integer(low, high), Value::Integer(number)) => {
            Value::Integer(number.saturating_add(by as i64).clamp(low, high))
        }
        (Kind::Number(low, high), Value::Float(number)) if field.name == "method.sparsity" => {
            Value::Float(ladder::sparsity(*number, by > 0, (low, high.min(1.0 - 1e-9))))
        }
        (Kind::Number(low, high) | Kind::NumberOrAuto(low, high) | Kind::Rate(low, high), Value::Float(number)) => {
            let next = if by > 0 { ladder::up(*number) } else { ladder::down(*number) };
            Value::Float(next.clamp(low, high))
        }
        (Kind::Positive(_), Value::Float(number)) => Value::Float(epochs(*number, by > 0)),
        (Kind::Steps(_), Value::Integer(steps)) => {
            let next = if by > 0 { ladder::up(*steps as f64) } else { ladder::down(*steps as f64) };
            let next = next.round() as i64;
            Value::Integer(if next == *steps { steps.saturating_add(by as i64).max(0) } else { next })
        }
        (Kind::Steps(_), Value::Float(share)) => {
            let next = if by > 0 { ladder::up(*share) } else { ladder::down(*share) };
            Value::Float(next.clamp(0.001, 0.5))
        }
        (Kind::PathOrShare, Value::Float(number)) => {
            let next = if by > 0 { ladder::up(*number) } else { ladder::down(*number) };
            Value::Float(next.clamp(0.001, 0.5))
        }
        _ => return None,
    };
    field.check(field.name, next).ok()
}

/// The next number of epochs: whole ones, and halvings below one.
fn epochs(now: f64, more: bool) -> f64 {
    match more {
        true if now < 1.0 => (now * 2.0).min(1.0),
        true => now.floor() + 1.0,
        false if now > 1.0 => now.ceil() - 1.0,
        false => (now / 2.0).max(0.125).min(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::recipe::{FIELDS, Recipe};

    fn field(name: &str) -> &'static Field {
        Field::find(name).unwrap()
    }

    #[test]
    fn every_default_is_read_as_it_is_typed() {
        let recipe = Recipe::default();
        for field in FIELDS {
            let value = recipe.get(field.name).unwrap();
            assert_eq!(read(field, &typed(&value)), Ok(value), "{}", field.name);
        }
    }

    #[test]
    fn lists_need_no_brackets_and_texts_no_quotes() {
        let words = |texts: &[&str]| Value::Array(texts.iter().map(|text| Value::String((*text).into())).collect());
        let targets = field("method.targets");
        assert_eq!(read(targets, "v_proj,  attention.output"), Ok(words(&["v_proj", "attention.output"])));
        assert_eq!(read(targets, "[\"a, b\"]"), Ok(words(&["a, b"])));
        assert_eq!(typed(&words(&["a, b", "c"])), "[\"a, b\", \"c\"]");
        assert_eq!(read(targets, ""), Ok(words(&[])));
        assert_eq!(read(field("optimizer.betas"), "0.8, 0.9").map(|value| typed(&value)), Ok("0.8, 0.9".into()));
        assert_eq!(read(field("data.text"), "0"), Ok(Value::String("0".into())));
        assert_eq!(read(field("data.train"), "\"a b.csv\""), Ok(Value::String("a b.csv".into())));
        assert_eq!(read(field("data.validation"), "0.2"), Ok(Value::Float(0.2)));
        assert_eq!(read(field("data.validation"), "valid.csv"), Ok(Value::String("valid.csv".into())));
        let density = read(field("method.density"), "v_proj = 0.02, mlp.c_proj = 0.1");
        assert!(density.is_ok() || density.is_err_and(|why| why.contains("method.density")));
    }

    #[test]
    fn what_does_not_fit_is_said_in_the_recipes_words() {
        assert!(
            read(field("method.sparsity"), "2").unwrap_err().contains("method.sparsity takes a number from 0 to 1")
        );
        assert!(read(field("train.epochs"), "many").unwrap_err().contains("a number above 0"));
        assert!(read(field("method.kind"), "nonsense").unwrap_err().contains("one of \"sparta\""));
        assert!(read(field("train.epochs"), "").is_err());
    }

    #[test]
    fn steps_stay_within_the_bounds() {
        let step = |name: &str, value: Value, by| turned(field(name), &value, by);
        assert_eq!(
            step("task.kind", Value::String("causal-lm".into()), 1),
            Some(Value::String("sequence-classification".into()))
        );
        for (now, by, next) in
            [(1.0, 1, 2.0), (2.5, 1, 3.0), (2.5, -1, 2.0), (1.0, -1, 0.5), (0.5, 1, 1.0), (0.125, -1, 0.125)]
        {
            assert_eq!(step("train.epochs", Value::Float(now), by), Some(Value::Float(next)), "{now}");
        }
        assert_eq!(step("schedule.warmup_steps", Value::Integer(50), 1), Some(Value::Integer(100)));
        assert_eq!(step("schedule.warmup_steps", Value::Integer(1), -1), Some(Value::Integer(0)));
        assert_eq!(step("schedule.warmup_steps", Value::Integer(0), 1), Some(Value::Integer(1)));
        assert_eq!(step("schedule.warmup_steps", Value::Float(0.1), 1), Some(Value::Float(0.2)));
        assert_eq!(step("train.evaluate_every", Value::String("auto".into()), 1), None);
        assert_eq!(step("method.sparsity", Value::Float(0.99), 1), Some(Value::Float(0.995)));
        assert_eq!(step("optimizer.learning_rate", Value::Float(1e-4), 1), Some(Value::Float(2e-4)));
        assert_eq!(step("data.text", Value::String("x".into()), 1), None);
        assert_eq!(step("data.shuffle", Value::Boolean(true), 1), Some(Value::Boolean(false)));
    }
}
