//! Dynamic Subset Tuning, exact form (arXiv 2411.08610): each step updates every scalar of the targets, and then, in
//! each weight, all but the `k` scalars that are farthest from their values before training go back to these.
//!
//! The moments are dense and are kept for scalars that went back. Equal distances rank by the larger gradient, and then
//! by position; Adam's first step moves nearly all scalars equally far.

use tch::{Device, Kind, Tensor};

use super::Chosen;
use spartui_facts::recipe::Distance;
use spartui_sparse::rank::{self, First};
use spartui_sparse::{Cast, Optimizer, Saved};

impl Chosen {
    pub(super) fn start_dst(&mut self) {
        for weight in &mut self.weights {
            let zeros =
                || Tensor::zeros([weight.values.numel().cast_signed() as i64], (Kind::Float, weight.values.device()));
            weight.moments = Some([zeros(), zeros()]);
        }
    }

    /// One optimizer step on all scalars of the targets, and the choice of those that keep it.
    pub(super) fn update_dst(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        let Ok(counts) = self.scope.counts(&self.settings) else { return };
        let counts: Vec<u64> =
            self.by_site.iter().zip(counts).filter(|(place, _)| place.is_some()).map(|(_, count)| count).collect();
        let recipe = &self.settings.dst;
        for (weight, count) in self.weights.iter_mut().zip(counts) {
            let (Some(gradient), Some([first, second])) = (weight.dense.take(), &mut weight.moments) else { continue };
            let gradient = if scale < 1.0 { gradient * scale } else { gradient };
            // The distances from the values before training, which the weight holds where nothing trains.
            let mut distance = first.zeros_like();
            for part in weight.delta.save() {
                let indices = Tensor::from_slice(&part.indices).to_device(distance.device());
                let _ =
                    distance.index_copy_(0, &indices, &Tensor::from_slice(&part.delta).to_device(distance.device()));
            }
            let before = distance.copy();
            optimizer.update(&mut distance, [first, second], &gradient, rate, step);
            let score = match recipe.distance {
                Distance::Absolute => distance.abs(),
                Distance::Relative => {
                    let original = weight.values.view(-1).to_kind(Kind::Float) - before;
                    distance.abs() / (original.abs() + recipe.floor)
                }
            };
            let indices = farthest(&score, &gradient, usize::try_from(count).unwrap_or(usize::MAX));
            let places = Tensor::from_slice(&indices).to_device(distance.device());
            let numbers = |tensor: &Tensor| {
                Vec::<f32>::try_from(tensor.index_select(0, &places).to_device(Device::Cpu)).unwrap_or_default()
            };
            let saved = Saved {
                born: Some(0),
                delta: numbers(&distance),
                first: numbers(first),
                second: numbers(second),
                indices,
            };
            weight.delta.restore(&[saved], |_| Cast::Nearest);
        }
    }
}

/// The positions of the largest scores, ascending; equal scores rank by the larger gradient, and then by position.
fn farthest(scores: &Tensor, gradient: &Tensor, count: usize) -> Vec<i64> {
    let scores = scores.to_device(Device::Cpu);
    let first = rank::first_of(&scores, First::Largest, count, &[], (&[], &[]));
    if first.is_empty() {
        return first;
    }
    let lowest = scores.index_select(0, &Tensor::from_slice(&first)).min();
    let ties: Vec<i64> = Vec::try_from(scores.eq_tensor(&lowest).nonzero().view(-1)).unwrap_or_default();
    let mut above: Vec<i64> = Vec::try_from(scores.gt_tensor(&lowest).nonzero().view(-1)).unwrap_or_default();
    let sizes = gradient.to_device(Device::Cpu).index_select(0, &Tensor::from_slice(&ties));
    let sizes = Vec::<f32>::try_from(sizes).unwrap_or_default();
    let keyed = sizes.into_iter().map(|size| First::Largest.key(size)).zip(ties).collect();
    above.extend(rank::first_among(keyed, count.saturating_sub(above.len())));
    above.sort_unstable();
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_distances_rank_by_gradient_and_then_by_position() {
        let scores = Tensor::from_slice(&[1.0_f32, 2.0, 1.0, 1.0, 0.5, 1.0]);
        let gradient = Tensor::from_slice(&[0.1_f32, 0.0, -0.7, 0.1, 9.0, 0.1]);
        for (count, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (2, vec![1, 2]),
            (3, vec![0, 1, 2]),
            (4, vec![0, 1, 2, 3]),
            (6, vec![0, 1, 2, 3, 4, 5]),
        ] {
            assert_eq!(farthest(&scores, &gradient, count), expected);
        }
    }
}
