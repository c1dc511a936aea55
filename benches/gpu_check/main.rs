//! On a CUDA device: whether everything gives what the CPU gives, and what it costs there: `make gpu-check`.
//!
//! Without arguments all parts run; else those that are named. `fit` fills the device but for the gibibytes that
//! `SPARTUI_FIT_GIB` says (24), and is left out unless it is named.

mod check;
mod cost;
mod fit;
mod model;
mod products;
mod state;
mod training;

use std::process::ExitCode;

use check::Checks;
use tch::Cuda;

/// Name, and what it does with the checks.
type Part = (&'static str, fn(&mut Checks));

const PARTS: [Part; 6] = [
    ("products", products::check),
    ("update", state::check),
    ("training", training::check),
    ("density", cost::by_density),
    ("step", cost::of_steps),
    ("fit", fit::largest),
];

fn main() -> ExitCode {
    let loaded = spartui::libtorch::load_cuda();
    if Cuda::device_count() == 0 {
        println!("no CUDA device here ({loaded:?}): nothing was verified");
        return ExitCode::SUCCESS;
    }
    check::say_where();
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| if named.is_empty() { name != "fit" } else { named.iter().any(|part| part == name) };
    let mut checks = Checks::default();
    for (name, part) in PARTS.iter().filter(|(name, _)| wanted(name)) {
        println!("\n{name}");
        part(&mut checks);
    }
    checks.conclude()
}
