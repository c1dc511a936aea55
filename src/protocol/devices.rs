//! How machine and device are doing, sampled beside the training.

use serde::{Deserialize, Serialize};

/// One sample. What a machine does not tell is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
    /// The machine.
    pub host: Host,
    /// The NVIDIA device that the model is on.
    #[serde(default)]
    pub gpu: Option<Gpu>,
}

/// The machine that the run is on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Share of all processors' time that was used since the sample before, 0 to 1; none in the first.
    pub cpu: Option<f64>,
    /// Processors.
    pub cores: usize,
    /// Processors that this process used since the sample before: 1.5 are one and a half.
    pub process_cores: Option<f64>,
    /// Bytes of memory that are used, by whomever.
    pub memory_used: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of swap that are used, by whomever.
    pub swap_used: u64,
    /// Resident bytes of this process.
    pub resident: Option<u64>,
    /// Bytes that can still be written where the run's folder lies.
    pub disk_free: Option<u64>,
    /// Bytes that fit there.
    pub disk_total: Option<u64>,
}

/// An NVIDIA device, as its management library tells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its name.
    pub name: Option<String>,
    /// Bytes that are used, by whomever.
    pub memory_used: Option<u64>,
    /// Bytes of memory.
    pub memory_total: Option<u64>,
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
