//! The environment that templates written for Python's Jinja2 expect.

use std::fmt::Write;

use chrono::NaiveDateTime;
use chrono::format::{Item, StrftimeItems};
use minijinja::{AutoEscape, Environment, Error, Output, State, Value};

mod arguments;
mod checks;
mod filters;
mod json;
mod methods;
mod text;

use arguments::invalid;
pub use filters::{JOINED, LOOPED, SLICED, TUPLE};

/// An environment for chat templates as in transformers.
pub fn environment(clock: fn() -> NaiveDateTime) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write);
    environment.set_unknown_method_callback(methods::call);
    filters::add(&mut environment);
    checks::add(&mut environment);
    environment.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        Err(invalid(text::text(message)))
    });
    environment.add_function("strftime_now", move |format: &str| strftime(clock(), format));
    environment
}

/// Formats the time, as in `%d %b %Y`.
fn strftime(time: NaiveDateTime, format: &str) -> Result<String, Error> {
    let unknown = || invalid(format!("strftime_now knows no {format:?}"));
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        return Err(unknown());
    }
    let mut text = String::new();
    // A time zone fails here: a local time has none.
    write!(text, "{}", time.format_with_items(items.into_iter())).map_err(|_| unknown())?;
    Ok(text)
}

fn write(out: &mut Output<'_>, _: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text),
        None => out.write_str(&text::text(value)),
    }
    .map_err(Error::from)
}
