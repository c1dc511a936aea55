//! The classification head in training.

use tch::Tensor;

use spartui_method::Dense;
use spartui_method::state::copy_named;
use spartui_model::Head;
use spartui_sparse::{Optimizer, squared_norm};

/// The head, its gradients and moments, and its values before training. A language model has a head without parameters.
#[derive(Debug)]
pub struct TrainedHead {
    /// The head with its current values.
    pub head: Head,
    /// The head before training; adapters store the difference to it.
    pub start: Head,
    /// One for each parameter of the head.
    trained: Vec<Trained>,
}

#[derive(Debug)]
struct Trained {
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
}

impl TrainedHead {
    /// A head before its first step.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let zeros = |value: &Tensor| Trained {
            gradient: value.zeros_like(),
            first: value.zeros_like(),
            second: value.zeros_like(),
        };
        Self {
            start: head.copy(),
            trained: head.tensors.iter().map(zeros).collect(),
            head: Head {
                kind: head.kind,
                tensors: head.tensors.into_iter().map(|value| value.set_requires_grad(true)).collect(),
            },
        }
    }

    /// Adds to the gradients, one for each parameter of the head.
    pub fn collect(&mut self, gradients: &[Tensor]) {
        for (trained, gradient) in self.trained.iter_mut().zip(gradients) {
            trained.gradient += gradient;
        }
    }

    /// Clears the accumulated gradients.
    pub fn clear_gradients(&mut self) {
        for trained in &mut self.trained {
            trained.gradient = trained.gradient.zeros_like();
        }
    }

    /// Squared Euclidean norm of the accumulated gradient.
    #[must_use]
    pub fn squared_gradient_norm(&self) -> f64 {
        squared_norm(self.trained.iter().map(|trained| &trained.gradient))
    }

    /// One optimizer step, without decay; see [`spartui_method::Method::update`].
    pub fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        let optimizer = Optimizer { weight_decay: 0.0, ..*optimizer };
        for (value, trained) in self.head.tensors.iter_mut().zip(&mut self.trained) {
            let gradient = std::mem::replace(&mut trained.gradient, value.zeros_like()) * scale;
            tch::no_grad(|| {
                optimizer.update(value, [&mut trained.first, &mut trained.second], &gradient, rate, step);
            });
        }
    }

    /// Bytes of the head and its start, and of its moments.
    #[must_use]
    pub fn footprint(&self) -> (u64, u64) {
        let bytes = self.head.parameters() * 4;
        (3 * bytes, 2 * bytes)
    }

    /// Values and moments with their names in a checkpoint, such as `head.classifier.weight.first`. The values before
    /// training are derived from recipe and model.
    fn named(&self) -> Vec<(String, Tensor)> {
        let names = self.head.kind.names().iter().zip(&self.head.tensors).zip(&self.trained);
        let tensors = names.flat_map(|((name, value), trained)| {
            [("value", value), ("first", &trained.first), ("second", &trained.second)]
                .map(|(what, tensor)| (format!("head.{name}.{what}"), tensor.detach()))
        });
        tensors.collect()
    }

    /// A copy of values and moments on the CPU, by their names in a checkpoint.
    #[must_use]
    pub fn state(&self) -> Vec<Dense> {
        self.named().into_iter().map(|(name, tensor)| Dense::new(name, &tensor)).collect()
    }

    /// The head with the values of a state of [`TrainedHead::state`].
    ///
    /// # Errors
    /// The part of the state that does not fit.
    pub fn of_state(&self, state: &[Dense]) -> Result<Head, String> {
        let names = self.head.kind.names().iter().zip(&self.head.tensors);
        let tensors = names.map(|(name, now)| {
            let name = format!("head.{name}.value");
            match state.iter().find(|dense| dense.name == name) {
                Some(dense) if dense.shape == now.size() && dense.values.len() == now.numel() => {
                    Ok(Tensor::from_slice(&dense.values).view(dense.shape.as_slice()).to_device(now.device()))
                }
                Some(_) => Err(format!("{name} has another shape")),
                None => Err(format!("{name} is missing")),
            }
        });
        Ok(Head { kind: self.head.kind, tensors: tensors.collect::<Result<_, String>>()? })
    }

    /// Restores a state of [`TrainedHead::state`]. The accumulated gradient is cleared.
    ///
    /// # Errors
    /// The part of the state that does not fit; nothing has changed then.
    pub fn restore(&mut self, state: &[Dense]) -> Result<(), String> {
        copy_named(self.named(), state)?;
        self.clear_gradients();
        Ok(())
    }
}
