//! Memory of a model's blocks, tensor by tensor.
//!
//! The account follows what autograd saves. A linear layer whose weight does not train saves nothing; a norm and an
//! activation save their inputs, a product both factors, attention its queries, keys, values and results, or for short
//! rows the probabilities in place of the results. A tap keeps its layer's input and output. A norm of a narrow dtype
//! works on a copy in `f32`.

use super::Model;
use super::config::{self, Architecture, Positions};
use super::layers::is_short;
use spartui_facts::family::{Inner, Norm, QueryKeyNorm};

/// The size of a micro-batch, and what trains.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Rows of a micro-batch.
    pub rows: u64,
    /// Tokens of each row, padding included.
    pub width: u64,
    /// For each site, whether it records a tap.
    pub adapted: &'a [bool],
    /// For each site without a tap, whether its input is kept.
    pub inputs: &'a [bool],
    /// Whether every parameter trains.
    pub everything: bool,
}

/// Memory of one block in bytes, without its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockMemory {
    /// Held from its forward pass to its backward pass: tensors saved by graph and taps, and its output.
    pub kept: u64,
    /// Peak beside that during its backward pass.
    pub backward: u64,
    /// Peak of a forward pass without a graph, its output included.
    pub idle: u64,
    /// Its output.
    pub output: u64,
}

impl Model {
    /// The memory of a block; `input_needs_gradient`: whether the gradient of its input is needed.
    #[must_use]
    pub fn block_memory(&self, layer: usize, load: &Load<'_>, input_needs_gradient: bool) -> BlockMemory {
        let last = layer + 1 == self.layers();
        // A classifier reads one token of each row.
        let outputs = if last && self.classifies() { load.rows } else { load.rows * load.width };
        let sizes = Sizes {
            tokens: load.rows * load.width,
            outputs,
            hidden: unsigned(self.config.hidden_size),
            inner: unsigned(self.config.feed_width()),
            scalar: self.kind.elt_size_in_bytes() as u64,
            width: load.width,
            heads: unsigned(self.config.heads),
            short: is_short(self.device, i64::try_from(load.width).unwrap_or(i64::MAX)),
        };
        let marked = |marks: &[bool]| {
            let of_layer = self.sites.iter().enumerate().filter(|(_, site)| site.layer == layer);
            of_layer.map(|(at, _)| marks.get(at).copied().unwrap_or(false)).collect::<Vec<_>>()
        };
        let inputs = Inputs::of(&marked(load.inputs));
        let taps = Taps { inputs, ..Taps::of(&marked(load.adapted), load.everything) };
        match &self.config.architecture {
            Architecture::Encoder(_) => encoder(&sizes, taps),
            Architecture::Decoder(decoder) => Block { decoder, sizes, taps, input_needs_gradient }.memory(),
        }
    }

    fn classifies(&self) -> bool {
        self.task == spartui_facts::recipe::TaskKind::SequenceClassification
    }
}

fn unsigned(size: i64) -> u64 {
    size.max(0).cast_unsigned()
}

/// `bytes` if the condition holds, else 0.
fn when(so: bool, bytes: u64) -> u64 {
    if so { bytes } else { 0 }
}

struct Sizes {
    tokens: u64,
    /// Tokens whose output is computed.
    outputs: u64,
    hidden: u64,
    inner: u64,
    /// Bytes of a scalar of the model's dtype.
    scalar: u64,
    width: u64,
    heads: u64,
    /// Whether attention is computed by its definition where gradients are needed.
    short: bool,
}

impl Sizes {
    /// `[tokens, width]`
    fn all(&self, width: u64) -> u64 {
        self.tokens * width * self.scalar
    }

    /// `[outputs, width]`
    fn out(&self, width: u64) -> u64 {
        self.outputs * width * self.scalar
    }

    /// Bytes of the `f32` copy of a tensor with this many bytes; 0 where the dtype is not narrow.
    fn wide(&self, bytes: u64) -> u64 {
        when(self.is_narrow(), bytes * 2)
    }

    fn is_narrow(&self) -> bool {
        self.scalar < 4
    }

    /// Log-sum-exp of the scores, which fused attention saves, `f32`.
    fn normalisers(&self) -> u64 {
        4 * self.heads * self.outputs
    }

    /// Attention probabilities, saved for short rows.
    fn probabilities(&self) -> u64 {
        when(self.short, self.scalar * self.heads * self.outputs * self.width)
    }

    /// One matrix of scores, in `f32`.
    fn scores(&self) -> u64 {
        4 * self.heads * self.outputs * self.width
    }
}

/// The layers of a block that record taps, and whether all layers save their inputs for the gradients of their weights.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "one for each layer of a block")]
struct Taps {
    query: bool,
    key: bool,
    value: bool,
    output: bool,
    gate: bool,
    up: bool,
    down: bool,
    everything: bool,
    inputs: Inputs,
}

/// The inputs of layers that are kept beside those of taps.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each input of a block")]
struct Inputs {
    /// Of queries, keys and values.
    attention: bool,
    output: bool,
    /// Of the first layers of the feed-forward part.
    feed: bool,
    down: bool,
}

impl Inputs {
    /// From the flags of a block's sites, in their order.
    fn of(sites: &[bool]) -> Self {
        match *sites {
            [query, key, value, output, gate, up, down] => {
                Self { attention: query || key || value, output, feed: gate || up, down }
            }
            [query, key, value, output, inner, down] => {
                Self { attention: query || key || value, output, feed: inner, down }
            }
            [together, output, inner, down] => Self { attention: together, output, feed: inner, down },
            _ => Self::default(),
        }
    }
}

impl Taps {
    /// From the flags of a block's sites, in their order.
    fn of(sites: &[bool], everything: bool) -> Self {
        let [query, key, value, output, gate, up, down] = match *sites {
            [query, key, value, output, gate, up, down] => [query, key, value, output, gate, up, down],
            [query, key, value, output, inner, down] => [query, key, value, output, inner, inner, down],
            [together, output, inner, down] => [together, together, together, output, inner, inner, down],
            _ => [everything; 7],
        };
        Self { query, key, value, output, gate, up, down, everything, inputs: Inputs::default() }
    }

    /// Whether the common input of these layers is kept: one of them has a tap, or every parameter trains.
    fn input(self, taps: &[bool]) -> bool {
        self.everything || taps.contains(&true)
    }
}

fn encoder(sizes: &Sizes, taps: Taps) -> BlockMemory {
    let Sizes { hidden, inner, .. } = *sizes;
    let (all, out) = (|width| sizes.all(width), |width| sizes.out(width));
    let by_definition = sizes.probabilities()
        // Queries, keys and values are copied head by head, beside the layers' own outputs that taps keep.
        + when(taps.query, out(hidden))
        + when(taps.key, all(hidden))
        + when(taps.value, all(hidden))
        + when(taps.output || taps.inputs.output, out(hidden)); // the context
    let by_libtorch = out(hidden) // the context
        + sizes.normalisers();
    let kept = out(hidden) // queries
        + 2 * all(hidden) // keys, values
        + if sizes.short { by_definition } else { by_libtorch }
        + out(hidden) // the first norm's input
        + out(hidden) // its output
        + out(inner) // the activation's input
        + when(taps.input(&[taps.down, taps.inputs.down]), out(inner)) // its output
        + out(hidden) // the second norm's input
        + out(hidden); // its output
    let feed = 2 * out(hidden) // upstream gradient, and that of the second norm's input
        + out(hidden) // the second norm's input gradient, before it is added
        + 2 * out(inner); // gradients of the activation's output and input
    let attention = 4 * out(hidden) // upstream gradient, those of both norms' inputs, that of the context
        + when(taps.gate, out(inner)) // gradient of the activation's input
        + out(hidden) + 2 * all(hidden) // gradients of queries, keys, values
        + 2 * sizes.probabilities() // gradients of probabilities and scores
        + 2 * all(hidden); // gradient of the block's input, and a summand of it
    let idle = out(hidden) + 2 * all(hidden) // queries, keys, values
        + 4 * out(hidden) // the context, sums and norms
        + 2 * out(inner); // the activation's input and output
    BlockMemory { kept, backward: feed.max(attention), idle, output: out(hidden) }
}

struct Block<'a> {
    decoder: &'a config::Decoder,
    sizes: Sizes,
    taps: Taps,
    input_needs_gradient: bool,
}

impl Block<'_> {
    fn memory(&self) -> BlockMemory {
        let (hidden, norms) = (self.sizes.hidden, self.decoder.family.norms);
        BlockMemory {
            kept: when(norms.before_attention.is_some(), self.norm(self.sizes.all(hidden), self.input_needs_gradient))
                + self.attention()
                + self.residual(self.taps.output, true)
                + when(norms.before_feed.is_some(), self.norm(self.sizes.out(hidden), true))
                + self.feed()
                + self.residual(self.taps.down, false),
            backward: self.feed_backward().max(self.norm_backward()).max(self.attention_backward()),
            idle: self.idle(),
            output: self.sizes.out(hidden),
        }
    }

    fn queries(&self) -> u64 {
        self.sizes.heads * unsigned(self.decoder.attention.head_dim)
    }

    fn keys(&self) -> u64 {
        unsigned(self.decoder.attention.kv_heads * self.decoder.attention.head_dim)
    }

    /// Whether keys and values are repeated, so that each query head has its own.
    fn repeats(&self) -> bool {
        self.keys() < self.queries()
    }

    fn is_rotary(&self) -> bool {
        matches!(self.decoder.positions, Positions::Rotary(_))
    }

    fn is_gated(&self) -> bool {
        !matches!(self.decoder.family.inner, Inner::Plain(_))
    }

    fn has_rms_norms(&self) -> bool {
        matches!(self.decoder.family.norm, Norm::Rms | Norm::RmsWide | Norm::RmsFromOne)
    }

    fn has_norms_behind(&self) -> bool {
        self.decoder.family.norms.behind_feed.is_some()
    }

    /// Bytes that a norm over `bytes` bytes saves beside its input.
    fn norm(&self, bytes: u64, input_needs_gradient: bool) -> u64 {
        let rms = self.has_rms_norms();
        when(rms && input_needs_gradient, self.sizes.wide(bytes)) // its input in f32
            + when(rms && self.taps.everything, bytes) // what its weight multiplies
    }

    fn attention(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let (queries, keys) = (self.queries(), self.keys());
        let of_norms = self.decoder.attention.query_key_norm != QueryKeyNorm::None;
        let saved = |tapped: bool, bytes: u64| {
            // A norm saves its input in f32; without a rotation the same tensor is the input of attention.
            let direct = !self.is_rotary() || (of_norms && !sizes.is_narrow());
            when(tapped || direct, bytes) + when(of_norms, sizes.wide(bytes))
        };
        let served = if self.repeats() { queries } else { keys };
        when(taps.input(&[taps.query, taps.key, taps.value, taps.inputs.attention]), sizes.all(sizes.hidden)) // what they come from
            + saved(taps.query, sizes.out(queries))
            + saved(taps.key, sizes.all(keys))
            + when(taps.value || !self.repeats(), sizes.all(keys))
            + when(self.is_rotary(), sizes.out(queries) + sizes.all(served)) // rotated
            + when(self.repeats(), sizes.all(queries)) // values, repeated
            + match self.decoder.attention.cap {
                Some(_) => sizes.out(queries) + self.capped_scores(), // the context included
                None if sizes.short => self.by_definition(),
                None => sizes.out(queries) + sizes.normalisers(),
            }
    }

    /// Beside the copies head by head: the probabilities, and those of the layers' outputs and of attention's result
    /// that taps keep.
    fn by_definition(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let (queries, keys) = (sizes.out(self.queries()), sizes.all(self.keys()));
        sizes.probabilities()
            + when(taps.query && !self.is_rotary(), queries)
            + when(taps.key && !self.is_rotary(), keys)
            + when(taps.value && !self.repeats(), keys)
            + when(taps.output || taps.inputs.output, queries)
    }

    /// The scores after tanh, and the probabilities, in `f32` and in the model's dtype.
    fn capped_scores(&self) -> u64 {
        let scores = self.sizes.scores();
        scores / 4 * self.sizes.scalar + scores + when(self.sizes.is_narrow(), scores / 2)
    }

    /// Bytes kept of the sum of a residual and a layer's output.
    fn residual(&self, tapped: bool, feeds_a_norm: bool) -> u64 {
        let bytes = self.sizes.out(self.sizes.hidden);
        let behind = self.has_norms_behind();
        let of_norm = when(!self.sizes.is_narrow() || tapped, bytes) + self.norm(bytes, true);
        let saved = !self.sizes.is_narrow() || !self.has_rms_norms();
        // After the feed-forward layer the sum is the block's output.
        when(behind, of_norm) + when(!feeds_a_norm || saved || (tapped && !behind), bytes)
    }

    fn feed(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let inner = sizes.out(sizes.inner);
        when(taps.input(&[taps.gate, taps.up, taps.inputs.feed]), sizes.out(sizes.hidden)) // what it starts from
            + inner // the activation's input
            + when(self.is_gated(), 2 * inner) // its output, and what that multiplies
            + when(taps.input(&[taps.down, taps.inputs.down]), inner) // what the last layer starts from
    }

    /// Gradients during the backward pass of the feed-forward layer: the upstream one, that of its output, and the
    /// inner ones.
    fn feed_backward(&self) -> u64 {
        let Sizes { hidden, inner, .. } = self.sizes;
        let behind = when(self.has_norms_behind(), self.norm_temporaries());
        (2 * self.sizes.out(hidden) + behind)
            .max(2 * self.sizes.out(hidden) + if self.is_gated() { 3 } else { 2 } * self.sizes.out(inner))
    }

    /// Inner gradients that taps still need, less the activations that are freed by then.
    fn inside_gradients(&self) -> u64 {
        let inner = self.sizes.out(self.sizes.inner);
        let waiting = when(self.taps.gate, inner) + when(self.is_gated() && self.taps.up, inner);
        waiting.saturating_sub(when(self.is_gated(), inner))
    }

    fn norm_temporaries(&self) -> u64 {
        let bytes = self.sizes.out(self.sizes.hidden);
        5 * if self.sizes.is_narrow() { self.sizes.wide(bytes) } else { bytes }
    }

    /// Gradients during the backward pass of the norm before the feed-forward layer.
    fn norm_backward(&self) -> u64 {
        3 * self.sizes.out(self.sizes.hidden) + self.inside_gradients() + self.norm_temporaries()
    }

    /// Gradients during the backward pass of attention: the upstream one, those of both sums, of attention's result, of
    /// queries, keys and values, and the temporaries of the inverse rotation.
    fn attention_backward(&self) -> u64 {
        let sizes = &self.sizes;
        let (hidden, queries) = (sizes.out(sizes.hidden), self.queries());
        let served = if self.repeats() { queries } else { self.keys() };
        let own = self.inside_gradients() + 2 * hidden + sizes.out(queries); // upstream, sums, context
        let all = own + sizes.out(queries) + 2 * sizes.all(served) + when(self.is_rotary(), 3 * sizes.all(served));
        let scores = sizes.scores();
        match self.decoder.attention.cap {
            Some(_) => all.max(own + 2 * scores + scores / 4 * sizes.scalar),
            None => all + 2 * sizes.probabilities(),
        }
    }

    fn idle(&self) -> u64 {
        let sizes = &self.sizes;
        let scores = sizes.scores();
        let before = sizes.all(sizes.hidden) + sizes.out(self.queries()); // normed input, context
        let attention = 2 * sizes.out(self.queries())
            + 3 * sizes.all(self.keys())
            + when(self.repeats(), 2 * sizes.all(self.queries()))
            + when(self.decoder.attention.cap.is_some(), 2 * scores);
        let feed = 3 * sizes.out(sizes.hidden) // sum, normed sum, output
            + if self.is_gated() { 4 } else { 2 } * sizes.out(sizes.inner);
        before + attention.max(feed)
    }
}
