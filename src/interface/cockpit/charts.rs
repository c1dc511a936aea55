//! Which metrics the charts of the cockpit show.

pub mod act;
pub mod cursor;

use crate::interface::metric::Metric;

/// The most charts of the grid.
pub const CELLS: usize = 6;

/// Which metrics the charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charts {
    /// The large chart.
    pub main: Metric,
    /// The grid, from the left and the top; as many as there is room for are shown.
    pub cells: [Metric; CELLS],
    /// The selected one of the grid.
    pub selected: usize,
}

impl Default for Charts {
    fn default() -> Self {
        let cells =
            [Metric::Gradient, Metric::Rate, Metric::Speed, Metric::EvalLoss, Metric::Sparsity, Metric::StepTime];
        Self { main: Metric::Loss, cells, selected: 0 }
    }
}

impl Charts {
    /// Shows another metric on the large chart, or on the selected one of the grid: the next one that is measured.
    pub fn turn(&mut self, main: bool, by: isize, is_measured: impl Fn(Metric) -> bool) {
        let metric = if main { &mut self.main } else { &mut self.cells[self.selected.min(CELLS - 1)] };
        let others = (1..Metric::ALL.len().cast_signed()).map(|places| metric.moved(by * places));
        if let Some(next) = others.into_iter().find(|metric| is_measured(*metric)) {
            *metric = next;
        }
    }

    /// Selects another one of the first `shown` of the grid.
    pub fn walk(&mut self, by: isize, shown: usize) {
        self.selected = self.selected.saturating_add_signed(by).min(shown.clamp(1, CELLS) - 1);
    }
}
