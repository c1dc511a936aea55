//! The timeline: the list of branches and kept states.

pub mod act;
mod compare;
pub mod draw;
mod place;
mod tree;

pub use compare::{Compared, compare};
pub use place::Place;
pub use tree::tree_rows;

use super::State;
use spartui_facts::protocol::{Branch, KeptState};

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Row<'a> {
    /// A branch.
    Branch(&'a Branch),
    /// A kept state.
    State(&'a KeptState),
}

/// The rows: branches, each below its parent, then states, newest first.
#[must_use]
pub fn rows(state: &State) -> Vec<Row<'_>> {
    let tree = &state.history.tree;
    let mut kept: Vec<&KeptState> = tree.kept.iter().collect();
    kept.sort_by_key(|kept| std::cmp::Reverse((kept.step, kept.branch)));
    tree_rows(&tree.listed)
        .into_iter()
        .map(|row| Row::Branch(row.branch))
        .chain(kept.into_iter().map(Row::State))
        .collect()
}
