//! A view written into a file: as rows, as a picture, or as the text of a terminal.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use super::course::Track;
use super::picture::Rgb;
use crate::interface::keys::Format;
use crate::interface::metric::Metric;
use crate::interface::theme::{Meaning, Theme};
use crate::interface::widgets::chart::{Change, Extent, Line, Look, View};

mod drawing;
mod rows;
mod words;

/// Numbers that are tried behind the name of a file.
const LAST_NUMBER: u32 = 10_000;

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

impl Export {
    /// Writes a new file into a folder: its name.
    ///
    /// # Errors
    /// One sentence, where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<String, String> {
        let contents = self.contents()?;
        let extension = self.format.extension();
        for number in 1..LAST_NUMBER {
            let name = format!("curves-{number}.{extension}");
            match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)) {
                Ok(mut file) => {
                    let written = file.write_all(&contents).and_then(|()| file.sync_all());
                    return written.map(|()| name.clone()).map_err(|error| {
                        // Half a file would look like a whole one.
                        let _ = std::fs::remove_file(folder.join(&name));
                        format!("{name} cannot be written: {error}")
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("{name} cannot be made in the working folder: {error}")),
            }
        }
        Err(format!("there are {LAST_NUMBER} files named curves-N.{extension} in the working folder; move some away"))
    }

    fn contents(&self) -> Result<Vec<u8>, String> {
        match self.format {
            Format::Csv => rows::write(self),
            Format::Svg => Ok(drawing::draw(self).to_svg().into_bytes()),
            Format::Png => drawing::draw(self).to_png(),
            Format::Text => Ok(words::write(self).into_bytes()),
        }
    }

    /// The lines of a metric's chart.
    fn chart_lines(&self, metric: Metric) -> Vec<(&ExportLine, Line<'_>)> {
        let lines = self.lines.iter().filter_map(|of| {
            let shape = of.track.curve(metric).filter(|shape| !shape.raw().is_empty())?;
            let measure = of.track.measure(self.view.along);
            Some((of, Line { shape, measure, meaning: of.meaning, look: Look::Whole }))
        });
        lines.collect()
    }

    fn colour(&self, meaning: Meaning, otherwise: Rgb) -> Rgb {
        crate::interface::svg::rgb_of(self.theme.style(meaning), otherwise)
    }
}
