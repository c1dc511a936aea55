//! What a run of the form would be, as far as it is known.

use crate::protocol::{
    ModelSummary, Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRemark, PlannedTime, Sparsity,
};

/// What is known of the run that the form asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanView {
    /// Names the newest plan.
    pub id: u64,
    /// Whether it is being made.
    pub running: bool,
    /// What is being done for it.
    pub doing: Option<(String, Option<f32>)>,
    /// The rows.
    pub data: Part<PlannedData>,
    /// The model.
    pub model: Part<ModelSummary>,
    /// What the model's files are worth a word for.
    pub files: Part<Vec<PlannedRemark>>,
    /// What trains.
    pub sparsity: Part<Sparsity>,
    /// The learning rates and what they go by, where the rule chooses them.
    pub rate: Part<PlannedRate>,
    /// The peak of the memory.
    pub memory: Part<PlannedMemory>,
    /// The time.
    pub time: Part<PlannedTime>,
    /// Why the run would be refused.
    pub refused: Option<String>,
    /// Why nothing can be said before it is started.
    pub later: Option<String>,
}

/// Something that is known, and whether it is of the form as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<T> {
    /// What is known.
    pub value: Option<T>,
    /// Whether the form has changed since.
    pub stale: bool,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { value: None, stale: false }
    }
}

impl<T> Part<T> {
    fn set(&mut self, value: T) {
        *self = Self { value: Some(value), stale: false };
    }

    /// What is known of the form as it stands.
    #[must_use]
    pub fn fresh(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| !self.stale)
    }
}

impl PlanView {
    /// The form has changed; the name of the plan that is to be made.
    pub fn begin(&mut self) -> u64 {
        self.id += 1;
        self.running = true;
        self.doing = None;
        (self.refused, self.later) = (None, None);
        self.age();
        self.id
    }

    /// There is nothing to make a plan of.
    pub fn clear(&mut self) {
        *self = Self { id: self.id + 1, ..Self::default() };
    }

    fn age(&mut self) {
        self.data.stale = true;
        self.model.stale = true;
        self.files.stale = true;
        self.sparsity.stale = true;
        self.rate.stale = true;
        self.memory.stale = true;
        self.time.stale = true;
    }

    /// Takes in a part of the plan of this name; none is its end.
    pub fn hear(&mut self, id: u64, part: Option<Planned>) {
        if id != self.id {
            return;
        }
        match part {
            None => {
                (self.running, self.doing) = (false, None);
                // A plan of a rate that the user gives tells of none.
                if self.rate.stale {
                    self.rate = Part::default();
                }
                // One of a model whose files are as they should be tells nothing of them.
                if self.files.stale {
                    self.files = Part::default();
                }
            }
            Some(Planned::Doing { what, fraction }) => self.doing = Some((what, fraction)),
            Some(Planned::Data(data)) => self.data.set(data),
            Some(Planned::Model(model)) => self.model.set(model),
            Some(Planned::ModelRemarks { remarks }) => self.files.set(remarks),
            Some(Planned::Sparsity(sparsity)) => self.sparsity.set(sparsity),
            Some(Planned::Rate(rate)) => self.rate.set(rate),
            // The form makes its own, which need no process.
            Some(Planned::Remarks { .. }) => {}
            Some(Planned::Memory(memory)) => self.memory.set(memory),
            Some(Planned::Time(time)) => self.time.set(time),
            Some(Planned::Refused { message }) => self.refused = Some(message),
            Some(Planned::Later { message }) => self.later = Some(message),
        }
    }

    /// Whether anything is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.value.is_none() && self.model.value.is_none() && self.memory.value.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_stale_until_it_is_known_anew() {
        let mut plan = PlanView::default();
        let first = plan.begin();
        plan.hear(first, Some(Planned::Time(PlannedTime { step_ms: 5.0, ..PlannedTime::default() })));
        assert_eq!(plan.time.fresh().map(|time| time.step_ms), Some(5.0));
        let second = plan.begin();
        assert!(plan.time.value.is_some() && plan.time.fresh().is_none());
        plan.hear(first, Some(Planned::Refused { message: "late".into() }));
        assert_eq!(plan.refused, None);
        let rate = PlannedRate { rate: 2e-3, basis: "sparta, 1 % trains".into(), head: None };
        plan.rate = Part { value: Some(rate), stale: true };
        plan.hear(second, None);
        assert!(!plan.running && plan.time.stale);
        assert_eq!(plan.rate.value, None);
        // The remarks on one model's files do not stay for the next one.
        let third = plan.begin();
        let remarks = vec![PlannedRemark { text: "it has two heads".into(), warns: true }];
        plan.hear(third, Some(Planned::ModelRemarks { remarks }));
        plan.hear(third, None);
        assert_eq!(plan.files.fresh().map(Vec::len), Some(1));
        let fourth = plan.begin();
        assert!(plan.files.stale && plan.files.value.is_some());
        plan.hear(fourth, None);
        assert_eq!(plan.files.value, None);
        plan.clear();
        assert!(plan.is_empty() && plan.id > fourth);
    }
}
