//! The one table of keys. Dispatch, the help, the footer, the palette and the documents all read it, with the user's own
//! keys in place of the built-in ones.

mod context;
mod file;
mod format;
mod keymap;
mod panel;
mod press;
mod table;

pub use context::Context;
pub use format::Format;
pub use keymap::{Bound, Keymap};
pub use panel::Panel;
pub use press::Press;
pub use table::{Action, Binding, LineEdit, TABLE};

#[cfg(test)]
mod tests;
