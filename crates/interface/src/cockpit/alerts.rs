//! Alerts, derived from the engine's events; one of each kind until it is over.

pub mod act;
pub mod draw;

use std::collections::VecDeque;

use spartui_facts::protocol::{Evaluation, Memory, Sparsity, Step, Vitals};
use spartui_facts::series::median;

/// Size of the window of losses for median and spread, and the least number of losses in it.
const LOSSES: usize = 64;
const ENOUGH: usize = 20;
/// A spike is at least this many spreads above the median, and at least this many times the median.
const SPREADS: f64 = 8.0;
const TIMES: f64 = 1.5;
/// The least rise of a spike: a smaller one changes the probability of the right answer by less than a tenth, and says
/// more about how small the loss has become than about training.
const RISE: f64 = 0.1;
/// Steps without another spike after which a loss alert is over.
const CALM: u64 = 25;
/// Consecutive evaluations that each got worse.
const WORSE: usize = 3;
/// The least total increase of the loss over them, for the same reason as [`RISE`].
const WORSE_BY: f64 = 0.01;
/// Share of a group's deltas that survive the cast: below the first one training has next to no effect, above the
/// second one the alert is over; and the first steps, in which deltas are small anyway.
const SURVIVING: [f64; 2] = [0.5, 0.6];
const WARM: u64 = 50;
/// Shares of the memory limit at which the alert begins and ends.
const MEMORY: [f64; 2] = [0.92, 0.88];
/// A disk is nearly full below this many bytes, or this many times the last checkpoint.
const DISK: u64 = 512 << 20;
const CHECKPOINTS: u64 = 3;
/// Windows of steps for the usual and for the present step time; and the ratios at which steps are slow and no longer
/// slow.
const USUAL: usize = 48;
const NOW: usize = 16;
const SLOW: [f64; 2] = [2.0, 1.5];
/// The least difference in seconds: the system's own noise can reach a thousandth.
const SLOWER_BY: f64 = 0.01;

/// The kind of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The loss is not a number.
    NotANumber,
    /// The loss jumped.
    Spike,
    /// The validation loss increases.
    Worse,
    /// Deltas do not survive the cast.
    Lost,
    /// The memory is nearly full.
    Memory,
    /// The disk is nearly full.
    Disk,
    /// Steps became slower.
    Slow,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its kind.
    pub cause: Cause,
    /// The step at which it began.
    pub step: u64,
    /// One sentence: the problem and a remedy.
    pub text: String,
    /// Whether the user has acknowledged it.
    pub seen: bool,
    /// Whether it is over.
    pub over: bool,
}

/// A message about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertEvent {
    /// The alert began.
    Began(String),
    /// It is over.
    Over(String),
}

/// All alerts of a run.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    list: Vec<Alert>,
    losses: VecDeque<f64>,
    last_bad: u64,
    evaluations: Vec<f64>,
    usual: Vec<f64>,
    recent: VecDeque<f64>,
    checkpoint: u64,
}

impl Alerts {
    /// Alerts that were not acknowledged, the most severe first.
    #[must_use]
    pub fn unseen(&self) -> Vec<&Alert> {
        let mut unseen: Vec<&Alert> = self.list.iter().filter(|alert| !alert.seen).collect();
        unseen.sort_by_key(|alert| (alert.over, alert.cause));
        unseen
    }

    /// All alerts in the order in which they began.
    #[must_use]
    pub fn all(&self) -> &[Alert] {
        &self.list
    }

    /// Acknowledges all alerts; returns whether there were any.
    pub fn acknowledge(&mut self) -> bool {
        let any = self.list.iter().any(|alert| !alert.seen);
        self.list.iter_mut().for_each(|alert| alert.seen = true);
        any
    }

    /// The run moved to another step: forgets alerts and statistics that no longer apply.
    pub fn on_rewind(&mut self, step: u64) {
        self.losses.clear();
        self.evaluations.clear();
        self.usual.clear();
        self.recent.clear();
        self.last_bad = 0;
        self.list.retain(|alert| alert.step <= step || matches!(alert.cause, Cause::Memory | Cause::Disk));
        for alert in self.list.iter_mut().filter(|alert| !matches!(alert.cause, Cause::Memory | Cause::Disk)) {
            alert.over = true;
        }
    }

    /// A change that affects the step time took effect.
    pub fn on_change(&mut self) {
        self.usual.clear();
        self.recent.clear();
    }

    /// Processes a step.
    pub fn on_step(&mut self, step: &Step) -> Vec<AlertEvent> {
        let mut events = self.check_loss(step);
        events.extend(self.check_time(step));
        events
    }

    fn check_loss(&mut self, step: &Step) -> Vec<AlertEvent> {
        let at = step.step;
        if !step.loss.is_finite() {
            self.last_bad = at;
            let text = format!("the loss of step {at} is not a number; rewind and lower the learning rate");
            return self.begin(Cause::NotANumber, at, &text);
        }
        let mut events = Vec::new();
        if let Some((median, spread)) = median_and_spread(&self.losses)
            && step.loss > median + SPREADS * spread
            && step.loss > TIMES * median
            && step.loss > median + RISE
        {
            self.last_bad = at;
            let (loss, usual) = (short(step.loss), short(median));
            let text = format!(
                "the loss jumped to {loss} at step {at}, from about {usual}; a lower rate, or a rewind, may help"
            );
            events.extend(self.begin(Cause::Spike, at, &text));
        }
        if self.losses.len() == LOSSES {
            self.losses.pop_front();
        }
        self.losses.push_back(step.loss);
        if at >= self.last_bad + CALM {
            events.extend(self.end(Cause::NotANumber, "the loss is a number again"));
            events.extend(self.end(Cause::Spike, "loss recovered"));
        }
        events
    }

    fn check_time(&mut self, step: &Step) -> Vec<AlertEvent> {
        if !(step.seconds.is_finite() && step.seconds > 0.0) {
            return Vec::new();
        }
        if self.usual.len() < USUAL {
            self.usual.push(step.seconds);
            return Vec::new();
        }
        if self.recent.len() == NOW {
            self.recent.pop_front();
        }
        self.recent.push_back(step.seconds);
        // The first steps are slower than the later ones, and the longest rows may come first.
        let (Some(usual), Some(now)) = (median(self.usual.iter().copied()), median(self.recent.iter().copied())) else {
            return Vec::new();
        };
        if self.recent.len() == NOW && now >= SLOW[0] * usual && now >= usual + SLOWER_BY {
            let (now, usual) = (milliseconds(now), milliseconds(usual));
            let text = format!("a step takes {now} instead of {usual}; check whether another program uses the machine");
            return self.begin(Cause::Slow, step.step, &text);
        }
        if now < SLOW[1] * usual { self.end(Cause::Slow, "steps are as fast as they were") } else { Vec::new() }
    }

    /// Processes an evaluation.
    pub fn on_evaluation(&mut self, evaluation: &Evaluation) -> Vec<AlertEvent> {
        self.evaluations.push(evaluation.eval_loss);
        let newest = &self.evaluations[self.evaluations.len().saturating_sub(WORSE + 1)..];
        let worse = newest.windows(2).rev().take_while(|pair| pair[1] > pair[0]).count();
        let risen = newest.last().zip(newest.first()).is_some_and(|(last, first)| last - first >= WORSE_BY);
        if worse >= WORSE && risen {
            let at = evaluation.step;
            let text = format!(
                "validation loss increased {WORSE} times in a row, up to step {at}; an earlier state may be the best"
            );
            return self.begin(Cause::Worse, at, &text);
        }
        if worse == 0 { self.end(Cause::Worse, "validation loss no longer increases") } else { Vec::new() }
    }

    /// Processes a sparsity report; `dtype` is that of the weights.
    pub fn on_sparsity(&mut self, sparsity: &Sparsity, dtype: &str) -> Vec<AlertEvent> {
        let share = |group: &&spartui_facts::protocol::Group| group.surviving.unwrap_or(1.0);
        let groups = sparsity.groups.iter().filter(|group| group.targeted && group.surviving.is_some());
        let Some(worst) = groups.min_by(|a, b| share(a).total_cmp(&share(b))) else { return Vec::new() };
        let surviving = share(&worst);
        if surviving < SURVIVING[0] && sparsity.step >= WARM {
            let text = format!(
                "only {:.0} % of the changes of {} survive the cast to {}; a higher rate, or method.rounding = \"stochastic\", helps",
                surviving * 100.0,
                worst.name,
                dtype
            );
            return self.begin(Cause::Lost, sparsity.step, &text);
        }
        if surviving >= SURVIVING[1] { self.end(Cause::Lost, "changes survive the cast again") } else { Vec::new() }
    }

    /// Processes a memory report.
    pub fn on_memory(&mut self, memory: &Memory) -> Vec<AlertEvent> {
        self.check_memory(memory.total, memory.limit, memory.step, "this run")
    }

    fn check_memory(&mut self, used: u64, limit: u64, step: u64, who: &str) -> Vec<AlertEvent> {
        if limit == 0 {
            return Vec::new();
        }
        let share = used as f64 / limit as f64;
        if share >= MEMORY[0] {
            let text = format!(
                "{who} uses {:.0} % of the memory; a smaller train.micro_batch_size, or train.recompute, needs less",
                share * 100.0
            );
            return self.begin(Cause::Memory, step, &text);
        }
        if share < MEMORY[1] && who == "this run" {
            self.end(Cause::Memory, "memory use is below the limit again")
        } else {
            Vec::new()
        }
    }

    /// Records the size of a checkpoint.
    pub fn on_checkpoint(&mut self, bytes: u64) {
        self.checkpoint = bytes;
    }

    /// Processes machine and device statistics.
    pub fn on_vitals(&mut self, vitals: &Vitals, step: u64) -> Vec<AlertEvent> {
        let Some(free) = vitals.host.disk_free else { return Vec::new() };
        let least = DISK.max(CHECKPOINTS.saturating_mul(self.checkpoint));
        if free < least {
            let text = format!(
                "the disk of the run has {} left; free some space, or a checkpoint may find none",
                crate::text::bytes(free)
            );
            return self.begin(Cause::Disk, step, &text);
        }
        if free / 5 * 4 > least { self.end(Cause::Disk, "the disk has room again") } else { Vec::new() }
    }

    /// An alert in progress is reported once.
    fn begin(&mut self, cause: Cause, step: u64, text: &str) -> Vec<AlertEvent> {
        if self.list.iter().any(|alert| alert.cause == cause && !alert.over) {
            return Vec::new();
        }
        // Of the unacknowledged alerts of one kind, only the newest is kept.
        self.list.retain(|alert| alert.cause != cause || alert.seen);
        let text = crate::text::safe_text(text);
        self.list.push(Alert { cause, step, text: text.clone(), seen: false, over: false });
        vec![AlertEvent::Began(text)]
    }

    fn end(&mut self, cause: Cause, text: &str) -> Vec<AlertEvent> {
        match self.list.iter_mut().find(|alert| alert.cause == cause && !alert.over) {
            Some(alert) => {
                alert.over = true;
                vec![AlertEvent::Over(text.to_owned())]
            }
            None => Vec::new(),
        }
    }
}

/// Median of the newest losses, and their median absolute deviation scaled to a standard deviation; none while there
/// are too few.
fn median_and_spread(losses: &VecDeque<f64>) -> Option<(f64, f64)> {
    if losses.len() < ENOUGH {
        return None;
    }
    let middle = median(losses.iter().copied())?;
    let spread = median(losses.iter().map(|loss| (loss - middle).abs()))?;
    Some((middle, spread * 1.4826))
}

fn short(value: f64) -> String {
    crate::text::number_short(value)
}

fn milliseconds(seconds: f64) -> String {
    crate::text::milliseconds(seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::protocol::{Group, Host};

    fn step(step: u64, loss: f64, seconds: f64) -> Step {
        Step {
            step,
            epoch: 0.0,
            loss,
            learning_rate: 1e-3,
            grad_norm: 1.0,
            examples: 8,
            tokens: 80,
            seconds,
            trainable: 10,
            sparsity: 0.99,
            branch: 0,
        }
    }

    fn evaluation(step: u64, eval_loss: f64) -> Evaluation {
        Evaluation { step, eval_loss, accuracy: 0.5, mcc: None, examples: 3, seconds: 0.1, branch: 0 }
    }

    fn began(events: &[AlertEvent]) -> usize {
        events.iter().filter(|event| matches!(event, AlertEvent::Began(_))).count()
    }

    /// Deterministic noise.
    fn noise(at: u64) -> f64 {
        (at as f64 * 12.9898).sin() * 0.3
    }

    #[test]
    fn a_spike_is_reported_once_and_noise_is_not() {
        let mut alerts = Alerts::default();
        let mut events = Vec::new();
        for at in 1..200 {
            events.extend(alerts.on_step(&step(at, 2.0 * (-(at as f64) / 80.0).exp() + 0.5 + noise(at), 0.1)));
        }
        assert_eq!(events, []);
        for at in 200..210 {
            events.extend(alerts.on_step(&step(at, 9.0, 0.1)));
        }
        assert_eq!((events.len(), began(&events)), (1, 1));
        assert!(alerts.unseen()[0].text.contains("jumped to 9 at step 200"), "{:?}", alerts.unseen());
        for at in 210..260 {
            events.extend(alerts.on_step(&step(at, 0.6 + noise(at), 0.1)));
        }
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(alerts.unseen()[0].over && alerts.acknowledge() && alerts.unseen().is_empty());
        events.extend(alerts.on_step(&step(260, 9.0, 0.1)));
        assert_eq!((began(&events), alerts.all().len()), (2, 2));
    }

    #[test]
    fn a_small_rise_is_no_alert_however_large_the_ratio() {
        let mut alerts = Alerts::default();
        let mut events: Vec<AlertEvent> =
            (1..100).flat_map(|at| alerts.on_step(&step(at, 2e-6 * (1.0 + noise(at)), 0.0005))).collect();
        // Reported by a user: a classifier that has overfitted its rows.
        events.extend(alerts.on_step(&step(100, 2.22e-5, 0.0005)));
        events.extend(alerts.on_step(&step(101, 0.09, 0.0005)));
        events.extend((102..160).flat_map(|at| alerts.on_step(&step(at, 2e-6, 0.0015))).collect::<Vec<_>>());
        for (at, loss) in [(1, 1e-5), (2, 2e-5), (3, 3e-5), (4, 4e-5), (5, 5e-5)] {
            events.extend(alerts.on_evaluation(&evaluation(at, loss)));
        }
        assert_eq!(events, []);
        assert_eq!(began(&alerts.on_step(&step(160, 0.3, 0.0005))), 1);
    }

    #[test]
    fn a_nan_loss_is_reported_once() {
        let mut alerts = Alerts::default();
        let events: Vec<AlertEvent> = (1..50).flat_map(|at| alerts.on_step(&step(at, f64::NAN, 0.1))).collect();
        assert_eq!(began(&events), 1);
        let events: Vec<AlertEvent> = (50..90).flat_map(|at| alerts.on_step(&step(at, 1.0, 0.1))).collect();
        assert_eq!(events, [AlertEvent::Over("the loss is a number again".into())]);
    }

    #[test]
    fn steps_twice_as_long_are_slow_unless_a_change_took_effect() {
        let slow = |changed: bool| {
            let mut alerts = Alerts::default();
            let mut events: Vec<AlertEvent> = (1..80).flat_map(|at| alerts.on_step(&step(at, 1.0, 0.1))).collect();
            if changed {
                alerts.on_change();
            }
            events.extend((80..160).flat_map(|at| alerts.on_step(&step(at, 1.0, 0.25))).collect::<Vec<_>>());
            events.extend((160..200).flat_map(|at| alerts.on_step(&step(at, 1.0, 0.1))).collect::<Vec<_>>());
            events
        };
        assert_eq!((slow(false).len(), began(&slow(false))), (2, 1));
        assert_eq!(slow(true), []);
    }

    #[test]
    fn three_worse_evaluations_in_a_row_are_reported() {
        let mut alerts = Alerts::default();
        let mut evaluate = |at: u64, eval_loss: f64| alerts.on_evaluation(&evaluation(at, eval_loss));
        for (at, loss) in [(1, 1.0), (2, 1.1), (3, 0.9), (4, 1.0), (5, 1.1)] {
            assert_eq!(evaluate(at, loss), []);
        }
        assert_eq!(began(&evaluate(6, 1.2)), 1);
        assert_eq!(evaluate(7, 1.3), []);
        assert_eq!(evaluate(8, 1.0).len(), 1);
    }

    #[test]
    fn memory_disk_and_the_cast_have_limits() {
        let mut alerts = Alerts::default();
        let memory = |total| Memory { total, limit: 100, ..Memory::default() };
        assert_eq!(alerts.on_memory(&memory(91)), []);
        assert_eq!(began(&alerts.on_memory(&memory(93))), 1);
        assert_eq!(alerts.on_memory(&memory(89)), []);
        assert_eq!(alerts.on_memory(&memory(80)).len(), 1);
        let disk = |free| Vitals { host: Host { disk_free: Some(free), ..Host::default() }, gpu: None };
        assert_eq!(alerts.on_vitals(&disk(DISK + 1), 3), []);
        assert_eq!(began(&alerts.on_vitals(&disk(DISK - 1), 3)), 1);
        alerts.on_checkpoint(1 << 30);
        assert_eq!(alerts.on_vitals(&disk(2 << 30), 3), [], "it is the same still");
        assert_eq!(alerts.on_vitals(&disk(5 << 30), 3).len(), 1);
        assert_eq!(alerts.on_vitals(&Vitals::default(), 3), []);
        let group = |surviving| Group {
            name: "v_proj".into(),
            parameters: 10,
            trainable: 5,
            targeted: true,
            whole: false,
            density: None,
            by_layer: Vec::new(),
            surviving: Some(surviving),
            delta_rms: 0.0,
            layers: Vec::new(),
        };
        let sparsity = |step, surviving| Sparsity {
            step,
            parameters: 10,
            trainable: 5,
            head: 0,
            retired: 0,
            sparsity: 0.5,
            groups: vec![group(1.0), group(surviving)],
            remark: None,
        };
        assert_eq!(alerts.on_sparsity(&sparsity(5, 0.1), "bfloat16"), []);
        let events = alerts.on_sparsity(&sparsity(60, 0.1), "bfloat16");
        assert!(
            matches!(&events[..], [AlertEvent::Began(text)] if text.contains("only 10 % of the changes of v_proj")),
            "{events:?}"
        );
        assert_eq!(alerts.on_sparsity(&sparsity(70, 0.55), "bfloat16"), []);
        assert_eq!(alerts.on_sparsity(&sparsity(80, 0.9), "bfloat16").len(), 1);
    }

    #[test]
    fn a_rewind_forgets_what_comes_after_it() {
        let mut alerts = Alerts::default();
        (1..60).for_each(|at| drop(alerts.on_step(&step(at, 1.0 + noise(at) * 0.1, 0.1))));
        alerts.on_step(&step(60, 50.0, 0.1));
        alerts.on_rewind(40);
        assert!(alerts.all().is_empty());
        assert_eq!(alerts.on_step(&step(41, 50.0, 0.1)), [], "there is nothing to compare it with yet");
    }
}
