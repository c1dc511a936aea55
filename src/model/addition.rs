//! What a method may put on top of a linear layer: a product of low rank (`LoRA`, arXiv 2106.09685), and with it a magnitude
//! (`DoRA`, arXiv 2402.09353).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::Tensor;

use super::random::keep;
use crate::permutation::mix;

/// Makes of a layer `y = W x + b` the layer `y = c (W x + s B A drop(x)) + b`. The product is computed in the type of its
/// factors, and the result has that of the input.
#[derive(Debug)]
pub struct Addition {
    /// A, `[rank, in]`.
    pub down: Tensor,
    /// B, `[out, rank]`.
    pub up: Tensor,
    /// s.
    pub scale: f64,
    /// c, `[out]`; none is 1.
    pub factor: Option<Tensor>,
    /// Share of the layer's input that is dropped in training, for the product alone.
    pub dropout: f64,
    /// Tells the masks of this layer from those of others.
    pub key: u64,
}

/// What was computed on the way to the output of a layer with an addition.
#[derive(Debug)]
pub struct Inside {
    /// What the input was multiplied by: 0 where it was dropped; none where nothing is.
    pub mask: Option<Tensor>,
    /// `A drop(x)`, `[.., rank]`.
    pub low: Tensor,
    /// `W x + s B A drop(x)`, `[.., out]`, where there is a factor.
    pub sum: Option<Tensor>,
}

impl Addition {
    /// The output of a layer for `x`, given what the layer itself makes of it with a bias or without.
    pub(super) fn apply(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        noise: Option<u64>,
        layer: impl Fn(Option<&Tensor>) -> Tensor,
    ) -> (Tensor, Inside) {
        let kind = self.down.kind();
        let mask = noise.filter(|_| self.dropout > 0.0).map(|noise| {
            let key = mix(self.key ^ noise);
            keep(key, self.dropout, (kind, x.device()), &x.size())
        });
        let wide = x.to_kind(kind);
        let wide = mask.as_ref().map_or_else(|| wide.shallow_clone(), |mask| &wide * mask);
        let low = wide.linear(&self.down, None::<&Tensor>);
        let mut product = (&low * self.scale).linear(&self.up, None::<&Tensor>);
        let (y, sum) = match &self.factor {
            None => (product.g_add_(&layer(bias).to_kind(kind)), None),
            Some(factor) => {
                let sum = product.g_add_(&layer(None).to_kind(kind));
                let mut y = &sum * factor;
                if let Some(bias) = bias {
                    y += bias.to_kind(kind);
                }
                (y, Some(sum.detach()))
            }
        };
        (y.to_kind(x.kind()), Inside { mask, low: low.detach(), sum })
    }

    /// Another handle on the same tensors.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        Self {
            down: self.down.shallow_clone(),
            up: self.up.shallow_clone(),
            factor: self.factor.as_ref().map(Tensor::shallow_clone),
            ..*self
        }
    }
}

/// The place for the addition of one layer, which layer, site and method share.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Addition>>>);

impl Slot {
    /// Puts an addition on the layer in the place of what is there, or takes that away.
    pub fn set(&self, addition: Option<Addition>) {
        *self.get() = addition;
    }

    /// What is there. A computation that failed meanwhile has changed nothing of it.
    pub(super) fn get(&self) -> MutexGuard<'_, Option<Addition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
