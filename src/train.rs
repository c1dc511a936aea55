//! A training session: model, method, optimizer and data, and the step that they take together.

mod backward;
mod branches;
mod checkpoint;
mod cross_entropy;
mod evaluate;
mod export;
mod faults;
mod head;
mod history;
mod language;
mod prediction;
mod schedule;
mod session;
mod snapshot;
mod start;
mod step;
mod stopwatch;
mod targets;
mod version;

pub use backward::{Trained, forward_backward};
pub use branches::{Grown, Point, Tree};
pub use checkpoint::{Held, from_checkpoint, largest_checkpoint, to_checkpoint};
pub use evaluate::{Scores, predict_logits};
pub use export::{adapter, lora_adapter, whole_model};
pub use faults::{Attempt, NotFinite, out_of_memory};
pub use head::TrainedHead;
pub use history::{History, Why};
pub use language::{language_scores, token_logprobs};
pub use prediction::{Extent, Plan, Prediction, Surroundings};
pub use schedule::rate_at;
pub use session::Session;
pub use snapshot::{CARRIED, Progress, Snapshot};
pub use start::starting_head;
pub use stopwatch::Stopwatch;
pub use targets::{Targets, check_token_types, to_tensors};
pub use version::Version;
