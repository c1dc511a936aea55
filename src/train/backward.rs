//! Forward and backward pass, block by block.
//!
//! Each block runs on a detached input, and each adapted layer leaves a tap. The backward pass walks the blocks in
//! reverse: for each it asks libtorch for the gradients of the block's input and of the taps' outputs, forms the
//! sampled gradients from them at once and drops the rest. So no dense weight gradient ever exists, memory holds one
//! block's output gradients at a time, and nothing below the lowest adapted site takes part.

use tch::{Kind, Reduction, Tensor};

use super::TrainedHead;
use crate::method::Method;
use crate::model::{Batch, Encoder, Tap, Tape};
use crate::recipe::Recompute;

/// A block that was run for the backward pass.
struct Segment {
    layer: usize,
    input: Tensor,
    /// None where it is recomputed.
    graph: Option<Graph>,
}

struct Graph {
    output: Tensor,
    taps: Vec<Tap>,
}

/// Sum of the losses of a batch's rows, times `weight`; the gradients of that are added to what `method` and `head`
/// collected before. `labels` is `[rows]`, `i64`.
pub fn forward_backward(
    model: &Encoder,
    head: &mut TrainedHead,
    method: &mut dyn Method,
    batch: &Batch,
    labels: &Tensor,
    weight: f64,
    recompute: Recompute,
) -> f64 {
    let lowest = lowest_adapted_layer(model, method.adapted());
    let mut x = tch::no_grad(|| {
        (0..lowest).fold(model.embed(batch), |x, layer| model.block(layer, &x, batch, &mut Tape::idle()))
    });
    let mut segments = Vec::new();
    for layer in lowest..model.layers() {
        let input = x.detach().set_requires_grad(layer > lowest);
        let graph = match recompute {
            Recompute::None => Some(run(model, method.adapted(), layer, &input, batch)),
            Recompute::Blocks => None,
        };
        x = match &graph {
            Some(graph) => graph.output.detach(),
            None => tch::no_grad(|| model.block(layer, &input, batch, &mut Tape::idle())),
        };
        segments.push(Segment { layer, input, graph });
    }

    let x = x.detach().set_requires_grad(!segments.is_empty());
    let logits = model.classify(&x, &head.head);
    let loss = logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Sum, -100, 0.0) * weight;
    let mut inputs = vec![&head.head.weight, &head.head.bias];
    inputs.extend((!segments.is_empty()).then_some(&x));
    let mut gradients = Tensor::run_backward(&[&loss], &inputs, false, false);
    let mut upstream = gradients.drain(2..).next();
    head.collect(&gradients[0], &gradients[1]);

    while let Some(Segment { layer, input, graph }) = segments.pop() {
        let Some(arriving) = upstream.take() else { break };
        let graph = graph.unwrap_or_else(|| run(model, method.adapted(), layer, &input, batch));
        upstream = backward(graph, &input, &arriving, method);
    }
    loss.to_kind(Kind::Double).double_value(&[])
}

/// The first block with an adapted site; all blocks lie below it if there is none.
fn lowest_adapted_layer(model: &Encoder, adapted: &[bool]) -> usize {
    let layers = model.sites.iter().zip(adapted).filter(|(_, adapted)| **adapted).map(|(site, _)| site.layer);
    layers.min().unwrap_or(model.layers())
}

fn run(model: &Encoder, adapted: &[bool], layer: usize, input: &Tensor, batch: &Batch) -> Graph {
    let mut tape = Tape::recording(adapted);
    let output = tch::with_grad(|| model.block(layer, input, batch, &mut tape));
    Graph { output, taps: tape.into_taps() }
}

/// Gives the method the gradients of one block's taps; the gradient of the block's input, where it is needed.
fn backward(graph: Graph, input: &Tensor, upstream: &Tensor, method: &mut dyn Method) -> Option<Tensor> {
    let Graph { output, taps } = graph;
    // The gradient of this scalar by the output is the upstream gradient itself.
    let scalar = (output * upstream).sum(Kind::Float);
    let mut inputs: Vec<&Tensor> = taps.iter().map(|tap| &tap.output).collect();
    inputs.extend(input.requires_grad().then_some(input));
    let mut gradients = Tensor::run_backward(&[&scalar], &inputs, false, false);
    let downstream = input.requires_grad().then(|| gradients.pop()).flatten();
    for (tap, gradient) in taps.iter().zip(&gradients) {
        method.collect(tap, gradient);
    }
    downstream
}

/// Bytes that a forward pass over this many tokens keeps for the backward pass, with every block in the graph: what
/// libtorch's operators save when no weight needs a gradient (queries, keys, values and their mix, the inputs of both
/// norms and of the activation), the block's input, and the taps.
#[must_use]
pub fn kept_bytes(model: &Encoder, adapted: &[bool], tokens: u64, recompute: Recompute) -> u64 {
    let lowest = lowest_adapted_layer(model, adapted);
    let hidden = model.config.hidden_size.cast_unsigned();
    let inner = model.config.intermediate_size.cast_unsigned();
    let block = 9 * hidden + inner;
    let blocks = (model.layers() - lowest) as u64;
    let scalars = match recompute {
        Recompute::None => blocks * block,
        Recompute::Blocks => blocks * hidden + if blocks > 0 { block } else { 0 },
    };
    // While the last block is walked back, its output gradients are there too.
    let transient = 4 * hidden + 2 * inner;
    (scalars + transient) * tokens * model.kind.elt_size_in_bytes() as u64
}
