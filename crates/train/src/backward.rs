//! Forward and backward pass, block by block.
//!
//! Each block runs on a detached input, and each adapted layer records a tap. The backward pass visits the blocks in
//! reverse order: for each it computes the gradients of the block's input and of the taps' outputs by autograd, forms
//! the sampled gradients from them at once and drops the rest. So no dense weight gradient exists, memory holds one
//! block's output gradients at a time, and the blocks below the lowest adapted site have no graph.

mod twice;
mod wanted;

use tch::{Device, Kind, Reduction, Tensor};

use super::TrainedHead;
use super::cross_entropy::{cross_entropy, is_possible};
use super::targets::{Targets, chunks, pick};
use spartui_facts::recipe::Recompute;
use spartui_method::{Collector, Passes};
use spartui_model::{Batch, Model, Pass, Recorded, Stage, Tape};
use spartui_sparse::sum_of;
use wanted::{GraphStart, StageParameters};

/// A block of the forward pass, kept for the backward pass.
struct Segment {
    layer: usize,
    input: Tensor,
    /// None where the block is recomputed.
    graph: Option<Graph>,
}

struct Graph {
    output: Tensor,
    recorded: Recorded,
}

/// The receivers of the gradients.
pub struct Trained<'a> {
    /// The classification head; without parameters for a language model.
    pub head: &'a mut TrainedHead,
    /// The receiver of the model's gradients.
    pub collector: &'a mut dyn Collector,
}

/// Forward and backward pass over a batch. Returns the sum of the losses of its targets, times `weight`; the gradients
/// of this value are added to the accumulated gradients of method and head.
pub fn forward_backward(
    model: &Model,
    trained: &mut Trained<'_>,
    batch: &Batch,
    targets: &Targets,
    weight: f64,
    recompute: Recompute,
) -> f64 {
    if let Passes::Two { consistency } = trained.collector.passes() {
        let passed = [0, 1].map(|turn| forward(model, trained.collector, batch, recompute, turn));
        let outputs = passed.each_ref().map(|passed| &passed.output);
        let (loss, upstream) =
            twice::loss(model, trained, outputs, batch, targets, twice::Weights { weight, consistency });
        for (passed, upstream) in passed.into_iter().zip(upstream) {
            backward_pass(model, trained.collector, passed, upstream);
        }
        return loss;
    }
    let passed = forward(model, trained.collector, batch, recompute, 0);
    let x = &passed.output;
    let (loss, upstream) = match targets {
        Targets::Labels(labels) => classify(model, trained, x, batch, labels, weight),
        Targets::Tokens { at, ids } => predict(model, trained.collector, x, at, ids, weight),
    };
    backward_pass(model, trained.collector, passed, upstream);
    loss
}

/// The results of a forward pass that the backward pass needs.
struct ForwardPass {
    pass: Pass,
    noise: Option<u64>,
    /// The embeddings, where they train and have a graph.
    embedded: Option<Tensor>,
    segments: Vec<Segment>,
    /// The last block's output; requires a gradient where one is needed.
    output: Tensor,
}

/// The forward pass; `turn` is its number among the passes over the same micro-batch, from 0.
fn forward(model: &Model, collector: &dyn Collector, batch: &Batch, recompute: Recompute, turn: u64) -> ForwardPass {
    let GraphStart { embedding, lowest } = GraphStart::of(model, collector);
    let pass = model.prepare(batch);
    let embedded = if embedding { model.embed(batch) } else { tch::no_grad(|| model.embed(batch)) };
    let mut x = tch::no_grad(|| {
        (0..lowest).fold(embedded.detach(), |x, layer| model.block(layer, &x, &pass, &mut Tape::idle()))
    });
    // Embeddings that do not train need not be kept.
    let embedded = embedding.then_some(embedded);
    let noise = collector.noise(turn);
    let mut segments = Vec::new();
    for layer in lowest..model.layers() {
        let input = x.detach().set_requires_grad(layer > lowest || embedding);
        let graph = match recompute {
            Recompute::None => Some(run(model, collector, (layer, &input), &pass, noise)),
            Recompute::Blocks => None,
        };
        x = match &graph {
            Some(graph) => graph.output.detach(),
            None => tch::no_grad(|| model.block(layer, &input, &pass, &mut Tape::idle().with_noise(noise))),
        };
        segments.push(Segment { layer, input, graph });
    }
    let output = x.detach().set_requires_grad(!segments.is_empty());
    ForwardPass { pass, noise, embedded, segments, output }
}

/// Runs a block on its input for the backward pass.
fn run(
    model: &Model,
    collector: &dyn Collector,
    (layer, input): (usize, &Tensor),
    pass: &Pass,
    noise: Option<u64>,
) -> Graph {
    let mut tape = Tape::recording(collector.adapted()).with_noise(noise);
    let output = tch::with_grad(|| model.block(layer, input, pass, &mut tape));
    Graph { output, recorded: tape.into_recorded() }
}

/// The backward pass, from the gradient of the last block's output. Each block's graph is freed once it is done.
fn backward_pass(model: &Model, collector: &mut dyn Collector, passed: ForwardPass, mut upstream: Option<Tensor>) {
    let ForwardPass { pass, noise, embedded, mut segments, output } = passed;
    drop(output);
    while let Some(Segment { layer, input, graph }) = segments.pop() {
        let Some(arriving) = upstream.take() else { break };
        let graph = graph.unwrap_or_else(|| run(model, collector, (layer, &input), &pass, noise));
        let stage = StageParameters::of(model, collector, Stage::Block(layer));
        upstream = backward(graph, &input, &arriving, collector, &stage);
    }
    if let (Some(output), Some(arriving)) = (embedded, upstream) {
        let stage = StageParameters::of(model, collector, Stage::Embedding);
        let graph = Graph { output, recorded: Recorded::default() };
        backward(graph, &Tensor::new(), &arriving, collector, &stage);
    }
}

/// The loss of a classifier from the last block's output, and the gradient of that output, where it is needed.
fn classify(
    model: &Model,
    trained: &mut Trained<'_>,
    x: &Tensor,
    batch: &Batch,
    labels: &Tensor,
    weight: f64,
) -> (f64, Option<Tensor>) {
    let head = &trained.head.head;
    let logits = head.forward(&model.pool(x, batch));
    let loss = logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Sum, -100, 0.0) * weight;
    let stage = StageParameters::of(model, trained.collector, Stage::Output);
    let mut inputs: Vec<&Tensor> = head.tensors.iter().chain(stage.tensors.iter().copied()).collect();
    inputs.extend(x.requires_grad().then_some(x));
    let mut gradients = Tensor::run_backward(&[&loss], &inputs, false, false);
    let downstream = x.requires_grad().then(|| gradients.pop()).flatten();
    let of_head = head.tensors.len();
    trained.head.collect(&gradients[..of_head]);
    stage.collect(trained.collector, &gradients[of_head..]);
    (loss.to_kind(Kind::Double).double_value(&[]), downstream)
}

/// The loss of a language model from the last block's output, and the gradient of that output, where it is needed. The
/// logits of a bounded number of positions exist at a time.
fn predict(
    model: &Model,
    collector: &mut dyn Collector,
    x: &Tensor,
    at: &Tensor,
    ids: &Tensor,
    weight: f64,
) -> (f64, Option<Tensor>) {
    let finished = model.finish(&pick(x, at));
    let head = StageParameters::language_head(model, collector);
    let frozen = |start: &Tensor, targets: &Tensor| {
        head.places.is_empty().then(|| predict_frozen(model, start, targets, weight)).flatten()
    };
    let (mut loss, mut losses) = (0.0, Vec::new());
    let mut parts = Vec::new();
    for (from, size) in chunks(model, finished.size()[0]) {
        let start = finished.narrow(0, from, size).detach();
        let targets = ids.narrow(0, from, size);
        if let Some((part, gradient)) = frozen(&start, &targets) {
            parts.push(gradient);
            loss += part;
            continue;
        }
        let start = start.set_requires_grad(true);
        // The logits are freed once their gradient is computed.
        let part =
            model.vocabulary(&start).cross_entropy_loss::<Tensor>(&targets, None, Reduction::Sum, -100, 0.0) * weight;
        let inputs: Vec<&Tensor> = std::iter::once(&start).chain(head.tensors.iter().copied()).collect();
        let mut gradients = Tensor::run_backward(&[&part], &inputs, false, false);
        head.collect(collector, &gradients[1..]);
        parts.push(gradients.swap_remove(0));
        losses.push(part.detach().to_kind(Kind::Double));
    }
    loss += sum_of(&losses);
    if !finished.requires_grad() || parts.is_empty() {
        return (loss, None);
    }
    let stage = StageParameters::of(model, collector, Stage::Output).without(&head);
    let graph = Graph { output: finished, recorded: Recorded::default() };
    (loss, backward(graph, x, &Tensor::cat(&parts, 0), collector, &stage))
}

/// The loss of some targets from the output of [`Model::finish`], and the gradient of that output, without a graph.
/// None where the logits are not a plain product with the language-model head, or not on the CPU.
fn predict_frozen(model: &Model, finished: &Tensor, targets: &Tensor, weight: f64) -> Option<(f64, Tensor)> {
    let rows = model.product_rows().filter(|_| model.device == Device::Cpu)?;
    tch::no_grad(|| {
        let mut logits = finished.linear(rows, None::<&Tensor>);
        is_possible(&logits).then(|| {
            let loss = cross_entropy(&mut logits, targets, weight) * weight;
            (loss, logits.matmul(rows))
        })
    })
}

/// Passes the gradients of a stage's taps, leaves and parameters to the method. Returns the gradient of the stage's
/// input, where it is needed.
fn backward(
    graph: Graph,
    input: &Tensor,
    upstream: &Tensor,
    collector: &mut dyn Collector,
    stage: &StageParameters<'_>,
) -> Option<Tensor> {
    let Graph { output, recorded: Recorded { taps, leaves } } = graph;
    // The gradient of this scalar by the output is the upstream gradient itself.
    let scalar = (output * upstream).sum(Kind::Float);
    let wanted = input.defined() && input.requires_grad();
    let mut inputs: Vec<&Tensor> = taps.iter().map(|tap| &tap.output).collect();
    inputs.extend(leaves.iter().map(|leaf| &leaf.tensor));
    inputs.extend(&stage.tensors);
    inputs.extend(wanted.then_some(input));
    let mut gradients = Tensor::run_backward(&[&scalar], &inputs, false, false);
    let downstream = wanted.then(|| gradients.pop()).flatten();
    let (of_taps, rest) = gradients.split_at(taps.len());
    let (of_leaves, of_stage) = rest.split_at(leaves.len());
    collector.collect(&taps, of_taps);
    leaves.iter().zip(of_leaves).for_each(|(leaf, gradient)| collector.collect_leaf(leaf.leaf, gradient));
    stage.collect(collector, of_stage);
    downstream
}
