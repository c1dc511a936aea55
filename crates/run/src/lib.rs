//! The run folder: recipe, journal, metrics, checkpoints, predictions; and how files are written and read safely.

mod changed;
mod checkpoint;
mod delete;
mod disk;
mod extend;
pub mod files;
mod folder;
mod identity;
mod journal;
mod lines;
mod links;
mod list;
mod manifest;
mod match_run;
mod metrics;
mod notes;
mod predictions;
mod race;
mod status;
mod tail;
pub mod tensors;
mod writer;

// What the tests share with those of other crates names this crate from outside.
#[cfg(test)]
extern crate self as spartui_run;

pub use changed::Changed;
pub use checkpoint::{
    Checkpoint, Found, Keep, Moment, Newest, Written, checkpoints, read_checkpoint, read_newest_valid, write_checkpoint,
};
pub use delete::{delete_run, rename_run};
pub use disk::set_change_hook;
pub use extend::{limiting_field, proposed_extension};
pub use folder::{RunFolder, check_name};
pub use identity::{Identity, PARTS, PendingIdentity, TOKENIZER};
pub use journal::Journal;
pub use links::follow_links;
pub use list::{ListedRun, RECIPES, list_runs, run_folders};
pub use match_run::resolve_match;
pub use metrics::{Metrics, Reading, Readings};
pub use notes::Notes;
pub use predictions::{LabelRow, PredictedRows, Predictions, TokenRow};
pub use race::{
    LANE, folders_of, full_name, lane_can_resume, lanes_of, race_of, read_race, refuse_race, runs_of, write_race,
};
pub use status::{State, Status, now};
pub use tail::{Piece, Tail};
pub use tensors::{Dtype, NamedTensor};
pub use writer::{Job, Need, Outcome, Writer};
