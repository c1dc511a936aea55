//! spartui: fine-tune a language model in the terminal and steer it while it trains.
//!
//! Each part is a crate of its own below `crates/`; a crate imports only from those below it:
//!
//! | layer | crates |
//! |---|---|
//! | what the user types | [`command_line`], in this package |
//! | the training thread; the screens | [`engine`]; [`interface`] |
//! | a training session | [`train`] |
//! | adapters and models as files | [`adapters`] |
//! | adapting a model; runs beside each other | [`method`]; [`compare`] |
//! | models; what the project exists for; the run folder | [`model`]; [`sparse`]; [`run`] |
//! | rows; models by name; CUDA | [`data`]; [`hub`]; [`cuda`] |
//! | plain facts: recipes, messages between engine and interface, curves | `facts`: [`error`], [`family`], [`permutation`], [`protocol`], [`quote`], [`random`], [`recipe`], [`series`] |
//!
//! `data`, `hub`, `run`, `compare`, `interface` and `facts` know no tensor and are built and tested without libtorch.

pub mod command_line;
pub mod libtorch;

pub use spartui_adapters as adapters;
pub use spartui_compare as compare;
pub use spartui_cuda as cuda;
pub use spartui_data as data;
pub use spartui_engine as engine;
pub use spartui_facts::{error, family, permutation, protocol, quote, random, recipe, series};
pub use spartui_hub as hub;
pub use spartui_interface as interface;
pub use spartui_method as method;
pub use spartui_model as model;
pub use spartui_run as run;
pub use spartui_sparse as sparse;
pub use spartui_train as train;
