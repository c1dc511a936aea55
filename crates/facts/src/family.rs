//! The families of models: the properties that distinguish them, as plain values.
//!
//! A family is one value of [`Family`], and [`FAMILIES`] lists them. The forward pass, the adapters and the launcher
//! read the values; no code asks which family it is.

mod table;

use std::borrow::Cow;

pub use table::FAMILIES;

/// One family, as `model_type` of config.json names it.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// `model_type`.
    pub name: &'static str,
    /// Names of public checkpoints, for the documents.
    pub checkpoints: &'static [&'static str],
    /// Prefix of the names of all parameters, except those of the heads. Some checkpoints leave it out.
    pub prefix: &'static str,
    /// Name of the word embeddings after the prefix.
    pub words: &'static str,
    /// The class of transformers with a classification head, if there is one.
    pub classifier: Option<&'static str>,
    /// The class of transformers with a language-model head, for decoders.
    pub causal: Option<&'static str>,
    /// Beginnings of names in files whose parameters transformers, and this program, name otherwise: the beginning in the
    /// file, and the usual one.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Its classification head.
    pub head: HeadKind,
    /// The groups of sites, in the order of a block, each with the names that the same role has in other families.
    pub groups: &'static [(&'static str, &'static [&'static str])],
    /// Keys of config.json with another name in this family: the usual name, and its own.
    pub keys: &'static [(&'static str, &'static str)],
    /// Keys of config.json that change the results and are implemented for this family.
    pub switches: &'static [&'static str],
    /// The padding token if the key is missing.
    pub padding: Option<i64>,
    /// The structure of its blocks.
    pub blocks: Blocks,
}

/// The structure of a family's blocks.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one value for each family, in static memory")]
pub enum Blocks {
    /// Each token attends to all tokens.
    Encoder(Encoder),
    /// Each token attends to itself and the tokens before it.
    Decoder(Decoder),
}

/// The properties of a family of encoders.
#[derive(Debug, PartialEq)]
pub struct Encoder {
    /// What the names of the blocks begin with, behind the prefix.
    pub blocks: &'static str,
    /// Query, key, value, output of the attention, both layers of the feed-forward part.
    pub layers: [Layer; 6],
    /// The norms after the attention and after the feed-forward part.
    pub norms: [&'static str; 2],
    /// Whether there are embeddings of token types.
    pub token_types: bool,
    /// Whether positions skip padding tokens and start after the padding token's number.
    pub counts_past_padding: bool,
    /// Whether a pooler precedes the classification head.
    pub pooler: bool,
}

/// The properties of a family of decoders.
#[derive(Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Decoder {
    /// What the names of the blocks begin with, behind the prefix.
    pub blocks: &'static str,
    /// The norm after the last block.
    pub final_norm: &'static str,
    /// The norms before and after the attention, and before and after the feed-forward part.
    pub norms: Norms,
    /// Whether attention and feed-forward part have the same input.
    pub parallel: Parallel,
    /// What a norm computes.
    pub norm: Norm,
    /// The key of the norms' epsilon, and its default.
    pub norm_eps: (&'static str, f64),
    /// Queries, keys and values.
    pub project: Project,
    /// The output of the attention.
    pub output: Layer,
    /// The norm of queries and keys.
    pub query_key_norm: QueryKeyNorm,
    /// The layers before the activation of the feed-forward part.
    pub inner: Inner,
    /// The last layer of the feed-forward part.
    pub down: Layer,
    /// Whether weights are stored as GPT-2's `Conv1D` does, `[in, out]`.
    pub transposed: bool,
    /// Which layers of the attention have biases.
    pub biases: Biases,
    /// Whether the layers of the feed-forward part have biases, whatever config.json says.
    pub feed_bias: bool,
    /// The key of the activation, and its default.
    pub activation: (&'static str, Activation),
    /// Whether `gelu` in config.json means the variant with tanh, as in the checkpoints of this family.
    pub gelu_is_tanh: bool,
    /// Ratio of the feed-forward width to the model's width, if config.json does not give the width.
    pub feed_width: Option<i64>,
    /// Number of heads of keys and values.
    pub kv_heads: KvHeads,
    /// Width of a head.
    pub head_width: HeadWidth,
    /// The factor of the attention scores.
    pub scale: Scale,
    /// Bound of the attention scores.
    pub attention_cap: Cap,
    /// Bound of the logits of the vocabulary.
    pub logit_cap: Cap,
    /// Whether embeddings are multiplied by the root of the model's width.
    pub scales_embeddings: bool,
    /// Whether config.json has factors of the embeddings, of what the layers add, and of the logits, as Granite's.
    pub has_multipliers: bool,
    /// The factor of the logits if `logit_scale` is missing; none where there is no such key.
    pub logit_scale: Option<f64>,
    /// Whether the language-model head has a bias.
    pub language_bias: bool,
    /// The encoding of positions.
    pub positions: Positions,
    /// The rotations.
    pub rotary: Rotary,
    /// The length for which rotations were pretrained, if the key is missing; for a family whose config.json also uses
    /// the older names of `LongRoPE`.
    pub long_rope: Option<i64>,
    /// The blocks with sliding-window attention.
    pub windows: Windows,
    /// Whether the language-model head is tied to the word embeddings, if config.json does not say it.
    pub tied: bool,
}

/// A layer's name within its block, and its group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer {
    /// The name.
    pub name: &'static str,
    /// The group.
    pub group: &'static str,
}

/// Names of a block's norms.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Norms {
    pub before_attention: Option<&'static str>,
    pub behind_attention: Option<&'static str>,
    /// Where the parts are parallel and there is none, the feed-forward part shares the norm of the attention.
    pub before_feed: Option<&'static str>,
    pub behind_feed: Option<&'static str>,
}

/// Whether the attention and the feed-forward part of a block have the same input, and their outputs are added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parallel {
    /// The feed-forward part follows the attention.
    Never,
    /// They are parallel.
    Always,
    /// They are parallel, unless `use_parallel_residual` is off.
    UnlessOff,
}

/// The norm of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKeyNorm {
    /// None.
    None,
    /// Head by head.
    Heads,
    /// Over all heads together.
    Whole,
}

/// The rotations of a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotary {
    /// Base of the frequencies, if `rope_theta` is missing. Blocks with full attention of a family whose rotations depend
    /// on the window.
    pub theta: f64,
    /// The same for blocks with a window.
    pub theta_in_window: f64,
    /// Share of a head's dimensions that is rotated, if `partial_rotary_factor` is missing.
    pub share: f64,
    /// Whether pairs of neighbouring dimensions are rotated, instead of one from each half of the head.
    pub interleaved: bool,
    /// Whether the rotation is computed in `f32`, whatever the type of the activations.
    pub wide: bool,
    /// Whether config.json must have `rope_parameters`: without them transformers takes some that are not neutral.
    pub must_be_given: bool,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// Layer norm.
    Layer,
    /// Layer norm without a bias.
    LayerWithoutBias,
    /// RMS norm.
    Rms,
    /// RMS norm that multiplies by its weight in `f32`, before the cast.
    RmsWide,
    /// RMS norm that multiplies by 1 plus its weight.
    RmsFromOne,
}

/// Queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Project {
    /// One layer for each.
    Apart([Layer; 3]),
    /// One layer, whose outputs are queries, keys and values in this order.
    Together(Layer),
    /// One layer, whose outputs are query, key and value of the first head, then those of the next one.
    TogetherByHead(Layer),
}

/// The layers before the activation of the feed-forward part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inner {
    /// `activation(x W)`
    Plain(Layer),
    /// `activation(gate) * up`
    Gated([Layer; 2]),
    /// One layer, whose outputs are gate and up in this order.
    GatedTogether(Layer),
}

/// Which layers of the attention have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Biases {
    /// All, where config.json says `attention_bias`.
    AsGiven,
    /// Queries, keys and values.
    QueriesKeysValues,
    /// Queries, keys and values, unless `attention_bias` is off.
    QueriesKeysValuesUnlessOff,
    /// All.
    All,
    /// All, unless `attention_bias` is off.
    AllUnlessOff,
}

/// Heads of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvHeads {
    /// As many as heads of queries, whatever config.json says.
    AsQueries,
    /// As config.json says; if the key is missing, as many as heads of queries.
    GivenOrAsQueries,
    /// As config.json says; if the key is missing, this number.
    GivenOr(i64),
}

/// Width of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadWidth {
    /// The model's width divided by the number of heads, whatever config.json says.
    Even,
    /// As config.json says, or the model's width divided by the number of heads.
    GivenOrEven,
    /// As config.json says, or this number.
    GivenOr(i64),
}

/// The factor of the attention scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// One over the square root of a head's width.
    HeadWidth,
    /// The same, unless `scale_attn_weights` is off.
    HeadWidthUnlessOff,
    /// One over the square root of `query_pre_attn_scalar`, or of this number if the key is missing.
    Scalar(f64),
    /// `attention_multiplier`.
    Multiplier,
}

/// A bound on scores or logits: z becomes `cap * tanh(z / cap)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cap {
    /// No bound, whatever config.json says.
    Never,
    /// The bound in config.json, if it gives one.
    AsGiven,
    /// The bound in config.json, or this one if the key is missing.
    GivenOr(f64),
}

/// The encoding of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// Learned embeddings, with this name after the prefix.
    Learned(&'static str),
    /// Rotations of queries and keys, the same in every block.
    Rotary,
    /// Rotations of queries and keys, other ones in blocks with a window.
    RotaryByWindow,
    /// Rotations of queries and keys in blocks with a window, and none in the others.
    RotaryInWindows,
    /// Rotations of queries and keys in the blocks that `no_rope_layers` marks with 1, or in all but every n-th.
    RotaryAsListed,
}

/// The blocks with sliding-window attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// None.
    Never,
    /// All blocks; the size may have a default.
    Everywhere(Option<i64>),
    /// The blocks that config.json lists, or all but every n-th, where a key may give n.
    Between {
        /// The key of the period.
        key: Option<&'static str>,
        /// Its default.
        period: usize,
    },
    /// The blocks that config.json lists, or those from a number on, if the switch is on.
    Late,
    /// The blocks that config.json lists, or those without a rotation, if the switch is on.
    WithoutRotation,
    /// The blocks that config.json lists, or all.
    ListedOrAll(i64),
}

/// Activation of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the error function.
    Gelu,
    /// GELU with the hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// The square of max(x, 0).
    SquaredRelu,
    /// x times its sigmoid.
    Silu,
}

/// The structure of a classification head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// No head: a language model's own head is part of the model.
    None,
    /// For decoders: one weight.
    Score,
    /// For BERT: weight and bias, after the model's pooler.
    Classifier,
    /// For BERT without a pooler in the model: the pooler, a layer with tanh, is a part of the head.
    PoolerTanh,
    /// For `RoBERTa`: a layer with tanh before the classifier.
    DenseTanh,
    /// For `DistilBERT`: a layer with ReLU before the classifier.
    DenseRelu,
}

impl HeadKind {
    /// Names of the parameters, as transformers gives them.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Score => &["score.weight"],
            Self::Classifier => &["classifier.weight", "classifier.bias"],
            Self::PoolerTanh => {
                &["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"]
            }
            Self::DenseTanh => &[
                "classifier.dense.weight",
                "classifier.dense.bias",
                "classifier.out_proj.weight",
                "classifier.out_proj.bias",
            ],
            Self::DenseRelu => {
                &["pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"]
            }
        }
    }

    /// Shapes of the parameters.
    #[must_use]
    pub fn shapes(self, labels: i64, hidden: i64) -> Vec<Vec<i64>> {
        let classifier = [vec![labels, hidden], vec![labels]];
        let dense = [vec![hidden, hidden], vec![hidden]];
        match self {
            Self::None => Vec::new(),
            Self::Score => vec![vec![labels, hidden]],
            Self::Classifier => classifier.into(),
            Self::PoolerTanh | Self::DenseTanh | Self::DenseRelu => dense.into_iter().chain(classifier).collect(),
        }
    }
}

impl Family {
    /// The family of this `model_type`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.into_iter().find(|family| family.name == name)
    }

    /// The name that transformers gives to what a file holds under this name.
    #[must_use]
    pub fn usual_name<'a>(&self, stored: &'a str) -> Cow<'a, str> {
        let renamed = |(begin, usual): &(&str, &str)| stored.strip_prefix(begin).map(|rest| format!("{usual}{rest}"));
        self.renamed.iter().find_map(renamed).map_or(Cow::Borrowed(stored), Cow::Owned)
    }

    /// The properties of a decoder; none for an encoder.
    #[must_use]
    pub fn decoder(&self) -> Option<&Decoder> {
        match &self.blocks {
            Blocks::Decoder(decoder) => Some(decoder),
            Blocks::Encoder(_) => None,
        }
    }

    /// Whether it is a decoder.
    #[must_use]
    pub fn is_decoder(&self) -> bool {
        self.decoder().is_some()
    }

    /// Whether a model of this family may have this head: the family's own, or that with a pooler for models without
    /// one.
    #[must_use]
    pub fn takes(&self, head: &[&str]) -> bool {
        let pooled = matches!(&self.blocks, Blocks::Encoder(Encoder { pooler: true, .. }));
        self.head.names() == head || (pooled && HeadKind::PoolerTanh.names() == head)
    }
}
