//! Jinja2's tests (`is …`) that differ from the template library's.

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};

use super::text::text;

/// Adds them to an environment.
pub fn add(environment: &mut Environment<'static>) {
    environment.add_test("iterable", |value: &Value| is_iterable(value));
    environment.add_test("sequence", is_sequence);
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("float", |value: &Value| value.kind() == ValueKind::Number && !value.is_integer());
    environment.add_test("callable", |value: &Value| {
        value.as_object().is_some() && !matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable)
    });
    environment.add_test("lower", |value: &Value| has_case(&text(value), char::is_lowercase, char::is_uppercase));
    environment.add_test("upper", |value: &Value| has_case(&text(value), char::is_uppercase, char::is_lowercase));
    environment.add_test("escaped", |_: &Value| false);
}

/// Whether a loop can iterate over it. An undefined value is an empty sequence; `None` is an error.
pub fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Whether it has a length and can be indexed.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::Undefined
    )
}

/// Whether a text has a letter of this case and none of the other.
pub fn has_case(text: &str, wanted: fn(char) -> bool, other: fn(char) -> bool) -> bool {
    text.chars().any(wanted) && !text.chars().any(other)
}
