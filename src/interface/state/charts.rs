//! Which metrics the charts of the cockpit show.

use super::Metric;

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
    /// Shows another metric on the large chart, or on the selected one of the grid.
    pub fn turn(&mut self, main: bool, by: isize) {
        let metric = if main { &mut self.main } else { &mut self.cells[self.selected.min(CELLS - 1)] };
        *metric = metric.moved(by);
    }

    /// Selects another one of the first `shown` of the grid.
    pub fn walk(&mut self, by: isize, shown: usize) {
        self.selected = self.selected.saturating_add_signed(by).min(shown.clamp(1, CELLS) - 1);
    }
}
