//! The loss of two forward passes over one micro-batch with different random draws: the loss of the first pass plus a
//! consistency term, the divergence between the predictions of the two.
//!
//! With the probabilities p and q of the two passes, each target adds `c / 2 (KL(p | q) + KL(q | p))`, where the
//! distribution that a prediction is compared with counts as a constant (`AdaMix`, arXiv 2205.12410). So the
//! consistency term adds `c / 2 (p - q)` to the gradient by the first logits, and the opposite to that by the second.

use tch::{Kind, Reduction, Tensor};

use super::wanted::StageParameters;
use super::{Graph, Trained, backward};
use crate::targets::{Targets, chunks, pick};
use spartui_method::Collector;
use spartui_model::{Batch, Model, Recorded, Stage};

/// Weights of the terms of the loss.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// Weight of each target.
    pub weight: f64,
    /// Weight of the consistency term, relative to `weight`.
    pub consistency: f64,
}

/// The loss from the last block's outputs of both passes, and the gradients of these outputs, where they are needed.
pub fn loss(
    model: &Model,
    trained: &mut Trained<'_>,
    outputs: [&Tensor; 2],
    batch: &Batch,
    targets: &Targets,
    weights: Weights,
) -> (f64, [Option<Tensor>; 2]) {
    match targets {
        Targets::Labels(labels) => classify(model, trained, outputs, batch, labels, weights),
        Targets::Tokens { at, ids } => predict(model, trained.collector, outputs, [at, ids], weights),
    }
}

fn classify(
    model: &Model,
    trained: &mut Trained<'_>,
    outputs: [&Tensor; 2],
    batch: &Batch,
    labels: &Tensor,
    weights: Weights,
) -> (f64, [Option<Tensor>; 2]) {
    let head = &trained.head.head;
    let logits = outputs.map(|x| head.forward(&model.pool(x, batch)));
    let PairLoss { scalar, loss } = pair_loss(&logits, labels, weights);
    let stage = StageParameters::of(model, trained.collector, Stage::Output);
    let mut inputs: Vec<&Tensor> = head.tensors.iter().chain(stage.tensors.iter().copied()).collect();
    inputs.extend(outputs.into_iter().filter(|x| x.requires_grad()));
    let mut gradients = Tensor::run_backward(&[&scalar], &inputs, false, false);
    let second = outputs[1].requires_grad().then(|| gradients.pop()).flatten();
    let first = outputs[0].requires_grad().then(|| gradients.pop()).flatten();
    let of_head = head.tensors.len();
    trained.head.collect(&gradients[..of_head]);
    stage.collect(trained.collector, &gradients[of_head..]);
    (loss, [first, second])
}

/// The loss of a language model, with the logits of a bounded number of positions at a time.
fn predict(
    model: &Model,
    collector: &mut dyn Collector,
    outputs: [&Tensor; 2],
    [at, ids]: [&Tensor; 2],
    weights: Weights,
) -> (f64, [Option<Tensor>; 2]) {
    let finished = outputs.map(|x| model.finish(&pick(x, at)));
    let head = StageParameters::language_head(model, collector);
    let mut loss = 0.0;
    let mut parts = [Vec::new(), Vec::new()];
    for (from, size) in chunks(model, ids.size()[0]) {
        let starts = finished.each_ref().map(|all| all.narrow(0, from, size).detach().set_requires_grad(true));
        let logits = starts.each_ref().map(|start| model.vocabulary(start));
        let part = pair_loss(&logits, &ids.narrow(0, from, size), weights);
        let inputs: Vec<&Tensor> = starts.iter().chain(head.tensors.iter().copied()).collect();
        let mut gradients = Tensor::run_backward(&[&part.scalar], &inputs, false, false);
        head.collect(collector, &gradients[2..]);
        gradients.truncate(2);
        parts.iter_mut().zip(gradients).for_each(|(parts, gradient)| parts.push(gradient));
        loss += part.loss;
    }
    let stage = StageParameters::of(model, collector, Stage::Output).without(&head);
    let mut upstream = [None, None];
    for (place, (output, parts)) in finished.into_iter().zip(parts).enumerate() {
        if output.requires_grad() && !parts.is_empty() {
            let graph = Graph { output, recorded: Recorded::default() };
            upstream[place] = backward(graph, outputs[place], &Tensor::cat(&parts, 0), collector, &stage);
        }
    }
    (loss, upstream)
}

/// The loss of some targets in both passes.
struct PairLoss {
    /// A scalar with the gradient of the loss; its value differs from the loss.
    scalar: Tensor,
    loss: f64,
}

fn pair_loss(logits: &[Tensor; 2], targets: &Tensor, weights: Weights) -> PairLoss {
    let own = logits[0].cross_entropy_loss::<Tensor>(targets, None, Reduction::Sum, -100, 0.0) * weights.weight;
    let [p, q] = logits.each_ref().map(|logits| logits.detach().log_softmax(-1, logits.kind()));
    let difference = p.exp() - q.exp();
    let half = weights.consistency / 2.0 * weights.weight;
    let divergence = (&difference * (p - q)).sum(Kind::Double).double_value(&[]) * half;
    let loss = own.to_kind(Kind::Double).double_value(&[]) + divergence;
    let pull = ((&logits[0] - &logits[1]) * difference).sum(own.kind()) * half;
    PairLoss { scalar: own + pull, loss }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn the_gradient_is_that_of_both_divergences_with_constant_targets() {
        let weights = Weights { weight: 0.25, consistency: 3.0 };
        let labels = Tensor::from_slice(&[1_i64, 0, 4]);
        let logits = [(); 2].map(|()| Tensor::randn([3, 5], (Kind::Double, Device::Cpu)).set_requires_grad(true));
        let PairLoss { scalar, loss } = pair_loss(&logits, &labels, weights);
        let found = Tensor::run_backward(&[&scalar], &logits, false, false);

        let [p, q] = logits.each_ref().map(|logits| logits.log_softmax(-1, Kind::Double));
        // As it is defined: of `target | prediction`, the target counts as a constant.
        let divergence = |target: &Tensor, prediction: &Tensor| {
            let target = target.detach();
            (target.exp() * (&target - prediction)).sum(Kind::Double)
        };
        let own = p.g_nll_loss::<Tensor>(&labels, None, Reduction::Sum, -100);
        let all = (own + (divergence(&p, &q) + divergence(&q, &p)) * 1.5) * 0.25;
        let expected = Tensor::run_backward(&[&all], &logits, false, false);
        assert!((loss - all.double_value(&[])).abs() < 1e-12, "{loss}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs().max().double_value(&[]) < 1e-12, "{found} {expected}");
        }
    }
}
