//! A low-rank product on a layer (`LoRA`, arXiv 2106.09685), optionally with magnitudes (`DoRA`, arXiv 2402.09353).

use tch::Tensor;

use spartui_facts::permutation::mix;
use spartui_model::{BaseLayer, Kept, Merged, Overlay, Tape, dropout_mask};

/// Turns a layer `y = W x + b` into `y = c (W x + s B A drop(x)) + b`. The product is computed in the type of its
/// factors; the result has the type of the input.
#[derive(Debug)]
pub struct Addition {
    /// A, `[rank, in]`.
    pub down: Tensor,
    /// B, `[out, rank]`.
    pub up: Tensor,
    /// s.
    pub scale: f64,
    /// c, `[out]`; none means 1.
    pub factor: Option<Tensor>,
    /// Dropout probability of the product's input during training; the layer's own input is not dropped.
    pub dropout: f64,
    /// Key of this layer's dropout masks.
    pub key: u64,
}

/// Intermediate results of the forward pass, kept for the gradients.
#[derive(Debug)]
pub(super) struct Inside {
    /// Dropout mask, the factor of the input: 0 where it was dropped. None without dropout.
    pub mask: Option<Tensor>,
    /// `A drop(x)`, `[.., rank]`.
    pub low: Tensor,
    /// `W x + s B A drop(x)`, `[.., out]`, where there is a factor.
    pub sum: Option<Tensor>,
}

impl Addition {
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

impl Overlay for Addition {
    fn apply(&self, base: &BaseLayer<'_>, x: &Tensor, tape: &mut Tape<'_>) -> (Tensor, Kept) {
        let kind = self.down.kind();
        let mask = tape.noise().filter(|_| self.dropout > 0.0).map(|noise| {
            let key = mix(self.key ^ noise);
            dropout_mask(key, self.dropout, (kind, x.device()), &x.size())
        });
        let wide = x.to_kind(kind);
        let wide = mask.as_ref().map_or_else(|| wide.shallow_clone(), |mask| &wide * mask);
        let low = wide.linear(&self.down, None::<&Tensor>);
        let mut product = (&low * self.scale).linear(&self.up, None::<&Tensor>);
        let (y, sum) = match &self.factor {
            None => (product.g_add_(&(base.forward)(x, base.bias).to_kind(kind)), None),
            Some(factor) => {
                let sum = product.g_add_(&(base.forward)(x, None).to_kind(kind));
                let mut y = &sum * factor;
                if let Some(bias) = base.bias {
                    y += bias.to_kind(kind);
                }
                (y, Some(sum.detach()))
            }
        };
        (y.to_kind(x.kind()), Some(Box::new(Inside { mask, low: low.detach(), sum })))
    }

    fn share(&self) -> Box<dyn Overlay> {
        Box::new(self.shallow_clone())
    }

    fn merge(&self, weight: &Tensor, bias: Option<&Tensor>) -> Option<Merged> {
        let kind = self.down.kind();
        let sum = weight.to_kind(kind) + self.up.matmul(&self.down) * self.scale;
        let merged = self.factor.as_ref().map_or_else(|| sum.shallow_clone(), |factor| &sum * factor.unsqueeze(1));
        Some((merged, bias.map(|bias| bias.to_kind(kind))))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn merged_it_does_what_it_does_on_top() {
        let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Double, Device::Cpu));
        let (weight, bias, x) = (random(&[5, 7]), random(&[5]), random(&[3, 7]));
        for (factor, bias) in
            [(None, None), (None, Some(&bias)), (Some(random(&[5])), None), (Some(random(&[5])), Some(&bias))]
        {
            let addition =
                Addition { down: random(&[2, 7]), up: random(&[5, 2]), scale: 0.5, factor, dropout: 0.5, key: 1 };
            let forward = |x: &Tensor, bias: Option<&Tensor>| x.linear(&weight, bias);
            let (on_top, _) = addition.apply(&BaseLayer { bias, forward: &forward }, &x, &mut Tape::idle());
            let (merged, merged_bias) = addition.merge(&weight, bias).unwrap();
            let apart = (x.linear(&merged, merged_bias.as_ref()) - on_top).abs().max().double_value(&[]);
            assert!(apart < 1e-12, "{apart}");
        }
    }
}
