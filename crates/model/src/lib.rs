//! Models in Hugging Face layout: configuration, weights, forward pass, generation.
//!
//! The forward pass calls libtorch through tch's infallible methods, so that it reads like its paper; what libtorch
//! throws (out of memory, a lost device) becomes a panic there and an [`Error`] in [`guarded`].

mod batch;
mod config;
mod decoder;
mod device;
mod encoder;
mod generate;
mod head;
mod large_pages;
mod layers;
mod loader;
mod memory;
mod overlay;
mod random;
mod replace;
mod rope;
mod stored_head;
mod tape;
mod task;
mod tie;
mod unread;
mod weights;
mod whole;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use batch::Batch;
pub use config::{Config, Outputs, Problem, labels};
pub use decoder::Cache;
pub use device::{available_devices, parse_device, parse_dtype};
pub use generate::{Sampling, Writing, generate};
pub use head::Head;
pub use large_pages::LargePages;
pub use memory::{BlockMemory, Load};
pub use overlay::{BaseLayer, Kept, Merged, Overlay, Slot};
pub use random::{dropout_mask, normal, uniform};
pub use spartui_facts::family::HeadKind;
pub use tape::{Recorded, RecordedLeaf, Tap, Tape};
pub use task::task_of;
pub use unread::{Remark, listed};
pub use weights::{Weights, dtype_name};
pub use whole::{AddedRows, Model, NewToken, Open, Parameter, Pass, Site, Stage};

use spartui_facts::error::{Error, Result};

/// Conversion of libtorch's errors into [`Error`].
pub trait OrFailed<T> {
    /// The result with an error of one sentence.
    ///
    /// # Errors
    /// [`Error::Failed`] with the first line of what libtorch says.
    fn or_failed(self) -> Result<T>;
}

impl<T> OrFailed<T> for std::result::Result<T, tch::TchError> {
    fn or_failed(self) -> Result<T> {
        self.map_err(|error| Error::failed(format!("libtorch: {}", first_line(&error.to_string()))))
    }
}

/// Runs a computation with libtorch and turns a panic inside into an error of one sentence.
///
/// # Errors
/// Those of `work`, and [`Error::Failed`] for a panic.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "unknown cause".into());
        Err(Error::failed(format!("the computation failed: {}", first_line(&text))))
    })
}

/// The first line of libtorch's message, without Rust's wrapping and without the C++ backtrace.
fn first_line(text: &str) -> String {
    let inner = text.split("Torch(\"").nth(1).unwrap_or(text);
    let line = inner.split("\\n").next().unwrap_or(inner).lines().next().unwrap_or(inner);
    line.trim().trim_end_matches("\")").to_owned()
}
