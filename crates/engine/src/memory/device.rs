//! The memory of this process on an NVIDIA device by owner.

use tch::{Cuda, Device};

use super::{state_bytes, weight_bytes};
use spartui_cuda as cuda;
use spartui_facts::protocol::Memory;
use spartui_train::Session;

/// Measures memory in use on the model's device.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Memory used on each device by other processes, before this one used any.
    others: Vec<u64>,
    /// Memory in use after loading, and the part of it that was accounted for.
    at_load: Option<(u64, u64)>,
}

impl Probe {
    /// Created before anything is on a device.
    pub fn new() -> Self {
        let devices = usize::try_from(Cuda::device_count()).unwrap_or(0);
        Self { others: (0..devices).map(|device| cuda::used_memory(device).unwrap_or(0)).collect(), at_load: None }
    }

    /// Between loading and the first step: what is used beyond weights and state is the program's own, such as its
    /// context on the device.
    pub fn loaded(&mut self, session: &Session) {
        self.at_load = self.used(session).map(|(used, _)| (used, weight_bytes(session) + state_bytes(session)));
    }

    /// The memory by owner; none if the model is not on such a device.
    pub fn measure(&self, session: &Session) -> Option<Memory> {
        let (total, limit) = self.used(session)?;
        let (at_load, accounted) = self.at_load?;
        let [deltas, moments, ..] = session.accounted();
        let weights = weight_bytes(session);
        let program = at_load.saturating_sub(accounted);
        // Includes what libtorch caches for the next step.
        let activations = total.saturating_sub(weights + deltas + moments + program);
        Some(Memory {
            step: session.step,
            weights,
            deltas,
            moments,
            activations,
            data: 0,
            program,
            other: total.saturating_sub(weights + deltas + moments + program + activations),
            total,
            limit,
            peak: 0,
        })
    }

    /// Bytes used by this process, and the device's total.
    fn used(&self, session: &Session) -> Option<(u64, u64)> {
        let Device::Cuda(device) = session.model.device else { return None };
        let memory = cuda::memory(device).ok()?;
        let others = self.others.get(device).copied().unwrap_or(0);
        Some((memory.used().saturating_sub(others), memory.total))
    }
}
