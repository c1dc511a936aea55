//! Curves of runs: what is drawn of a run's metrics, and files that a view of them is written into.

mod course;
mod export;
mod picture;

pub use course::{Course, Track};
pub use export::{Export, ExportLine};
pub use picture::Rgb;
