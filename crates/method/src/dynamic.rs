//! A selection that changes while it trains, after `SpIEL` (arXiv 2401.16405): after every so many steps the scalars with the
//! smallest deltas are dropped, and as many of those with the largest gradients take their place.
//!
//! There the gradients of a few candidates are added up, which a dense gradient has chosen. Here the candidates are drawn at
//! random from all scalars that do not train, `PER_SCALAR` for each that is to be replaced: so no dense gradient exists at any
//! time, a candidate costs what a scalar's gradient costs, and which they are follows from seed, site and step, and need not
//! be kept. Their gradients are added up from one change to the next; the largest sums win, ties by position.

use tch::{Kind, Tensor};

use spartui_facts::permutation::derive_key;
use spartui_sparse::{Delta, Selection};

/// Candidates for each scalar that is to be replaced.
const PER_SCALAR: u64 = 4;

/// Scalars that may take the place of others, and what is known of them.
#[derive(Debug)]
pub struct Candidates {
    /// Optimizer steps that had been taken when they were drawn.
    pub drawn: u64,
    /// Flat and sorted.
    pub indices: Tensor,
    /// Their gradients of the steps since, added up.
    pub sum: Tensor,
    /// Those of the step that is being taken.
    pub gradient: Option<Tensor>,
}

/// How many candidates a site of so many scalars has where so many train.
#[must_use]
pub fn candidates(share: f64, trainable: u64, scalars: u64) -> u64 {
    (PER_SCALAR * part(share, trainable)).min(scalars.saturating_sub(trainable))
}

/// How many of so many scalars are replaced after a step of `of`: their share falls along half a cosine, so that those that
/// join have time to learn, and none joins at the end.
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
    /// Draws those of a site, after so many steps; none where there are to be none.
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

    /// Adds the gradient of a step that was taken.
    pub fn add(&mut self) {
        if let Some(gradient) = self.gradient.take() {
            self.sum += gradient;
        }
    }

    /// Bytes.
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
