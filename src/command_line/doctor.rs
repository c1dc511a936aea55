//! `spartui doctor`

use super::{console, print_line};
use crate::libtorch::mkl::{self, Choice};
use crate::{cuda, libtorch, sparse};
use spartui_facts::error::Result;
use spartui_interface::layout::{LEAST, SMALLEST};
use spartui_model::available_devices;

/// Prints the report; `cuda` says whether the CUDA libraries were loaded.
pub fn run(cuda: &std::result::Result<bool, String>) -> Result<()> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let driver = std::path::Path::new("/proc/driver/nvidia/version").exists();
    let cuda = match (cuda, driver) {
        (Ok(true), true) => format!("loaded, {} device(s)", tch::Cuda::device_count()),
        (Ok(true), false) => "loaded, but there is no NVIDIA driver; the CPU works".into(),
        (Ok(false), true) => {
            "there is an NVIDIA driver, but this libtorch is the CPU build; run `make setup` again".into()
        }
        (Ok(false), false) => "none (no NVIDIA driver); the CPU works".into(),
        (Err(why), _) => format!("cannot be loaded: {why}; run `make setup` again"),
    };
    let devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    let kernels: Vec<String> = (0..devices).map(|device| format!("cuda:{device} {}", kernels(device))).collect();
    let mkl = match mkl::choice() {
        Choice::ByFeatures => "chooses its code by the features of the processor, not by its maker",
        Choice::ByMaker => {
            "chooses its code by the maker of the processor, and is slower on processors of others than Intel"
        }
        Choice::NoMkl => "none in this libtorch",
    };
    let terminal = match console::why_unusable() {
        None => match crossterm::terminal::size() {
            Ok((columns, rows)) if columns >= SMALLEST.0 && rows >= SMALLEST.1 => format!("{columns}x{rows}"),
            Ok((columns, rows)) => format!(
                "{columns}x{rows}, small: the interface needs {}x{}; a summary of a run needs {}x{}",
                SMALLEST.0, SMALLEST.1, LEAST.0, LEAST.1
            ),
            Err(error) => format!("its size cannot be read: {error}"),
        },
        Some(why) => format!("{why}; runs print progress lines"),
    };
    let lines = [
        ("spartui", env!("CARGO_PKG_VERSION").to_owned()),
        ("libtorch", format!("2.11.0 at {}, {} threads", libtorch::folder().display(), tch::get_num_threads())),
        ("MKL", mkl.into()),
        ("CUDA", cuda),
        ("kernels", if kernels.is_empty() { "none needed".into() } else { kernels.join("; ") }),
        ("devices", available_devices().join(", ")),
        ("memory", format!("{} free of {}", gib(system.available_memory()), gib(system.total_memory()))),
        ("terminal", terminal),
    ];
    lines.iter().try_for_each(|(name, value)| print_line(&format!("{name:<10} {value}")))
}

/// Whether our own kernels can be compiled for a device.
fn kernels(device: usize) -> String {
    match (sparse::prepare_device(device), cuda::compiler_version()) {
        (Ok(()), Ok(version)) => format!("compiled by nvrtc {version}"),
        (Err(why), _) | (_, Err(why)) => format!("not compiled, training uses slower code: {why}"),
    }
}
