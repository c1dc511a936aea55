//! What steering costs at a million trainable scalars: changing the sparsity, a snapshot, going back to it, the update; where
//! one scalar in a hundred trains, as of all linear layers, and where one in ten and three in ten do, as of two of them.
//! `OMP_NUM_THREADS=2 cargo bench --bench steering`

use std::hint::black_box;
use std::time::Instant;

use spartui::sparse::{AdamW, Cast, Delta, Saved, Selection};
use tch::{Device, Kind, Tensor};

/// Trainable scalars in all.
const SCALARS: u64 = 1_000_000;
const SHAPE: [i64; 2] = [1408, 1000];
/// Weights of this shape: 99.4 million scalars, 9.9 and 3.3.
const SITES: [u64; 3] = [71, 7, 3];
const ADAMW: AdamW = AdamW { betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };

fn main() {
    for (kind, sites) in [Kind::Float, Kind::BFloat16].iter().flat_map(|kind| SITES.map(|sites| (*kind, sites))) {
        tch::no_grad(|| steer(kind, sites));
    }
}

fn steer(kind: Kind, sites: u64) {
    let count = SCALARS / sites;
    let names: Vec<String> = (0..sites).map(|at| at.to_string()).collect();
    let weight = || (Tensor::randn(SHAPE, (Kind::Float, Device::Cpu)) * 0.02).to_kind(kind);
    let delta = |name: &String| Delta::new(&weight(), Selection::new(1, name, 1_408_000));
    let mut deltas: Vec<Delta> = names.iter().map(delta).collect();
    let resize = |deltas: &mut [Delta], count: u64, step: u64| {
        Delta::resize_together(deltas.iter_mut().map(|delta| (delta, count)), step, false, ADAMW.betas);
    };
    println!("{kind:?}, {} trainable scalars in {sites} weights", count * sites);
    report("from nothing", vec![milliseconds(|| resize(&mut deltas, count, 0))]);
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for step in 0..9 {
        down.push(milliseconds(|| resize(&mut deltas, count / 2, step)));
        up.push(milliseconds(|| resize(&mut deltas, count, step)));
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
        resize(&mut deltas, count / 2, step);
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
