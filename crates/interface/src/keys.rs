//! The table of keys. Dispatch, help, footer, palette and documents all use it, with the user's keys in place of the
//! built-in ones.

mod context;
mod file;
mod format;
mod keymap;
mod panel;
mod press;
mod table;

pub use format::Format;
pub use keymap::{Bound, Keymap};
pub use panel::Panel;
pub use press::Press;
pub use table::{Action, Binding, Context, LineEdit, TABLE};

#[cfg(test)]
mod tests;
