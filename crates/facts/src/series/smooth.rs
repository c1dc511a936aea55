//! Smooths raw points, before downsampling.

use super::Series;

/// Points between two stored states of the smoothing.
pub(super) const EVERY: usize = 64;

/// `TensorBoard`'s smoothing: an exponential moving average, divided by the sum of its weights, so that the first
/// values are not biased towards zero.
#[derive(Debug, Clone, Copy)]
pub struct Smoother {
    weight: f64,
    state: State,
}

/// The state of a smoother.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    average: f64,
    seen: f64,
}

impl State {
    fn push(&mut self, weight: f64, value: f64) {
        if value.is_finite() {
            self.average = weight * self.average + (1.0 - weight) * value;
            self.seen = weight * self.seen + (1.0 - weight);
        }
    }

    fn value(self) -> f64 {
        self.average / self.seen
    }
}

impl Smoother {
    /// A smoother that keeps `weight` (0 to below 1) of its state and takes the rest from each new value.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        Self { weight: weight.clamp(0.0, 0.9999), state: State::default() }
    }

    /// The smoothed value after this one; a value that is not finite is returned as it is, and ignored.
    pub fn push(&mut self, value: f64) -> f64 {
        self.state.push(self.weight, value);
        if value.is_finite() { self.state.value() } else { f64::NAN }
    }
}

/// A series and its smoothed form. Of the latter only the state at every 64th point is stored; values in between are
/// computed on demand.
#[derive(Debug, Clone)]
pub struct Curve {
    raw: Series,
    weight: f64,
    /// The state before the first point.
    begin: State,
    /// Share of each of 64 values in the average after the last of them.
    shares: Box<[f64; EVERY]>,
    /// The state before every 64th point.
    states: Vec<State>,
}

impl Default for Curve {
    fn default() -> Self {
        Self::new(0.0)
    }
}

impl Curve {
    /// An empty curve that smooths with this weight.
    #[must_use]
    pub fn new(weight: f64) -> Self {
        let weight = Smoother::new(weight).weight;
        let mut shares = Box::new([0.0; EVERY]);
        let mut share = 1.0 - weight;
        for slot in shares.iter_mut().rev() {
            *slot = share;
            share *= weight;
        }
        Self { raw: Series::default(), weight, begin: State::default(), shares, states: Vec::new() }
    }

    /// An empty curve that continues another one from before a step.
    #[must_use]
    pub fn following(&self, step: u64) -> Self {
        Self { begin: self.state_before(step), ..Self::new(self.weight) }
    }

    /// The state of the smoothing before a step.
    #[must_use]
    pub fn state_before(&self, step: u64) -> State {
        let end = self.raw.before(step);
        let block = end.saturating_sub(1) / EVERY;
        let mut state = self.states.get(block).copied().unwrap_or(self.begin);
        let values = &self.raw.values()[block * EVERY..end];
        for value in values {
            state.push(self.weight, f64::from(*value));
        }
        state
    }

    /// Adds a point; as [`Series::push`].
    pub fn push(&mut self, step: u64, value: f64) -> bool {
        let added = self.raw.push(step, value);
        if added {
            self.keep_states();
        }
        added
    }

    /// Changes the weight of the smoothing.
    pub fn set_weight(&mut self, weight: f64) {
        self.set_weight_after(weight, State::default());
    }

    /// As [`Curve::set_weight`], continuing from another curve's state, which was smoothed with the same weight.
    pub fn set_weight_after(&mut self, weight: f64, begin: State) {
        let raw = std::mem::take(&mut self.raw);
        *self = Self { raw, begin, ..Self::new(weight) };
        self.keep_states();
    }

    /// Stores the state before each 64th existing point.
    fn keep_states(&mut self) {
        let values = self.raw.values();
        while self.states.len() * EVERY < values.len() {
            let next = match self.states.last() {
                None => self.begin,
                Some(&state) => {
                    let end = self.states.len() * EVERY;
                    self.after(state, &values[end - EVERY..end])
                }
            };
            super::grow(&mut self.states, next);
        }
    }

    /// The state after these values, at most 64: in one pass if all of them are finite.
    fn after(&self, mut state: State, values: &[f32]) -> State {
        if values.iter().all(|value| value.is_finite()) && !values.is_empty() {
            let shares = &self.shares[EVERY - values.len()..];
            let taken: f64 = values.iter().zip(shares).map(|(value, share)| f64::from(*value) * share).sum();
            let kept = shares[0] * self.weight / (1.0 - self.weight);
            return State { average: kept * state.average + taken, seen: kept * state.seen + (1.0 - kept) };
        }
        for value in values {
            state.push(self.weight, f64::from(*value));
        }
        state
    }

    /// The raw points.
    #[must_use]
    pub fn raw(&self) -> &Series {
        &self.raw
    }

    /// The smoothed value at an index; for a gap, that of the previous point.
    fn smoothed_at(&self, index: usize) -> f64 {
        let block = index / EVERY;
        self.after(self.states[block], &self.raw.values()[block * EVERY..=index]).value()
    }

    /// The last smoothed point.
    #[must_use]
    pub fn smoothed_last(&self) -> Option<(u64, f64)> {
        let (step, value) = self.raw.last()?;
        Some((step, if value.is_finite() { self.smoothed_at(self.raw.len() - 1) } else { f64::NAN }))
    }

    /// The smoothed value of the point nearest to a step; NaN if there is none.
    #[must_use]
    pub fn smoothed_near(&self, step: u64) -> f64 {
        match self.raw.nearest_index(step) {
            Some(index) if self.raw.values()[index].is_finite() => self.smoothed_at(index),
            _ => f64::NAN,
        }
    }

    /// The smoothed value at the last point of each column; as [`Series::columns`].
    #[must_use]
    pub fn smoothed_columns(&self, edges: &[u64]) -> Vec<Option<f64>> {
        let value = |(from, to): (usize, usize)| {
            let last = self.raw.last_finite(from, to)?;
            // If a column ends with a block, the stored state is its value.
            match self.states.get(to / EVERY).filter(|_| to.is_multiple_of(EVERY)) {
                Some(state) => Some(state.value()),
                None => Some(self.smoothed_at(last)),
            }
        };
        self.raw.ranges(edges).map(value).collect()
    }

    /// Every step with its smoothed value.
    pub fn smoothed(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let mut smoother = Smoother::new(self.weight);
        self.raw.points().map(move |(step, value)| (step, smoother.push(value)))
    }

    /// Memory used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.raw.bytes() + self.states.capacity() * size_of::<State>() + size_of::<[f64; EVERY]>()
    }
}
