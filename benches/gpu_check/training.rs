//! Small models of every family: the losses of some steps on the device against those on the CPU.

use spartui::recipe::Recompute;

use crate::check::Checks;
use crate::model::{Setting, Trainee, golden};

const STEPS: usize = 10;
const BATCH: (usize, usize) = (3, 12);

pub fn check(checks: &mut Checks) {
    let folders = golden();
    for (dtype, bound) in [("float32", 1e-4), ("bfloat16", 2e-2)] {
        let (mut worst, mut of, mut repeatable) = (0.0_f64, String::new(), 0);
        for folder in &folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let [here, there, again] = ["cpu", "cuda", "cuda"].map(|device| losses(folder, dtype, device));
            let (here, there, again) = match (here, there, again) {
                (Ok(here), Ok(there), Ok(again)) => (here, there, again),
                (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                    checks.check(&name, error.message(), false);
                    continue;
                }
            };
            let apart = |(here, there): (&f64, &f64)| ((here - there) / here).abs();
            let most = here.iter().zip(&there).map(apart).fold(0.0, f64::max);
            repeatable += usize::from(there == again);
            if most.is_nan() || most > worst {
                (worst, of) = (most, name.into_owned());
            }
        }
        let what = format!("{dtype}, {STEPS} steps of {} models, largest relative difference of a loss", folders.len());
        checks.check(&what, &format!("{worst:.1e} ({of})"), worst <= bound && !folders.is_empty());
        println!("          {repeatable} of {} gave the same bits twice", folders.len());
    }
}

fn losses(folder: &std::path::Path, dtype: &str, device: &str) -> spartui::error::Result<Vec<f64>> {
    let setting = Setting { dtype, device, targets: &["all-linear"], sparsity: 0.9, random: false };
    let mut trainee = Trainee::open(folder, &setting)?;
    Ok(trainee.timed(BATCH, Recompute::None, |stopwatch| (0..STEPS).map(|_| stopwatch.train(|_| 1e-3).1).collect()))
}
