//! The frame around every screen: look, overlays, inputs and effects.

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
pub use notice::{Notice, Severity};
pub use overlay::Overlay;
pub use screen::Screen;
pub use too_small::too_small;
