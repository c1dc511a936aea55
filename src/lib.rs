//! spartui: fine-tune a language model in the terminal and steer it while it trains.
//!
//! The floors of the house, from the top down; imports run down and never up:
//!
//! | floor | modules |
//! |---|---|
//! | what the user types | [`command_line`] |
//! | the training thread | [`engine`] |
//! | a training session; the screen; runs beside each other; the run folder | [`train`], [`interface`], [`compare`], [`run`] |
//! | adapting a model; reading data; the language between engine and interface | [`method`], [`data`], [`hub`], [`protocol`] |
//! | what the project exists for, and plain facts | [`sparse`], [`model`], [`series`], [`recipe`], [`permutation`], [`error`], [`cuda`], [`allocator`] |

pub mod allocator;
pub mod command_line;
pub mod compare;
pub mod cuda;
pub mod data;
pub mod engine;
pub mod error;
pub mod hub;
pub mod interface;
pub mod libtorch;
pub mod method;
pub mod model;
pub mod permutation;
pub mod protocol;
pub mod recipe;
pub mod run;
pub mod series;
pub mod sparse;
pub mod train;
