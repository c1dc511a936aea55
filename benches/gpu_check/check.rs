//! What was verified, and how it went.

use std::process::ExitCode;
use std::time::Instant;

use spartui::{cuda, sparse};
use tch::{Cuda, Device, Kind, Tensor};

pub const DEVICE: Device = Device::Cuda(0);

/// Counts what held and what did not.
#[derive(Default)]
pub struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    /// One claim, with the figure that it rests on.
    pub fn check(&mut self, what: &str, figure: &str, holds: bool) {
        println!("  {}  {what}: {figure}", if holds { "ok    " } else { "FAILED" });
        *(if holds { &mut self.passed } else { &mut self.failed }) += 1;
    }

    pub fn conclude(self) -> ExitCode {
        println!("\n{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The device, and whether our kernels can be had on it.
pub fn say_where() {
    let gib = |bytes: u64| bytes >> 30;
    let started = Instant::now();
    let kernels = sparse::prepare_device(0);
    println!("device      {}", std::env::var("SPARTUI_DEVICE_NAME").unwrap_or_else(|_| "cuda:0".into()));
    println!("properties  {:?}", cuda::properties(0));
    println!("memory      {:?} GiB", cuda::memory(0).map(|memory| (gib(memory.free), gib(memory.total))));
    println!("nvrtc       {:?}", cuda::compiler_version());
    println!("kernels     {kernels:?} in {:.2} s", started.elapsed().as_secs_f64());
}

/// Median milliseconds of some work on the device, timed in batches so that its launches overlap.
pub fn milliseconds(mut work: impl FnMut()) -> f64 {
    const BATCH: u32 = 10;
    for _ in 0..3 {
        work();
    }
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            Cuda::synchronize(0);
            let started = Instant::now();
            for _ in 0..BATCH {
                work();
            }
            Cuda::synchronize(0);
            started.elapsed().as_secs_f64() * 1e3 / f64::from(BATCH)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Normal numbers on the device.
pub fn random(size: [i64; 2], kind: Kind) -> Tensor {
    Tensor::randn(size, (Kind::Float, DEVICE)).to_kind(kind)
}

pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "float32",
        Kind::BFloat16 => "bfloat16",
        Kind::Half => "float16",
        _ => "other",
    }
}
