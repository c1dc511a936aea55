//! Reads a sample of a file of rows.

use std::path::Path;

use spartui_data::{self as data, Dialect, Sample};

/// The most rows kept for the screen.
const ROWS: usize = 40;

pub(super) fn look(folder: &Path, file: &Path, dialect: Dialect) -> Result<Sample, String> {
    data::sample(&folder.join(file), ROWS, dialect).map_err(|error| error.message().to_owned())
}
