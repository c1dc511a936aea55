//! The kinds of methods, with the properties of each.

use serde::{Deserialize, Serialize};

use super::{AdaMixVariant, Method, Selection};
use crate::recipe::rate::{Law, OnLanguage, relative_scale};

/// How the model is adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// A random set of single scalars, and the head.
    Sparta,
    /// A low-rank product added to each weight, and the head.
    Lora,
    /// Every parameter.
    Full,
    /// The head alone.
    Head,
    /// Small low-rank products side by side on blocks of each weight (`MELoRA`, arXiv 2402.17263).
    Melora,
    /// A low-rank tensor over all layers, matrices and heads (`LoRTA`, arXiv 2410.04060).
    Lorta,
    /// Reflections of the input or output of each layer (`ETHER`, arXiv 2405.20271).
    Ether,
    /// Relaxed reflections, which start at the identity (`ETHER+`, arXiv 2405.20271).
    EtherPlus,
    /// Products whose factors are tensor trains (`LoRETTA`, arXiv 2402.11417).
    Loretta,
    /// Gates on the inputs and outputs of each layer (`FineGates`, arXiv 2412.12951).
    Finegates,
    /// A mixture of adapters with random routing (`AdaMix`, arXiv 2205.12410).
    Adamix,
    /// Scales of outputs or inputs of each layer (`(IA)3`, arXiv 2205.05638).
    Ia3,
    /// Scales between random products that do not train (`VeRA`, arXiv 2310.11454).
    Vera,
    /// Every bias (`BitFit`, arXiv 2106.10199).
    Bitfit,
    /// Every norm (arXiv 2312.11420).
    LnTuning,
    /// More scalars at each step, those with the best scores (`ID3`, arXiv 2408.14470).
    Id3,
    /// The scalars that are farthest from their values before training (Dynamic Subset Tuning, arXiv 2411.08610).
    Dst,
    /// The scalars with small weights (`SaRA`, arXiv 2409.06633).
    Sara,
}

/// The properties of a kind of method: one row for each kind. No other code of this crate distinguishes kinds.
pub(in crate::recipe) struct Facts {
    kind: MethodKind,
    name: &'static str,
    /// Whether a field that several kinds share has an effect with the other settings.
    pub uses: fn(&Method, &str) -> bool,
    /// A summary of the settings: a heading, and a few words.
    pub summary: fn(&Method) -> (&'static str, String),
    /// The name of the method in a remark on the learning rate.
    pub called: fn(&Method) -> &'static str,
    /// The rule of its learning rate.
    pub law: fn(&Method) -> Law,
    /// Whether the classification head has a learning rate of its own.
    pub head_apart: bool,
}

const FACTS: [Facts; 18] = [
    Facts {
        kind: MethodKind::Sparta,
        name: "sparta",
        uses: |method, field| match field {
            "gradient_batches" => method.selection == Selection::Gradient,
            "regrow_every" | "regrow_share" | "on_drop" => method.selection == Selection::Dynamic,
            "rank" | "alpha" | "dropout" | "variant" | "adapter" => false,
            _ => true,
        },
        summary: |method| ("sparsity", method.sparsity.to_string()),
        called: |method| if method.selection == Selection::Random { "sparta" } else { method.selection.name() },
        law: |method| match method.selection {
            Selection::Gradient => Law {
                dense: 2e-5,
                exponent: 0.7,
                highest: 0.01,
                on_language: Some(OnLanguage { dense: 5e-4, highest: 0.05, rises: false }),
            },
            _ => Law {
                dense: 1e-4,
                exponent: 0.8,
                highest: 0.05,
                on_language: Some(OnLanguage { dense: 3e-3, highest: 0.25, rises: false }),
            },
        },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Lora,
        name: "lora",
        uses: |_, field| {
            ["trainable", "match", "targets", "rank", "alpha", "dropout", "variant", "adapter"].contains(&field)
        },
        summary: |method| match method.trainable {
            0 => ("method", format!("lora, rank {}", method.rank)),
            trainable => ("method", format!("lora, with the rank nearest to {trainable} parameters")),
        },
        called: |_| "lora",
        law: |method| {
            let scale = relative_scale(method).powf(-0.4);
            let on_language = Some(OnLanguage { dense: 2.3e-3 * scale, highest: 0.05, rises: false });
            Law { dense: 1e-4 * scale, exponent: 0.5, highest: 0.02, on_language }
        },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Full,
        name: "full",
        uses: |_, _| false,
        summary: |_| ("method", "full".into()),
        called: |_| "full fine-tuning",
        law: |_| Law {
            dense: 2e-4,
            exponent: 0.0,
            highest: 2e-4,
            on_language: Some(OnLanguage { dense: 4e-3, highest: 0.02, rises: true }),
        },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Head,
        name: "head",
        uses: |_, _| false,
        summary: |_| ("method", "head".into()),
        called: |_| "the head alone",
        law: |_| Law::flat(0.1),
        head_apart: false,
    },
    Facts {
        kind: MethodKind::Melora,
        name: "melora",
        uses: |_, field| ["trainable", "match", "targets"].contains(&field),
        summary: |method| {
            (
                "method",
                match method.trainable {
                    0 => format!("melora, {} blocks of rank {}", method.melora.blocks, method.melora.rank),
                    trainable => format!("melora, with the rank nearest to {trainable} parameters"),
                },
            )
        },
        called: |_| "melora",
        law: |_| Law::searched(7e-3, 0.04),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Lorta,
        name: "lorta",
        uses: |_, field| ["trainable", "match", "targets"].contains(&field),
        summary: |method| {
            (
                "method",
                match method.trainable {
                    0 => format!("lorta, rank {}", method.lorta.rank),
                    trainable => format!("lorta, with the rank nearest to {trainable} parameters"),
                },
            )
        },
        called: |_| "lorta",
        law: |_| Law::searched(0.03, 0.12),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Ether,
        name: "ether",
        uses: |_, field| field == "targets",
        summary: |method| ("method", format!("ether, {} blocks", method.ether.blocks)),
        called: |_| "ether",
        law: |_| Law::searched(0.2, 0.2),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::EtherPlus,
        name: "ether_plus",
        uses: |_, field| field == "targets",
        summary: |method| ("method", format!("ether_plus, {} blocks", method.ether_plus.blocks)),
        called: |_| "ether_plus",
        law: |_| Law::searched(0.03, 0.5),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Loretta,
        name: "loretta",
        uses: |_, field| ["trainable", "match", "targets"].contains(&field),
        summary: |method| {
            (
                "method",
                match method.trainable {
                    0 => {
                        format!("loretta {}, tensor rank {}", method.loretta.variant.name(), method.loretta.tensor_rank)
                    }
                    trainable => format!("loretta, with the tensor rank nearest to {trainable} parameters"),
                },
            )
        },
        called: |_| "loretta",
        law: |_| Law::searched(3e-3, 0.03),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Finegates,
        name: "finegates",
        uses: |_, field| field == "targets",
        summary: |_| ("method", "finegates".into()),
        called: |_| "finegates",
        law: |_| Law::searched(8e-3, 0.6),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Adamix,
        name: "adamix",
        uses: |_, field| ["trainable", "match", "targets"].contains(&field),
        summary: |method| {
            (
                "method",
                match method.trainable {
                    0 => format!("adamix, {} experts", method.adamix.experts),
                    trainable => format!("adamix, with the width nearest to {trainable} parameters"),
                },
            )
        },
        called: |_| "adamix",
        law: |method| match method.adamix.variant {
            AdaMixVariant::Adapter => Law::searched(4e-3, 0.08),
            AdaMixVariant::Lora => Law::searched(1e-3, 8e-3),
        },
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Ia3,
        name: "ia3",
        uses: |_, field| field == "targets",
        summary: |_| ("method", "ia3".into()),
        called: |_| "ia3",
        law: |_| Law::searched(0.03, 1.0),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Vera,
        name: "vera",
        uses: |_, field| ["trainable", "match", "targets"].contains(&field),
        summary: |method| {
            (
                "method",
                match method.trainable {
                    0 => format!("vera, rank {}", method.vera.rank),
                    trainable => format!("vera, with the rank nearest to {trainable} parameters"),
                },
            )
        },
        called: |_| "vera",
        law: |_| Law::searched(0.04, 0.3),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Bitfit,
        name: "bitfit",
        uses: |_, _| false,
        summary: |_| ("method", "bitfit".into()),
        called: |_| "bitfit",
        law: |_| Law::searched(3e-3, 0.1),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::LnTuning,
        name: "ln_tuning",
        uses: |_, _| false,
        summary: |_| ("method", "ln_tuning".into()),
        called: |_| "ln_tuning",
        law: |_| Law::searched(3e-3, 0.12),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Id3,
        name: "id3",
        uses: |_, field| ["sparsity", "trainable", "match", "targets", "density"].contains(&field),
        summary: |method| ("sparsity", method.sparsity.to_string()),
        called: |_| "id3",
        law: |_| Law::searched(3e-3, 0.1),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Dst,
        name: "dst",
        uses: |_, field| ["sparsity", "trainable", "match", "targets", "density"].contains(&field),
        summary: |method| ("sparsity", method.sparsity.to_string()),
        called: |_| "dst",
        law: |_| Law::searched(0.01, 0.3),
        head_apart: true,
    },
    Facts {
        kind: MethodKind::Sara,
        name: "sara",
        uses: |method, field| match field {
            "sparsity" | "trainable" | "match" => method.sara.threshold <= 0.0,
            _ => field == "targets",
        },
        summary: |method| match method.sara.threshold {
            threshold if threshold > 0.0 => ("method", format!("sara, weights below {threshold}")),
            _ => ("sparsity", method.sparsity.to_string()),
        },
        called: |_| "sara",
        law: |_| Law::searched(0.02, 0.5),
        head_apart: true,
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

    pub(in crate::recipe) fn facts(self) -> &'static Facts {
        static TABLE: [Facts; FACTS.len()] = FACTS;
        &TABLE[self as usize]
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
                assert_eq!(method.uses_field(&format!("{other}.anything")), other == kind.name());
            }
            assert!(method.uses_field("kind"));
        }
    }
}
