//! The content of an export.

use std::sync::Arc;

use crate::curves::course::Track;
use crate::keys::Format;
use crate::metric::Metric;
use crate::theme::{Meaning, Theme};
use crate::widgets::chart::{Change, Extent, View};

/// A view to export.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The file format.
    pub format: Format,
    /// The visible range, and how it is shown.
    pub view: View,
    /// The whole range.
    pub extent: Extent,
    /// The metrics, each with a chart of its own.
    pub metrics: Vec<Metric>,
    /// The lines in each chart.
    pub lines: Vec<ExportLine>,
    /// Changes by hand to mark in the charts.
    pub changes: Vec<Change>,
    /// The theme for the colours of the lines.
    pub theme: Theme,
}

/// A line of every chart: a branch of a run.
#[derive(Debug, Clone)]
pub struct ExportLine {
    /// The run's name, unescaped.
    pub run: String,
    /// The branch.
    pub branch: u32,
    /// Its label on the screen.
    pub name: String,
    /// Its style.
    pub meaning: Meaning,
    /// Its points.
    pub track: Arc<Track>,
}

impl PartialEq for ExportLine {
    /// Compares identity, not content.
    fn eq(&self, other: &Self) -> bool {
        (&self.run, self.branch) == (&other.run, other.branch) && Arc::ptr_eq(&self.track, &other.track)
    }
}
