//! The tensors that are alive at each moment of a step.

use tch::{Device, Kind};

use super::Extent;
use crate::targets::most_logits;
use spartui_facts::recipe::{Recipe, Recompute};
use spartui_method::Needs;
use spartui_model::{BlockMemory, Load, Model, Site, Stage};

/// Bytes alive at one moment of a step, beside weights, deltas and moments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// Kept for the backward pass.
    pub kept: u64,
    /// Transient at this moment.
    pub working: u64,
}

impl Moment {
    pub fn bytes(&self) -> u64 {
        self.kept + self.working
    }
}

/// The account of one step.
pub struct Account<'a> {
    pub recipe: &'a Recipe,
    pub model: &'a Model,
    /// Number of trainable scalars of each site.
    pub counts: &'a [u64],
    /// Memory needs of the method.
    pub needs: &'a Needs,
    /// The largest micro-batch.
    pub batch: Extent,
}

impl Account<'_> {
    fn trains_everything(&self) -> bool {
        self.needs.everything
    }

    fn trains_language_head(&self) -> bool {
        self.trains_everything() || self.needs.language_head
    }

    /// All moments of a step that may be its peak.
    pub fn moments(&self) -> Vec<Moment> {
        let recomputes = self.recipe.train.recompute == Recompute::Blocks;
        let adapted: Vec<bool> = self.counts.iter().map(|&count| count > 0 && !self.needs.tapless).collect();
        let lowest = self.lowest_layer();
        let embeds = self.needs.graph == Some(Stage::Embedding);
        let everything = self.trains_everything();
        let Extent { rows, width, .. } = self.batch;
        let inputs: Vec<bool> = self.needs.overlays.iter().map(|overlay| overlay.input).collect();
        let load = Load { rows, width, adapted: &adapted, inputs: &inputs, everything };
        let embedded = self.tokens(self.batch);
        let blocks: Vec<BlockMemory> = (lowest..self.model.layers())
            .map(|layer| {
                let block = self.model.block_memory(layer, &load, layer > lowest || everything || embeds);
                self.with_overlays(block, layer, self.batch)
            })
            .collect();
        // Bytes kept of a block until its backward pass.
        let waits = |block: &BlockMemory| if recomputes { block.output } else { block.kept };
        let before = |at: usize| embedded + blocks[..at].iter().map(waits).sum::<u64>();
        let idle = |layer| Moment { kept: 0, working: embedded + self.model.block_memory(layer, &load, false).idle };
        let mut moments: Vec<Moment> = (0..lowest).map(idle).collect();
        // With two passes per micro-batch, the tensors of the other pass are still alive.
        let other = if self.needs.twice { before(blocks.len()) } else { 0 };
        moments.push(Moment { kept: before(blocks.len()) + other, working: self.loss() });
        for (at, block) in blocks.iter().enumerate() {
            if recomputes {
                moments.push(Moment { kept: before(at) + other, working: block.idle });
            }
            let working = block.backward + self.gradients(lowest + at) + self.fresh_gradients(lowest + at);
            moments.push(Moment { kept: before(at) + block.kept + other, working });
        }
        moments.push(Moment { kept: 0, working: self.gradients(0) + self.fresh_gradients(0) + self.update() });
        if self.needs.gathered > 0 {
            let working = embedded + self.gradients(0) + self.needs.gathered;
            moments.push(Moment { kept: before(0), working });
        }
        moments
    }

    /// The memory of a block, overlays included.
    fn with_overlays(&self, block: BlockMemory, layer: usize, Extent { rows, width, .. }: Extent) -> BlockMemory {
        let tokens = rows * width;
        let of_layer = self.model.sites.iter().zip(&self.needs.overlays).filter(|(site, _)| site.layer == layer);
        let (kept, working) = of_layer.fold((0, 0), |(kept, working), (_, overlay)| {
            (kept + tokens * overlay.kept, working.max(tokens * overlay.working))
        });
        BlockMemory { kept: block.kept + kept, backward: block.backward + working, idle: block.idle + working, ..block }
    }

    /// Moments before the first step, where dense gradients decide what trains. Deltas and moments do not exist yet at
    /// that time, but are counted elsewhere, so they are subtracted here.
    pub fn survey(&self) -> Vec<Moment> {
        let Some(gradients) = self.needs.surveyed else { return Vec::new() };
        let saved = self.needs.held.deltas + self.needs.held.moments;
        let with = |moment: Moment| Moment { working: (moment.working + gradients).saturating_sub(saved), ..moment };
        self.moments().into_iter().map(with).collect()
    }

    /// Bytes of `[rows, width, hidden]`.
    fn tokens(&self, Extent { rows, width, .. }: Extent) -> u64 {
        rows * width * self.hidden() * bytes_of(self.model.kind)
    }

    fn hidden(&self) -> u64 {
        self.model.config.hidden_size.cast_unsigned()
    }

    fn lowest_layer(&self) -> usize {
        if self.trains_everything() {
            return 0;
        }
        let of_overlay = |site: usize| self.needs.overlays.get(site).is_some_and(|overlay| overlay.kept > 0);
        let trained = self.model.sites.iter().zip(self.counts).enumerate();
        let trained = trained.filter(|(at, (_, count))| **count > 0 || of_overlay(*at)).map(|(_, site)| site);
        let of_sites = trained.map(|(site, _)| site.layer).min().unwrap_or(self.model.layers());
        match self.needs.graph {
            Some(Stage::Embedding) => 0,
            Some(Stage::Block(layer)) => of_sites.min(layer),
            Some(Stage::Output) | None => of_sites,
        }
    }

    /// Loss and its gradient: tensors after the last block, and the logits of a bounded number of positions.
    fn loss(&self) -> u64 {
        let vocabulary = self.model.config.vocab_size.cast_unsigned();
        let behind = self.batch.targets * self.hidden() * bytes_of(self.model.kind);
        let wide = if self.is_narrow() { 2 * behind } else { 0 };
        let head = self.model.language_parameter().filter(|_| self.trains_language_head());
        // Target positions, the norm's copy of them in f32, the norm's output, and its gradient in chunks.
        3 * behind
            + wide
            + self.batch_logits()
            + head.map_or(0, |_| vocabulary * self.hidden() * (bytes_of(self.model.kind) + 4))
    }

    /// Logits of a batch: in the model's dtype, with the gradient in place; else the softmax, and the gradients before
    /// and after it.
    fn batch_logits(&self) -> u64 {
        let logits = self.logits(self.batch);
        if self.needs.twice {
            // Of both passes: the logits, their logarithms of probabilities and gradients; and a softmax.
            return 7 * logits;
        }
        let in_place = !self.trains_language_head()
            && self.model.device == Device::Cpu
            && self.model.product_rows().is_some()
            && bytes_of(self.model.kind) <= 4;
        if in_place { logits / 4 * bytes_of(self.model.kind) } else { 3 * logits }
    }

    /// Bytes of the logits that exist at a time, in `f32`.
    fn logits(&self, extent: Extent) -> u64 {
        let vocabulary = self.model.config.vocab_size.max(1);
        let positions = (most_logits(self.model.device) / vocabulary).max(1).cast_unsigned().min(extent.targets);
        4 * positions * vocabulary.cast_unsigned()
    }

    /// Bytes of the gradients accumulated before this block's backward pass: those of the blocks above.
    fn gradients(&self, layer: usize) -> u64 {
        if self.trains_everything() {
            let above = |stage: Stage| match stage {
                Stage::Embedding => false,
                Stage::Block(at) => at > layer,
                Stage::Output => true,
            };
            let collected = self.model.parameters.iter().filter(|parameter| above(parameter.stage));
            let tied = self.model.language_parameter().map(|place| &self.model.parameters[place]);
            let tied = tied.filter(|parameter| parameter.stage == Stage::Embedding);
            return collected.chain(tied).map(|parameter| 4 * parameter.tensor.numel() as u64).sum();
        }
        let above = self.model.sites.iter().zip(self.counts).filter(|(site, _)| site.layer > layer);
        above.map(|(site, count)| 4 * self.collected(site, *count)).sum()
    }

    /// Scalars of a site whose gradients are held until the update.
    fn collected(&self, site: &Site, count: u64) -> u64 {
        if self.needs.dense && count > 0 { site.weight.numel() as u64 } else { count }
    }

    /// Bytes of a block's own gradients, in the model's dtype and in `f32`.
    fn fresh_gradients(&self, layer: usize) -> u64 {
        if self.trains_everything() {
            let size = if self.is_narrow() { bytes_of(self.model.kind) + 4 } else { 4 };
            let own = self.model.parameters.iter().filter(|parameter| parameter.stage == Stage::Block(layer));
            return own.map(|parameter| size * parameter.tensor.numel() as u64).sum();
        }
        let own = self.model.sites.iter().zip(self.counts).filter(|(site, _)| site.layer == layer);
        own.map(|(site, count)| 4 * self.collected(site, *count)).sum()
    }

    /// Bytes of the update's temporaries: the squares for the gradient norm; and the embedding's gradient.
    fn update(&self) -> u64 {
        if !self.trains_everything() {
            let squares = 4 * self.counts.iter().max().copied().unwrap_or(0);
            return squares.max(self.needs.update);
        }
        let embedding = self.model.parameters.iter().filter(|one| one.stage == Stage::Embedding);
        4 * embedding.map(|one| one.tensor.numel() as u64).sum::<u64>() + self.largest()
    }

    /// Fragmentation where every parameter trains: the gradients of the blocks reuse the memory of activations, whose
    /// gaps are too small for the gradient of the largest parameter and for its squares.
    pub fn holes_for_the_largest(&self) -> u64 {
        if self.trains_everything() { 2 * self.largest() } else { 0 }
    }

    /// Bytes of the largest parameter, in `f32`.
    fn largest(&self) -> u64 {
        self.model.parameters.iter().map(|one| 4 * one.tensor.numel() as u64).max().unwrap_or(0)
    }

    /// The largest batch of an evaluation: input and temporaries of a block without a graph, or the logits.
    pub fn evaluation(&self, extent: Extent) -> Moment {
        let Extent { rows, width, .. } = extent;
        let load = Load { rows, width, adapted: &[], inputs: &[], everything: false };
        let block = |layer| self.with_overlays(self.model.block_memory(layer, &load, false), layer, extent).idle;
        let block = (0..self.model.layers()).map(block).max();
        let logits = 2 * self.logits(extent);
        Moment { kept: 0, working: self.tokens(extent) + block.unwrap_or(0).max(logits) }
    }

    fn is_narrow(&self) -> bool {
        bytes_of(self.model.kind) < 4
    }
}

/// Bytes of a scalar.
pub fn bytes_of(kind: Kind) -> u64 {
    kind.elt_size_in_bytes() as u64
}
