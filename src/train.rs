//! A training session: model, method, optimizer and data, and the step that they take together.

mod backward;
mod cross_entropy;
mod evaluate;
mod export;
mod head;
mod language;
mod schedule;
mod session;
mod start;
mod stopwatch;
mod targets;

pub use backward::{Trained, forward_backward};
pub use evaluate::{Scores, predict_logits};
pub use export::{adapter, checkpoint, whole_model};
pub use head::TrainedHead;
pub use language::{language_scores, token_logprobs};
pub use schedule::rate_at;
pub use session::Session;
pub use start::starting_head;
pub use stopwatch::Stopwatch;
pub use targets::{Targets, check_token_types, to_tensors};
