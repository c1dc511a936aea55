//! Branches and kept states: the list of where one can go.

pub mod act;
mod compare;
pub mod draw;
mod place;
mod tree;

pub use compare::{Compared, compare};
pub use place::Place;
pub use tree::grown;

use super::State;
use crate::protocol::{Branch, KeptState};

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Row<'a> {
    /// A branch.
    Branch(&'a Branch),
    /// A state that was kept.
    State(&'a KeptState),
}

/// The rows: branches, each below the one that it came from, then states, the newest first.
#[must_use]
pub fn rows(state: &State) -> Vec<Row<'_>> {
    let tree = &state.history.tree;
    let mut kept: Vec<&KeptState> = tree.kept.iter().collect();
    kept.sort_by_key(|kept| std::cmp::Reverse((kept.step, kept.branch)));
    grown(&tree.listed)
        .into_iter()
        .map(|grown| Row::Branch(grown.branch))
        .chain(kept.into_iter().map(Row::State))
        .collect()
}
