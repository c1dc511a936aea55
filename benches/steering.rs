//! What steering costs at a million trainable scalars: changing the sparsity, a snapshot, going back to it, the update.

use std::time::Instant;

use spartui::sparse::{AdamW, Cast, Delta, Selection};
use tch::{Device, Kind, Tensor};

/// Weights of this shape, as many as a model of 100 million parameters has; one scalar in a hundred trains.
const SITES: usize = 71;
const SHAPE: [i64; 2] = [1408, 1000];
const COUNT: u64 = 14_085;
const ADAMW: AdamW = AdamW { betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };

fn milliseconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64() * 1e3
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!("{what:44} median {:8.2} ms, best {:8.2} ms", times[times.len() / 2], times[0]);
}

fn main() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let weights: Vec<Tensor> = (0..SITES).map(|_| Tensor::randn(SHAPE, (kind, Device::Cpu))).collect();
        let sites = weights.iter().enumerate();
        let mut deltas: Vec<Delta> = sites
            .map(|(at, weight)| Delta::new(weight, Selection::new(1, &at.to_string(), weight.numel() as u64)))
            .collect();
        let mut resize = |count: u64, step: u64| {
            for delta in &mut deltas {
                delta.resize(count, step, false, ADAMW.betas);
            }
        };
        println!("{kind:?}, {} trainable scalars in {SITES} weights", COUNT * SITES as u64);
        report("from nothing", vec![milliseconds(|| resize(COUNT, 0))]);
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for step in 0..9 {
            down.push(milliseconds(|| resize(COUNT / 2, step)));
            up.push(milliseconds(|| resize(COUNT, step)));
        }
        report("to half of it", down);
        report("and back", up);
        let gradients: Vec<Vec<Tensor>> = deltas
            .iter()
            .map(|delta| delta.indices().map(|indices| indices.to_kind(Kind::Float).sin()).collect())
            .collect();
        let update = |step: u64, deltas: &mut [Delta]| {
            for (delta, gradients) in deltas.iter_mut().zip(&gradients) {
                delta.update(&ADAMW, gradients, (1e-4, 1.0), step, |_| Cast::Nearest);
            }
        };
        report("update", (20..60).map(|step| milliseconds(|| update(step, &mut deltas))).collect());
        let saved = (0..9).map(|_| {
            milliseconds(|| {
                let state: Vec<_> = deltas.iter().map(Delta::save).collect();
                std::hint::black_box(state);
            })
        });
        report("snapshot", saved.collect());
        let state: Vec<_> = deltas.iter().map(Delta::save).collect();
        let restored = (0..9).map(|_| {
            milliseconds(|| {
                deltas.iter_mut().zip(&state).for_each(|(delta, saved)| delta.restore(saved, |_| Cast::Nearest));
            })
        });
        report("back to the snapshot", restored.collect());
    }
}
