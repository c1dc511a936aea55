//! spartui: fine-tune a language model in the terminal and steer it while it trains.
//!
//! The layers, from the top; imports run down and never up, in the order in which the modules are declared below:
//!
//! | layer | modules |
//! |---|---|
//! | what the user types | [`command_line`] |
//! | the training thread | [`engine`] |
//! | the screen; a training session | [`interface`], [`train`] |
//! | runs beside each other; the run folder | [`compare`], [`run`] |
//! | adapting a model; models by name | [`method`], [`hub`] |
//! | rows, models, the language between engine and interface, curves, what the project exists for | [`data`], [`model`], [`protocol`], [`series`], [`sparse`] |
//! | what a run is asked to be | [`recipe`] |
//! | plain facts and the machine | [`allocator`], [`cuda`], [`error`], [`family`], [`libtorch`], [`permutation`] |

// From the top: what stands in one paragraph imports only from the paragraphs below it. A test reads this order.

pub mod command_line;

pub mod engine;

pub mod interface;
pub mod train;

pub mod compare;

pub mod run;

pub mod hub;
pub mod method;

pub mod data;
pub mod model;
pub mod protocol;
pub mod series;
pub mod sparse;

pub mod recipe;

pub mod allocator;
pub mod cuda;
pub mod error;
pub mod family;
pub mod libtorch;
pub mod permutation;
