//! The rows of the list of runs.

use super::{Inspector, LineId};

/// A row of the list of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// A run and its first branch.
    Run(usize, u32),
    /// A branch of the run above it.
    Branch(usize, u32),
}

impl Row {
    /// The line of this row.
    #[must_use]
    pub fn which(self) -> LineId {
        let (Self::Run(run, branch) | Self::Branch(run, branch)) = self;
        LineId { run, branch }
    }
}

/// The rows: pinned runs first, then the newest. A visible run is listed even if it does not match the filter.
#[must_use]
pub fn rows(inspector: &Inspector) -> Vec<Row> {
    let filter = inspector.filter.to_lowercase();
    let matches = |index: &usize| {
        let run = &inspector.runs[*index];
        run.pinned || run.name.to_lowercase().contains(&filter)
    };
    let mut runs: Vec<usize> = (0..inspector.runs.len()).filter(matches).collect();
    runs.sort_by_key(|index| (!inspector.runs[*index].pinned, inspector.runs[*index].order));
    let mut rows = Vec::new();
    for index in runs {
        let run = &inspector.runs[index];
        let branches: Vec<u32> = run.course.branches.keys().copied().collect();
        rows.push(Row::Run(index, branches.first().copied().unwrap_or(0)));
        if run.shown && branches.len() > 1 {
            rows.extend(branches[1..].iter().map(|branch| Row::Branch(index, *branch)));
        }
    }
    rows
}
