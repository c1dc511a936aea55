//! Another measure of how far a run is than its steps: epochs, tokens, time.

/// Points between two totals that are kept.
const EVERY: usize = 64;

/// What each point of a run adds to a measure, so that a place on an axis of that measure can be turned into a place
/// among the points. It never runs backwards: what is no number, or less than nothing, counts as nothing.
#[derive(Debug, Clone, Default)]
pub struct Ruler {
    begin: f64,
    parts: Vec<f32>,
    /// The measure before every 64th point.
    totals: Vec<f64>,
    end: f64,
}

impl Ruler {
    /// A measure that begins here.
    #[must_use]
    pub fn from(begin: f64) -> Self {
        Self { begin, end: begin, ..Self::default() }
    }

    /// The next point adds so much.
    pub fn push(&mut self, part: f64) {
        if self.parts.len().is_multiple_of(EVERY) {
            super::grow(&mut self.totals, self.end);
        }
        let part = if part.is_finite() && part > 0.0 { part as f32 } else { 0.0 };
        let part = if part.is_finite() { part } else { 0.0 };
        super::grow(&mut self.parts, part);
        self.end += f64::from(part);
    }

    /// Begins elsewhere, and with it all that follows.
    pub fn rebase(&mut self, begin: f64) {
        let by = begin - self.begin;
        self.totals.iter_mut().for_each(|total| *total += by);
        (self.begin, self.end) = (begin, self.end + by);
    }

    /// Where it begins.
    #[must_use]
    pub fn begin(&self) -> f64 {
        self.begin
    }

    /// The measure after the last point.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.end
    }

    /// The measure after the point at this place; where there is none, the end of it all.
    #[must_use]
    pub fn at(&self, index: usize) -> f64 {
        let Some(&total) = self.totals.get(index / EVERY) else { return self.end };
        let block = index / EVERY * EVERY;
        self.parts[block..self.parts.len().min(index + 1)].iter().fold(total, |sum, part| sum + f64::from(*part))
    }

    /// Number of points after which the measure is below this.
    #[must_use]
    pub fn before(&self, measure: f64) -> usize {
        let block = self.totals.partition_point(|&total| total < measure).saturating_sub(1);
        let Some(&total) = self.totals.get(block) else { return 0 };
        let begin = block * EVERY;
        let parts = &self.parts[begin..self.parts.len().min(begin + EVERY)];
        let mut sum = total;
        let below = parts.iter().take_while(|part| {
            sum += f64::from(**part);
            sum < measure
        });
        begin + below.count()
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.capacity() * size_of::<f32>() + self.totals.capacity() * size_of::<f64>()
    }
}
