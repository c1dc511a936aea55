//! The tables of single kinds of methods, each with its defaults: those of the method's paper.

use serde::{Deserialize, Serialize};

use super::super::fields::{ANY, Field, Kind, field, live};

/// The fields of these tables, in the order of the documents.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    field("method.sparta.dropout", Kind::Number(0.0, 0.9), "sparta: dropout of the deltas, anew in each forward pass of training"),
    field("method.sparta.frozen_modules", Kind::Words, "sparta: parameters of the targets with one of these in their names stay frozen"),
    field("method.sparta.trainable_tokens", Kind::Words, "sparta: tokens, or their numbers, whose rows train in full, within the budget"),
    field("method.sparta.train_new_tokens", Kind::Flag, "sparta: whether the rows of model.new_tokens train in full"),
    field("method.melora.rank", Kind::Integer(1, 1 << 16), "melora: rank of the product on each block"),
    field("method.melora.blocks", Kind::Integer(1, 1 << 16), "melora: number of blocks, which divides the inputs and the outputs of each target"),
    field("method.melora.alpha", Kind::Number(0.0, 1e6), "melora: scale of the products, divided by the rank"),
    field("method.melora.dropout", Kind::Number(0.0, 0.9), "melora: dropout of a layer's input to the products, in training"),
    field("method.lorta.rank", Kind::Integer(1, 1 << 16), "lorta: rank of the tensor"),
    field("method.lorta.alpha", Kind::Number(0.0, 1e6), "lorta: scale of the tensor, divided by the rank"),
    field("method.lorta.dropout", Kind::Number(0.0, 0.9), "lorta: dropout of a layer's input to the tensor, in training"),
    field("method.lorta.orientation", Kind::Choice(&["input", "output"]), "lorta: side of a weight that the heads divide"),
    field("method.ether.blocks", Kind::Integer(1, 1 << 16), "ether: number of blocks, each with a reflection of its own; it divides the reflected widths"),
    field("method.ether.side", Kind::Choice(&["in", "out", "both"]), "ether: what is reflected, the input of a layer, its output without bias, or both"),
    field("method.ether_plus.blocks", Kind::Integer(1, 1 << 16), "ether_plus: number of blocks, each with a transformation of its own; it divides the transformed widths"),
    field("method.ether_plus.side", Kind::Choice(&["in", "out", "both"]), "ether_plus: what is transformed, the input of a layer, its output without bias, or both"),
    field("method.loretta.variant", Kind::Choice(&["rep", "adp"]), "loretta: rep: a low-rank product whose factors are tensor trains; adp: an adapter of two tensor trains after the layer, which cannot be merged"),
    field("method.loretta.rank", Kind::Integer(1, 1 << 16), "loretta rep: rank of the product"),
    field("method.loretta.tensor_rank", Kind::Integer(1, 1 << 12), "loretta: rank between the cores of a tensor train"),
    field("method.loretta.alpha", Kind::Number(0.0, 1e6), "loretta rep: scale of the product, divided by the rank"),
    field("method.loretta.dropout", Kind::Number(0.0, 0.9), "loretta rep: dropout of a layer's input to the product, in training"),
    field("method.loretta.bottleneck", Kind::Integer(1, 1 << 16), "loretta adp: width of the adapter"),
    field("method.loretta.start", Kind::Choice(&["identity", "paper"]), "loretta rep: identity: the product that was drawn is subtracted, so that training starts from the base model; paper: it is not"),
    live("method.finegates.target", Kind::Number(0.0, 1.0), "finegates: share of the gates that the penalty drives to close; 0: no penalty"),
    live("method.finegates.strength", Kind::Number(0.0, 1e6), "finegates: factor of the penalty"),
    live("method.finegates.start", Kind::Integer(0, ANY), "finegates: step from which the penalty applies"),
    field("method.finegates.noise", Kind::Number(0.0, 10.0), "finegates: standard deviation of the noise on the gates, in training"),
    field("method.adamix.variant", Kind::Choice(&["adapter", "lora"]), "adamix: adapter: bottlenecks after the layer, which cannot be merged; lora: low-rank products on the layer"),
    field("method.adamix.experts", Kind::Integer(1, 4096), "adamix: number of experts, one of which is drawn for each layer and pass"),
    field("method.adamix.bottleneck", Kind::Integer(1, 1 << 16), "adamix adapter: width of an expert"),
    field("method.adamix.rank", Kind::Integer(1, 1 << 16), "adamix lora: rank of the products"),
    field("method.adamix.alpha", Kind::Number(0.0, 1e6), "adamix lora: scale of the products, divided by the rank"),
    live("method.adamix.consistency", Kind::Number(0.0, 1e6), "adamix: weight of the divergence between two passes with different experts"),
    field("method.ia3.inputs", Kind::Words, "ia3: targets whose inputs are scaled; the outputs of the others are"),
    field("method.vera.rank", Kind::Integer(1, 1 << 16), "vera: rank of the random product"),
    field("method.vera.start", Kind::Number(-1e3, 1e3), "vera: value of the scales between the two random factors before training"),
    field("method.id3.epsilon", Kind::Number(0.0, 1e6), "id3: added to the size of a weight in its score |gradient| / (|weight| + epsilon)^exponent"),
    field("method.id3.exponent", Kind::Number(0.0, 100.0), "id3: exponent of the score; 0: by the gradient alone"),
    field("method.dst.distance", Kind::Choice(&["absolute", "relative"]), "dst: distance from the value before training; relative: divided by its size plus method.dst.floor"),
    field("method.dst.floor", Kind::Positive(1e6), "dst: what is added to the size of a weight for a relative distance"),
    field("method.sara.threshold", Kind::Number(0.0, 1e6), "sara: weights smaller than this train; 0: the smallest ones, as many as method.sparsity or method.trainable says"),
    field("method.sara.progressive", Kind::Flag, "sara: after half of the steps, weights that have left the range stop training and keep their values"),
    live("method.sara.nuclear", Kind::Number(0.0, 1e6), "sara: factor of the nuclear norm of the trained part of a weight, which takes one decomposition of the weight a step; 0: none"),
    field("method.sara.nuclear_every", Kind::Integer(1, 1_000_000), "sara: steps between two decompositions, each with as many times the factor"),
];

/// A choice of words, each with its name in a recipe.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$help:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$help])* $variant),+ }

        impl $name {
            /// Its name in a recipe.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// The side of a weight that `LoRTA`'s heads divide.
    Orientation {
        /// The inputs: `x dW'`, as in PEFT's fork by the authors.
        Input = "input",
        /// The outputs.
        Output = "output",
    }
}

words! {
    /// What a reflection is applied to.
    Side {
        /// The input of a layer.
        In = "in",
        /// The output of a layer, without its bias.
        Out = "out",
        /// Both.
        Both = "both",
    }
}

impl Side {
    /// Whether inputs are transformed, and whether outputs are.
    #[must_use]
    pub fn input_and_output(self) -> [bool; 2] {
        [self != Self::Out, self != Self::In]
    }
}

words! {
    /// The form of `LoRETTA`.
    LorettaVariant {
        /// A product added to the weight.
        Rep = "rep",
        /// An adapter after the layer.
        Adp = "adp",
    }
}

words! {
    /// Where the training of `LoRETTA`'s product starts.
    LorettaStart {
        /// From the base model: the product that was drawn is subtracted.
        Identity = "identity",
        /// From the base model plus the product that was drawn.
        Paper = "paper",
    }
}

words! {
    /// The form of an `AdaMix` expert.
    AdaMixVariant {
        /// A bottleneck after the layer.
        Adapter = "adapter",
        /// A low-rank product on the layer.
        Lora = "lora",
    }
}

/// Defines a table with its defaults.
macro_rules! table {
    ($(#[$about:meta])* $name:ident { $($field:ident: $kind:ty = $value:expr),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "each field is documented in the table of fields")]
        pub struct $name { $(pub $field: $kind),+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $value),+ }
            }
        }
    };
}

table! {
    /// The table `[method.sparta]`.
    Sparta {
        dropout: f64 = 0.0,
        frozen_modules: Vec<String> = Vec::new(),
        trainable_tokens: Vec<String> = Vec::new(),
        train_new_tokens: bool = true,
    }
}

table! {
    /// The table `[method.melora]`.
    Melora { rank: usize = 8, blocks: usize = 2, alpha: f64 = 16.0, dropout: f64 = 0.0 }
}

table! {
    /// The table `[method.lorta]`.
    Lorta { rank: usize = 8, alpha: f64 = 16.0, dropout: f64 = 0.0, orientation: Orientation = Orientation::Input }
}

table! {
    /// The table `[method.ether]`.
    Ether { blocks: usize = 32, side: Side = Side::In }
}

table! {
    /// The table `[method.ether_plus]`.
    EtherPlus { blocks: usize = 32, side: Side = Side::Both }
}

table! {
    /// The table `[method.loretta]`.
    Loretta {
        variant: LorettaVariant = LorettaVariant::Rep,
        rank: usize = 8,
        tensor_rank: usize = 5,
        alpha: f64 = 16.0,
        dropout: f64 = 0.0,
        bottleneck: usize = 64,
        start: LorettaStart = LorettaStart::Identity,
    }
}

table! {
    /// The table `[method.finegates]`.
    FineGates { target: f64 = 0.4, strength: f64 = 50.0, start: u64 = 0, noise: f64 = 0.1 }
}

table! {
    /// The table `[method.adamix]`.
    AdaMix {
        variant: AdaMixVariant = AdaMixVariant::Adapter,
        experts: usize = 4,
        bottleneck: usize = 16,
        rank: usize = 4,
        alpha: f64 = 32.0,
        consistency: f64 = 1.0,
    }
}

table! {
    /// The table `[method.ia3]`.
    Ia3 { inputs: Vec<String> = vec!["down_proj".into()] }
}

table! {
    /// The table `[method.vera]`.
    Vera { rank: usize = 256, start: f64 = 0.1 }
}

words! {
    /// A distance from the value before training.
    Distance {
        /// The size of the difference.
        Absolute = "absolute",
        /// The size of the difference, divided by that of the value.
        Relative = "relative",
    }
}

table! {
    /// The table `[method.id3]`.
    Id3 { epsilon: f64 = 1e-3, exponent: f64 = 0.0 }
}

table! {
    /// The table `[method.dst]`.
    Dst { distance: Distance = Distance::Absolute, floor: f64 = 1e-3 }
}

table! {
    /// The table `[method.sara]`.
    Sara { threshold: f64 = 0.0, progressive: bool = true, nuclear: f64 = 0.0, nuclear_every: u64 = 1 }
}
