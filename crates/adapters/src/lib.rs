//! Reading and writing adapters and complete models, in formats that other programs use.

mod adapter;
mod adapter_config;
mod adapter_reading;
mod any_adapter;
mod keyed;
mod lora;
mod merged;
mod new_tokens;
mod own_adapter;
mod sparse_peft;

pub use adapter::{Adapter, HeadDelta, HeadPart, ParameterDelta, head_parts};
pub use adapter_reading::{Contents, adapter_contents};
pub use any_adapter::{About, AnyAdapter, about_adapter, adapter_shape};
pub use keyed::Keyed;
pub use lora::{LoraAdapter, LoraSettings, Saved, Targets, is_lora};
pub use merged::{BaseFiles, Change, Product, trained_config, untie, write_merged, write_model};
pub use new_tokens::{NewRows, NewTokens};
pub use own_adapter::OwnAdapter;
pub use sparse_peft::PeftFormat;
