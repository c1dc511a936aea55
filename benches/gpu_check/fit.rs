//! The largest Llama shape that trains in so much memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

use spartui::cuda;
use spartui::recipe::Recompute;
use tch::{Kind, Tensor};

use crate::check::{Checks, DEVICE};
use crate::model::{EIGHT_BILLION, Setting, Shape, Trainee};

const GIB: u64 = 1 << 30;

/// Takes what the device has above `SPARTUI_FIT_GIB`, and trains ever deeper models, of Llama 3.1 8B's width, in the rest, as
/// `SPARTUI_FIT_LAYERS` lists them.
pub fn largest(checks: &mut Checks) {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let room = number("SPARTUI_FIT_GIB", 24) * GIB;
    let layers = std::env::var("SPARTUI_FIT_LAYERS").unwrap_or_else(|_| "40 42 43 44".into());
    let memory = match cuda::memory(0) {
        Ok(memory) => memory,
        Err(why) => return checks.check("the device's memory", &why, false),
    };
    // The context is part of what a user's device has to hold.
    let ballast = memory.total.saturating_sub(room);
    let _ballast = Tensor::empty([ballast.cast_signed()], (Kind::Uint8, DEVICE));
    for layers in layers.split_whitespace().filter_map(|layers| layers.parse().ok()) {
        let shape = Shape { layers, ..EIGHT_BILLION };
        let trained = catch_unwind(AssertUnwindSafe(|| train(&shape)));
        let used = cuda::memory(0).map_or(0, |memory| memory.used().saturating_sub(ballast));
        #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
        let used = used as f64 / GIB as f64;
        match trained {
            Ok(Ok(said)) => println!("  {layers} layers: {said}, {used:.2} GiB of {} used", room / GIB),
            Ok(Err(why)) => println!("  {layers} layers: {why}"),
            Err(_) => {
                println!("  {layers} layers: out of memory");
                break;
            }
        }
    }
}

fn train(shape: &Shape) -> Result<String, String> {
    let folder = shape.folder().map_err(|error| error.to_string())?;
    let setting = Setting { dtype: "bfloat16", device: "cuda", targets: &["all-linear"], sparsity: 0.99, random: true };
    let mut trainee = Trainee::open(folder.path(), &setting).map_err(|error| error.message().to_owned())?;
    let parameters = trainee.model.base_parameters();
    let times = trainee.timed((1, 512), Recompute::Blocks, |stopwatch| [(); 4].map(|()| stopwatch.step()));
    Ok(format!("{parameters} parameters, {} trainable, {:.0} ms a step of 1 x 512", trainee.trainable(), times[3]))
}
