//! The table `[method]`, with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fields::{ANY, Field, Kind, field, live};
use super::rate::{Law, of_product};

/// The fields of the table `[method]`, in the order of the documents. Those of one kind alone stand behind the others, in a
/// table of its name.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    field("method.kind", Kind::Choice(&MethodKind::NAMES), "how the model is adapted; lora: a product of low rank on top of each weight; full: every parameter; head: the classification head alone"),
    live("method.sparsity", Kind::Number(0.0, 1.0), "share of all parameters that stay frozen"),
    live("method.trainable", Kind::Integer(0, ANY), "parameters that train, the head among them, in place of method.sparsity, which follows; 0: as many as that leaves"),
    field("method.match", Kind::Text, "a run, by name or folder, or a lane as RACE/lane-2: as many parameters train as train there; method.trainable holds their number from the launch on"),
    field("method.targets", Kind::Words, "groups to adapt; all-linear: every one"),
    live("method.density", Kind::NumberByName(0.0, 1.0), "share of a group's scalars that train, for groups that shall not share the rest evenly"),
    live("method.on_shrink", Kind::Choice(&["retire", "revert"]), "scalars that leave keep their delta (retire) or lose it (revert)"),
    field("method.rounding", Kind::Choice(&["nearest", "stochastic"]), "how weight plus delta is cast to the type of the weights"),
    field("method.rank", Kind::Integer(1, 1 << 16), "lora: rank of what is put on top of each weight"),
    field("method.alpha", Kind::Number(0.0, 1e6), "lora: scales the product, divided by the rank (rslora: by its root)"),
    field("method.dropout", Kind::Number(0.0, 0.9), "lora: share of a layer's input that is dropped before the product in training"),
    field("method.variant", Kind::Choice(&["plain", "rslora", "dora"]), "lora: rslora divides alpha by the rank's root; dora trains the length of each row of a weight apart"),
    field("method.adapter", Kind::Path, "lora: folder of an adapter in peft's format to start from, of the same rank, alpha, variant and targets; empty: none"),
    field("method.seed", Kind::Integer(0, ANY), "seed of the selection, of lora's start and dropout, and of the head"),
    field("method.selection", Kind::Choice(&["random", "smallest", "largest", "gradient", "dynamic"]), "which scalars of a target train: any, those with the smallest or largest weights, those with the largest gradients on the first batches, or any at first and better ones by and by"),
    field("method.gradient_batches", Kind::Integer(1, 100_000), "for selection gradient: the first batches whose gradients are added up, before the first step"),
    field("method.regrow_every", Kind::Integer(1, ANY), "for selection dynamic: steps after which scalars are dropped for others"),
    field("method.regrow_share", Kind::Number(0.0, 1.0), "for selection dynamic: share of the scalars, those with the smallest deltas, that are dropped at first; it falls to 0 along half a cosine by the last step"),
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
        let own_table = field.split_once('.').map(|(table, _)| table).filter(|table| MethodKind::NAMES.contains(table));
        match own_table {
            Some(table) => table == self.kind.name(),
            None => field == "kind" || (self.kind.facts().uses)(self, field),
        }
    }

    /// What a run with these settings is, in a few words behind a heading.
    #[must_use]
    pub fn summary(&self) -> (&'static str, String) {
        (self.kind.facts().summary)(self)
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

/// What a recipe knows of a kind: a row for each, and nothing else in this floor of the house tells kinds apart.
pub(super) struct Facts {
    kind: MethodKind,
    name: &'static str,
    /// Whether a field that several kinds share means anything beside the others.
    uses: fn(&Method, &str) -> bool,
    /// What a run is, in a few words behind a heading.
    summary: fn(&Method) -> (&'static str, String),
    /// What a remark on the learning rate calls it.
    pub called: fn(&Method) -> &'static str,
    /// The learning rate that goes with it.
    pub law: fn(&Method) -> Law,
    /// Whether a classification head beside it has a learning rate of its own.
    pub head_apart: bool,
}

const FACTS: [Facts; 4] = [
    Facts {
        kind: MethodKind::Sparta,
        name: "sparta",
        uses: |method, field| match field {
            "gradient_batches" => method.selection == Selection::Gradient,
            "regrow_every" | "regrow_share" | "on_drop" => method.selection == Selection::Dynamic,
            "rank" | "alpha" | "dropout" | "variant" => false,
            _ => true,
        },
        summary: |method| ("sparsity", method.sparsity.to_string()),
        called: |method| if method.selection == Selection::Random { "sparta" } else { method.selection.name() },
        law: |method| match method.selection {
            Selection::Gradient => Law { dense: 2e-5, exponent: 0.7, highest: 0.01 },
            _ => Law { dense: 1e-4, exponent: 0.8, highest: 0.05 },
        },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Lora,
        name: "lora",
        uses: |_, field| ["trainable", "targets", "rank", "alpha", "dropout", "variant"].contains(&field),
        summary: |method| match method.trainable {
            0 => ("method", format!("lora, rank {}", method.rank)),
            trainable => ("method", format!("lora, with the rank nearest to {trainable} parameters")),
        },
        called: |_| "lora",
        law: |method| Law { dense: 1e-4 * of_product(method).powf(-0.4), exponent: 0.5, highest: 0.02 },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Full,
        name: "full",
        uses: |_, _| false,
        summary: |_| ("method", "full".into()),
        called: |_| "full fine-tuning",
        law: |_| Law { dense: 2e-4, exponent: 0.0, highest: 2e-4 },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Head,
        name: "head",
        uses: |_, _| false,
        summary: |_| ("method", "head".into()),
        called: |_| "the head alone",
        law: |_| Law { dense: 0.1, exponent: 0.0, highest: 0.1 },
        head_apart: false,
    },
];

impl MethodKind {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; FACTS.len()] = {
        let (mut all, mut at) = ([Self::Sparta; FACTS.len()], 0);
        while at < all.len() {
            all[at] = FACTS[at].kind;
            at += 1;
        }
        all
    };

    /// Their names in a recipe.
    pub const NAMES: [&str; FACTS.len()] = {
        let (mut names, mut at) = ([""; FACTS.len()], 0);
        while at < names.len() {
            names[at] = FACTS[at].name;
            at += 1;
        }
        names
    };

    /// Its name in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    pub(super) fn facts(self) -> &'static Facts {
        static TABLE: [Facts; FACTS.len()] = FACTS;
        &TABLE[self as usize]
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_in_its_place_and_its_name() {
        let why = serde_json::from_value::<MethodKind>("none of them".into()).unwrap_err().to_string();
        // As serde lists them: `sparta`, `lora`, …
        let variants: Vec<&str> = why.split('`').skip(3).step_by(2).collect();
        assert_eq!(variants, MethodKind::NAMES);
        for (at, kind) in MethodKind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, kind.facts().kind), (at, kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn a_table_of_one_kind_means_nothing_to_another() {
        for kind in MethodKind::ALL {
            let method = Method { kind, ..Method::default() };
            for other in MethodKind::NAMES {
                assert_eq!(method.has_use_for(&format!("{other}.anything")), other == kind.name());
            }
            assert!(method.has_use_for("kind"));
        }
    }
}
