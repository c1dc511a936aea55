//! The forward pass of encoders, BERT (Devlin et al., 2019), `RoBERTa` and `DistilBERT`, as in transformers, without
//! dropout.

use tch::{Kind, Tensor};

use super::config::{self, Config, Start};
use super::layers::{Linear, Norm, Visible, activate, attend, split};
use super::loader::{Loader, Shape};
use super::{Batch, Stage, Tape};
use spartui_facts::error::Result;
use spartui_facts::family::{self, Activation};

/// An encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    config: config::Encoder,
    word_embeddings: Tensor,
    position_embeddings: Tensor,
    token_type_embeddings: Option<Tensor>,
    embedding_norm: Norm,
    blocks: Vec<Block>,
    pooler: Option<Linear>,
}

/// One block: attention and feed-forward layer, each followed by its norm (post-norm).
#[derive(Debug)]
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    output: Linear,
    output_norm: Norm,
    head_dim: i64,
    activation: Activation,
}

impl Block {
    fn load(loader: &mut Loader<'_>, config: &Config, encoder: &config::Encoder) -> Result<Self> {
        let family = encoder.family;
        let place = format!("{}.{}.", family.blocks, loader.stage.layer());
        let (hidden, inner) = (config.hidden_size, encoder.intermediate_size);
        let mut site = |at: usize, out: i64, input: i64| {
            let family::Layer { name, group } = family.layers[at];
            loader.site(&format!("{place}{name}"), group, Shape { out, input, bias: true, transposed: false })
        };
        let [query, key, value, attention_output] =
            [site(0, hidden, hidden)?, site(1, hidden, hidden)?, site(2, hidden, hidden)?, site(3, hidden, hidden)?];
        let [intermediate, output] = [site(4, inner, hidden)?, site(5, hidden, inner)?];
        let mut norm = |at: usize| {
            loader.layer_norm(&format!("{place}{}", family.norms[at]), hidden, encoder.layer_norm_eps, true)
        };
        Ok(Self {
            query,
            key,
            value,
            attention_output,
            attention_norm: norm(0)?,
            intermediate,
            output,
            output_norm: norm(1)?,
            head_dim: hidden / config.heads,
            activation: encoder.activation,
        })
    }

    /// The block's output; with `first_only`, of each row's first token only, `[rows, 1, hidden]`.
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>, first_only: bool, tape: &mut Tape) -> Tensor {
        let queries = if first_only { x.narrow(1, 0, 1) } else { x.shallow_clone() };
        let query = split(&self.query.forward(&queries, tape), self.head_dim);
        let key = split(&self.key.forward(x, tape), self.head_dim);
        let value = split(&self.value.forward(x, tape), self.head_dim);
        #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
        let scale = (self.head_dim as f64).powf(-0.5);
        let context = attend([&query, &key, &value], scale, mask.map_or(Visible::All, Visible::Where));
        let attended = self.attention_norm.forward(&self.attention_output.forward_onto(&queries, &context, tape));
        let inner = activate(self.activation, &self.intermediate.forward(&attended, tape));
        self.output_norm.forward(&self.output.forward_onto(&attended, &inner, tape))
    }
}

impl Encoder {
    pub fn load(loader: &mut Loader<'_>, encoder: &config::Encoder) -> Result<Self> {
        let config = loader.config;
        let hidden = config.hidden_size;
        loader.stage = Stage::Embedding;
        let mut embeddings = |name: &str, rows| loader.weight(&format!("embeddings.{name}.weight"), &[rows, hidden]);
        let word_embeddings = embeddings("word_embeddings", config.vocab_size)?;
        let position_embeddings = embeddings("position_embeddings", encoder.positions)?;
        let token_type_embeddings = match encoder.token_types {
            0 => None,
            types => Some(embeddings("token_type_embeddings", types)?),
        };
        let embedding_norm = loader.layer_norm("embeddings.LayerNorm", hidden, encoder.layer_norm_eps, true)?;
        let blocks = (0..config.layers).map(|layer| {
            loader.stage = Stage::Block(layer);
            Block::load(loader, config, encoder)
        });
        let blocks = blocks.collect::<Result<_>>()?;
        loader.stage = Stage::Output;
        let pooler = match encoder.start {
            Start::Pooler => Some(loader.frozen_linear("pooler.dense", [hidden, hidden])?),
            Start::FreshPooler | Start::Bare => None,
        };
        Ok(Self {
            config: encoder.clone(),
            word_embeddings,
            position_embeddings,
            token_type_embeddings,
            embedding_norm,
            blocks,
            pooler,
        })
    }

    /// Input of the first block, `[rows, width, hidden]`.
    pub fn embed(&self, batch: &Batch) -> Tensor {
        let words = Tensor::embedding(&self.word_embeddings, &batch.ids, -1, false, false);
        let positions = self.positions(batch);
        let sum = match (&self.token_type_embeddings, &batch.token_types) {
            (None, _) => words + positions,
            (Some(table), Some(types)) => words + Tensor::embedding(table, types, -1, false, false) + positions,
            (Some(table), None) => words + table.get(0) + positions,
        };
        self.embedding_norm.forward(&sum)
    }

    /// Position embeddings. `RoBERTa`'s positions do not count padding tokens, even those that a text contains.
    fn positions(&self, batch: &Batch) -> Tensor {
        let Some(padding) = self.config.padding else {
            return self.position_embeddings.narrow(0, self.config.first_position, batch.width());
        };
        let counts = batch.ids.ne(padding).to_kind(Kind::Int64);
        let at = counts.cumsum(1, Kind::Int64) * counts + padding;
        Tensor::embedding(&self.position_embeddings, &at, -1, false, false)
    }

    pub fn block(&self, layer: usize, x: &Tensor, mask: Option<&Tensor>, tape: &mut Tape) -> Tensor {
        // The head reads only the first token of the last block.
        self.blocks[layer].forward(x, mask, layer + 1 == self.blocks.len(), tape)
    }

    /// The input of a head, `[rows, hidden]`: the first token's output, through BERT's pooler where there is one.
    pub fn pool(&self, x: &Tensor) -> Tensor {
        let first = x.select(1, 0);
        self.pooler
            .as_ref()
            .map_or_else(|| first.shallow_clone(), |pooler| pooler.forward(&first, &mut Tape::idle()).tanh())
    }

    /// Number of token types.
    pub fn token_types(&self) -> i64 {
        self.config.token_types
    }
}
