//! Python's positional and keyword arguments.

use minijinja::value::{Kwargs, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::text::text;

/// The arguments of a filter or a method.
pub struct Arguments<'a> {
    by_place: &'a [Value],
    by_name: Kwargs,
}

impl<'a> Arguments<'a> {
    /// Separates positional from keyword arguments.
    pub fn new(all: &'a [Value]) -> Result<Self, Error> {
        let (by_place, by_name) = from_args::<(&[Value], Kwargs)>(all)?;
        Ok(Self { by_place, by_name })
    }

    /// The argument at this position, or with this name.
    pub fn get(&self, at: usize, name: &str) -> Result<Option<Value>, Error> {
        match self.by_place.get(at) {
            Some(value) => Ok(Some(value.clone())),
            None if name.is_empty() => Ok(None),
            None => self.by_name.get::<Option<Value>>(name),
        }
    }

    /// The argument as text; none if it is missing or `None`.
    pub fn text(&self, at: usize, name: &str) -> Result<Option<String>, Error> {
        match self.get(at, name)? {
            None => Ok(None),
            Some(value) if value.is_none() => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(invalid(format!("a text is expected, not {}", text(&value)))),
            },
        }
    }

    /// The required text at this position.
    pub fn needed_text(&self, at: usize, name: &str) -> Result<String, Error> {
        self.text(at, name)?.ok_or_else(|| invalid("a text is missing"))
    }

    /// A whole number; none if it is missing or `None`.
    pub fn integer(&self, at: usize, name: &str) -> Result<Option<i64>, Error> {
        match self.get(at, name)? {
            Some(value) if !value.is_none() => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(invalid(format!("a whole number is expected, not {}", text(&value)))),
            },
            _ => Ok(None),
        }
    }

    /// Whether the argument is present and true.
    pub fn flag(&self, at: usize, name: &str) -> Result<bool, Error> {
        Ok(self.get(at, name)?.is_some_and(|value| value.is_true()))
    }

    /// Rejects surplus arguments and unknown names.
    pub fn end(&self, most: usize) -> Result<(), Error> {
        if self.by_place.len() > most {
            return Err(invalid(format!("{most} arguments are taken, not {}", self.by_place.len())));
        }
        self.by_name.assert_all_used()
    }

    /// The positional arguments.
    pub fn places(&self) -> &'a [Value] {
        self.by_place
    }
}

/// The error of an operation that Python rejects.
pub fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}
