//! The forward pass of decoders, Llama-like families and GPT-2, without dropout.
//!
//! The families differ in the values of [`config::Decoder`]: norms, biases, activations, rotations, windows, caps.

use tch::{Device, Kind, Tensor};

use super::config::{self, Config, Positions};
use super::layers::{Factor, Linear, Norm, Visible, activate, attend, attend_capped, split};
use super::loader::{Loader, Shape};
use super::rope::Rotation;
use super::{Batch, Stage, Tape};
use spartui_facts::error::{Error, Result};
use spartui_facts::family::{self, Activation, QueryKeyNorm};
use spartui_facts::recipe::TaskKind;

/// A decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    config: config::Decoder,
    word_embeddings: Tensor,
    position_embeddings: Option<Tensor>,
    blocks: Vec<Block>,
    norm: Norm,
    /// `[vocab_size, hidden]`; the word embeddings themselves where they are tied; none for a classifier.
    language_head: Option<Tensor>,
    /// `[vocab_size]`, where the family's language-model head has a bias.
    language_bias: Option<Tensor>,
}

/// One block: attention and feed-forward layer, after a norm (pre-norm), before another (Gemma 2 and 3), or only before
/// one (`OLMo` 2).
#[derive(Debug)]
struct Block {
    layer: config::Layer,
    /// Whether the feed-forward layer has the block's input, and not what the attention was added to.
    parallel: bool,
    /// Factor of what attention and feed-forward layer add.
    multiplier: f64,
    attention_norm: Option<Norm>,
    attention: Attention,
    attention_after: Option<Norm>,
    /// None in a parallel block: the feed-forward layer shares the norm of the attention.
    feed_norm: Option<Norm>,
    feed: Feed,
    feed_after: Option<Norm>,
}

#[derive(Debug)]
struct Attention {
    project: Project,
    /// Norms of queries and keys, head by head.
    norms: Option<[Norm; 2]>,
    /// Norms of queries and keys, over all heads.
    whole_norms: Option<[Norm; 2]>,
    output: Linear,
    head_dim: i64,
    heads: i64,
    kv_heads: i64,
    cap: Option<f64>,
}

/// The projections to queries, keys and values.
#[derive(Debug)]
enum Project {
    Apart([Linear; 3]),
    /// One fused layer, whose outputs are queries, keys and values in this order.
    Together(Linear),
    /// One fused layer, whose outputs are query, key and value of one head after the other.
    TogetherByHead(Linear),
}

#[derive(Debug)]
struct Feed {
    inner: Inner,
    output: Linear,
    activation: Activation,
}

#[derive(Debug)]
enum Inner {
    /// `activation(x W)`
    Plain(Linear),
    /// `activation(gate) * up`
    Gated([Linear; 2]),
    /// One fused layer, whose outputs are gate and up in this order.
    GatedTogether(Linear),
}

/// Values of a batch that all blocks share: rotations and attention masks.
#[derive(Debug)]
pub(super) struct Pass {
    rotations: Vec<Rotation>,
    /// Attention mask, `[width, width]`, boolean, for each size of window in use; `None` is the mask without a window.
    masks: Vec<(Option<i64>, Tensor)>,
    /// For a classifier, which reads one token of each row from the last block.
    pooled: Option<Pooled>,
}

impl Pass {
    fn mask(&self, window: Option<i64>) -> Option<&Tensor> {
        self.masks.iter().find(|(of, _)| *of == window).map(|(_, mask)| mask)
    }
}

/// The token of each row that a classifier reads, as the last block's only query.
#[derive(Debug)]
struct Pooled {
    /// Its index among all positions of the padded batch, `[rows]`.
    places: Tensor,
    /// Rotation of the queries in the last block.
    rotation: Option<Rotation>,
    /// Attention mask of this query, `[rows, 1, 1, width]`, boolean.
    mask: Tensor,
}

/// Key/value cache: keys and values of the tokens so far, by block, `[1, kv_heads, tokens, head_dim]`.
#[derive(Debug, Default)]
pub struct Cache {
    blocks: Vec<[Tensor; 2]>,
}

impl Decoder {
    pub fn load(loader: &mut Loader<'_>, decoder: &config::Decoder, task: TaskKind) -> Result<Self> {
        let config = loader.config;
        let family = decoder.family;
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        loader.stage = Stage::Embedding;
        let word_embeddings = loader.weight(config.family.words, &[vocabulary, hidden])?;
        let position_embeddings = match (family.positions, &decoder.positions) {
            (family::Positions::Learned(name), Positions::Learned(rows)) => {
                Some(loader.weight(name, &[*rows, hidden])?)
            }
            _ => None,
        };
        let blocks = decoder.layers.iter().enumerate().map(|(at, layer)| {
            loader.stage = Stage::Block(at);
            let place = format!("{}.{at}.", family.blocks);
            Parts { config, decoder, family, place }.block(loader, *layer)
        });
        let blocks = blocks.collect::<Result<_>>()?;
        loader.stage = Stage::Output;
        let norm = norm(loader, family.norm, family.final_norm, hidden, decoder.norm_eps)?;
        let language_head = match (task, decoder.tied) {
            (TaskKind::SequenceClassification, _) => None,
            (TaskKind::CausalLm, true) => Some(word_embeddings.shallow_clone()),
            (TaskKind::CausalLm, false) => Some(loader.language_head(&[vocabulary, hidden])?),
        };
        let language_bias = if family.language_bias && language_head.is_some() {
            Some(loader.language_bias(vocabulary)?)
        } else {
            None
        };
        let config = decoder.clone();
        Ok(Self { config, word_embeddings, position_embeddings, blocks, norm, language_head, language_bias })
    }

    /// Rotations and masks for these rows, whose first position is `from`.
    pub fn prepare(&self, batch: &Batch, from: i64, kind: Kind) -> Pass {
        let (width, device) = (batch.width(), batch.ids.device());
        let rotations = match &self.config.positions {
            Positions::Learned(_) => Vec::new(),
            Positions::Rotary(ropes) => {
                let length = |&length: &usize| length + usize::try_from(from).unwrap_or(0);
                let lengths: Vec<usize> = batch.lengths.iter().map(length).collect();
                ropes.iter().map(|rope| Rotation::new(rope, from, width, &lengths, kind, device)).collect()
            }
        };
        let mut masks: Vec<(Option<i64>, Tensor)> = Vec::new();
        for layer in &self.config.layers {
            let window = layer.window.filter(|&window| window < width);
            let wanted = window.is_some() || self.config.attention.cap.is_some();
            if wanted && !masks.iter().any(|(of, _)| *of == window) {
                masks.push((window, causal_mask(width, window, device)));
            }
        }
        let pooled = self.language_head.is_none().then(|| self.pooled(batch, &rotations));
        Pass { rotations, masks, pooled }
    }

    fn pooled(&self, batch: &Batch, rotations: &[Rotation]) -> Pooled {
        let last = self.config.layers.last();
        let options = (Kind::Int64, batch.ids.device());
        let read_at = batch.read_at(self.config.padding);
        let positions = read_at.view([-1, 1, 1, 1]);
        let keys = Tensor::arange(batch.width(), options);
        let seen = keys.le_tensor(&positions);
        let mask = match last.and_then(|layer| layer.window) {
            Some(window) => seen.logical_and(&keys.greater_tensor(&(&positions - window))),
            None => seen,
        };
        Pooled {
            places: Tensor::arange(read_at.size()[0], options) * batch.width() + read_at,
            rotation: last.and_then(|layer| rotations.get(layer.rope?)).map(|rotation| rotation.at(&positions)),
            mask,
        }
    }

    /// Input of the first block, `[rows, width, hidden]`.
    pub fn embed(&self, batch: &Batch, from: i64) -> Tensor {
        let x = Tensor::embedding(&self.word_embeddings, &batch.ids, -1, false, false);
        let x = match self.config.embedding_scale {
            Some(scale) => &x * Tensor::from(scale).to_kind(x.kind()).to_device(x.device()),
            None => x,
        };
        let x = times(x, self.config.multipliers.embeddings);
        match &self.position_embeddings {
            Some(positions) => x + positions.narrow(0, from, batch.width()),
            None => x,
        }
    }

    pub fn block(&self, layer: usize, x: &Tensor, pass: &Pass, tape: &mut Tape) -> Tensor {
        let pooled = pass.pooled.as_ref().filter(|_| layer + 1 == self.blocks.len());
        self.blocks[layer].forward(x, pass, pooled, tape, None)
    }

    /// All blocks, with a key/value cache: the first call takes the prompt, each further call a single token.
    pub fn continued(&self, x: Tensor, pass: &Pass, cache: &mut Cache) -> Tensor {
        let blocks = self.blocks.iter().enumerate();
        blocks.fold(x, |x, (at, block)| block.forward(&x, pass, None, &mut Tape::idle(), Some((at, cache))))
    }

    /// The last block's output at the token of each row that a classifier reads, or at the last token for a language
    /// model, after the final norm, `[rows, hidden]`. A classifier's last block computes no other outputs.
    pub fn pool(&self, x: &Tensor, batch: &Batch) -> Tensor {
        let last = if self.language_head.is_none() { x.select(1, 0) } else { pick(x, &batch.last_tokens()) };
        self.norm.forward(&last)
    }

    /// The final norm.
    pub fn finish(&self, x: &Tensor) -> Tensor {
        self.norm.forward(x)
    }

    /// Logits of the vocabulary, `f32` (or `f64`), from the output of [`Decoder::finish`].
    pub fn vocabulary(&self, x: &Tensor) -> Tensor {
        let head = self.language_head.as_ref().unwrap_or(&self.word_embeddings);
        let logits = times(x.linear(head, self.language_bias.as_ref()), self.config.multipliers.logits);
        let wide = if logits.kind() == Kind::Double { Kind::Double } else { Kind::Float };
        match self.config.logit_cap {
            Some(cap) => ((logits / cap).tanh() * cap).to_kind(wide),
            None => logits.to_kind(wide),
        }
    }

    /// The rows of the language-model head, if the logits are their plain product with the output of
    /// [`Decoder::finish`] (no cap, factor or bias); none on other devices than the CPU, where this is not used.
    pub fn product_rows(&self) -> Option<&Tensor> {
        let is_plain =
            self.config.logit_cap.is_none() && is_one(self.config.multipliers.logits) && self.language_bias.is_none();
        self.language_head.as_ref().filter(|rows| is_plain && rows.device() == Device::Cpu)
    }

    /// The weight of the language-model head, `[vocab_size, hidden]`; none for a classifier.
    pub fn language_head(&self) -> Option<&Tensor> {
        self.language_head.as_ref()
    }

    /// Unties the language-model head: copies it where it is the word embeddings. Returns the new tensor, if there is
    /// one.
    pub fn untie(&mut self) -> Option<Tensor> {
        let head = self.language_head.as_mut().filter(|head| head.data_ptr() == self.word_embeddings.data_ptr())?;
        *head = head.detach().copy();
        self.config.tied = false;
        Some(head.shallow_clone())
    }

    /// The word embeddings, `[vocab_size, hidden]`.
    pub fn word_embeddings(&self) -> &Tensor {
        &self.word_embeddings
    }
}

/// Causal attention mask, `[width, width]`: whether the query of a row attends to the key of a column.
fn causal_mask(width: i64, window: Option<i64>, device: Device) -> Tensor {
    let mask = Tensor::ones([width, width], (Kind::Bool, device)).tril(0);
    match window {
        Some(window) => mask.logical_and(&Tensor::ones([width, width], (Kind::Bool, device)).triu(1 - window)),
        None => mask,
    }
}

/// Selects positions of `[rows, width, hidden]`, counted over all rows; the result is `[places, hidden]`.
fn pick(x: &Tensor, places: &Tensor) -> Tensor {
    x.reshape([-1, x.size()[2]]).index_select(0, places)
}

impl Block {
    /// The block's output; with `pooled`, of one token of each row only, `[rows, 1, hidden]`.
    fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
        pooled: Option<&Pooled>,
        tape: &mut Tape,
        cache: Option<(usize, &mut Cache)>,
    ) -> Tensor {
        let normed = self.attention_norm.as_ref().map(|norm| norm.forward(x));
        let start = normed.as_ref().unwrap_or(x);
        let (input, context) = match pooled {
            Some(pooled) => (
                pick(x, &pooled.places).unsqueeze(1),
                self.attention.forward_pooled(start, self.layer, pass, pooled, tape),
            ),
            None => (x.shallow_clone(), self.attention.forward(start, self.layer, pass, tape, cache)),
        };
        let attended = self.added(&input, &context, &self.attention.output, self.attention_after.as_ref(), tape);
        let feed_input = match (&self.feed_norm, self.parallel) {
            (Some(norm), true) => norm.forward(&input),
            (Some(norm), false) => norm.forward(&attended),
            (None, false) => attended.shallow_clone(),
            (None, true) => match pooled {
                Some(pooled) => pick(start, &pooled.places).unsqueeze(1),
                None => start.shallow_clone(),
            },
        };
        let inner = self.feed.forward(&feed_input, tape);
        self.added(&attended, &inner, &self.feed.output, self.feed_after.as_ref(), tape)
    }

    /// `x` plus the output of a layer for `inner`, through the norm after the layer where there is one.
    fn added(&self, x: &Tensor, inner: &Tensor, layer: &Linear, after: Option<&Norm>, tape: &mut Tape) -> Tensor {
        match after {
            Some(norm) => x + times(norm.forward(&layer.forward(inner, tape)), self.multiplier),
            None if is_one(self.multiplier) => layer.forward_onto(x, inner, tape),
            None => x + layer.forward(inner, tape) * self.multiplier,
        }
    }
}

/// Whether a factor changes nothing.
fn is_one(factor: f64) -> bool {
    factor.to_bits() == 1_f64.to_bits()
}

fn times(x: Tensor, factor: f64) -> Tensor {
    if is_one(factor) { x } else { x * factor }
}

impl Attention {
    /// The input of the output projection, `[rows, width, heads * head_dim]`.
    fn forward(
        &self,
        x: &Tensor,
        layer: config::Layer,
        pass: &Pass,
        tape: &mut Tape,
        cache: Option<(usize, &mut Cache)>,
    ) -> Tensor {
        let [query, key, mut value] = self.project(x, tape);
        let [mut query, mut key] = self.normed(query, key);
        if let Some(rotation) = layer.rope.and_then(|rope| pass.rotations.get(rope)) {
            (query, key) = (rotation.apply_to_queries(&query), rotation.apply(&key));
        }
        let alone = if let Some((block, cache)) = cache { cache.extend(block, &mut key, &mut value) } else { false };
        if alone {
            self.attend_to_all(&query, &key, &value, layer)
        } else {
            self.attend_causally(&query, &key, &value, layer, pass)
        }
    }

    /// As [`Attention::forward`], with one query for each row.
    fn forward_pooled(
        &self,
        x: &Tensor,
        layer: config::Layer,
        pass: &Pass,
        pooled: &Pooled,
        tape: &mut Tape,
    ) -> Tensor {
        let [query, key, value] = match &self.project {
            Project::Apart([query, key, value]) => {
                let one = pick(x, &pooled.places).unsqueeze(1);
                [query.forward(&one, tape), key.forward(x, tape), value.forward(x, tape)]
            }
            Project::Together(all) | Project::TogetherByHead(all) => {
                let [query, key, value] = self.cut(&all.forward(x, tape));
                [pick(&query, &pooled.places).unsqueeze(1), key, value]
            }
        };
        let [query, key] = self.normed_whole(query, key);
        let [query, key, value] = [query, key, value].map(|x| split(&x, self.head_dim));
        let [mut query, mut key] = self.normed(query, key);
        if let (Some(of_query), Some(of_keys)) =
            (&pooled.rotation, layer.rope.and_then(|rope| pass.rotations.get(rope)))
        {
            (query, key) = (of_query.apply_to_queries(&query), of_keys.apply(&key));
        }
        match self.cap {
            Some(cap) => attend_capped([&query, &key, &value], layer.scale, cap, &pooled.mask),
            None => attend([&query, &key, &value], layer.scale, Visible::Where(&pooled.mask)),
        }
    }

    fn normed(&self, query: Tensor, key: Tensor) -> [Tensor; 2] {
        match &self.norms {
            Some([of_query, of_key]) => [of_query.forward(&query), of_key.forward(&key)],
            None => [query, key],
        }
    }

    fn normed_whole(&self, query: Tensor, key: Tensor) -> [Tensor; 2] {
        match &self.whole_norms {
            Some([of_query, of_key]) => [of_query.forward(&query), of_key.forward(&key)],
            None => [query, key],
        }
    }

    /// Splits the output of the fused layer into queries, keys and values, `[.., width, heads * head_dim]` each.
    fn cut(&self, all: &Tensor) -> [Tensor; 3] {
        if matches!(self.project, Project::TogetherByHead(_)) {
            let by_head = all.unflatten(-1, [self.heads, 3, self.head_dim]);
            return [0, 1, 2].map(|part| by_head.select(-2, part).flatten(-2, -1));
        }
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        [(0, queries), (queries, keys), (queries + keys, keys)].map(|(from, size)| all.narrow(-1, from, size))
    }

    /// `[rows, heads, width, head_dim]` each.
    fn project(&self, x: &Tensor, tape: &mut Tape) -> [Tensor; 3] {
        let [query, key, value] = match &self.project {
            Project::Apart([query, key, value]) => {
                [query.forward(x, tape), key.forward(x, tape), value.forward(x, tape)]
            }
            Project::Together(all) | Project::TogetherByHead(all) => self.cut(&all.forward(x, tape)),
        };
        let [query, key] = self.normed_whole(query, key);
        [query, key, value].map(|x| split(&x, self.head_dim))
    }

    fn attend_causally(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        layer: config::Layer,
        pass: &Pass,
    ) -> Tensor {
        let mask = pass.mask(layer.window.filter(|&window| window < key.size()[2]));
        match (self.cap, mask) {
            (Some(cap), Some(mask)) => attend_capped([query, key, value], layer.scale, cap, mask),
            (_, Some(mask)) => attend([query, key, value], layer.scale, Visible::Where(mask)),
            (_, None) => attend([query, key, value], layer.scale, Visible::Causal),
        }
    }

    /// Attention of a single query after all keys.
    fn attend_to_all(&self, query: &Tensor, key: &Tensor, value: &Tensor, layer: config::Layer) -> Tensor {
        let keys = key.size()[2];
        let seen = layer.window.map_or(keys, |window| window.min(keys));
        let (key, value) = (key.narrow(2, keys - seen, seen), value.narrow(2, keys - seen, seen));
        match self.cap {
            Some(cap) => {
                let mask = Tensor::ones([1, seen], (Kind::Bool, query.device()));
                attend_capped([query, &key, &value], layer.scale, cap, &mask)
            }
            None => attend([query, &key, &value], layer.scale, Visible::All),
        }
    }
}

impl Cache {
    /// Appends a block's new keys and values to the cache and replaces them by all of them. Returns whether the cache
    /// held any before.
    fn extend(&mut self, block: usize, key: &mut Tensor, value: &mut Tensor) -> bool {
        let Some(before) = self.blocks.get_mut(block) else {
            self.blocks.push([key.shallow_clone(), value.shallow_clone()]);
            return false;
        };
        *key = Tensor::cat(&[&before[0], &*key], 2);
        *value = Tensor::cat(&[&before[1], &*value], 2);
        *before = [key.shallow_clone(), value.shallow_clone()];
        true
    }
}

impl Feed {
    /// The input of the output layer, `[.., inner width]`.
    fn forward(&self, x: &Tensor, tape: &mut Tape) -> Tensor {
        match &self.inner {
            Inner::Plain(layer) => activate(self.activation, &layer.forward(x, tape)),
            Inner::Gated([gate, up]) => activate(self.activation, &gate.forward(x, tape)) * up.forward(x, tape),
            Inner::GatedTogether(both) => {
                let halves = both.forward(x, tape).chunk(2, -1);
                activate(self.activation, &halves[0]) * &halves[1]
            }
        }
    }
}

/// Loads the parts of a block.
struct Parts<'a> {
    config: &'a Config,
    decoder: &'a config::Decoder,
    family: &'static family::Decoder,
    /// Prefix of the names of the block's parameters.
    place: String,
}

impl Parts<'_> {
    fn block(&self, loader: &mut Loader<'_>, layer: config::Layer) -> Result<Block> {
        let names = self.family.norms;
        let mut norm = |name: Option<&str>| name.map(|name| self.norm(loader, name)).transpose();
        let [attention_norm, attention_after] = [norm(names.before_attention)?, norm(names.behind_attention)?];
        let [feed_norm, feed_after] = [norm(names.before_feed)?, norm(names.behind_feed)?];
        Ok(Block {
            layer,
            parallel: self.decoder.parallel,
            multiplier: self.decoder.multipliers.residual,
            attention_norm,
            attention: self.attention(loader)?,
            attention_after,
            feed_norm,
            feed: self.feed(loader)?,
            feed_after,
        })
    }

    fn norm(&self, loader: &mut Loader<'_>, name: &str) -> Result<Norm> {
        let name = format!("{}{name}", self.place);
        norm(loader, self.family.norm, &name, self.config.hidden_size, self.decoder.norm_eps)
    }

    fn site(
        &self,
        loader: &mut Loader<'_>,
        layer: family::Layer,
        [out, input]: [i64; 2],
        bias: bool,
    ) -> Result<Linear> {
        let shape = Shape { out, input, bias, transposed: self.family.transposed };
        loader.site(&format!("{}{}", self.place, layer.name), layer.group, shape)
    }

    fn attention(&self, loader: &mut Loader<'_>) -> Result<Attention> {
        let config::Attention { kv_heads, head_dim, bias, output_bias, query_key_norm, cap } = self.decoder.attention;
        let (hidden, heads) = (self.config.hidden_size, self.config.heads);
        let (queries, keys) = (heads * head_dim, kv_heads * head_dim);
        let mut site = |layer, out, bias| self.site(loader, layer, [out, hidden], bias);
        let project = match self.family.project {
            family::Project::Together(all) => Project::Together(site(all, queries + 2 * keys, bias)?),
            family::Project::TogetherByHead(all) => Project::TogetherByHead(site(all, 3 * queries, bias)?),
            family::Project::Apart([query, key, value]) => {
                Project::Apart([site(query, queries, bias)?, site(key, keys, bias)?, site(value, keys, bias)?])
            }
        };
        let output = self.site(loader, self.family.output, [hidden, queries], output_bias)?;
        let mut pair = |sizes: [i64; 2]| {
            let mut one = |name: &str, size: i64| {
                let name = format!("{}self_attn.{name}", self.place);
                norm(loader, self.family.norm, &name, size, self.decoder.norm_eps)
            };
            Ok::<_, Error>(Some([one("q_norm", sizes[0])?, one("k_norm", sizes[1])?]))
        };
        let (norms, whole_norms) = match query_key_norm {
            QueryKeyNorm::None => (None, None),
            QueryKeyNorm::Heads => (pair([head_dim, head_dim])?, None),
            QueryKeyNorm::Whole => (None, pair([queries, keys])?),
        };
        Ok(Attention { project, norms, whole_norms, output, head_dim, heads, kv_heads, cap })
    }

    fn feed(&self, loader: &mut Loader<'_>) -> Result<Feed> {
        let config::Feed { width, activation, bias } = self.decoder.feed;
        let hidden = self.config.hidden_size;
        let mut site = |layer, out| self.site(loader, layer, [out, hidden], bias);
        let inner = match self.family.inner {
            family::Inner::Plain(layer) => Inner::Plain(site(layer, width)?),
            family::Inner::GatedTogether(both) => Inner::GatedTogether(site(both, 2 * width)?),
            family::Inner::Gated([gate, up]) => Inner::Gated([site(gate, width)?, site(up, width)?]),
        };
        let output = self.site(loader, self.family.down, [hidden, width], bias)?;
        Ok(Feed { inner, output, activation })
    }
}

fn norm(loader: &mut Loader<'_>, kind: family::Norm, name: &str, size: i64, epsilon: f64) -> Result<Norm> {
    match kind {
        family::Norm::Layer => loader.layer_norm(name, size, epsilon, true),
        family::Norm::LayerWithoutBias => loader.layer_norm(name, size, epsilon, false),
        family::Norm::Rms => loader.rms_norm(name, size, epsilon, Factor::AfterCast),
        family::Norm::RmsWide => loader.rms_norm(name, size, epsilon, Factor::BeforeCast),
        family::Norm::RmsFromOne => loader.rms_norm(name, size, epsilon, Factor::FromOne),
    }
}
