//! Jinja2's filters that differ from the template library's.

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, Value};

use super::arguments::{Arguments, invalid};
use super::checks::is_iterable;
use super::json::to_json;
use super::methods::{self, Side};
use super::text::{Tuple, literal, text};

/// Name of the filter that replaces the operator `~`; templates do not use it.
pub const JOINED: &str = "spartui_joined";
/// Name of the filter around the iterable of a loop.
pub const LOOPED: &str = "spartui_looped";

/// Name of the filter that replaces `[start:end:step]`.
pub const SLICED: &str = "spartui_sliced";

/// Name of the filter around a tuple in parentheses.
pub const TUPLE: &str = "spartui_tuple";

/// The widest indentation.
const WIDEST: i64 = 1000;

/// Adds them to an environment.
pub fn add(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", |value: &Value| text(value));
    environment.add_filter("safe", |value: &Value| text(value));
    environment.add_filter("upper", |value: &Value| text(value).to_uppercase());
    environment.add_filter("lower", |value: &Value| text(value).to_lowercase());
    environment.add_filter("capitalize", |value: &Value| methods::capitalized(&text(value)));
    environment.add_filter("title", |value: &Value| titled(&text(value)));
    environment.add_filter("trim", trim);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("indent", indent);
    environment.add_filter("escape", |value: &Value| escaped(&text(value)));
    environment.add_filter("e", |value: &Value| escaped(&text(value)));
    environment.add_filter("wordcount", |value: &Value| words(&text(value)));
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("list", list);
    environment.add_filter("items", items);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("round", round);
    environment.add_filter(JOINED, |parts: &Value| -> Result<String, Error> {
        Ok(parts.try_iter()?.map(|part| text(&part)).collect())
    });
    environment.add_filter(LOOPED, looped);
    environment.add_filter(SLICED, sliced);
    environment.add_filter(TUPLE, |items: &Value| -> Result<Value, Error> {
        Ok(Value::from_object(Tuple(items.try_iter()?.collect())))
    });
    environment.add_filter("pprint", |value: &Value| literal(value));
    environment.add_filter("center", center);
    environment.add_filter("reverse", reverse);
    environment.add_filter("first", |value: &Value| -> Result<Value, Error> {
        Ok(iterable(value)?.try_iter()?.next().unwrap_or_default())
    });
}

/// The value, if a loop can iterate over it.
fn iterable(value: &Value) -> Result<&Value, Error> {
    if is_iterable(value) { Ok(value) } else { Err(invalid(format!("{} cannot be looped over", value.kind()))) }
}

/// The iterable of a loop, with its length: the library counts a list's items, but not a text's characters.
fn looped(value: &Value) -> Result<Value, Error> {
    let value = iterable(value)?;
    if value.kind() == ValueKind::String { Ok(value.try_iter()?.collect()) } else { Ok(value.clone()) }
}

/// A slice of a text or a list, as in Python.
#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn sliced(value: &Value, start: Value, end: Value, step: Value) -> Result<Value, Error> {
    if !matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Iterable) {
        return Err(invalid(format!("{} cannot be cut", value.kind())));
    }
    let bound = |bound: &Value| match bound.as_i64() {
        Some(bound) => Ok(Some(bound)),
        None if bound.is_none() => Ok(None),
        None => Err(invalid(format!("a list is cut at whole numbers, not at {}", text(bound)))),
    };
    let items: Vec<Value> = value.try_iter()?.collect();
    let places = places(items.len(), bound(&start)?, bound(&end)?, bound(&step)?.unwrap_or(1))?;
    let items = places.into_iter().filter_map(|at| items.get(at).cloned());
    Ok(if value.kind() == ValueKind::String {
        Value::from(items.map(|item| text(&item)).collect::<String>())
    } else {
        items.collect()
    })
}

/// The indices in a slice of a sequence of this length.
fn places(count: usize, start: Option<i64>, end: Option<i64>, step: i64) -> Result<Vec<usize>, Error> {
    if step == 0 {
        return Err(invalid("a step cannot be 0"));
    }
    let count = i64::try_from(count).map_err(|_| invalid("the list is too long"))?;
    // Backwards the bounds are one index lower, down to the one before the first.
    let (low, high) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let within = |bound: i64| (if bound < 0 { bound.saturating_add(count) } else { bound }).clamp(low, high);
    let first = start.map_or(if step > 0 { low } else { high }, within);
    let last = end.map_or(if step > 0 { high } else { low }, within);
    let (mut places, mut at) = (Vec::new(), first);
    while (step > 0 && at < last) || (step < 0 && at > last) {
        places.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(places)
}

fn reverse(value: &Value) -> Result<Value, Error> {
    let mut items: Vec<Value> = iterable(value)?.try_iter()?.collect();
    items.reverse();
    if value.kind() == ValueKind::String {
        return Ok(Value::from(items.iter().map(text).collect::<String>()));
    }
    Ok(Value::from(items))
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn trim(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let characters = arguments.text(0, "chars")?;
    Ok(methods::stripped(&text(value), characters.as_deref(), Side::Both).to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn replace(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let [old, new] = [arguments.get(0, "old")?, arguments.get(1, "new")?].map(|part| part.map(|part| text(&part)));
    let (Some(old), Some(new)) = (old, new) else { return Err(invalid("replace takes two texts")) };
    Ok(methods::replaced(&text(value), &old, &new, arguments.integer(2, "count")?))
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn join(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let between = arguments.get(0, "d")?.map(|between| text(&between)).unwrap_or_default();
    let attribute = arguments.get(1, "attribute")?.filter(|attribute| !attribute.is_none());
    let mut parts = Vec::new();
    for item in iterable(value)?.try_iter()? {
        parts.push(match &attribute {
            Some(attribute) => text(&item.get_item(attribute)?),
            None => text(&item),
        });
    }
    Ok(parts.join(&between))
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn indent(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let width = match arguments.get(0, "width")? {
        None => " ".repeat(4),
        Some(width) => match (width.as_str(), width.as_i64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(width)) => " ".repeat(usize::try_from(width.clamp(0, WIDEST)).unwrap_or(0)),
            (None, None) => return Err(invalid("indent takes a number or a text as width")),
        },
    };
    let (first, blank) = (arguments.flag(1, "first")?, arguments.flag(2, "blank")?);
    let whole = value.as_str().ok_or_else(|| invalid("indent takes a text"))?.to_owned() + "\n";
    let mut out = String::new();
    for (at, line) in methods::split_lines(&whole, false).into_iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if if at == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&width);
        }
        out.push_str(line);
    }
    Ok(out)
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn center(value: &Value, arguments: Rest<Value>) -> Result<String, Error> {
    let width = Arguments::new(&arguments)?.integer(0, "width")?.unwrap_or(80);
    methods::padded(&text(value), width, " ", "center")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('>', "&gt;").replace('<', "&lt;").replace('\'', "&#39;").replace('"', "&#34;")
}

/// Capitalises each word, with Jinja2's word boundaries.
fn titled(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let between = character.is_whitespace() || matches!(character, '-' | '(' | '{' | '[' | '<');
        if between {
            out.push(character);
        } else if start {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        start = between;
    }
    out
}

fn words(text: &str) -> usize {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| !word.is_empty())
        .count()
}

fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    match value.len() {
        Some(length) => Ok(length),
        None => Ok(iterable(value)?.try_iter()?.count()),
    }
}

fn list(value: &Value) -> Result<Vec<Value>, Error> {
    Ok(iterable(value)?.try_iter()?.collect())
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(Vec::new()),
        ValueKind::Map => pairs(value),
        kind => Err(invalid(format!("{kind} has no items"))),
    }
}

/// Keys and values of a dictionary.
pub fn pairs(value: &Value) -> Result<Vec<Value>, Error> {
    let pair = |key: Value| Ok(Value::from_object(Tuple(vec![key.clone(), value.get_item(&key)?])));
    value.try_iter()?.map(pair).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn int(value: &Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let arguments = Arguments::new(&arguments)?;
    let default = arguments.get(0, "default")?.unwrap_or_else(|| Value::from(0));
    let base = arguments.integer(1, "base")?.unwrap_or(10);
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(invalid("int takes no undefined value")),
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number => whole(f64::try_from(value.clone()).ok()).unwrap_or(default),
        ValueKind::String => {
            let text = text(value).trim().replace('_', "");
            let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).unwrap_or(10);
            let parsed = i128::from_str_radix(&text, base).ok().map(Value::from);
            parsed.or_else(|| whole(text.parse().ok())).unwrap_or(default)
        }
        _ => default,
    })
}

fn whole(number: Option<f64>) -> Option<Value> {
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds of the type, and cut on purpose")]
    number.filter(|number| number.abs() < 1e38).map(|number| Value::from(number as i128))
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn float(value: &Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let default = Arguments::new(&arguments)?.get(0, "default")?.unwrap_or_else(|| Value::from(0.0));
    let number = match value.kind() {
        ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => text(value).trim().parse().ok(),
        _ => None,
    };
    Ok(number.map_or(default, Value::from))
}

#[expect(clippy::needless_pass_by_value, reason = "filters take their options so")]
fn round(value: &Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let arguments = Arguments::new(&arguments)?;
    let digits = arguments.integer(0, "precision")?.unwrap_or(0).clamp(-30, 30);
    let method = arguments.text(1, "method")?.unwrap_or_else(|| "common".into());
    let value = if value.kind() == ValueKind::Bool { Value::from(i64::from(value.is_true())) } else { value.clone() };
    let number = f64::try_from(value.clone()).map_err(|_| invalid("round takes a number"))?;
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
    Ok(Value::from(match method.as_str() {
        "common" if value.is_integer() && digits >= 0 => return Ok(value),
        // The decimal digits decide, as in Python's round, not those of the number times ten.
        "common" if digits >= 0 => {
            format!("{number:.*}", usize::try_from(digits).unwrap_or(0)).parse().unwrap_or(number)
        }
        "common" => (number * scale).round_ties_even() / scale,
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        _ => return Err(invalid("round knows the methods common, ceil and floor")),
    }))
}
