//! The metrics of the cockpit's charts.

pub mod act;
pub mod cursor;

use crate::metric::Metric;

/// The most charts in the grid.
pub const CELLS: usize = 6;

/// The metrics of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charts {
    /// The large chart.
    pub main: Metric,
    /// The grid in reading order; as many as fit are shown.
    pub cells: [Metric; CELLS],
    /// The selected chart of the grid.
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
    /// Shows the next measured metric on the large chart, or on the selected chart of the grid.
    pub fn turn(&mut self, main: bool, by: isize, is_measured: impl Fn(Metric) -> bool) {
        let metric = if main { &mut self.main } else { &mut self.cells[self.selected.min(CELLS - 1)] };
        let others = (1..Metric::ALL.len().cast_signed()).map(|places| metric.moved(by * places));
        if let Some(next) = others.into_iter().find(|metric| is_measured(*metric)) {
            *metric = next;
        }
    }

    /// Selects another of the first `shown` charts of the grid.
    pub fn walk(&mut self, by: isize, shown: usize) {
        self.selected = self.selected.saturating_add_signed(by).min(shown.clamp(1, CELLS) - 1);
    }
}
