//! Methods of Python's strings, dictionaries and lists.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use super::arguments::{Arguments, invalid};
use super::checks::has_case;
use super::filters::pairs;
use super::text::{Tuple, is_space, text};

/// The longest text that a method may create.
const LONGEST: i64 = 100_000;

/// The ends of a text that a method works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
    Both,
}

/// Calls a method unknown to the template library.
pub fn call(state: &State<'_, '_>, value: &Value, method: &str, all: &[Value]) -> Result<Value, Error> {
    let arguments = Arguments::new(all)?;
    let found = match value.kind() {
        ValueKind::String => of_text(value.as_str().unwrap_or_default(), method, &arguments)?,
        ValueKind::Map => of_dictionary(value, method, &arguments)?,
        ValueKind::Seq | ValueKind::Iterable => of_list(value, method, &arguments)?,
        _ => None,
    };
    match found {
        Some(value) => Ok(value),
        None if value.kind() == ValueKind::String && method == "format" => {
            pycompat::unknown_method_callback(state, value, method, &written(all))
        }
        None => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Arguments of `format`; values with a Python notation of their own become texts.
fn written(all: &[Value]) -> Vec<Value> {
    let write = |value: &Value| match value.kind() {
        ValueKind::String | ValueKind::Number => value.clone(),
        ValueKind::Map if value.is_kwargs() => value.clone(),
        _ => Value::from(text(value)),
    };
    all.iter().map(write).collect()
}

fn of_text(text: &str, method: &str, arguments: &Arguments<'_>) -> Result<Option<Value>, Error> {
    if let Some(changed) = changed(text, method, arguments)? {
        return Ok(Some(Value::from(changed)));
    }
    if let Some(answer) = answer(text, method) {
        return Ok(Some(Value::from(answer)));
    }
    Ok(Some(match method {
        "startswith" => Value::from(any_of(arguments, |part| text.starts_with(part))?),
        "endswith" => Value::from(any_of(arguments, |part| text.ends_with(part))?),
        "split" | "rsplit" => {
            let separator = arguments.text(0, "sep")?;
            let most = arguments.integer(1, "maxsplit")?.and_then(|most| usize::try_from(most).ok());
            values(split(text, separator.as_deref(), most, method == "rsplit")?)
        }
        "splitlines" => values(split_lines(text, arguments.flag(0, "keepends")?)),
        "partition" | "rpartition" => {
            let separator = arguments.needed_text(0, "")?;
            let last = method == "rpartition";
            let found = if last { text.rsplit_once(&*separator) } else { text.split_once(&*separator) };
            let parts = match found {
                Some((before, after)) => [before, &separator, after],
                None if last => ["", "", text],
                None => [text, "", ""],
            };
            Value::from_object(Tuple(parts.map(Value::from).to_vec()))
        }
        "find" | "rfind" | "index" | "rindex" => {
            let part = arguments.needed_text(0, "")?;
            let at = if method.starts_with('r') { text.rfind(&*part) } else { text.find(&*part) };
            match at {
                Some(at) => Value::from(text[..at].chars().count()),
                None if method.ends_with("find") => Value::from(-1),
                None => return Err(invalid("substring not found")),
            }
        }
        "count" => {
            let part = arguments.needed_text(0, "")?;
            let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(&*part).count() };
            Value::from(count)
        }
        _ => return Ok(None),
    }))
}

/// The result of a method that returns a text.
fn changed(text: &str, method: &str, arguments: &Arguments<'_>) -> Result<Option<String>, Error> {
    let side = match method {
        "lstrip" => Side::Left,
        "rstrip" => Side::Right,
        _ => Side::Both,
    };
    Ok(Some(match method {
        "strip" | "lstrip" | "rstrip" => stripped(text, arguments.text(0, "")?.as_deref(), side).to_owned(),
        "upper" => text.to_uppercase(),
        "lower" | "casefold" => text.to_lowercase(),
        "capitalize" => capitalized(text),
        "title" => title(text),
        "swapcase" => text.chars().map(swapped).collect(),
        "replace" => {
            let (old, new) = (arguments.needed_text(0, "")?, arguments.needed_text(1, "")?);
            replaced(text, &old, &new, arguments.integer(2, "count")?)
        }
        "removeprefix" => text.strip_prefix(&*arguments.needed_text(0, "")?).unwrap_or(text).to_owned(),
        "removesuffix" => text.strip_suffix(&*arguments.needed_text(0, "")?).unwrap_or(text).to_owned(),
        "ljust" | "rjust" | "center" => {
            let fill = arguments.text(1, "")?.unwrap_or_else(|| " ".into());
            padded(text, arguments.integer(0, "")?.unwrap_or(0), &fill, method)?
        }
        "zfill" => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let width = arguments.integer(0, "")?.unwrap_or(0) - i64::try_from(sign.len()).unwrap_or(0);
            sign.to_owned() + &padded(digits, width, "0", "rjust")?
        }
        "join" => {
            let parts = arguments.places().first().ok_or_else(|| invalid("join takes a list"))?;
            let part = |part: Value| match part.as_str() {
                Some(part) => Ok(part.to_owned()),
                None => Err(invalid("join takes texts alone")),
            };
            parts.try_iter()?.map(part).collect::<Result<Vec<_>, _>>()?.join(text)
        }
        _ => return Ok(None),
    }))
}

/// The result of a method that returns a flag.
fn answer(text: &str, method: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    Some(match method {
        "isdigit" | "isdecimal" => all(|character| character.is_ascii_digit() || is_decimal(character)),
        "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(is_space),
        "isascii" => text.is_ascii(),
        "islower" => has_case(text, char::is_lowercase, char::is_uppercase),
        "isupper" => has_case(text, char::is_uppercase, char::is_lowercase),
        _ => return None,
    })
}

/// Digits beyond ASCII in a sequence of ten: a number that is not a letter, at a fixed distance from its own zero.
fn is_decimal(character: char) -> bool {
    let code = character as u32;
    let rows = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0xff10,
    ];
    rows.iter().any(|row| (*row..row + 10).contains(&code))
}

fn of_dictionary(value: &Value, method: &str, arguments: &Arguments<'_>) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "get" => {
            let key = arguments.get(0, "")?.ok_or_else(|| invalid("get takes a key"))?;
            let default = arguments.get(1, "default")?.unwrap_or_else(|| Value::from(()));
            let found = value.get_item(&key)?;
            if found.is_undefined() { default } else { found }
        }
        "items" => Value::from(pairs(value)?),
        "keys" => value.try_iter()?.collect(),
        "values" => value.try_iter()?.map(|key| value.get_item(&key)).collect::<Result<Vec<_>, _>>()?.into(),
        "copy" => value.clone(),
        _ => return Ok(None),
    }))
}

fn of_list(value: &Value, method: &str, arguments: &Arguments<'_>) -> Result<Option<Value>, Error> {
    let wanted = || arguments.get(0, "")?.ok_or_else(|| invalid("an item is missing"));
    Ok(Some(match method {
        "count" => {
            let wanted = wanted()?;
            Value::from(value.try_iter()?.filter(|item| *item == wanted).count())
        }
        "index" => {
            let wanted = wanted()?;
            let at = value.try_iter()?.position(|item| item == wanted);
            Value::from(at.ok_or_else(|| invalid("the list does not hold it"))?)
        }
        "copy" => value.clone(),
        _ => return Ok(None),
    }))
}

fn values(parts: Vec<&str>) -> Value {
    parts.into_iter().map(Value::from).collect()
}

/// Whether one of the given texts, single or in a list, matches.
fn any_of(arguments: &Arguments<'_>, fits: impl Fn(&str) -> bool) -> Result<bool, Error> {
    let given = arguments.get(0, "")?.ok_or_else(|| invalid("a text is missing"))?;
    match given.as_str() {
        Some(part) => Ok(fits(part)),
        None if matches!(given.kind(), ValueKind::Seq) => {
            Ok(given.try_iter()?.any(|part| part.as_str().is_some_and(&fits)))
        }
        None => Err(invalid("a text is expected")),
    }
}

/// The text without white space, or without these characters, at its ends.
pub fn stripped<'a>(text: &'a str, characters: Option<&str>, side: Side) -> &'a str {
    let goes = |character: char| match characters {
        Some(characters) => characters.contains(character),
        None => is_space(character),
    };
    match side {
        Side::Left => text.trim_start_matches(goes),
        Side::Right => text.trim_end_matches(goes),
        Side::Both => text.trim_matches(goes),
    }
}

/// The text with at most this many replacements; all if the count is negative or missing.
pub fn replaced(text: &str, old: &str, new: &str, count: Option<i64>) -> String {
    match count.and_then(|count| usize::try_from(count).ok()) {
        Some(count) => text.replacen(old, new, count),
        None => text.replace(old, new),
    }
}

/// The first character in upper case, all others in lower case.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.as_str().to_lowercase().chars()).collect()
}

/// Each letter after a non-letter in upper case, all others in lower case.
fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if start {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        start = !character.is_alphabetic();
    }
    out
}

fn swapped(character: char) -> char {
    let other =
        if character.is_lowercase() { character.to_uppercase().next() } else { character.to_lowercase().next() };
    other.unwrap_or(character)
}

/// The text padded to this width.
pub fn padded(text: &str, width: i64, fill: &str, method: &str) -> Result<String, Error> {
    if width > LONGEST {
        return Err(invalid("the width is too large"));
    }
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    let wide = usize::try_from(width).unwrap_or(0);
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // With an odd width, Python puts the odd one to the left.
        _ => missing / 2 + (missing & wide & 1),
    };
    Ok(fill.repeat(left) + text + &fill.repeat(missing - left))
}

/// The parts between separators or white space; split from the front, or from the end.
fn split<'a>(
    text: &'a str,
    separator: Option<&str>,
    most: Option<usize>,
    from_end: bool,
) -> Result<Vec<&'a str>, Error> {
    let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
    let Some(separator) = separator else {
        return Ok(if from_end { split_space_from_end(text, most) } else { split_space(text, most) });
    };
    if separator.is_empty() {
        return Err(invalid("empty separator"));
    }
    if from_end {
        let mut parts: Vec<&str> = text.rsplitn(most, separator).collect();
        parts.reverse();
        return Ok(parts);
    }
    Ok(text.splitn(most, separator).collect())
}

fn split_space(text: &str, most: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text.trim_start_matches(is_space));
    while !rest.is_empty() {
        let end = if parts.len() + 1 == most { None } else { rest.find(is_space) };
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part);
        rest = after.trim_start_matches(is_space);
    }
    parts
}

fn split_space_from_end(text: &str, most: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text.trim_end_matches(is_space));
    while !rest.is_empty() {
        let start = if parts.len() + 1 == most { None } else { rest.char_indices().rev().find(|(_, c)| is_space(*c)) };
        let start = start.map_or(0, |(at, character)| at + character.len_utf8());
        let (before, part) = rest.split_at(start);
        parts.push(part);
        rest = before.trim_end_matches(is_space);
    }
    parts.reverse();
    parts
}

/// The lines of a text, by Python's definition of a line end.
pub fn split_lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let ends = |character: char| {
        matches!(character, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let (mut lines, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(ends) {
        let end = if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(1, char::len_utf8) };
        lines.push(&rest[..if keep_ends { at + end } else { at }]);
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}
