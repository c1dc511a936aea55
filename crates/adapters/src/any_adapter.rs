//! Adapters of every format: which one a folder holds, and what all of them say of themselves.

use std::path::{Path, PathBuf};

use super::adapter::Adapter;
use super::adapter_reading::adapter_contents;
use super::lora::{LoraAdapter, is_lora};
use super::own_adapter::{OwnAdapter, is_own};
use spartui_facts::error::Result;
use spartui_method::Shape;

/// An adapter, in whatever format.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyAdapter {
    /// In that of peft-sparta.
    Sparse(Adapter),
    /// In that of peft.
    LowRank(LoraAdapter),
    /// In the method's own.
    Own(OwnAdapter),
}

/// What every adapter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// Labels in the order of the logits; none where it does not tell them.
    pub labels: Vec<String>,
    /// Whether it has a classification head.
    pub classifies: bool,
}

/// The format of the adapter in a folder, by the files that are there; that of peft-sparta where no other is seen.
#[must_use]
pub fn adapter_shape(folder: &Path) -> Shape {
    if is_lora(folder) {
        Shape::LowRank
    } else if is_own(folder) {
        Shape::Own
    } else {
        Shape::Sparse
    }
}

/// What the adapter in a folder says of itself.
///
/// # Errors
/// Refuses a folder that is no adapter.
pub fn about_adapter(folder: &Path) -> Result<About> {
    Ok(match adapter_shape(folder) {
        Shape::LowRank => {
            let LoraAdapter { base, labels, head, .. } = LoraAdapter::read(folder)?;
            About { base, labels, classifies: !head.is_empty() }
        }
        Shape::Own => {
            let OwnAdapter { base, labels, head, .. } = OwnAdapter::read(folder)?;
            About { base, labels, classifies: !head.is_empty() }
        }
        Shape::Sparse | Shape::Whole => {
            let contents = adapter_contents(folder)?;
            About { classifies: !contents.labels.is_empty(), base: contents.base, labels: contents.labels }
        }
    })
}

impl AnyAdapter {
    /// Reads an adapter of this shape, for a model with these parameters.
    ///
    /// # Errors
    /// Refuses a folder that is no such adapter, is damaged, or was made for another model.
    pub fn read(
        folder: &Path,
        shape: Shape,
        parameters: impl FnOnce() -> Result<Vec<(String, Vec<usize>)>>,
    ) -> Result<Self> {
        Ok(match shape {
            Shape::LowRank => Self::LowRank(LoraAdapter::read(folder)?),
            Shape::Own => Self::Own(OwnAdapter::read(folder)?),
            Shape::Sparse | Shape::Whole => Self::Sparse(Adapter::read(folder, &parameters()?)?),
        })
    }

    /// Writes the adapter's folder, in the place of an earlier adapter if there is one, with the tokenizer's files beside it.
    /// `modules` names the weights of all the model's layers. Gives the size of the folder.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that holds
    /// anything else. An earlier adapter is still there then.
    pub fn write(&self, folder: &Path, modules: &[&str], tokenizer_folder: Option<&Path>) -> Result<u64> {
        match self {
            Self::Sparse(adapter) => adapter.write(folder, tokenizer_folder),
            Self::LowRank(adapter) => adapter.write(folder, modules, tokenizer_folder),
            Self::Own(adapter) => adapter.write(folder, tokenizer_folder),
        }
    }
}
