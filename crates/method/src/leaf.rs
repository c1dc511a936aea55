//! A small dense tensor of a method, all of which trains.

use tch::Tensor;

use spartui_sparse::Optimizer;

/// Value, moments and accumulated gradient.
#[derive(Debug)]
pub(super) struct Leaf {
    pub value: Tensor,
    first: Tensor,
    second: Tensor,
    pub gradient: Option<Tensor>,
}

impl Leaf {
    pub fn new(value: Tensor) -> Self {
        Self { first: value.zeros_like(), second: value.zeros_like(), value, gradient: None }
    }

    pub fn collect(&mut self, gradient: Tensor) {
        self.gradient = Some(match self.gradient.take() {
            None => gradient,
            Some(sum) => sum + gradient,
        });
    }

    /// One optimizer step with the accumulated gradient. The value is updated in place.
    pub fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        let Some(gradient) = self.gradient.take() else { return };
        let gradient = if scale < 1.0 { gradient * scale } else { gradient };
        optimizer.update(&mut self.value, [&mut self.first, &mut self.second], &gradient, rate, step);
    }

    /// Value and moments with their names in a checkpoint.
    pub fn named(&self, name: &str) -> [(String, Tensor); 3] {
        [("value", &self.value), ("first", &self.first), ("second", &self.second)]
            .map(|(what, tensor)| (format!("{name}.{what}"), tensor.shallow_clone()))
    }

    pub fn numel(&self) -> u64 {
        self.value.numel() as u64
    }
}
