//! Curves of runs, and their export to files.

mod course;
mod export;
mod picture;

pub use course::{Course, Track};
pub use export::{Export, ExportLine};
pub use picture::Rgb;
