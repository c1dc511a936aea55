//! Load of machine and device, now and recently.

use std::collections::VecDeque;

use spartui_facts::protocol::Vitals;

/// The most samples that are kept.
const KEPT: usize = 240;

/// The newest samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    /// The newest one.
    pub latest: Option<Vitals>,
    /// Processor load, as shares, newest last.
    pub cpu: VecDeque<f64>,
    /// Device load, as shares, newest last.
    pub gpu: VecDeque<f64>,
}

impl Pulse {
    /// Adds a sample.
    pub fn push(&mut self, vitals: Vitals) {
        let keep = |past: &mut VecDeque<f64>, share: Option<f64>| {
            past.extend(share.filter(|share| share.is_finite()));
            while past.len() > KEPT {
                past.pop_front();
            }
        };
        keep(&mut self.cpu, vitals.host.cpu);
        keep(&mut self.gpu, vitals.gpu.as_ref().and_then(|gpu| gpu.busy));
        self.latest = Some(vitals);
    }
}
