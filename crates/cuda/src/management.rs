//! What NVIDIA's management library tells of a device without making a context on it.

use std::sync::LazyLock;

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};

use super::driver::{self, Uuid};

/// How a device is doing; what it does not tell is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vitals {
    /// Its name.
    pub name: Option<String>,
    /// Bytes of its memory: used, by whomever, and all.
    pub memory: Option<(u64, u64)>,
    /// Share of the time in which it computed, 0 to 1.
    pub busy: Option<f64>,
    /// Share of the time in which its memory was read or written, 0 to 1.
    pub memory_busy: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
    /// Watts that it may take.
    pub power_limit: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Megahertz of its processors.
    pub clock: Option<f64>,
    /// Megahertz that they can reach.
    pub clock_limit: Option<f64>,
}

/// The device, as the library knows it; none if the library is not there.
fn find(device: usize) -> Option<nvml_wrapper::Device<'static>> {
    static LIBRARY: LazyLock<Option<Nvml>> = LazyLock::new(|| Nvml::init().ok());
    let uuid = text(driver::get().ok()?.uuid(device).ok()?);
    LIBRARY.as_ref()?.device_by_uuid(uuid).ok()
}

/// Bytes of a device's memory that are used, by whomever; none if the library is not there.
pub(super) fn used(device: usize) -> Option<u64> {
    Some(find(device)?.memory_info().ok()?.used)
}

/// How a device is doing; none if the library is not there.
pub(super) fn vitals(device: usize) -> Option<Vitals> {
    let device = find(device)?;
    let busy = device.utilization_rates().ok();
    let share = |percent: u32| f64::from(percent) / 100.0;
    let watts = |milliwatts: u32| f64::from(milliwatts) / 1000.0;
    Some(Vitals {
        name: device.name().ok(),
        memory: device.memory_info().ok().map(|memory| (memory.used, memory.total)),
        busy: busy.as_ref().map(|busy| share(busy.gpu)),
        memory_busy: busy.as_ref().map(|busy| share(busy.memory)),
        power: device.power_usage().ok().map(watts),
        power_limit: device.enforced_power_limit().ok().map(watts),
        temperature: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        clock: device.clock_info(Clock::SM).ok().map(f64::from),
        clock_limit: device.max_clock_info(Clock::SM).ok().map(f64::from),
    })
}

/// As the library writes it: `GPU-` and groups of 8, 4, 4, 4 and 12 digits.
fn text(uuid: Uuid) -> String {
    let digits: Vec<String> = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let groups = [0..4, 4..6, 6..8, 8..10, 10..16].map(|group| digits[group].concat());
    format!("GPU-{}", groups.join("-"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uuid_is_written_in_groups() {
        let bytes = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(super::text(bytes), "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
