//! The socket through which interfaces attach and detach while the run trains.
//!
//! A [`EventHub`] stands between the training thread and all clients. It keeps what a new client needs, and each client
//! reads at its own pace: training waits for none, and each client receives every step exactly once.

mod client;
mod door;
mod hub;
mod kept;
mod lines;
mod place;
mod room;

pub use client::{Link, ask, connect};
pub use hub::EventHub;

/// The longest line from an interface: commands are far shorter.
const LONGEST_REQUEST: u64 = 64 << 10;
/// The longest line from the engine: the first training example of a model with a long context.
const LONGEST_NEWS: u64 = 64 << 20;
