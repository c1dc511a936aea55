//! What the blocks of a model keep and need in memory, tensor by tensor.
//!
//! It follows what libtorch saves for gradients. A linear layer whose weight does not train saves nothing; a norm and an
//! activation save what they start from, a product both factors, attention its queries, keys, values and results, over short
//! rows the shares in place of the results. A tap keeps its layer's input and output. A norm over a narrow type works on a copy
//! in `f32`.

use super::Model;
use super::config::{self, Architecture, Positions};
use super::layers::is_short;

/// What a block is run on, and what of the model trains.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Rows of a micro-batch.
    pub rows: u64,
    /// Tokens of each, padding included.
    pub width: u64,
    /// Which sites leave a tap.
    pub adapted: &'a [bool],
    /// Whether every parameter trains.
    pub everything: bool,
}

/// Bytes that one block takes, its input not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockMemory {
    /// From its forward pass to its backward pass: what graph and taps keep, its output among it.
    pub kept: u64,
    /// The most beside that, while it is walked back.
    pub backward: u64,
    /// The most while it is run without a graph, its output among it.
    pub idle: u64,
    /// Its output.
    pub output: u64,
}

impl Model {
    /// What this block takes; `arrives`: whether its input needs a gradient.
    #[must_use]
    pub fn block_memory(&self, layer: usize, load: &Load<'_>, arrives: bool) -> BlockMemory {
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
        let of_layer = self.sites.iter().enumerate().filter(|(_, site)| site.layer == layer);
        let taps = of_layer.map(|(at, _)| load.adapted.get(at).copied().unwrap_or(false)).collect::<Vec<_>>();
        let taps = Taps::of(&taps, load.everything);
        match &self.config.architecture {
            Architecture::Encoder(_) => encoder(&sizes, taps),
            Architecture::Decoder(decoder) => Block { decoder, sizes, taps, arrives }.memory(),
        }
    }

    fn classifies(&self) -> bool {
        self.task == spartui_facts::recipe::TaskKind::SequenceClassification
    }
}

fn unsigned(size: i64) -> u64 {
    size.max(0).cast_unsigned()
}

/// `bytes` where that is so.
fn when(so: bool, bytes: u64) -> u64 {
    if so { bytes } else { 0 }
}

struct Sizes {
    tokens: u64,
    /// Tokens whose output is computed.
    outputs: u64,
    hidden: u64,
    inner: u64,
    /// Bytes of a scalar.
    scalar: u64,
    width: u64,
    heads: u64,
    /// Whether attention goes by its definition where gradients are needed.
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

    /// The copy in `f32` of so many bytes of a narrow type.
    fn wide(&self, bytes: u64) -> u64 {
        when(self.is_narrow(), bytes * 2)
    }

    fn is_narrow(&self) -> bool {
        self.scalar < 4
    }

    /// What attention keeps to normalise its scores again, `f32`.
    fn normalisers(&self) -> u64 {
        4 * self.heads * self.outputs
    }

    /// What each query takes of each value, over short rows.
    fn shares(&self) -> u64 {
        when(self.short, self.scalar * self.heads * self.outputs * self.width)
    }

    /// One matrix of scores, in `f32`.
    fn scores(&self) -> u64 {
        4 * self.heads * self.outputs * self.width
    }
}

/// Which layers of a block leave taps, and whether layers save their inputs for their own weights' sake.
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
}

impl Taps {
    /// From those of a block's sites, in their order.
    fn of(sites: &[bool], everything: bool) -> Self {
        let [query, key, value, output, gate, up, down] = match *sites {
            [query, key, value, output, gate, up, down] => [query, key, value, output, gate, up, down],
            [query, key, value, output, inner, down] => [query, key, value, output, inner, inner, down],
            [together, output, inner, down] => [together, together, together, output, inner, inner, down],
            _ => [everything; 7],
        };
        Self { query, key, value, output, gate, up, down, everything }
    }

    /// Whether the input of layers is kept of which one has a tap.
    fn input(self, taps: &[bool]) -> bool {
        self.everything || taps.contains(&true)
    }
}

fn encoder(sizes: &Sizes, taps: Taps) -> BlockMemory {
    let Sizes { hidden, inner, .. } = *sizes;
    let (all, out) = (|width| sizes.all(width), |width| sizes.out(width));
    let by_definition = sizes.shares()
        // Queries, keys and values lie head by head then, and the layers' own outputs beside them.
        + when(taps.query, out(hidden))
        + when(taps.key, all(hidden))
        + when(taps.value, all(hidden))
        + when(taps.output, out(hidden)); // their mix
    let by_libtorch = out(hidden) // the mix
        + sizes.normalisers();
    let kept = out(hidden) // queries
        + 2 * all(hidden) // keys, values
        + if sizes.short { by_definition } else { by_libtorch }
        + out(hidden) // the first norm's input
        + out(hidden) // its output
        + out(inner) // the activation's input
        + when(taps.input(&[taps.down]), out(inner)) // its output
        + out(hidden) // the second norm's input
        + out(hidden); // its output
    let feed = 2 * out(hidden) // arriving gradient, and that of the second norm's input
        + out(hidden) // the second norm's input gradient, before it is added
        + 2 * out(inner); // gradients of the activation's output and input
    let attention = 4 * out(hidden) // arriving gradient, those of both norms' inputs, that of the mix
        + when(taps.gate, out(inner)) // gradient of the activation's input
        + out(hidden) + 2 * all(hidden) // gradients of queries, keys, values
        + 2 * sizes.shares() // gradients of shares and scores
        + 2 * all(hidden); // gradient of the block's input, and a summand of it
    let idle = out(hidden) + 2 * all(hidden) // queries, keys, values
        + 4 * out(hidden) // their mix, sums and norms
        + 2 * out(inner); // the activation's input and output
    BlockMemory { kept, backward: feed.max(attention), idle, output: out(hidden) }
}

struct Block<'a> {
    decoder: &'a config::Decoder,
    sizes: Sizes,
    taps: Taps,
    arrives: bool,
}

impl Block<'_> {
    fn memory(&self) -> BlockMemory {
        let hidden = self.sizes.hidden;
        BlockMemory {
            kept: self.norm(self.sizes.all(hidden), self.arrives)
                + self.attention()
                + self.residual(self.taps.output, true)
                + self.norm(self.sizes.out(hidden), true)
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
        self.is_rotary()
    }

    fn has_norms_behind(&self) -> bool {
        self.decoder.family.norms.behind_feed.is_some()
    }

    /// What a norm over so many bytes saves beside its input.
    fn norm(&self, bytes: u64, arrives: bool) -> u64 {
        let rms = self.is_rotary();
        when(rms && arrives, self.sizes.wide(bytes)) // its input in f32
            + when(rms && self.taps.everything, bytes) // what its weight multiplies
    }

    fn attention(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let (queries, keys) = (self.queries(), self.keys());
        let of_norms = self.decoder.attention.query_key_norm;
        let saved = |tapped: bool, bytes: u64| {
            // A norm saves what it starts from, in f32; without a rotation attention starts from it.
            let direct = !self.is_rotary() || (of_norms && !sizes.is_narrow());
            when(tapped || direct, bytes) + when(of_norms, sizes.wide(bytes))
        };
        let served = if self.repeats() { queries } else { keys };
        when(taps.input(&[taps.query, taps.key, taps.value]), sizes.all(sizes.hidden)) // what they come from
            + saved(taps.query, sizes.out(queries))
            + saved(taps.key, sizes.all(keys))
            + when(taps.value || !self.repeats(), sizes.all(keys))
            + when(self.is_rotary(), sizes.out(queries) + sizes.all(served)) // rotated
            + when(self.repeats(), sizes.all(queries)) // values, repeated
            + match self.decoder.attention.cap {
                Some(_) => sizes.out(queries) + self.capped_scores(), // the mix among it
                None if sizes.short => self.by_definition(),
                None => sizes.out(queries) + sizes.normalisers(),
            }
    }

    /// Beside what lies head by head: the shares, the layers' own outputs, and the mix, as far as taps keep them.
    fn by_definition(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let (queries, keys) = (sizes.out(self.queries()), sizes.all(self.keys()));
        sizes.shares()
            + when(taps.query && !self.is_rotary(), queries)
            + when(taps.key && !self.is_rotary(), keys)
            + when(taps.value && !self.repeats(), keys)
            + when(taps.output, queries)
    }

    /// The scores behind tanh, and the shares, in `f32` and in the model's type.
    fn capped_scores(&self) -> u64 {
        let scores = self.sizes.scores();
        scores / 4 * self.sizes.scalar + scores + when(self.sizes.is_narrow(), scores / 2)
    }

    /// What is kept of the sum of a block's input and a layer's output.
    fn residual(&self, tapped: bool, feeds_a_norm: bool) -> u64 {
        let bytes = self.sizes.out(self.sizes.hidden);
        let behind = self.has_norms_behind();
        let of_norm = when(!self.sizes.is_narrow() || tapped, bytes) + self.norm(bytes, true);
        let saved = !self.sizes.is_narrow() || !self.is_rotary();
        // Behind the feed-forward layer it is the block's output.
        when(behind, of_norm) + when(!feeds_a_norm || saved || (tapped && !behind), bytes)
    }

    fn feed(&self) -> u64 {
        let (sizes, taps) = (&self.sizes, &self.taps);
        let inner = sizes.out(sizes.inner);
        when(taps.input(&[taps.gate, taps.up]), sizes.out(sizes.hidden)) // what it starts from
            + inner // the activation's input
            + when(self.is_gated(), 2 * inner) // its output, and what that multiplies
            + when(taps.input(&[taps.down]), inner) // what the last layer starts from
    }

    /// Gradients while the feed-forward layer is walked back: the arriving one, that of its output, and of its inside.
    fn feed_backward(&self) -> u64 {
        let Sizes { hidden, inner, .. } = self.sizes;
        let behind = when(self.has_norms_behind(), self.norm_temporaries());
        (2 * self.sizes.out(hidden) + behind)
            .max(2 * self.sizes.out(hidden) + if self.is_gated() { 3 } else { 2 } * self.sizes.out(inner))
    }

    /// Gradients of the inside that taps wait for, less what is not kept any longer then.
    fn inside_gradients(&self) -> u64 {
        let inner = self.sizes.out(self.sizes.inner);
        let waiting = when(self.taps.gate, inner) + when(self.is_gated() && self.taps.up, inner);
        waiting.saturating_sub(when(self.is_gated(), inner))
    }

    fn norm_temporaries(&self) -> u64 {
        let bytes = self.sizes.out(self.sizes.hidden);
        5 * if self.sizes.is_narrow() { self.sizes.wide(bytes) } else { bytes }
    }

    /// Gradients while the norm before the feed-forward layer is walked back.
    fn norm_backward(&self) -> u64 {
        3 * self.sizes.out(self.sizes.hidden) + self.inside_gradients() + self.norm_temporaries()
    }

    /// Gradients while attention is walked back: the arriving one, those of both sums, of the mix, of queries, keys and
    /// values, and what undoing the rotation takes.
    fn attention_backward(&self) -> u64 {
        let sizes = &self.sizes;
        let (hidden, queries) = (sizes.out(sizes.hidden), self.queries());
        let served = if self.repeats() { queries } else { self.keys() };
        let own = self.inside_gradients() + 2 * hidden + sizes.out(queries); // upstream, sums, mix
        let all = own + sizes.out(queries) + 2 * sizes.all(served) + when(self.is_rotary(), 3 * sizes.all(served));
        let scores = sizes.scores();
        match self.decoder.attention.cap {
            Some(_) => all.max(own + 2 * scores + scores / 4 * sizes.scalar),
            None => all + 2 * sizes.shares(),
        }
    }

    fn idle(&self) -> u64 {
        let sizes = &self.sizes;
        let scores = sizes.scores();
        let before = sizes.all(sizes.hidden) + sizes.out(self.queries()); // normed input, mix
        let attention = 2 * sizes.out(self.queries())
            + 3 * sizes.all(self.keys())
            + when(self.repeats(), 2 * sizes.all(self.queries()))
            + when(self.decoder.attention.cap.is_some(), 2 * scores);
        let feed = 3 * sizes.out(sizes.hidden) // sum, normed sum, output
            + if self.is_gated() { 4 } else { 2 } * sizes.out(sizes.inner);
        before + attention.max(feed)
    }
}
