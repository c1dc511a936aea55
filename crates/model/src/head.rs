//! Classification heads, trained from scratch on top of a model.

use tch::{Device, Kind, Tensor};

use super::random::normal;
use spartui_facts::family::HeadKind;
use spartui_facts::random::Source;

/// The parameters of a head, always in `f32`.
#[derive(Debug)]
pub struct Head {
    /// Its layers.
    pub kind: HeadKind,
    /// Its parameters, in the order of [`HeadKind::names`].
    pub tensors: Vec<Tensor>,
}

impl Head {
    /// No head, for a language model.
    #[must_use]
    pub fn none() -> Self {
        Self { kind: HeadKind::None, tensors: Vec::new() }
    }

    /// A randomly initialized head: the last weight normal with standard deviation `0.02 * 3 / sqrt(hidden)`, as in the
    /// reference, an inner one with 0.02, biases zero. The same seed gives the same head on every device.
    #[must_use]
    pub fn random(kind: HeadKind, labels: usize, hidden: i64, seed: u64, device: Device) -> Self {
        let labels = labels.cast_signed() as i64;
        #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^53")]
        let deviation = 0.02 * 3.0 / (hidden as f64).sqrt();
        let tensor = |(name, shape): (&&str, Vec<i64>)| {
            let count = shape.iter().product();
            let on_cpu = (Kind::Float, Device::Cpu);
            let values = match (shape.len(), shape[0] == labels) {
                (1, _) => Tensor::zeros(shape.as_slice(), on_cpu),
                (_, true) => normal(&Source::new(seed, "head", ""), count, deviation, on_cpu),
                (_, false) => normal(&Source::new(seed, "head", name), count, 0.02, on_cpu),
            };
            values.view(shape.as_slice()).to_device(device)
        };
        Self { kind, tensors: kind.names().iter().zip(kind.shapes(labels, hidden)).map(tensor).collect() }
    }

    /// Logits, `[rows, labels]`, from the pooled output of the model, `[rows, hidden]`.
    pub fn forward(&self, pooled: &Tensor) -> Tensor {
        match &self.tensors[..] {
            [weight] => pooled.to_kind(weight.kind()).linear(weight, None::<&Tensor>),
            [weight, bias] => pooled.to_kind(weight.kind()).linear(weight, Some(bias)),
            [dense, dense_bias, weight, bias] => {
                let inner = pooled.to_kind(weight.kind()).linear(dense, Some(dense_bias));
                let inner = if self.kind == HeadKind::DenseRelu { inner.relu() } else { inner.tanh() };
                inner.linear(weight, Some(bias))
            }
            _ => pooled.shallow_clone(),
        }
    }

    /// Number of scalars.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.numel() as u64).sum()
    }

    /// Number of labels.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.tensors.last().map_or(0, |last| usize::try_from(last.size()[0]).unwrap_or(0))
    }

    /// A head with copies of these parameters.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { kind: self.kind, tensors: self.tensors.iter().map(Tensor::copy).collect() }
    }

    /// The same parameters in `kind`.
    #[must_use]
    pub fn to_kind(&self, kind: Kind) -> Self {
        Self { kind: self.kind, tensors: self.tensors.iter().map(|tensor| tensor.to_kind(kind)).collect() }
    }
}
