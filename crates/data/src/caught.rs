//! Guards against libraries that trust their input files and panic on malformed ones.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use spartui_facts::quote::one_line;

/// Runs a library call; turns its error or its panic into one line.
pub(super) fn caught<T, E: Display>(step: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(outcome) => outcome.map_err(|error| one_line(&error.to_string())),
        Err(_) => Err("its contents contradict each other".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_a_line() {
        assert_eq!(caught(|| Ok::<_, String>(5)), Ok(5));
        assert_eq!(caught(|| Err::<(), _>("a\nb")), Err("a b".into()));
        assert_eq!(caught::<(), String>(|| panic!("told to nobody")), Err("its contents contradict each other".into()));
    }
}
