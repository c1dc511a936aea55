//! What NVIDIA's management library tells of a device without making a context on it.

use std::sync::LazyLock;

use nvml_wrapper::Nvml;

use super::driver::{self, Uuid};

/// Bytes of a device's memory that are used, by whomever; none if the library is not there.
pub(super) fn used(device: usize) -> Option<u64> {
    static LIBRARY: LazyLock<Option<Nvml>> = LazyLock::new(|| Nvml::init().ok());
    let uuid = text(driver::get().ok()?.uuid(device).ok()?);
    Some(LIBRARY.as_ref()?.device_by_uuid(uuid).ok()?.memory_info().ok()?.used)
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
