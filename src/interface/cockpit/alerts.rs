//! What a user should look at: found in what the engine tells, each kind once until it is over.

pub mod act;
pub mod draw;

use std::collections::VecDeque;

use crate::protocol::{Evaluation, Memory, Sparsity, Step, Vitals};
use crate::series::median;

/// Losses that the median and the spread are taken from, and how many of them there must be.
const LOSSES: usize = 64;
const ENOUGH: usize = 20;
/// A spike is at least so many times the spread above the median, and so many times the median.
const SPREADS: f64 = 8.0;
const TIMES: f64 = 1.5;
/// And it rises by so much at least: less changes the chance that the model gives the right answer by less than a tenth, and
/// says more about how small the loss has become than about training.
const RISE: f64 = 0.1;
/// Steps without another one after which what had to do with the loss is over.
const CALM: u64 = 25;
/// Evaluations, each worse than the one before.
const WORSE: usize = 3;
/// How much worse than before them the last one is at least, for the same reason as [`RISE`].
const WORSE_BY: f64 = 0.01;
/// Share of a group's deltas that survive the cast, below which training is all but in vain, and above which it no longer is;
/// and the steps before which deltas are small anyhow.
const SURVIVING: [f64; 2] = [0.5, 0.6];
const WARM: u64 = 50;
/// Shares of memory that are near its limit, and no longer.
const MEMORY: [f64; 2] = [0.92, 0.88];
/// A disk is nearly full below this many bytes, or this many times the last checkpoint.
const DISK: u64 = 512 << 20;
const CHECKPOINTS: u64 = 3;
/// Steps that the usual time of a step is taken from, and the time of now; and how many times as long is slow, and no longer.
const USUAL: usize = 48;
const NOW: usize = 16;
const SLOW: [f64; 2] = [2.0, 1.5];
/// And it takes so many seconds more at least: the system alone may take a thousandth of one.
const SLOWER_BY: f64 = 0.01;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The loss is no number.
    NotANumber,
    /// The loss jumped.
    Spike,
    /// Validation gets worse.
    Worse,
    /// Deltas do not survive the cast.
    Lost,
    /// The memory is nearly used up.
    Memory,
    /// The disk is nearly full.
    Disk,
    /// Steps take longer than they did.
    Slow,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub cause: Cause,
    /// The step at which it began.
    pub step: u64,
    /// One sentence: what, and what helps.
    pub text: String,
    /// Whether the user has seen it.
    pub seen: bool,
    /// Whether it is over.
    pub over: bool,
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Something began.
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
    /// Those that were not seen yet, the gravest first.
    #[must_use]
    pub fn unseen(&self) -> Vec<&Alert> {
        let mut unseen: Vec<&Alert> = self.list.iter().filter(|alert| !alert.seen).collect();
        unseen.sort_by_key(|alert| (alert.over, alert.cause));
        unseen
    }

    /// All of them, in the order in which they began.
    #[must_use]
    pub fn all(&self) -> &[Alert] {
        &self.list
    }

    /// The user has seen all that there are; whether there were any.
    pub fn see(&mut self) -> bool {
        let any = self.list.iter().any(|alert| !alert.seen);
        self.list.iter_mut().for_each(|alert| alert.seen = true);
        any
    }

    /// The run stands elsewhere: what its past said of its present is forgotten.
    pub fn moved(&mut self, step: u64) {
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

    /// Something was changed that a step's time depends on.
    pub fn changed(&mut self) {
        self.usual.clear();
        self.recent.clear();
    }

    /// Takes in a step.
    pub fn stepped(&mut self, step: &Step) -> Vec<Said> {
        let mut said = self.judge_loss(step);
        said.extend(self.judge_time(step));
        said
    }

    fn judge_loss(&mut self, step: &Step) -> Vec<Said> {
        let at = step.step;
        if !step.loss.is_finite() {
            self.last_bad = at;
            let text = format!("the loss of step {at} is no number; a lower learning rate may help, from before it");
            return self.begin(Cause::NotANumber, at, &text);
        }
        let mut said = Vec::new();
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
            said.extend(self.begin(Cause::Spike, at, &text));
        }
        if self.losses.len() == LOSSES {
            self.losses.pop_front();
        }
        self.losses.push_back(step.loss);
        if at >= self.last_bad + CALM {
            said.extend(self.end(Cause::NotANumber, "the loss is a number again"));
            said.extend(self.end(Cause::Spike, "loss recovered"));
        }
        said
    }

    fn judge_time(&mut self, step: &Step) -> Vec<Said> {
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
        // The first steps are slower than those that follow, and the longest rows may come first.
        let (Some(usual), Some(now)) = (median(self.usual.iter().copied()), median(self.recent.iter().copied())) else {
            return Vec::new();
        };
        if self.recent.len() == NOW && now >= SLOW[0] * usual && now >= usual + SLOWER_BY {
            let (now, usual) = (milliseconds(now), milliseconds(usual));
            let text = format!("a step takes {now}, and took {usual}; look whether something else uses the machine");
            return self.begin(Cause::Slow, step.step, &text);
        }
        if now < SLOW[1] * usual { self.end(Cause::Slow, "steps are as fast as they were") } else { Vec::new() }
    }

    /// Takes in an evaluation.
    pub fn evaluated(&mut self, evaluation: &Evaluation) -> Vec<Said> {
        self.evaluations.push(evaluation.eval_loss);
        let newest = &self.evaluations[self.evaluations.len().saturating_sub(WORSE + 1)..];
        let worse = newest.windows(2).rev().take_while(|pair| pair[1] > pair[0]).count();
        let risen = newest.last().zip(newest.first()).is_some_and(|(last, first)| last - first >= WORSE_BY);
        if worse >= WORSE && risen {
            let at = evaluation.step;
            let text = format!(
                "validation got worse {WORSE} times in a row, up to step {at}; the best state may lie behind (b lists them)"
            );
            return self.begin(Cause::Worse, at, &text);
        }
        if worse == 0 { self.end(Cause::Worse, "validation gets no worse any more") } else { Vec::new() }
    }

    /// Takes in what trains; `dtype` is that of the weights.
    pub fn trains(&mut self, sparsity: &Sparsity, dtype: &str) -> Vec<Said> {
        let share = |group: &&crate::protocol::Group| group.surviving.unwrap_or(1.0);
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

    /// Takes in where the memory is.
    pub fn remembers(&mut self, memory: &Memory) -> Vec<Said> {
        self.judge_memory(memory.total, memory.limit, memory.step, "this run")
    }

    fn judge_memory(&mut self, used: u64, limit: u64, step: u64, who: &str) -> Vec<Said> {
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
            self.end(Cause::Memory, "there is memory to spare again")
        } else {
            Vec::new()
        }
    }

    /// Takes in the size of a checkpoint.
    pub fn wrote(&mut self, bytes: u64) {
        self.checkpoint = bytes;
    }

    /// Takes in how machine and device are doing.
    pub fn felt(&mut self, vitals: &Vitals, step: u64) -> Vec<Said> {
        let Some(free) = vitals.host.disk_free else { return Vec::new() };
        let least = DISK.max(CHECKPOINTS.saturating_mul(self.checkpoint));
        if free < least {
            let text = format!(
                "the disk of the run has {} left; free some space, or a checkpoint may find none",
                crate::interface::text::bytes(free)
            );
            return self.begin(Cause::Disk, step, &text);
        }
        if free / 5 * 4 > least { self.end(Cause::Disk, "the disk has room again") } else { Vec::new() }
    }

    /// What is going on is said once.
    fn begin(&mut self, cause: Cause, step: u64, text: &str) -> Vec<Said> {
        if self.list.iter().any(|alert| alert.cause == cause && !alert.over) {
            return Vec::new();
        }
        // Of those that nobody has seen, the newest of its kind is enough.
        self.list.retain(|alert| alert.cause != cause || alert.seen);
        let text = crate::interface::text::safe_text(text);
        self.list.push(Alert { cause, step, text: text.clone(), seen: false, over: false });
        vec![Said::Began(text)]
    }

    fn end(&mut self, cause: Cause, text: &str) -> Vec<Said> {
        match self.list.iter_mut().find(|alert| alert.cause == cause && !alert.over) {
            Some(alert) => {
                alert.over = true;
                vec![Said::Over(text.to_owned())]
            }
            None => Vec::new(),
        }
    }
}

/// Median of the newest losses, and their median distance from it as a deviation; none while there are too few.
fn median_and_spread(losses: &VecDeque<f64>) -> Option<(f64, f64)> {
    if losses.len() < ENOUGH {
        return None;
    }
    let middle = median(losses.iter().copied())?;
    let spread = median(losses.iter().map(|loss| (loss - middle).abs()))?;
    Some((middle, spread * 1.4826))
}

fn short(value: f64) -> String {
    crate::interface::text::number_short(value)
}

fn milliseconds(seconds: f64) -> String {
    crate::interface::text::milliseconds(seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Group, Host};

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

    fn began(said: &[Said]) -> usize {
        said.iter().filter(|said| matches!(said, Said::Began(_))).count()
    }

    /// Noise that is always the same.
    fn noise(at: u64) -> f64 {
        (at as f64 * 12.9898).sin() * 0.3
    }

    #[test]
    fn a_spike_is_told_once_and_noise_is_none() {
        let mut alerts = Alerts::default();
        let mut said = Vec::new();
        for at in 1..200 {
            said.extend(alerts.stepped(&step(at, 2.0 * (-(at as f64) / 80.0).exp() + 0.5 + noise(at), 0.1)));
        }
        assert_eq!(said, []);
        for at in 200..210 {
            said.extend(alerts.stepped(&step(at, 9.0, 0.1)));
        }
        assert_eq!((said.len(), began(&said)), (1, 1));
        assert!(alerts.unseen()[0].text.contains("jumped to 9 at step 200"), "{:?}", alerts.unseen());
        for at in 210..260 {
            said.extend(alerts.stepped(&step(at, 0.6 + noise(at), 0.1)));
        }
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(alerts.unseen()[0].over && alerts.see() && alerts.unseen().is_empty());
        said.extend(alerts.stepped(&step(260, 9.0, 0.1)));
        assert_eq!((began(&said), alerts.all().len()), (2, 2));
    }

    #[test]
    fn what_is_near_nothing_is_no_alert_however_many_times_as_much_it_is() {
        let mut alerts = Alerts::default();
        let mut said: Vec<Said> =
            (1..100).flat_map(|at| alerts.stepped(&step(at, 2e-6 * (1.0 + noise(at)), 0.0005))).collect();
        // What a user met: a classifier that has learned its rows by heart.
        said.extend(alerts.stepped(&step(100, 2.22e-5, 0.0005)));
        said.extend(alerts.stepped(&step(101, 0.09, 0.0005)));
        said.extend((102..160).flat_map(|at| alerts.stepped(&step(at, 2e-6, 0.0015))).collect::<Vec<_>>());
        for (at, loss) in [(1, 1e-5), (2, 2e-5), (3, 3e-5), (4, 4e-5), (5, 5e-5)] {
            said.extend(alerts.evaluated(&evaluation(at, loss)));
        }
        assert_eq!(said, []);
        assert_eq!(began(&alerts.stepped(&step(160, 0.3, 0.0005))), 1);
    }

    #[test]
    fn a_loss_that_is_no_number_is_told_once() {
        let mut alerts = Alerts::default();
        let said: Vec<Said> = (1..50).flat_map(|at| alerts.stepped(&step(at, f64::NAN, 0.1))).collect();
        assert_eq!(began(&said), 1);
        let said: Vec<Said> = (50..90).flat_map(|at| alerts.stepped(&step(at, 1.0, 0.1))).collect();
        assert_eq!(said, [Said::Over("the loss is a number again".into())]);
    }

    #[test]
    fn steps_that_take_twice_as_long_are_slow_unless_something_was_changed() {
        let slow = |changed: bool| {
            let mut alerts = Alerts::default();
            let mut said: Vec<Said> = (1..80).flat_map(|at| alerts.stepped(&step(at, 1.0, 0.1))).collect();
            if changed {
                alerts.changed();
            }
            said.extend((80..160).flat_map(|at| alerts.stepped(&step(at, 1.0, 0.25))).collect::<Vec<_>>());
            said.extend((160..200).flat_map(|at| alerts.stepped(&step(at, 1.0, 0.1))).collect::<Vec<_>>());
            said
        };
        assert_eq!((slow(false).len(), began(&slow(false))), (2, 1));
        assert_eq!(slow(true), []);
    }

    #[test]
    fn validation_that_gets_worse_three_times_is_told() {
        let mut alerts = Alerts::default();
        let mut hear = |at: u64, eval_loss: f64| alerts.evaluated(&evaluation(at, eval_loss));
        for (at, loss) in [(1, 1.0), (2, 1.1), (3, 0.9), (4, 1.0), (5, 1.1)] {
            assert_eq!(hear(at, loss), []);
        }
        assert_eq!(began(&hear(6, 1.2)), 1);
        assert_eq!(hear(7, 1.3), []);
        assert_eq!(hear(8, 1.0).len(), 1);
    }

    #[test]
    fn memory_disk_and_the_cast_have_limits() {
        let mut alerts = Alerts::default();
        let memory = |total| Memory { total, limit: 100, ..Memory::default() };
        assert_eq!(alerts.remembers(&memory(91)), []);
        assert_eq!(began(&alerts.remembers(&memory(93))), 1);
        assert_eq!(alerts.remembers(&memory(89)), []);
        assert_eq!(alerts.remembers(&memory(80)).len(), 1);
        let disk = |free| Vitals { host: Host { disk_free: Some(free), ..Host::default() }, gpu: None };
        assert_eq!(alerts.felt(&disk(DISK + 1), 3), []);
        assert_eq!(began(&alerts.felt(&disk(DISK - 1), 3)), 1);
        alerts.wrote(1 << 30);
        assert_eq!(alerts.felt(&disk(2 << 30), 3), [], "it is the same still");
        assert_eq!(alerts.felt(&disk(5 << 30), 3).len(), 1);
        assert_eq!(alerts.felt(&Vitals::default(), 3), []);
        let group = |surviving| Group {
            name: "v_proj".into(),
            parameters: 10,
            trainable: 5,
            targeted: true,
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
        assert_eq!(alerts.trains(&sparsity(5, 0.1), "bfloat16"), []);
        let said = alerts.trains(&sparsity(60, 0.1), "bfloat16");
        assert!(
            matches!(&said[..], [Said::Began(text)] if text.contains("only 10 % of the changes of v_proj")),
            "{said:?}"
        );
        assert_eq!(alerts.trains(&sparsity(70, 0.55), "bfloat16"), []);
        assert_eq!(alerts.trains(&sparsity(80, 0.9), "bfloat16").len(), 1);
    }

    #[test]
    fn a_rewind_forgets_what_comes_after_it() {
        let mut alerts = Alerts::default();
        (1..60).for_each(|at| drop(alerts.stepped(&step(at, 1.0 + noise(at) * 0.1, 0.1))));
        alerts.stepped(&step(60, 50.0, 0.1));
        alerts.moved(40);
        assert!(alerts.all().is_empty());
        assert_eq!(alerts.stepped(&step(41, 50.0, 0.1)), [], "there is nothing to compare it with yet");
    }
}
