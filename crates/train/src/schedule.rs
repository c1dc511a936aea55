//! The schedule of the learning rate.

use spartui_facts::recipe::{Schedule, ScheduleKind};

/// The rate of optimizer step `step` (the first is 1) of `total`: a linear rise to `peak` over the warm-up, then the
/// schedule's fall to its minimum at the last step.
///
/// A live change of the learning rate changes `peak`, so that the next step does not undo it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^53 steps")]
pub fn rate_at(schedule: &Schedule, peak: f64, step: u64, total: u64) -> f64 {
    let lowest = schedule.min_learning_rate.min(peak);
    let warmup = schedule.warmup_steps.of(total);
    if step <= warmup {
        return peak * step as f64 / warmup as f64;
    }
    let fall = total.saturating_sub(warmup).max(1) as f64;
    let done = ((step - warmup) as f64 / fall).min(1.0);
    match schedule.kind {
        ScheduleKind::Constant => peak,
        ScheduleKind::Linear => peak + (lowest - peak) * done,
        ScheduleKind::Cosine => lowest + (peak - lowest) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::recipe::Steps;

    fn schedule(kind: ScheduleKind) -> Schedule {
        Schedule { kind, warmup_steps: Steps::Count(10), min_learning_rate: 1e-5 }
    }

    #[test]
    fn it_rises_peaks_and_falls_to_the_minimum() {
        for kind in [ScheduleKind::Linear, ScheduleKind::Cosine] {
            let rate = |step| rate_at(&schedule(kind), 1e-3, step, 110);
            assert!((rate(1) - 1e-4).abs() < 1e-12);
            assert!((rate(10) - 1e-3).abs() < 1e-12);
            assert!((rate(60) - 5.05e-4).abs() < 1e-9, "half way: {}", rate(60));
            assert!((rate(110) - 1e-5).abs() < 1e-12);
            assert!((rate(500) - 1e-5).abs() < 1e-12);
        }
        assert!((rate_at(&schedule(ScheduleKind::Constant), 1e-3, 99, 110) - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn a_peak_below_the_minimum_is_not_raised() {
        let lowest = (11..=110).map(|step| rate_at(&schedule(ScheduleKind::Cosine), 1e-6, step, 110));
        assert!(lowest.into_iter().all(|rate| rate <= 1e-6 + 1e-18));
    }
}
