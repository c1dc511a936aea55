//! The plan of the run in the form, as far as it is known.

use spartui_facts::protocol::{
    ModelSummary, Planned, PlannedData, PlannedMemory, PlannedRate, PlannedRemark, PlannedTime, Sparsity,
};

/// The plan of the run in the form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanView {
    /// Identifier of the newest plan.
    pub id: u64,
    /// Whether it is being made.
    pub running: bool,
    /// Its current activity.
    pub doing: Option<(String, Option<f32>)>,
    /// The rows.
    pub data: Part<PlannedData>,
    /// The model.
    pub model: Part<ModelSummary>,
    /// Remarks on the model's files.
    pub files: Part<Vec<PlannedRemark>>,
    /// Trainable scalars.
    pub sparsity: Part<Sparsity>,
    /// The learning rates and what they are based on, if they are `auto`.
    pub rate: Part<PlannedRate>,
    /// The predicted peak memory.
    pub memory: Part<PlannedMemory>,
    /// The predicted time.
    pub time: Part<PlannedTime>,
    /// Why the run would be refused.
    pub refused: Option<String>,
    /// Why nothing can be said before the start.
    pub later: Option<String>,
}

/// A part of the plan, and whether it is up to date.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<T> {
    /// The value, if known.
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

    /// The value, if it is up to date.
    #[must_use]
    pub fn fresh(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| !self.stale)
    }
}

impl PlanView {
    /// The form has changed: returns the identifier of the new plan.
    pub fn begin(&mut self) -> u64 {
        self.id += 1;
        self.running = true;
        self.doing = None;
        (self.refused, self.later) = (None, None);
        self.age();
        self.id
    }

    /// There is nothing to plan.
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

    /// Handles a part of the plan with this identifier; none is its end.
    pub fn receive(&mut self, id: u64, part: Option<Planned>) {
        if id != self.id {
            return;
        }
        match part {
            None => {
                (self.running, self.doing) = (false, None);
                // A plan with a rate set by the user has no rate part.
                if self.rate.stale {
                    self.rate = Part::default();
                }
                // A plan for model files without problems has no remarks.
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
            // The form makes its own remarks, without a process.
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
    fn a_part_is_stale_until_it_is_planned_again() {
        let mut plan = PlanView::default();
        let first = plan.begin();
        plan.receive(first, Some(Planned::Time(PlannedTime { step_ms: 5.0, ..PlannedTime::default() })));
        assert_eq!(plan.time.fresh().map(|time| time.step_ms), Some(5.0));
        let second = plan.begin();
        assert!(plan.time.value.is_some() && plan.time.fresh().is_none());
        plan.receive(first, Some(Planned::Refused { message: "late".into() }));
        assert_eq!(plan.refused, None);
        let rate = PlannedRate { rate: 2e-3, basis: "sparta, 1 % trains".into(), head: None };
        plan.rate = Part { value: Some(rate), stale: true };
        plan.receive(second, None);
        assert!(!plan.running && plan.time.stale);
        assert_eq!(plan.rate.value, None);
        // Remarks on one model's files are not kept for the next model.
        let third = plan.begin();
        let remarks = vec![PlannedRemark { text: "it has two heads".into(), warns: true }];
        plan.receive(third, Some(Planned::ModelRemarks { remarks }));
        plan.receive(third, None);
        assert_eq!(plan.files.fresh().map(Vec::len), Some(1));
        let fourth = plan.begin();
        assert!(plan.files.stale && plan.files.value.is_some());
        plan.receive(fourth, None);
        assert_eq!(plan.files.value, None);
        plan.clear();
        assert!(plan.is_empty() && plan.id > fourth);
    }
}
