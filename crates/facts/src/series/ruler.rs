//! Measures of progress other than steps: epochs, tokens, time.

/// Points between two stored totals.
const EVERY: usize = 64;

/// The increments of a measure at each point of a run, so that a position on an axis of that measure can be converted
/// to an index of the points. It never runs backwards: an increment that is negative or not finite counts as zero.
#[derive(Debug, Clone, Default)]
pub struct Ruler {
    begin: f64,
    parts: Vec<f32>,
    /// The measure before every 64th point.
    totals: Vec<f64>,
    end: f64,
}

impl Ruler {
    /// A measure with this start.
    #[must_use]
    pub fn from(begin: f64) -> Self {
        Self { begin, end: begin, ..Self::default() }
    }

    /// Adds the next point's increment.
    pub fn push(&mut self, part: f64) {
        if self.parts.len().is_multiple_of(EVERY) {
            super::grow(&mut self.totals, self.end);
        }
        let part = if part.is_finite() && part > 0.0 { part as f32 } else { 0.0 };
        let part = if part.is_finite() { part } else { 0.0 };
        super::grow(&mut self.parts, part);
        self.end += f64::from(part);
    }

    /// Its start.
    #[must_use]
    pub fn begin(&self) -> f64 {
        self.begin
    }

    /// The measure after the last point.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.end
    }

    /// The measure after the point at this index; the end of the measure if there is none.
    #[must_use]
    pub fn at(&self, index: usize) -> f64 {
        let Some(&total) = self.totals.get(index / EVERY) else { return self.end };
        let block = index / EVERY * EVERY;
        self.parts[block..self.parts.len().min(index + 1)].iter().fold(total, |sum, part| sum + f64::from(*part))
    }

    /// Number of points after which the measure is below this value.
    #[must_use]
    pub fn before(&self, measure: f64) -> usize {
        self.before_near(measure, 0)
    }

    /// As [`Ruler::before`] for evenly ascending values, such as the edges of columns. If very many points are between
    /// two of them, all but the ends are found to within a sixteenth of that number.
    #[must_use]
    pub fn places(&self, measures: impl ExactSizeIterator<Item = f64> + Clone) -> Vec<usize> {
        let (mut ends, count) = (measures.clone(), measures.len());
        let first = ends.next().map_or(0, |measure| self.before(measure));
        let last = ends.last().map_or(first, |measure| self.before(measure));
        let coarse = last.saturating_sub(first) / count.max(1) >= 16 * EVERY;
        let (mut before, mut near) = (first, first);
        let place = |(index, measure)| {
            let place = match index {
                0 => first,
                index if index + 1 == count => last,
                _ if coarse => self.block_near(measure, near / EVERY).saturating_sub(1) * EVERY,
                _ => self.before_near(measure, near),
            };
            near = place + (place.saturating_sub(before));
            before = place;
            place
        };
        measures.enumerate().map(place).collect()
    }

    /// As [`Ruler::before`], with a search that is short if the result is near this index.
    fn before_near(&self, measure: f64, place: usize) -> usize {
        let block = self.block_near(measure, place / EVERY).saturating_sub(1);
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

    /// Number of totals below a value, searched from one of them on in doubling strides.
    fn block_near(&self, measure: f64, near: usize) -> usize {
        let below = |at: usize| self.totals.get(at).is_some_and(|total| *total < measure);
        let mut stride = 1;
        // All before `low` are below, and none from `high` on is.
        let (low, high) = if below(near) {
            let mut low = near + 1;
            while below(low + stride - 1) {
                low += stride;
                stride *= 2;
            }
            (low, self.totals.len().min(low + stride - 1))
        } else {
            let mut high = near.min(self.totals.len());
            while high > 0 && !below(high.saturating_sub(stride)) {
                high = high.saturating_sub(stride);
                stride *= 2;
            }
            (if high > 0 { high.saturating_sub(stride) + 1 } else { 0 }, high)
        };
        low + self.totals[low..high].partition_point(|total| *total < measure)
    }

    /// Memory used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.capacity() * size_of::<f32>() + self.totals.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Ruler;

    proptest! {
        #[test]
        fn the_search_finds_the_same_place_wherever_it_begins(
            parts in prop::collection::vec(prop_oneof![4 => 0.0..3.0f64, 1 => Just(0.0)], 0..900),
            begin in -5.0..5.0f64,
            share in -0.2..1.2f64,
            near in 0usize..1200,
        ) {
            let mut ruler = Ruler::from(begin);
            for part in &parts {
                ruler.push(*part);
            }
            let measure = begin + share * (ruler.end() - begin);
            let expected = (0..parts.len()).filter(|index| ruler.at(*index) < measure).count();
            prop_assert_eq!(ruler.before_near(measure, near), expected);
        }

        #[test]
        fn places_of_edges_are_where_each_alone_would_be_found(
            parts in prop::collection::vec(prop_oneof![4 => 0.0..3.0f64, 1 => Just(0.0)], 0..900),
            start in -0.2..1.1f64,
            width in 0.0..0.2f64,
            columns in 1u32..40,
        ) {
            let mut ruler = Ruler::from(2.0);
            for part in &parts {
                ruler.push(*part);
            }
            let edges = (0..columns).map(|column| 2.0 + (start + f64::from(column) * width) * ruler.end());
            let expected: Vec<usize> = edges.clone().map(|edge| ruler.before(edge)).collect();
            prop_assert_eq!(ruler.places(edges), expected);
        }
    }

    #[test]
    fn places_among_very_many_points_are_nearly_right() {
        let mut ruler = Ruler::default();
        for number in 0..2_000_000 {
            ruler.push(1.0 + f64::from(number % 7) / 3.0);
        }
        let edges = (0..=200).map(|column| ruler.end() / 200.0 * f64::from(column));
        let places = ruler.places(edges.clone().collect::<Vec<_>>().into_iter());
        for (edge, place) in edges.zip(&places) {
            assert!(ruler.before(edge).abs_diff(*place) <= 10_000 / 16, "{edge}");
        }
        assert_eq!((places[0], places[200]), (0, ruler.before(ruler.end())));
    }
}
