//! The classification head while it trains.

use tch::{Kind, Tensor};

use crate::model::Head;
use crate::sparse::AdamW;

/// The head, its moments, and the values that it started from.
#[derive(Debug)]
pub struct TrainedHead {
    /// The head in use.
    pub head: Head,
    /// Where it started; adapters store the difference to it.
    pub start: Head,
    weight: Trained,
    bias: Trained,
}

#[derive(Debug)]
struct Trained {
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
}

impl Trained {
    fn of(value: &Tensor) -> Self {
        Self { gradient: value.zeros_like(), first: value.zeros_like(), second: value.zeros_like() }
    }

    fn update(&mut self, value: &mut Tensor, adamw: &AdamW, rate: f64, scale: f64, step: u64) {
        let gradient = std::mem::replace(&mut self.gradient, value.zeros_like()) * scale;
        tch::no_grad(|| adamw.update(value, [&mut self.first, &mut self.second], &gradient, rate, step));
    }
}

impl TrainedHead {
    /// Starts to train this head.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let Head { weight, bias } = head;
        Self {
            start: Head { weight: weight.copy(), bias: bias.copy() },
            weight: Trained::of(&weight),
            bias: Trained::of(&bias),
            head: Head { weight: weight.set_requires_grad(true), bias: bias.set_requires_grad(true) },
        }
    }

    /// Adds to the gradient.
    pub fn collect(&mut self, weight: &Tensor, bias: &Tensor) {
        self.weight.gradient += weight;
        self.bias.gradient += bias;
    }

    /// Squared Euclidean norm of the gradient that was collected.
    #[must_use]
    pub fn squared_gradient_norm(&self) -> f64 {
        let squares = |gradient: &Tensor| gradient.square().sum(Kind::Double).double_value(&[]);
        squares(&self.weight.gradient) + squares(&self.bias.gradient)
    }

    /// One optimizer step, without decay; see [`crate::method::Method::update`].
    pub fn update(&mut self, adamw: &AdamW, rate: f64, scale: f64, step: u64) {
        let adamw = AdamW { weight_decay: 0.0, ..*adamw };
        self.weight.update(&mut self.head.weight, &adamw, rate, scale, step);
        self.bias.update(&mut self.head.bias, &adamw, rate, scale, step);
    }

    /// Bytes of the head and its start, and of its moments.
    #[must_use]
    pub fn footprint(&self) -> (u64, u64) {
        let bytes = self.head.parameters() * 4;
        (3 * bytes, 2 * bytes)
    }

    /// Every tensor of the head's state with its name in a checkpoint.
    pub fn named_tensors(&self) -> [(&'static str, &Tensor); 8] {
        [
            ("head.weight", &self.head.weight),
            ("head.bias", &self.head.bias),
            ("head.start.weight", &self.start.weight),
            ("head.start.bias", &self.start.bias),
            ("head.weight.first", &self.weight.first),
            ("head.weight.second", &self.weight.second),
            ("head.bias.first", &self.bias.first),
            ("head.bias.second", &self.bias.second),
        ]
    }
}
