//! The layers that encoders and decoders share.

use tch::{Device, Kind, Tensor};

use super::tape::Tape;
use super::{BaseLayer, Kept, Slot};
use spartui_facts::family::Activation;

/// `y = x W' + b`
#[derive(Debug)]
pub(super) struct Linear {
    /// `[out, in]`, or `[in, out]` where transposed.
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    /// Whether the weight is stored as GPT-2's `Conv1D` does.
    pub transposed: bool,
    /// Index among the model's sites; none where no method may adapt it.
    pub site: Option<usize>,
    /// The slot for a method's overlay.
    pub overlay: Slot,
}

impl Linear {
    pub fn forward(&self, x: &Tensor, tape: &mut Tape) -> Tensor {
        let (y, kept) = self.apply(x, tape);
        self.record(x, y, kept, tape)
    }

    /// `residual + x W' + b`. The tape records the sum as the output: it has the same gradient, and the layer's own
    /// output need not be kept.
    pub fn forward_onto(&self, residual: &Tensor, x: &Tensor, tape: &mut Tape) -> Tensor {
        let (y, kept) = self.apply(x, tape);
        self.record(x, residual + y, kept, tape)
    }

    fn apply(&self, x: &Tensor, tape: &mut Tape) -> (Tensor, Kept) {
        let layer = |x: &Tensor, bias: Option<&Tensor>| {
            if self.transposed { x.linear(&self.weight.transpose(0, 1), bias) } else { x.linear(&self.weight, bias) }
        };
        let bias = self.bias.as_ref();
        match &*self.overlay.get() {
            None => (layer(x, bias), None),
            Some(overlay) => overlay.apply(&BaseLayer { bias, forward: &layer }, x, tape),
        }
    }

    fn record(&self, x: &Tensor, y: Tensor, kept: Kept, tape: &mut Tape) -> Tensor {
        match self.site {
            Some(site) => tape.record(site, x, y, kept),
            None => y,
        }
    }
}

/// A norm over the last dimension.
#[derive(Debug)]
pub(super) enum Norm {
    /// Ba et al., 2016.
    Layer { weight: Tensor, bias: Option<Tensor>, epsilon: f64 },
    /// Zhang and Sennrich, 2019.
    Rms { weight: Tensor, epsilon: f64, factor: Factor },
}

/// The factor of an RMS norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    /// The weight, after the cast to the type of the activations (Llama).
    AfterCast,
    /// The weight, before the cast (`OLMo`).
    BeforeCast,
    /// 1 plus the weight, before the cast (Gemma).
    FromOne,
}

impl Norm {
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Layer { weight, bias, epsilon } => {
                x.layer_norm(weight.size(), Some(weight), bias.as_ref(), *epsilon, false)
            }
            Self::Rms { weight, epsilon, factor } => {
                let kind = x.kind();
                let wide = if kind == Kind::Double { Kind::Double } else { Kind::Float };
                let wide_factor = || match factor {
                    Factor::AfterCast => None,
                    Factor::BeforeCast => Some(weight.to_kind(wide)),
                    Factor::FromOne => Some(weight.to_kind(wide) + 1.0),
                };
                if x.device().is_cuda() {
                    // One kernel, which computes in `f32` and casts at its end.
                    let fused =
                        |weight: Option<&Tensor>, x: &Tensor| x.rms_norm([x.size()[x.dim() - 1]], weight, *epsilon);
                    return match wide_factor() {
                        Some(factor) => fused(Some(&factor), &x.to_kind(wide)).to_kind(kind),
                        None => fused(None, x) * weight,
                    };
                }
                let x = x.to_kind(wide);
                let scaled = &x * (x.square().mean_dim(-1, true, wide) + *epsilon).rsqrt();
                match wide_factor() {
                    Some(factor) => (scaled * factor).to_kind(kind),
                    None => scaled.to_kind(kind) * weight,
                }
            }
        }
    }
}

pub(super) fn activate(activation: Activation, x: &Tensor) -> Tensor {
    match activation {
        Activation::Gelu => x.gelu("none"),
        Activation::GeluTanh => x.gelu("tanh"),
        Activation::Relu => x.relu(),
        Activation::SquaredRelu => x.relu().square(),
        Activation::Silu => x.silu(),
    }
}

/// The keys that a query attends to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Visible<'a> {
    /// All.
    All,
    /// Those up to its own position.
    Causal,
    /// Those where this is true; broadcast to `[rows, heads, queries, keys]`.
    Where(&'a Tensor),
}

/// Attention (Vaswani et al., 2017). `query` is `[rows, heads, queries, head_dim]`; key and value are
/// `[rows, kv_heads, keys, head_dim]`, each serving as many query heads. The result is `[rows, queries, heads * head_dim]`.
pub(super) fn attend([query, key, value]: [&Tensor; 3], scale: f64, visible: Visible<'_>) -> Tensor {
    let heads = query.size()[1];
    let (key, value) = (repeat(key, heads), repeat(value, heads));
    if [query, &key, &value].iter().any(|x| x.requires_grad()) && is_short(key.device(), key.size()[2]) {
        return join(&attend_short([query, &key, &value], scale, visible));
    }
    let (mask, causal) = match visible {
        Visible::All => (None, false),
        Visible::Causal => (None, true),
        Visible::Where(mask) => (Some(mask), false),
    };
    join(&Tensor::scaled_dot_product_attention(query, &key, &value, mask, 0.0, causal, Some(scale), false))
}

/// As [`attend`], with scores s soft-capped to `cap * tanh(s / cap)` before the mask (Gemma 2).
pub(super) fn attend_capped([query, key, value]: [&Tensor; 3], scale: f64, cap: f64, mask: &Tensor) -> Tensor {
    let heads = query.size()[1];
    let (key, value) = (repeat(key, heads), repeat(value, heads));
    let wide = if query.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    // In one expression, so that each matrix of scores is freed once the next one exists.
    let probabilities = ((query.matmul(&key.transpose(2, 3)) * scale / cap).tanh() * cap)
        .masked_fill_(&mask.logical_not(), f64::NEG_INFINITY)
        .softmax(-1, wide)
        .to_kind(query.kind());
    join(&probabilities.matmul(&value))
}

/// Number of keys up to which attention by its definition has faster gradients than libtorch's fused attention for the
/// CPU. At 128 keys the fused one takes twice as long in `f32` and three times in `bf16`, at 1024 a quarter (Xeon with
/// AMX, two threads).
const SHORT: i64 = 128;

/// Whether attention over `keys` keys is computed by its definition where gradients are needed.
pub(super) fn is_short(device: Device, keys: i64) -> bool {
    device == Device::Cpu && keys <= SHORT
}

/// Attention by its definition, `[rows, heads, queries, head_dim]`. Beside its operands the graph keeps the attention
/// probabilities, one scalar for each pair of query and key.
fn attend_short([query, key, value]: [&Tensor; 3], scale: f64, visible: Visible<'_>) -> Tensor {
    let [rows, heads, queries, head_dim] = query.size()[..] else { return query.shallow_clone() };
    let keys = key.size()[2];
    // The two reshapes make the gradient of the keys, which the product returns transposed, contiguous once, here,
    // instead of in each operation further down.
    let flat = |x: &Tensor| x.reshape([rows * heads, -1]).view([rows * heads, -1, head_dim]);
    let bias = match visible {
        Visible::All => Tensor::zeros([1, 1], (query.kind(), query.device())),
        Visible::Causal => hidden(&Tensor::ones([queries, keys], (Kind::Bool, query.device())).tril(0), query.kind()),
        Visible::Where(mask) if mask.dim() == 2 => hidden(mask, query.kind()),
        Visible::Where(mask) => {
            hidden(mask, query.kind()).expand([rows, heads, queries, keys], false).reshape([-1, queries, keys])
        }
    };
    let probabilities = bias.baddbmm(&flat(query), &flat(key).transpose(1, 2), 1.0, scale).softmax(-1, query.kind());
    probabilities.bmm(&flat(value)).view([rows, heads, queries, head_dim])
}

/// Additive mask: zero where the mask is true, minus infinity elsewhere.
fn hidden(mask: &Tensor, kind: Kind) -> Tensor {
    Tensor::zeros(mask.size(), (kind, mask.device())).masked_fill(&mask.logical_not(), f64::NEG_INFINITY)
}

fn repeat(x: &Tensor, heads: i64) -> Tensor {
    let [rows, own, width, head_dim] = x.size()[..] else { return x.shallow_clone() };
    if own == heads {
        return x.shallow_clone();
    }
    x.unsqueeze(2).expand([rows, own, heads / own, width, head_dim], false).reshape([rows, heads, width, head_dim])
}

fn join(x: &Tensor) -> Tensor {
    let [rows, heads, width, head_dim] = x.size()[..] else { return x.shallow_clone() };
    x.transpose(1, 2).reshape([rows, width, heads * head_dim])
}

/// `[rows, width, heads * head_dim]` to `[rows, heads, width, head_dim]`.
pub(super) fn split(x: &Tensor, head_dim: i64) -> Tensor {
    let [rows, width, all] = x.size()[..] else { return x.shallow_clone() };
    x.view([rows, width, all / head_dim, head_dim]).transpose(1, 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Output and gradients of queries, keys and values, widened; the gradients are those of a weighted sum of the
    /// output.
    fn results(operands: &[Tensor; 3], attention: impl Fn([&Tensor; 3]) -> Tensor) -> Vec<Tensor> {
        let leaves = operands.each_ref().map(|operand| operand.detach().set_requires_grad(true));
        let output = attention([&leaves[0], &leaves[1], &leaves[2]]);
        let weights = Tensor::arange(output.numel().cast_signed() as i64, (Kind::Double, Device::Cpu)).sin();
        let sum = (&output.reshape([-1]).to_kind(Kind::Double) * weights).sum(Kind::Double);
        let mut all = Tensor::run_backward(&[&sum], &leaves, false, false);
        all.push(output);
        all.into_iter().map(|tensor| tensor.detach().to_kind(Kind::Double)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn short_attention_is_as_near_to_float64_as_that_of_libtorch(
            [rows, heads, width] in [1_i64..4, 1_i64..4, 1_i64..60], half: bool, visible in 0..4,
        ) {
            let kind = if half { Kind::BFloat16 } else { Kind::Float };
            let operands = [(); 3].map(|()| Tensor::randn([rows, heads, width, 16], (kind, Device::Cpu)));
            let lengths = Tensor::randint_low(1, width + 1, [rows, 1, 1, 1], (Kind::Int64, Device::Cpu));
            let padding = Tensor::arange(width, (Kind::Int64, Device::Cpu)).less_tensor(&lengths);
            let window = Tensor::ones([width, width], (Kind::Bool, Device::Cpu)).tril(0).triu(-2);
            let visible = match visible {
                0 => Visible::All,
                1 => Visible::Causal,
                2 => Visible::Where(&padding),
                _ => Visible::Where(&window),
            };
            let plain = |[query, key, value]: [&Tensor; 3]| {
                let (mask, causal) = match visible {
                    Visible::All => (None, false),
                    Visible::Causal => (None, true),
                    Visible::Where(mask) => (Some(mask), false),
                };
                Tensor::scaled_dot_product_attention(query, key, value, mask, 0.0, causal, Some(0.25), false)
            };
            let wide = operands.each_ref().map(|operand| operand.to_kind(Kind::Double));
            let exact = results(&wide, plain);
            let (short, usual) = (results(&operands, |x| attend_short(x, 0.25, visible)), results(&operands, plain));
            for ((exact, short), usual) in exact.iter().zip(&short).zip(&usual) {
                let apart = |x: &Tensor| (x - exact).square().mean(Kind::Double).sqrt().double_value(&[]);
                let size = exact.square().mean(Kind::Double).sqrt().double_value(&[]);
                let allowed = 2.0 * apart(usual) + if half { 4e-3 } else { 1e-6 } * (size + 0.1);
                prop_assert!(apart(short) <= allowed, "{} {} of {size}", apart(short), apart(usual));
            }
        }
    }
}
