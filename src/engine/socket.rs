//! The socket through which interfaces come and go while the run trains.
//!
//! A [`Hub`] stands between the training thread and everybody who watches. It keeps what a late comer needs, and each
//! client reads it at a pace of its own: training waits for nobody, and a step is told to each exactly once.

mod client;
mod door;
mod hub;
mod kept;
mod lines;
mod place;
mod room;

pub use client::{Link, ask, connect};
pub use hub::Hub;

/// Longest line from an interface: a command is far shorter.
const LONGEST_REQUEST: u64 = 64 << 10;
/// Longest line from the engine: the first training example of a model with a long context is the longest.
const LONGEST_NEWS: u64 = 64 << 20;
