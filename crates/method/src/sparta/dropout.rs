//! Dropout of deltas, as peft-sparta has it: in each forward pass of training some deltas count as 0, and the others are
//! scaled up so that their mean stays.
//!
//! The weights hold the remaining deltas during the passes of a step, and all of them again before anything else reads
//! the weights. The masks are keyed by step, micro-batch and weight, so that recomputed blocks, resumed and replayed runs
//! have the same ones.

use tch::{Kind, Tensor};

use super::Sparta;
use crate::{Method, Patch};
use spartui_facts::permutation::{derive_key, mix};
use spartui_model::dropout_mask;

impl Sparta {
    /// Begins a pass with deltas dropped anew, where the settings say so.
    pub(super) fn drop_deltas(&mut self, step: u64, micro_batch: u64) {
        let dropped = self.settings.sparta.dropout;
        if dropped <= 0.0 {
            return;
        }
        if self.complete.is_empty() {
            self.complete = self.patches();
        }
        tch::no_grad(|| {
            for (site, _) in self.sites.iter_mut().zip(&self.active).filter(|(_, active)| **active) {
                let key = derive_key(self.settings.seed, "sparta dropout", &site.name);
                let key = mix(mix(key ^ step) ^ micro_batch);
                let mask = |(cohort, indices): (u64, &Tensor)| {
                    dropout_mask(mix(key ^ cohort), dropped, (Kind::Float, indices.device()), &indices.size())
                };
                site.masks = (0..).zip(site.delta.indices()).map(mask).collect();
                site.delta.write_masked(&site.masks);
            }
        });
    }

    /// Ends the passes of a step: the weights hold all deltas again, to the bit.
    pub(super) fn restore_dropped(&mut self) {
        tch::no_grad(|| std::mem::take(&mut self.complete).iter().for_each(Patch::apply));
        self.sites.iter_mut().for_each(|site| site.masks.clear());
    }
}
