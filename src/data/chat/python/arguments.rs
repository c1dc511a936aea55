//! Arguments as Python passes them: by place or by name.

use minijinja::value::{Kwargs, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::text::text;

/// What a filter or a method was given.
pub struct Arguments<'a> {
    by_place: &'a [Value],
    by_name: Kwargs,
}

impl<'a> Arguments<'a> {
    /// Tells those by place from those by name.
    pub fn new(all: &'a [Value]) -> Result<Self, Error> {
        let (by_place, by_name) = from_args::<(&[Value], Kwargs)>(all)?;
        Ok(Self { by_place, by_name })
    }

    /// The argument at this place, or of this name.
    pub fn get(&self, at: usize, name: &str) -> Result<Option<Value>, Error> {
        match self.by_place.get(at) {
            Some(value) => Ok(Some(value.clone())),
            None if name.is_empty() => Ok(None),
            None => self.by_name.get::<Option<Value>>(name),
        }
    }

    /// The same as a text; none where it is not given or `None`.
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

    /// The text at this place, which has to be there.
    pub fn needed_text(&self, at: usize, name: &str) -> Result<String, Error> {
        self.text(at, name)?.ok_or_else(|| invalid("a text is missing"))
    }

    /// A whole number; none where it is not given or `None`.
    pub fn integer(&self, at: usize, name: &str) -> Result<Option<i64>, Error> {
        match self.get(at, name)? {
            Some(value) if !value.is_none() => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(invalid(format!("a whole number is expected, not {}", text(&value)))),
            },
            _ => Ok(None),
        }
    }

    /// Whether the argument is there and true.
    pub fn flag(&self, at: usize, name: &str) -> Result<bool, Error> {
        Ok(self.get(at, name)?.is_some_and(|value| value.is_true()))
    }

    /// Refuses more arguments than these, and names that nobody asked for.
    pub fn end(&self, most: usize) -> Result<(), Error> {
        if self.by_place.len() > most {
            return Err(invalid(format!("{most} arguments are taken, not {}", self.by_place.len())));
        }
        self.by_name.assert_all_used()
    }

    /// All by place.
    pub fn places(&self) -> &'a [Value] {
        self.by_place
    }
}

/// An operation that Python refuses.
pub fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}
