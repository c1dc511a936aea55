//! What steering costs at a million trainable scalars: changing the sparsity, a snapshot, going back to it, the update. The
//! weights lie where a run's do, in large pages where the system has them.
//!
//! `OMP_NUM_THREADS=2 cargo bench --bench steering`

use std::hint::black_box;
use std::time::Instant;

use spartui::model::LargePages;
use spartui::sparse::{Cast, Delta, Optimizer, Rule, Saved, Selection};
use tch::{Device, Kind, Tensor};

/// Trainable scalars in all.
const SCALARS: u64 = 1_000_000;
const ADAMW: Optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };

/// Weights of a model: how many of each shape.
struct Weights {
    name: &'static str,
    shapes: &'static [(usize, [i64; 2])],
}

/// Of the Llama shape of benches/peers, and a model with four times as many.
const MODELS: [Weights; 3] = [
    Weights { name: "v and o of 58 million parameters", shapes: &[(16, [512, 512])] },
    Weights { name: "all linears of 58 million parameters", shapes: &[(32, [512, 512]), (24, [1408, 512])] },
    Weights { name: "linears of 100 million scalars", shapes: &[(71, [1408, 1000])] },
];

fn main() {
    for (kind, model) in [Kind::Float, Kind::BFloat16].iter().flat_map(|kind| MODELS.iter().map(|model| (*kind, model)))
    {
        tch::no_grad(|| steer(kind, model));
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
fn steer(kind: Kind, model: &Weights) {
    let shapes = model.shapes.iter().flat_map(|(count, shape)| std::iter::repeat_n(*shape, *count));
    let weight = |shape: [i64; 2]| (Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.02).to_kind(kind);
    let weights: Vec<Tensor> = shapes.map(weight).collect();
    let _pages = LargePages::move_weights(&weights, |_| ());
    let all: u64 = weights.iter().map(|weight| weight.numel() as u64).sum();
    let delta =
        |(at, weight): (usize, &Tensor)| Delta::new(weight, Selection::new(1, &at.to_string(), weight.numel() as u64));
    let mut deltas: Vec<Delta> = weights.iter().enumerate().map(delta).collect();
    let share = |scalars: u64| weights.iter().map(move |weight| weight.numel() as u64 * scalars / all);
    let resize = |deltas: &mut [Delta], scalars: u64, step: u64| {
        Delta::resize_together(deltas.iter_mut().zip(share(scalars)), step, false, ADAMW.betas);
    };
    let density = 100.0 * SCALARS as f64 / all as f64;
    println!("{kind:?}, {}: a million trainable scalars, density {density:.1} %", model.name);
    report("from nothing", vec![milliseconds(|| resize(&mut deltas, SCALARS, 0))]);
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for step in 0..9 {
        down.push(milliseconds(|| resize(&mut deltas, SCALARS / 2, step)));
        up.push(milliseconds(|| resize(&mut deltas, SCALARS, step)));
    }
    report("to half of it", down);
    report("and back", up);
    for rate in [1e-4, 1e-5] {
        let steps = (20..60).map(|step| {
            let gradients = random_gradients(&deltas);
            milliseconds(|| {
                let due = deltas.iter_mut().zip(gradients.iter().map(Vec::as_slice));
                Delta::update_together(due, &ADAMW, (rate, 1.0), step, |_, _| Cast::Nearest);
            })
        });
        let steps = steps.collect();
        report(&format!("update at a rate of {rate:e}"), steps);
    }
    let save = |deltas: &[Delta]| deltas.iter().map(Delta::save).collect::<Vec<_>>();
    report("snapshot", (0..9).map(|_| milliseconds(|| drop(black_box(save(&deltas))))).collect());
    let state = save(&deltas);
    let restore = |deltas: &mut [Delta]| {
        Delta::restore_together(deltas.iter_mut().zip(state.iter().map(Vec::<Saved>::as_slice)), |_, _| Cast::Nearest);
    };
    report("back to the snapshot", (0..9).map(|_| milliseconds(|| restore(&mut deltas))).collect());
    let across = (100..109).map(|step| {
        resize(&mut deltas, SCALARS / 2, step);
        milliseconds(|| restore(&mut deltas))
    });
    let across = across.collect();
    report("back to it across a change of the sparsity", across);
}

fn random_gradients(deltas: &[Delta]) -> Vec<Vec<Tensor>> {
    let random = |indices: &Tensor| Tensor::randn(indices.size(), (Kind::Float, Device::Cpu));
    deltas.iter().map(|delta| delta.indices().map(random).collect()).collect()
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e3
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!("  {what:44} median {:8.2} ms, best {:8.2} ms", times[times.len() / 2], times[0]);
}
