//! Memory by owner over the steps.

use spartui_facts::protocol::Memory;

/// The most samples; when there are more, every second one is dropped.
const KEPT: usize = 1024;
/// Number of memory owners.
pub const OWNERS: usize = 7;

/// Bytes by owner at some steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    samples: Vec<(u64, [u64; OWNERS])>,
}

impl Owners {
    /// Adds a sample; it replaces an earlier one of the same step.
    pub fn push(&mut self, memory: &Memory) {
        let sample = (memory.step, memory.owners().map(|(_, bytes)| bytes));
        self.samples.retain(|(step, _)| *step < memory.step);
        self.samples.push(sample);
        if self.samples.len() > KEPT {
            let last = self.samples.len() - 1;
            let mut at = 0;
            self.samples.retain(|_| {
                at += 1;
                at % 2 == 1 || at > last
            });
        }
    }

    /// Forgets the samples after a step.
    pub fn cut(&mut self, step: u64) {
        self.samples.retain(|(at, _)| *at <= step);
    }

    /// First and last step.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.samples.first()?.0, self.samples.last()?.0))
    }

    /// Bytes by owner at a step: the last sample up to it.
    #[must_use]
    pub fn at(&self, step: f64) -> Option<&[u64; OWNERS]> {
        #[expect(clippy::cast_precision_loss, reason = "steps are below 2^53")]
        let after = self.samples.partition_point(|(at, _)| *at as f64 <= step);
        after.checked_sub(1).map(|at| &self.samples[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_a_long_run_is_thinned() {
        let mut owners = Owners::default();
        for step in 0..5000 {
            owners.push(&Memory { step, weights: step, ..Memory::default() });
        }
        assert!(owners.samples.len() <= KEPT && owners.span() == Some((0, 4999)));
        assert_eq!(owners.at(4999.5).map(|bytes| bytes[0]), Some(4999));
        assert!(owners.at(2500.0).is_some_and(|bytes| (2480..=2500).contains(&bytes[0])));
        owners.cut(100);
        assert!(owners.span().is_some_and(|(_, last)| last <= 100));
        owners.push(&Memory { step: 50, weights: 7, ..Memory::default() });
        assert_eq!((owners.at(60.0).map(|bytes| bytes[0]), owners.at(-1.0)), (Some(7), None));
    }
}
