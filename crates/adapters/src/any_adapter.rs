//! Adapters of all formats: detecting the format of a folder, and reading and writing.

use std::path::{Path, PathBuf};

use super::adapter::Adapter;
use super::adapter_reading::adapter_contents;
use super::lora::{LoraAdapter, is_lora};
use super::own_adapter::{OwnAdapter, is_own};
use super::sparse_peft::PeftFormat;
use spartui_facts::error::Result;
use spartui_method::Shape;

/// An adapter of any format.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyAdapter {
    /// In the format of peft-sparta.
    Sparse(Adapter),
    /// In the format of PEFT.
    LowRank(LoraAdapter),
    /// In the method's own format.
    Own(OwnAdapter),
}

/// Properties of an adapter that all formats have.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The base model: its folder, or its name on the hub.
    pub base: PathBuf,
    /// Labels in the order of the logits; empty where the adapter does not hold them.
    pub labels: Vec<String>,
    /// Whether it has a classification head.
    pub classifies: bool,
}

/// The format of the adapter in a folder, by its files; that of peft-sparta where no other is detected.
#[must_use]
pub fn adapter_shape(folder: &Path) -> Shape {
    if PeftFormat::of(folder).is_some() {
        Shape::Sparse
    } else if is_lora(folder) {
        Shape::LowRank
    } else if is_own(folder) {
        Shape::Own
    } else {
        Shape::Sparse
    }
}

/// Reads the properties of the adapter in a folder.
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
            About { classifies: contents.classifies, base: contents.base, labels: contents.labels }
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

    /// Writes the adapter's folder with the tokenizer's files; an earlier adapter is replaced. `modules` holds the
    /// names of the weights of all the model's layers. Returns the size of the folder in bytes.
    ///
    /// # Errors
    /// Fails for a value that is not finite, and where the folder cannot be written; refuses to replace a folder that
    /// holds anything else. An earlier adapter is left unchanged then.
    pub fn write(&self, folder: &Path, modules: &[&str], tokenizer_folder: Option<&Path>) -> Result<u64> {
        match self {
            Self::Sparse(adapter) => adapter.write(folder, tokenizer_folder),
            Self::LowRank(adapter) => adapter.write(folder, modules, tokenizer_folder),
            Self::Own(adapter) => adapter.write(folder, tokenizer_folder),
        }
    }
}
