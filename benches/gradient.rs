//! The two ways to a weight's gradient at a few scalars, by density, tokens and dtype; and what the gradients of a whole
//! block cost beside its matrix products: `OMP_NUM_THREADS=2 cargo bench --bench gradient`.
//!
//! The ways alternate, so that whatever else the machine does disturbs them alike. Times are minimum and median.

use std::hint::black_box;
use std::time::{Duration, Instant};

use spartui::sparse::Selection;
use spartui::sparse::gradient::{Product, dense_then_gather, sampled_product};
use tch::{Device, Kind, Tensor};

/// At least so many repetitions, and for so long.
const REPEATS: usize = 7;
const PATIENCE: Duration = Duration::from_millis(400);

const KINDS: [Kind; 2] = [Kind::Float, Kind::BFloat16];
const TOKENS: [i64; 3] = [256, 1024, 4096];
const DENSITIES: [f64; 10] = [0.0001, 0.001, 0.01, 0.024, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8];

/// Of a small Llama: hidden and inner size.
const HIDDEN: i64 = 512;
const INNER: i64 = 1408;

fn main() {
    tch::no_grad(|| {
        println!("{} threads; milliseconds, minimum and median", tch::get_num_threads());
        println!("\nOne weight of {HIDDEN} inputs and {INNER} outputs: sampled, and dense with a gather");
        println!("   kind tokens  density        sampled            dense   ratio  sampled GFLOP/s");
        for (kind, tokens) in KINDS.iter().flat_map(|kind| TOKENS.map(|tokens| (*kind, tokens))) {
            for density in DENSITIES {
                one_weight(kind, tokens, density);
            }
        }
        println!(
            "\nA block's seven weights at 2.4 %: the gradients, alone and right after the block's matrix products"
        );
        println!("   kind tokens       products            alone            after   of the products");
        for (kind, tokens) in KINDS.iter().flat_map(|kind| TOKENS.map(|tokens| (*kind, tokens))) {
            one_block(kind, tokens, 0.024);
        }
    });
}

/// A linear layer in a backward pass.
struct Site {
    input: Tensor,
    output_gradient: Tensor,
    weight: Tensor,
    indices: Tensor,
}

impl Site {
    fn new(input: &Tensor, outputs: i64, density: f64) -> Self {
        let (tokens, inputs) = input.size2().unwrap_or_default();
        let random = |size: [i64; 2]| Tensor::randn(size, (Kind::Float, Device::Cpu)).to_kind(input.kind());
        let scalars = (inputs * outputs).cast_unsigned();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let wanted = (scalars as f64 * density) as u64;
        Self {
            input: input.shallow_clone(),
            output_gradient: random([tokens, outputs]),
            weight: random([outputs, inputs]),
            indices: Tensor::from_slice(&Selection::new(1, "bench", scalars).indices(0..wanted)),
        }
    }

    fn product(&self) -> Product<'_> {
        Product { input: &self.input, output_gradient: &self.output_gradient, indices: vec![&self.indices] }
    }

    /// What a step cannot do without.
    fn forward_and_input_gradient(&self) {
        drop(black_box(self.input.matmul(&self.weight.transpose(0, 1))));
        drop(black_box(self.output_gradient.matmul(&self.weight)));
    }

    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn operations(&self) -> f64 {
        2.0 * self.indices.numel() as f64 * self.input.size()[0] as f64
    }
}

fn input(tokens: i64, width: i64, kind: Kind) -> Tensor {
    Tensor::randn([tokens, width], (Kind::Float, Device::Cpu)).to_kind(kind)
}

fn one_weight(kind: Kind, tokens: i64, density: f64) {
    let site = Site::new(&input(tokens, HIDDEN, kind), INNER, density);
    let [sampled, dense] = alternate([&mut || drop(black_box(sampled_product(&[site.product()]))), &mut || {
        drop(black_box(dense_then_gather(&site.input, &site.output_gradient, &[&site.indices])));
    }]);
    println!(
        "{:>7} {tokens:>6} {:>6.2} % {sampled} {dense} {:>7.2} {:>16.1}",
        name(kind),
        density * 100.0,
        sampled.median / dense.median,
        site.operations() / sampled.median / 1e6
    );
}

fn one_block(kind: Kind, tokens: i64, density: f64) {
    let [hidden, attention, normed] = [(); 3].map(|()| input(tokens, HIDDEN, kind));
    let inner = input(tokens, INNER, kind);
    let layers = [(&hidden, HIDDEN), (&hidden, HIDDEN), (&hidden, HIDDEN), (&attention, HIDDEN)];
    let layers = layers.into_iter().chain([(&normed, INNER), (&normed, INNER), (&inner, HIDDEN)]);
    let sites: Vec<Site> = layers.map(|(input, outputs)| Site::new(input, outputs, density)).collect();
    let gradients = || drop(black_box(sampled_product(&sites.iter().map(Site::product).collect::<Vec<_>>())));
    let pause = || std::thread::sleep(Duration::from_millis(20));
    let (mut products, mut after, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    repeat(|| {
        products.push(milliseconds(&mut || sites.iter().for_each(Site::forward_and_input_gradient)));
        after.push(milliseconds(&mut { gradients }));
        pause();
        alone.push(milliseconds(&mut { gradients }));
    });
    let [products, alone, after] = [products, alone, after].map(Times::of);
    println!(
        "{:>7} {tokens:>6} {products} {alone} {after} {:>16.2} %",
        name(kind),
        100.0 * after.median / products.median
    );
}

fn name(kind: Kind) -> &'static str {
    if kind == Kind::BFloat16 { "bf16" } else { "f32" }
}

struct Times {
    minimum: f64,
    median: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { minimum: times[0], median: times[times.len() / 2] }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:>7.3} {:>8.3}", self.minimum, self.median)
    }
}

fn alternate<const N: usize>(mut ways: [&mut dyn FnMut(); N]) -> [Times; N] {
    let mut times = [(); N].map(|()| Vec::new());
    repeat(|| {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            times.push(milliseconds(way));
        }
    });
    times.map(Times::of)
}

fn repeat(mut work: impl FnMut()) {
    let begun = Instant::now();
    let mut done = 0;
    while done < REPEATS || begun.elapsed() < PATIENCE {
        work();
        done += 1;
    }
}

fn milliseconds(work: &mut dyn FnMut()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e3
}
