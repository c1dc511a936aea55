//! The two ways to a weight's gradient at a few scalars, by density: `cargo bench --bench gradient`.

use std::time::Instant;

use spartui::sparse::{Selection, gradient};
use tch::{Device, Kind, Tensor};

const REPEATS: usize = 15;

fn main() {
    println!(
        "{:>6} {:>6} {:>7} {:>9} {:>12} {:>12} {:>7}",
        "in", "out", "tokens", "density", "sampled ms", "dense ms", "ratio"
    );
    for (width, height, tokens) in [(384, 384, 600), (1536, 384, 600), (1024, 1024, 1024)] {
        let x = Tensor::randn([tokens, width], (Kind::Float, Device::Cpu));
        let dy = Tensor::randn([tokens, height], (Kind::Float, Device::Cpu));
        let scalars = (width * height).cast_unsigned();
        for per_mille in [1, 5, 10, 20, 40, 80, 160] {
            let indices =
                Tensor::from_slice(&Selection::new(1, "bench", scalars).indices(0..scalars * per_mille / 1000));
            let (mut sampled, mut dense) = (Vec::new(), Vec::new());
            for _ in 0..REPEATS {
                sampled.push(milliseconds(|| gradient::sampled_product(&x, &dy, &[&indices])));
                dense.push(milliseconds(|| gradient::dense_then_gather(&x, &dy, &[&indices])));
            }
            let (sampled, dense) = (median(sampled), median(dense));
            #[expect(clippy::cast_precision_loss, reason = "below 1000")]
            let density = per_mille as f64 / 10.0;
            println!(
                "{width:>6} {height:>6} {tokens:>7} {density:>7.1} % {sampled:>12.3} {dense:>12.3} {:>7.2}",
                sampled / dense
            );
        }
    }
}

fn milliseconds(work: impl FnOnce() -> Vec<Tensor>) -> f64 {
    let begun = Instant::now();
    std::hint::black_box(work());
    begun.elapsed().as_secs_f64() * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
