//! What it costs: the two ways to a gradient by density, and whole steps of a model of a billion parameters.

use spartui::recipe::Recompute;
use spartui::sparse::Selection;
use spartui::sparse::gradient::{Product, dense_then_gather, sampled_on_device};
use tch::{Kind, Tensor};

use crate::check::{Checks, DEVICE, milliseconds, name, random};
use crate::model::{ONE_BILLION, Setting, Trainee};

const TOKENS: i64 = 4096;
const DENSITIES: [f64; 9] = [1e-4, 1e-3, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3];
/// Inputs and outputs.
const SHAPES: [[i64; 2]; 4] = [[2048, 512], [2048, 2048], [2048, 8192], [8192, 2048]];

pub fn by_density(_: &mut Checks) {
    println!("  {TOKENS} tokens; milliseconds; products: forward, and the gradient of the input");
    println!("  dtype     inputs outputs  density  sampled    dense   ratio  products");
    for kind in [Kind::BFloat16, Kind::Float] {
        for [width, height] in SHAPES {
            let (x, dy, weight) =
                (random([TOKENS, width], kind), random([TOKENS, height], kind), random([height, width], kind));
            let products = milliseconds(|| drop((x.matmul(&weight.transpose(0, 1)), dy.matmul(&weight))));
            for density in DENSITIES {
                let indices = selected(width * height, density);
                let product = || Product { input: &x, output_gradient: &dy, indices: vec![&indices] };
                let sampled = milliseconds(|| drop(sampled_on_device(&product())));
                let dense = milliseconds(|| drop(dense_then_gather(&x, &dy, &[&indices])));
                println!(
                    "  {:<9} {width:>6} {height:>7} {:>6.2} % {sampled:>8.3} {dense:>8.3} {:>7.2} {products:>9.3}",
                    name(kind),
                    density * 100.0,
                    sampled / dense
                );
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
fn selected(scalars: i64, density: f64) -> Tensor {
    let count = (scalars as f64 * density) as u64;
    let indices = Selection::new(1, "weight", scalars.cast_unsigned()).indices(0..count);
    Tensor::from_slice(&indices).to_device(DEVICE)
}

pub fn of_steps(checks: &mut Checks) {
    const BATCH: (usize, usize) = (8, 512);
    println!("  the shape of Llama 3.2 1B, random weights, {} x {} tokens", BATCH.0, BATCH.1);
    println!("  dtype     targets        sparsity  trainable  step ms  floor ms  ratio  tokens/s");
    let Ok(folder) = ONE_BILLION.folder() else {
        return checks.check("a folder for temporary files", "there is none", false);
    };
    let all: &[&str] = &["all-linear"];
    for dtype in ["bfloat16", "float32"] {
        for (targets, sparsity) in [(all, 0.99), (all, 0.999), (&["v_proj", "o_proj"], 0.99)] {
            let setting = Setting { dtype, device: "cuda", targets, sparsity, random: true };
            match Trainee::open(folder.path(), &setting) {
                Ok(mut trainee) => step(&mut trainee, &setting, BATCH),
                Err(error) => checks.check(dtype, error.message(), false),
            }
        }
    }
}

fn step(trainee: &mut Trainee, setting: &Setting<'_>, (rows, width): (usize, usize)) {
    let (step, floor) = trainee.timed((rows, width), Recompute::None, |stopwatch| {
        let mut times: Vec<(f64, f64)> = (0..13).map(|_| (stopwatch.step(), stopwatch.floor())).collect();
        let mut middle = |by: fn(&(f64, f64)) -> f64| {
            let times = &mut times[3..];
            times.sort_by(|one, other| by(one).total_cmp(&by(other)));
            by(&times[times.len() / 2])
        };
        (middle(|times| times.0), middle(|times| times.1))
    });
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let tokens = (rows * width) as f64 / step * 1e3;
    println!(
        "  {:<9} {:<14} {:>6.2} % {:>10} {step:>8.2} {floor:>9.2} {:>6.3} {tokens:>9.0}",
        setting.dtype,
        setting.targets.join(","),
        setting.sparsity * 100.0,
        trainee.trainable(),
        step / floor
    );
}
