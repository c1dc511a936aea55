//! The run folder: recipe, journal, metrics, checkpoints, and adapters in and out.

mod adapter;
mod adapter_config;
mod adapter_reading;
mod any_adapter;
mod changed;
mod checkpoint;
mod delete;
mod disk;
mod files;
mod folder;
mod identity;
mod journal;
mod keyed;
mod lines;
mod links;
mod list;
mod lora;
mod manifest;
mod merged;
mod metrics;
mod more;
mod notes;
mod own_adapter;
mod predictions;
mod race;
mod same;
mod status;
mod tail;
mod tensors;
mod writer;

#[cfg(test)]
pub(crate) use disk::faults;

pub use adapter::{Adapter, HeadDelta, HeadPart, ParameterDelta, head_parts};
pub use adapter_reading::{Contents, adapter_contents};
pub use any_adapter::{About, AnyAdapter, about_adapter, adapter_shape};
pub use changed::Changed;
pub use checkpoint::{
    Checkpoint, Found, Keep, Moment, Newest, Written, checkpoints, read_checkpoint, read_newest_valid, write_checkpoint,
};
pub use delete::{delete_run, rename_run};
pub use folder::{RunFolder, check_name};
pub use identity::{Identity, Measured, PARTS};
pub use journal::Journal;
pub use keyed::Keyed;
pub use links::followed;
pub use list::{ListedRun, RECIPES, list_runs, run_folders};
pub use lora::{LoraAdapter, LoraSettings, Saved, Targets, is_lora};
pub use merged::{Change, Product, trained_config, untie, write_merged, write_model};
pub use metrics::{Metrics, Reading, Readings};
pub use more::{ended_at, proposal};
pub use notes::Notes;
pub use own_adapter::OwnAdapter;
pub use predictions::{Each, Labelled, Predictions, Told};
pub use race::{
    LANE, folders_of, full_name, lane_goes_on, lanes_of, race_of, read_race, refuse_race, runs_of, write_race,
};
pub use same::take_count;
pub use status::{State, Status, now};
pub use tail::{Piece, Tail};
pub use tensors::{Dtype, NamedTensor};
pub use writer::{Job, Need, Outcome, Writer};
