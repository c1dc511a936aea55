//! Machine and device statistics, sampled during training.

use serde::{Deserialize, Serialize};

/// One sample. Values that a machine does not report are none.
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
    /// Share of all processors' time used since the previous sample, 0 to 1; none in the first.
    pub cpu: Option<f64>,
    /// Number of processors.
    pub cores: usize,
    /// Processors that this process used since the previous sample: 1.5 are one and a half.
    pub process_cores: Option<f64>,
    /// Bytes of memory in use by all processes.
    pub memory_used: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes of swap in use by all processes.
    pub swap_used: u64,
    /// Resident bytes of this process.
    pub resident: Option<u64>,
    /// Free bytes of the file system with the run's folder.
    pub disk_free: Option<u64>,
    /// Its total bytes.
    pub disk_total: Option<u64>,
}

/// An NVIDIA device, as its management library reports it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its name.
    pub name: Option<String>,
    /// Bytes in use by all processes.
    pub memory_used: Option<u64>,
    /// Bytes of memory.
    pub memory_total: Option<u64>,
    /// Share of the time in which it computed, 0 to 1.
    pub busy: Option<f64>,
    /// Share of the time in which its memory was read or written, 0 to 1.
    pub memory_busy: Option<f64>,
    /// Watts.
    pub power: Option<f64>,
    /// Power limit in watts.
    pub power_limit: Option<f64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
    /// Clock of its processors in megahertz.
    pub clock: Option<f64>,
    /// Their maximum clock in megahertz.
    pub clock_limit: Option<f64>,
}
