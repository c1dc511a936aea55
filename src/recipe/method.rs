//! The table `[method]`, with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The table `[method]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Method {
    pub kind: MethodKind,
    pub sparsity: f64,
    pub trainable: u64,
    #[serde(rename = "match")]
    pub same_as: String,
    pub targets: Vec<String>,
    pub density: BTreeMap<String, f64>,
    pub on_shrink: OnShrink,
    pub rounding: Rounding,
    pub rank: usize,
    pub alpha: f64,
    pub dropout: f64,
    pub variant: Variant,
    pub adapter: PathBuf,
    pub seed: u64,
    pub selection: Selection,
    pub gradient_batches: usize,
    pub regrow_every: u64,
    pub regrow_share: f64,
    pub on_drop: OnShrink,
}

impl Method {
    /// Whether a field of this table, without the table's name, means anything beside the others.
    #[must_use]
    pub fn has_use_for(&self, field: &str) -> bool {
        let of_lora = ["rank", "alpha", "dropout", "variant"].contains(&field);
        match (self.kind, field) {
            (_, "kind") => true,
            (MethodKind::Full | MethodKind::Head, _) => false,
            (_, "trainable" | "targets") => true,
            (MethodKind::Lora, _) => of_lora,
            (MethodKind::Sparta, "gradient_batches") => self.selection == Selection::Gradient,
            (MethodKind::Sparta, "regrow_every" | "regrow_share" | "on_drop") => self.selection == Selection::Dynamic,
            (MethodKind::Sparta, _) => !of_lora,
        }
    }
}

/// Which scalars train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Any, drawn with the seed.
    Random,
    /// Those with the smallest weights.
    Smallest,
    /// Those with the largest weights.
    Largest,
    /// Those with the largest gradients on the first batches.
    Gradient,
    /// At first any; then, again and again, some are dropped for others.
    Dynamic,
}

/// How the model is adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// A random set of single scalars, and the head.
    Sparta,
    /// A product of low rank on top of each weight, and the head.
    Lora,
    /// Every parameter.
    Full,
    /// The head alone.
    Head,
}

/// How a product of low rank is scaled, and whether its weight has a magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// By alpha over the rank.
    Plain,
    /// By alpha over the root of the rank.
    Rslora,
    /// By alpha over the rank; the length of each row of the weight trains apart from its direction.
    Dora,
}

/// What happens to the delta of a scalar that stops training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShrink {
    /// It stays.
    Retire,
    /// The original value is restored.
    Revert,
}

/// How `w0 + delta` is cast to the dtype of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the nearest value.
    Nearest,
    /// Up or down at random, so that the mean is exact.
    Stochastic,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            kind: MethodKind::Sparta,
            sparsity: 0.99,
            trainable: 0,
            same_as: String::new(),
            targets: vec!["v_proj".into(), "o_proj".into()],
            density: BTreeMap::new(),
            on_shrink: OnShrink::Retire,
            rounding: Rounding::Nearest,
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            variant: Variant::Plain,
            adapter: PathBuf::new(),
            seed: 10605,
            selection: Selection::Random,
            gradient_batches: 1,
            regrow_every: 20,
            regrow_share: 0.2,
            on_drop: OnShrink::Revert,
        }
    }
}
