//! Where this process's memory on an NVIDIA device is.

use tch::{Cuda, Device};

use super::{state_bytes, weight_bytes};
use crate::cuda;
use crate::protocol::Memory;
use crate::train::Session;

/// Measures what is used on the model's device.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What others used on each device before this process took any.
    others: Vec<u64>,
    /// What was used when all was loaded, and what of it was accounted for.
    at_load: Option<(u64, u64)>,
}

impl Probe {
    /// Before anything lies on a device.
    pub fn new() -> Self {
        let devices = usize::try_from(Cuda::device_count()).unwrap_or(0);
        Self { others: (0..devices).map(|device| cuda::used_memory(device).unwrap_or(0)).collect(), at_load: None }
    }

    /// Between loading and the first step: what is used beyond weights and state is the program's, its context on the device.
    pub fn loaded(&mut self, session: &Session) {
        self.at_load = self.used(session).map(|(used, _)| (used, weight_bytes(session) + state_bytes(session)));
    }

    /// None where the model is not on such a device.
    pub fn measure(&self, session: &Session) -> Option<Memory> {
        let (total, limit) = self.used(session)?;
        let (at_load, accounted) = self.at_load?;
        let [deltas, moments, ..] = session.accounted();
        let weights = weight_bytes(session);
        let program = at_load.saturating_sub(accounted);
        // With what libtorch keeps of it for the next step.
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

    /// Bytes that this process uses, and all that the device has.
    fn used(&self, session: &Session) -> Option<(u64, u64)> {
        let Device::Cuda(device) = session.model.device else { return None };
        let memory = cuda::memory(device).ok()?;
        let others = self.others.get(device).copied().unwrap_or(0);
        Some((memory.used().saturating_sub(others), memory.total))
    }
}
