//! What lies around every screen: how it looks, what lies over it, and the words in which it speaks with the loop.

mod env;
mod input;
mod look;
mod notice;
pub mod overlay;
mod screen;
mod too_small;

pub use env::Env;
pub use input::{Effect, Input, Open, Outcome};
pub use look::Look;
pub use notice::{Notice, Weight};
pub use overlay::Overlay;
pub use screen::Screen;
pub use too_small::too_small;
