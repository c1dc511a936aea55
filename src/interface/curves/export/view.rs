//! What is written into a file.

use std::sync::Arc;

use crate::interface::curves::course::Track;
use crate::interface::keys::Format;
use crate::interface::metric::Metric;
use crate::interface::theme::{Meaning, Theme};
use crate::interface::widgets::chart::{Change, Extent, View};

/// A view that is written into a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// As what.
    pub format: Format,
    /// Which part is in sight, and how.
    pub view: View,
    /// All that could be in sight.
    pub extent: Extent,
    /// The metrics, each with a chart of its own.
    pub metrics: Vec<Metric>,
    /// The lines of each chart.
    pub lines: Vec<ExportLine>,
    /// Changes by hand that the charts mark.
    pub changes: Vec<Change>,
    /// The theme that the lines have their colours from.
    pub theme: Theme,
}

/// A line of every chart: a branch of a run.
#[derive(Debug, Clone)]
pub struct ExportLine {
    /// The run's name, as it is.
    pub run: String,
    /// The branch.
    pub branch: u32,
    /// How the screen calls it.
    pub name: String,
    /// What it is drawn as.
    pub meaning: Meaning,
    /// Its points.
    pub track: Arc<Track>,
}

impl PartialEq for ExportLine {
    /// The same line, not merely one that looks the same.
    fn eq(&self, other: &Self) -> bool {
        (&self.run, self.branch) == (&other.run, other.branch) && Arc::ptr_eq(&self.track, &other.track)
    }
}
