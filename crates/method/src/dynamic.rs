//! A selection that changes during training, after `SpIEL` (arXiv 2401.16405): every `regrow_every` steps the scalars
//! with the smallest deltas are dropped and replaced by as many scalars with the largest accumulated gradients.
//!
//! `SpIEL` accumulates the gradients of a few candidates that a dense gradient has chosen. Here the candidates are
//! drawn at random from all frozen scalars, `PER_SCALAR` for each scalar to be replaced: no dense gradient exists at
//! any time, a candidate costs as much as one trainable scalar's gradient, and the candidates follow from seed, site
//! and step, so they are not stored. Their gradients are summed from one change to the next; the largest magnitudes
//! win, ties by position.

use tch::{Kind, Tensor};

use spartui_facts::permutation::derive_key;
use spartui_sparse::{Delta, Selection};

/// Candidates for each scalar to be replaced.
const PER_SCALAR: u64 = 4;

/// Frozen scalars of one site that may become trainable, with their accumulated gradients.
#[derive(Debug)]
pub struct Candidates {
    /// Optimizer steps taken when the candidates were drawn.
    pub drawn: u64,
    /// Flat indices into the weight, sorted, `i64`.
    pub indices: Tensor,
    /// Sum of their gradients over the steps since then, `f32`.
    pub sum: Tensor,
    /// Their gradients in the current step, `f32`.
    pub gradient: Option<Tensor>,
}

/// Number of candidates of a site with `scalars` scalars, `trainable` of which train.
#[must_use]
pub fn candidates(share: f64, trainable: u64, scalars: u64) -> u64 {
    (PER_SCALAR * part(share, trainable)).min(scalars.saturating_sub(trainable))
}

/// Number of the `trainable` scalars that are replaced after step `step` of `of`. The share decays along half a cosine,
/// so that scalars that join have time to learn, and none joins at the end.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
pub fn replaced(share: f64, trainable: u64, step: u64, of: u64) -> u64 {
    let done = step.min(of) as f64 / of.max(1) as f64;
    part(share * f64::midpoint(1.0, (std::f64::consts::PI * done).cos()), trainable)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scalars are below 2^53, a share is not negative"
)]
fn part(share: f64, of: u64) -> u64 {
    ((share * of as f64).round() as u64).min(of)
}

impl Candidates {
    /// Draws the candidates of a site after `step` steps; none where their number is 0.
    pub fn draw(seed: u64, site: &str, delta: &Delta, share: f64, step: u64) -> Option<Self> {
        let scalars = delta.scalars();
        let count = usize::try_from(candidates(share, delta.count(), scalars)).unwrap_or(usize::MAX);
        let order = Selection::keyed(derive_key(seed, "candidates", &format!("{site} {step}")), scalars);
        let indices = order.first_without(count, &delta.training());
        (!indices.is_empty()).then(|| {
            let indices = Tensor::from_slice(&indices).to_device(delta.device());
            let sum = Tensor::zeros(indices.size(), (Kind::Float, indices.device()));
            Self { drawn: step, indices, sum, gradient: None }
        })
    }

    /// Adds the gradient of the current step to the sum.
    pub fn add(&mut self) {
        if let Some(gradient) = self.gradient.take() {
            self.sum += gradient;
        }
    }

    /// Bytes of indices and sums.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        12 * self.indices.numel() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_falls_to_nothing_and_never_asks_for_more_than_there_is() {
        let counts: Vec<u64> = (1..=50).map(|at| replaced(0.2, 1000, at * 20, 1000)).collect();
        assert!(counts[0] > 195 && counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
        assert_eq!((counts[24], counts[49]), (100, 0));
        assert_eq!(replaced(1.0, 7, 0, 0), 7);
        assert_eq!((replaced(0.2, 0, 20, 100), replaced(0.2, 2, 20, 100), replaced(0.0, 50, 20, 100)), (0, 0, 0));
        assert_eq!((candidates(0.2, 100, 1000), candidates(0.2, 990, 1000), candidates(0.5, 0, 10)), (80, 10, 0));
    }

    #[test]
    fn candidates_do_not_train_and_follow_from_the_step() {
        let weight = Tensor::zeros([300], (Kind::Float, tch::Device::Cpu));
        let mut delta = Delta::new(&weight, Selection::new(1, "w", 300));
        delta.resize(50, 0, true, [0.9, 0.99]);
        let draw = |delta: &Delta, step| -> Vec<i64> {
            Vec::try_from(Candidates::draw(1, "w", delta, 0.2, step).unwrap().indices).unwrap()
        };
        let first = draw(&delta, 20);
        assert_eq!(first.len(), 40);
        let training = delta.training();
        assert!(first.iter().all(|at| training.binary_search(at).is_err()));
        assert_eq!(draw(&delta, 20), first);
        assert_ne!(draw(&delta, 40), first);
        delta.resize(300, 0, true, [0.9, 0.99]);
        assert!(Candidates::draw(1, "w", &delta, 0.2, 20).is_none());
    }
}
