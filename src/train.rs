//! A training session: model, method, optimizer and data, and the step that they take together.

mod backward;
mod evaluate;
mod export;
mod head;
mod schedule;
mod session;

pub use backward::forward_backward;
pub use evaluate::{Scores, predict_logits};
pub use export::{adapter, checkpoint};
pub use head::TrainedHead;
pub use schedule::rate_at;
pub use session::Session;
