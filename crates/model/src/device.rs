//! Names of devices and dtypes.

use tch::{Cuda, Device, Kind};

use spartui_facts::error::{Error, Result};

/// The devices that libtorch can use on this machine, fastest first, by the names of `model.device`.
#[must_use]
pub fn available_devices() -> Vec<String> {
    let cuda = (0..Cuda::device_count()).map(|index| format!("cuda:{index}"));
    let mps = tch::utils::has_mps().then(|| "mps".to_owned());
    cuda.chain(mps).chain(["cpu".to_owned()]).collect()
}

/// The device that `model.device` names. A device that is not available is an error; there is no silent fallback.
///
/// # Errors
/// Refuses an unknown name and an unavailable device; the error lists the available ones.
pub fn parse_device(name: &str) -> Result<Device> {
    let available = available_devices();
    let wanted = match name {
        "auto" => available[0].as_str(),
        "cuda" => "cuda:0",
        other => other,
    };
    if !available.iter().any(|device| device == wanted) {
        let known =
            matches!(wanted, "mps" | "cpu") || wanted.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok());
        let why = if known { "is not on this machine" } else { "is no device that spartui knows" };
        return Err(Error::refused(format!(
            "model.device \"{}\" {why}; take one of: auto, {} (`spartui doctor` says more)",
            name.escape_debug(),
            available.join(", "),
        )));
    }
    Ok(match wanted {
        "cpu" => Device::Cpu,
        "mps" => Device::Mps,
        cuda => Device::Cuda(cuda.trim_start_matches("cuda:").parse().unwrap_or(0)),
    })
}

/// The dtype that `model.dtype` names; none for `auto`, which means the stored dtype.
///
/// # Errors
/// Refuses an unknown name.
pub fn parse_dtype(name: &str) -> Result<Option<Kind>> {
    match name {
        "auto" => Ok(None),
        "float32" => Ok(Some(Kind::Float)),
        "bfloat16" => Ok(Some(Kind::BFloat16)),
        "float16" => Ok(Some(Kind::Half)),
        other => Err(Error::refused(format!(
            "model.dtype \"{}\" is not known; take auto, float32, bfloat16 or float16",
            other.escape_debug()
        ))),
    }
}
