//! The families of models: what distinguishes one from another, as plain facts.
//!
//! A family is one value of [`Family`], and [`FAMILIES`] lists them. The forward pass, the adapters and the launcher read the
//! values; none of them asks which family it is.

mod table;

pub use table::FAMILIES;

/// One family, as `model_type` of config.json names it.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// `model_type`.
    pub name: &'static str,
    /// What the names of all parameters below a classification head begin with, but for a language-model head of its own. Some
    /// checkpoints leave it out.
    pub prefix: &'static str,
    /// The word embeddings behind the prefix.
    pub words: &'static str,
    /// transformers' class with a classification head.
    pub classifier: &'static str,
    /// transformers' class of the language model, for decoders.
    pub causal: Option<&'static str>,
    /// Its classification head.
    pub head: HeadKind,
    /// The groups of sites, in the order of a block, each with the names that the same role has in other families.
    pub groups: &'static [(&'static str, &'static [&'static str])],
    /// Keys of config.json that it has another name for: the usual one, and its own.
    pub keys: &'static [(&'static str, &'static str)],
    /// Keys of config.json that change the numbers and are implemented for it.
    pub switches: &'static [&'static str],
    /// The padding token where the key is missing.
    pub padding: Option<i64>,
    /// What its blocks are made of.
    pub blocks: Blocks,
}

/// What the blocks of a family are made of.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one value for each family, in static memory")]
pub enum Blocks {
    /// Every token sees every other.
    Encoder(Encoder),
    /// Every token sees the ones before it.
    Decoder(Decoder),
}

/// What distinguishes one family of encoders from another.
#[derive(Debug, PartialEq)]
pub struct Encoder {
    /// What the names of the blocks begin with, behind the prefix.
    pub blocks: &'static str,
    /// Query, key, value, output of the attention, both layers of the feed-forward part.
    pub layers: [Layer; 6],
    /// The norms behind attention and feed-forward part.
    pub norms: [&'static str; 2],
    /// Whether there are embeddings of token types.
    pub token_types: bool,
    /// Whether positions are counted past the padding token, and from behind its number.
    pub counts_past_padding: bool,
    /// Whether a pooler stands before the classification head.
    pub pooler: bool,
}

/// What distinguishes one family of decoders from another.
#[derive(Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Decoder {
    /// What the names of the blocks begin with, behind the prefix.
    pub blocks: &'static str,
    /// The norm behind the last block.
    pub final_norm: &'static str,
    /// The norms before and behind the attention, and before and behind the feed-forward part.
    pub norms: Norms,
    /// What a norm computes.
    pub norm: Norm,
    /// The key of the norms' epsilon, and its default.
    pub norm_eps: (&'static str, f64),
    /// Queries, keys and values.
    pub project: Project,
    /// The output of the attention.
    pub output: Layer,
    /// Whether queries and keys go through a norm, head by head.
    pub query_key_norm: bool,
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
    /// Whether gelu in config.json means its form with tanh, as of checkpoints that say the one and mean the other.
    pub gelu_is_tanh: bool,
    /// Width inside the feed-forward part over the model's, where config.json does not say it.
    pub feed_width: Option<i64>,
    /// Heads of keys and values.
    pub kv_heads: KvHeads,
    /// Width of a head.
    pub head_width: HeadWidth,
    /// What attention scores are multiplied by.
    pub scale: Scale,
    /// Bound of the attention scores.
    pub attention_cap: Cap,
    /// Bound of the logits of the vocabulary.
    pub logit_cap: Cap,
    /// Whether embeddings are multiplied by the root of the model's width.
    pub scales_embeddings: bool,
    /// Where the positions come in.
    pub positions: Positions,
    /// The length that rotations were pretrained for, where the key is missing, of a family whose config.json calls `LongRoPE`
    /// by its older names too.
    pub long_rope: Option<i64>,
    /// Which blocks see a window only.
    pub windows: Windows,
    /// Whether the language-model head is the word embedding where config.json does not say it.
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
    pub before_attention: &'static str,
    pub behind_attention: Option<&'static str>,
    pub before_feed: &'static str,
    pub behind_feed: Option<&'static str>,
}

/// What a norm computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// Layer norm.
    Layer,
    /// RMS norm.
    Rms,
    /// RMS norm whose weight is what is added to 1.
    RmsFromOne,
}

/// Queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Project {
    /// A layer each.
    Apart([Layer; 3]),
    /// One layer, whose outputs are queries, keys and values in this order.
    Together(Layer),
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
    /// All.
    All,
}

/// Heads of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvHeads {
    /// As many as of queries, whatever config.json says.
    AsQueries,
    /// As config.json says, and where the key is missing as many as of queries.
    GivenOrAsQueries,
    /// As config.json says, and where the key is missing so many.
    GivenOr(i64),
}

/// Width of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadWidth {
    /// Width over heads, whatever config.json says.
    Even,
    /// As config.json says, or width over heads.
    GivenOrEven,
    /// As config.json says, or this.
    GivenOr(i64),
}

/// What attention scores are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// One over the root of a head's width.
    HeadWidth,
    /// The same, unless `scale_attn_weights` is off.
    HeadWidthUnlessOff,
    /// One over the root of `query_pre_attn_scalar`, or of this.
    Scalar(f64),
}

/// A bound on scores or logits: z becomes `cap * tanh(z / cap)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cap {
    /// There is none, whatever config.json says.
    Never,
    /// Where config.json gives one.
    AsGiven,
    /// As config.json gives it, and this one where the key is missing.
    GivenOr(f64),
}

/// Where the positions come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// As embeddings that were learned, of this name behind the prefix.
    Learned(&'static str),
    /// As rotations of queries and keys, in every block alike.
    Rotary,
    /// As rotations that are others in blocks with a window.
    RotaryByWindow,
}

/// Which blocks see a window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// None.
    Never,
    /// All, of a size that may have a default.
    Everywhere(Option<i64>),
    /// Those that config.json lists, or all but every so-manieth; a key may say how many that are.
    Between {
        /// The key of the period.
        key: Option<&'static str>,
        /// Its default.
        period: usize,
    },
    /// Those that config.json lists, or those from a number on, where the switch is on.
    Late,
}

/// Activation of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// With the error function.
    Gelu,
    /// With the hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x times its sigmoid.
    Silu,
}

/// What a classification head is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// There is none: a language model's own head is part of the model.
    None,
    /// Of decoders: one weight.
    Score,
    /// Of BERT: weight and bias, behind the model's pooler.
    Classifier,
    /// Of BERT where the model has no pooler: the pooler, a layer with tanh, is a part of the head.
    PoolerTanh,
    /// Of `RoBERTa`: a layer with tanh before the classifier.
    DenseTanh,
    /// Of `DistilBERT`: a layer with relu before the classifier.
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

    /// What distinguishes it among decoders; none for an encoder.
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

    /// Whether a model of this family may have such a head: its own, or one with the pooler that its files lack.
    #[must_use]
    pub fn takes(&self, head: &[&str]) -> bool {
        let pooled = matches!(&self.blocks, Blocks::Encoder(Encoder { pooler: true, .. }));
        self.head.names() == head || (pooled && HeadKind::PoolerTanh.names() == head)
    }
}
