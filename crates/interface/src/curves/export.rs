//! Exports a view to a file: as rows, as a picture, or as text.

pub use view::{Export, ExportLine};

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::picture::Rgb;
use crate::keys::Format;
use crate::metric::Metric;
use crate::theme::Meaning;
use crate::widgets::chart::{Line, Look};

mod drawing;
mod rows;
mod view;
mod words;

/// The highest number appended to a file name.
const LAST_NUMBER: u32 = 10_000;

impl Export {
    /// Writes a new file into a folder; returns its name.
    ///
    /// # Errors
    /// One sentence if it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<String, String> {
        let contents = self.contents()?;
        let extension = self.format.extension();
        for number in 1..LAST_NUMBER {
            let name = format!("curves-{number}.{extension}");
            match OpenOptions::new().write(true).create_new(true).open(folder.join(&name)) {
                Ok(mut file) => {
                    let written = file.write_all(&contents).and_then(|()| file.sync_all());
                    return written.map(|()| name.clone()).map_err(|error| {
                        // An incomplete file would look like a complete one.
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
        crate::svg::rgb_of(self.theme.style(meaning), otherwise)
    }
}
