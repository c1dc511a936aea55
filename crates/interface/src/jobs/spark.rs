//! A small curve of constant size, however long the run is.

/// The most columns that are kept.
const COLUMNS: usize = 64;

/// The means of a curve over equal ranges of steps, at most sixty-four of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spark {
    first: u64,
    last: u64,
    width: u64,
    columns: Vec<(f64, u32)>,
}

impl Spark {
    /// Adds a point; a point at an earlier step replaces all later ones.
    pub fn push(&mut self, step: u64, value: f64) {
        if self.columns.is_empty() || step < self.first {
            *self = Self { first: step, last: step, width: 1, columns: Vec::new() };
        }
        let mut at = self.column(step);
        while at >= COLUMNS {
            self.fold();
            at = self.column(step);
        }
        if step <= self.last {
            self.columns.truncate(at + 1);
        }
        self.last = step;
        self.columns.resize(self.columns.len().max(at + 1), (0.0, 0));
        if value.is_finite() {
            let (sum, count) = &mut self.columns[at];
            (*sum, *count) = (*sum + value, count.saturating_add(1));
        }
    }

    /// The last step.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        (!self.columns.is_empty()).then_some(self.last)
    }

    /// The curve in at most this many columns, scaled to 0 to 1; none for a gap.
    #[must_use]
    pub fn shape(&self, columns: usize) -> Vec<Option<f64>> {
        let means = self.means(columns.max(1));
        let finite = || means.iter().flatten().copied();
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let range = if high > low { high - low } else { 1.0 };
        means.iter().map(|mean| mean.map(|mean| ((mean - low) / range).clamp(0.0, 1.0))).collect()
    }

    fn means(&self, columns: usize) -> Vec<Option<f64>> {
        let count = self.columns.len();
        let shown = count.min(columns);
        (0..shown)
            .map(|column| {
                let part = &self.columns[column * count / shown..(column + 1) * count / shown];
                let (sum, points) = part
                    .iter()
                    .fold((0.0, 0u32), |(sum, points), (more, others)| (sum + more, points.saturating_add(*others)));
                (points > 0).then(|| sum / f64::from(points))
            })
            .collect()
    }

    fn column(&self, step: u64) -> usize {
        usize::try_from((step - self.first) / self.width.max(1)).unwrap_or(usize::MAX)
    }

    /// Doubles the width of each column.
    fn fold(&mut self) {
        self.width = self.width.saturating_mul(2);
        let pairs = self.columns.chunks(2);
        let joined = pairs.map(|pair| {
            pair.iter().fold((0.0, 0u32), |(sum, points), (more, others)| (sum + more, points.saturating_add(*others)))
        });
        self.columns = joined.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_small_and_keeps_its_ends() {
        let mut spark = Spark::default();
        for step in 1..=100_000u64 {
            spark.push(step, 1.0 / step as f64);
        }
        assert!(spark.columns.len() <= COLUMNS);
        let shape = spark.shape(10);
        assert_eq!((shape.len(), shape[0], shape[9]), (10, Some(1.0), Some(0.0)));
    }

    #[test]
    fn going_back_takes_what_came_after() {
        let mut spark = Spark::default();
        (1..=10u64).for_each(|step| spark.push(step, 1.0));
        spark.push(4, 3.0);
        assert_eq!(spark.columns.len(), 4);
        assert!(Spark::default().shape(8).is_empty());
        spark.push(u64::MAX, f64::NAN);
        assert!(spark.columns.len() <= COLUMNS);
    }
}
