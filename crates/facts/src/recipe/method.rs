//! The table `[method]`, with its defaults.

mod kinds;
mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fields::{ANY, Field, Kind, field, joined, live};
pub use kinds::MethodKind;
pub use tables::*;

/// The fields of the table `[method]`, in the order of the documents. Fields of a single kind of method come last, in a
/// table with the name of that kind.
pub(super) const FIELDS: &[Field] = &joined::<{ SHARED.len() + tables::FIELDS.len() }>(&[SHARED, tables::FIELDS]);

#[rustfmt::skip]
const SHARED: &[Field] = &[
    field("method.kind", Kind::Choice(&MethodKind::NAMES), "fine-tuning method; sparta: a sparse set of scalars; lora: a low-rank product added to each weight; full: every parameter; head: the classification head alone; the others: see docs/methods.md"),
    live("method.sparsity", Kind::Number(0.0, 1.0), "share of all parameters that stay frozen"),
    live("method.trainable", Kind::Integer(0, ANY), "parameters that train, the head among them, instead of method.sparsity, which follows from it; 0: as many as method.sparsity leaves"),
    field("method.match", Kind::Text, "another run, by name or folder, or a lane as RACE/lane-2, whose number of trainable parameters is used; the launch writes that number to method.trainable"),
    field("method.targets", Kind::Words, "groups of weights to adapt; all-linear: all linear layers of the blocks; for sparta also bias, norm, embeddings, lm_head, and all"),
    live("method.density", Kind::NumberByName(0.0, 1.0), "share of a group's scalars that train, for groups that do not share the rest evenly"),
    live("method.on_shrink", Kind::Choice(&["retire", "revert"]), "scalars that stop training after a change keep their delta (retire) or lose it (revert)"),
    field("method.rounding", Kind::Choice(&["nearest", "stochastic"]), "how weight plus delta is rounded to the data type of the weights"),
    field("method.rank", Kind::Integer(1, 1 << 16), "lora: rank of the product added to each weight"),
    field("method.alpha", Kind::Number(0.0, 1e6), "lora: scale of the product, divided by the rank (rslora: by its square root)"),
    field("method.dropout", Kind::Number(0.0, 0.9), "lora: dropout of a layer's input to the product, in training"),
    field("method.variant", Kind::Choice(&["plain", "rslora", "dora"]), "lora: rslora divides alpha by the square root of the rank; dora trains the magnitude of each row of a weight separately"),
    field("method.adapter", Kind::Path, "lora: folder of an adapter in PEFT's format to start from, with the same rank, alpha, variant and targets; empty: none"),
    field("method.seed", Kind::Integer(0, ANY), "seed of the selection, of the initialization and dropout of lora, and of the head"),
    field("method.selection", Kind::Choice(&["random", "smallest", "largest", "gradient", "dynamic"]), "which scalars of a target train; random: any; smallest, largest: those with the smallest or largest weights; gradient: those with the largest gradients on the first batches; dynamic: random ones, which better ones replace during training"),
    field("method.gradient_batches", Kind::Integer(1, 100_000), "for selection gradient: number of batches whose gradients are summed before the first step"),
    field("method.regrow_every", Kind::Integer(1, ANY), "for selection dynamic: steps between two replacements of scalars"),
    field("method.regrow_share", Kind::Number(0.0, 1.0), "for selection dynamic: share of the scalars, those with the smallest deltas, that the first replacement drops; it falls to 0 along half a cosine by the last step"),
    field("method.on_drop", Kind::Choice(&["revert", "retire"]), "for selection dynamic: scalars that are dropped lose their delta (revert) or keep it (retire)"),
];

/// The table `[method]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is documented in the table of fields")]
pub struct Method {
    pub kind: MethodKind,
    pub sparsity: f64,
    pub trainable: u64,
    #[serde(rename = "match")]
    pub match_run: String,
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
    pub sparta: Sparta,
    pub melora: Melora,
    pub lorta: Lorta,
    pub ether: Ether,
    pub ether_plus: EtherPlus,
    pub loretta: Loretta,
    pub finegates: FineGates,
    pub adamix: AdaMix,
    pub ia3: Ia3,
    pub vera: Vera,
    pub id3: Id3,
    pub dst: Dst,
    pub sara: Sara,
}

impl Method {
    /// Whether a field of this table, given without the table's name, has an effect with the other settings.
    #[must_use]
    pub fn uses_field(&self, field: &str) -> bool {
        let own_table = field.split_once('.').map(|(table, _)| table).filter(|table| MethodKind::NAMES.contains(table));
        match own_table {
            Some(table) => table == self.kind.name(),
            None => ["kind", "seed"].contains(&field) || (self.kind.facts().uses)(self, field),
        }
    }

    /// A summary of the settings: a heading, and a few words.
    #[must_use]
    pub fn summary(&self) -> (&'static str, String) {
        (self.kind.facts().summary)(self)
    }
}

/// Which scalars train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Random scalars, drawn with the seed.
    Random,
    /// The scalars with the smallest weights.
    Smallest,
    /// The scalars with the largest weights.
    Largest,
    /// The scalars with the largest gradients on the first batches.
    Gradient,
    /// Random scalars at first, some of which are regularly replaced by others.
    Dynamic,
}

impl Selection {
    /// Its name in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Smallest => "smallest",
            Self::Largest => "largest",
            Self::Gradient => "gradient",
            Self::Dynamic => "dynamic",
        }
    }
}

/// How a low-rank product is scaled, and whether the magnitudes of the weight's rows train separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Scaled by alpha over the rank.
    Plain,
    /// Scaled by alpha over the square root of the rank.
    Rslora,
    /// Scaled by alpha over the rank; the magnitude of each row of the weight trains separately from its direction.
    Dora,
}

/// What happens to the delta of a scalar that stops training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShrink {
    /// The delta stays.
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
            match_run: String::new(),
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
            sparta: Sparta::default(),
            melora: Melora::default(),
            lorta: Lorta::default(),
            ether: Ether::default(),
            ether_plus: EtherPlus::default(),
            loretta: Loretta::default(),
            finegates: FineGates::default(),
            adamix: AdaMix::default(),
            ia3: Ia3::default(),
            vera: Vera::default(),
            id3: Id3::default(),
            dst: Dst::default(),
            sara: Sara::default(),
        }
    }
}
