//! Looks into a file of rows.

use std::path::Path;

use crate::data::{self, Sample};

/// Rows that are kept for the screen.
const ROWS: usize = 40;

pub(super) fn look(folder: &Path, file: &Path) -> Result<Sample, String> {
    data::sample(&folder.join(file), ROWS).map_err(|error| error.message().to_owned())
}
