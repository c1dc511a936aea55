//! Curves: how they are stored, smoothed and thinned out for drawing.

#![expect(
    clippy::cast_possible_truncation,
    reason = "values are kept in f32 for drawing, and every float is clamped before it becomes an index"
)]

mod gaps;
mod pyramid;
mod ruler;
mod smooth;
mod steps;

pub use ruler::Ruler;
pub use smooth::{Curve, Smoother, State as Smoothing};

use gaps::Gaps;
use pyramid::Pyramid;
use steps::Steps;

/// Adds to a list that shall not keep much more room than it needs: an eighth at the most.
fn grow<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 8);
    }
    list.push(item);
}

/// The median: between the two middle values of an even number of them; none of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2).copied().unwrap_or(upper);
    Some(f64::midpoint(lower, upper))
}

/// Values over steps, in the order of the steps, and nothing else: 4 bytes a point where the steps follow evenly.
#[derive(Debug, Clone, Default)]
pub struct Points {
    steps: Steps,
    values: Vec<f32>,
}

/// Points that can be looked at from afar: 4 bytes each and 1 for the pyramid over them, where the steps follow evenly.
///
/// What is not finite is a gap: it is counted and splits the line, and no extreme sees it.
#[derive(Debug, Clone, Default)]
pub struct Series {
    points: Points,
    gaps: Gaps,
    pyramid: Pyramid,
}

/// What one column of a chart needs to know about the points in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// First finite value.
    pub first: f64,
    /// Smallest finite value.
    pub min: f64,
    /// Largest finite value.
    pub max: f64,
    /// Last finite value.
    pub last: f64,
}

impl Points {
    /// Adds a point. A point whose step is not after the last one is left out, since a line never runs backwards;
    /// whether it was added.
    pub fn push(&mut self, step: u64, value: f64) -> bool {
        let added = self.steps.push(u32::try_from(step).unwrap_or(u32::MAX));
        if added {
            grow(&mut self.values, value as f32);
        }
        added
    }

    /// Every point.
    pub fn iter(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.steps.iter().zip(&self.values).map(|(step, &value)| (u64::from(step), f64::from(value)))
    }

    fn bytes(&self) -> usize {
        self.steps.bytes() + self.values.capacity() * size_of::<f32>()
    }
}

impl Series {
    /// Adds a point; as [`Points::push`].
    pub fn push(&mut self, step: u64, value: f64) -> bool {
        let added = self.points.push(step, value);
        if added {
            let index = self.len() - 1;
            let value = self.points.values[index];
            if !value.is_finite() {
                self.gaps.push(index);
            }
            self.pyramid.push(value);
        }
        added
    }

    /// Number of points, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.steps.len()
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of points that are no number.
    #[must_use]
    pub fn gap_count(&self) -> usize {
        self.gaps.total()
    }

    /// First and last step.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((u64::from(self.points.steps.first()?), u64::from(self.points.steps.last()?)))
    }

    /// The last point, gap or not.
    #[must_use]
    pub fn last(&self) -> Option<(u64, f64)> {
        Some((u64::from(self.points.steps.last()?), f64::from(*self.points.values.last()?)))
    }

    /// The points up to a step, that one included.
    #[must_use]
    pub fn until(&self, step: u64) -> Self {
        let mut series = Self::default();
        self.points().take_while(|(at, _)| *at <= step).for_each(|(at, value)| {
            series.push(at, value);
        });
        series
    }

    /// The point that is nearest to a step.
    #[must_use]
    pub fn nearest(&self, step: u64) -> Option<(u64, f64)> {
        self.nearest_index(step).map(|index| self.at(index))
    }

    fn nearest_index(&self, step: u64) -> Option<usize> {
        let after = self.before(step);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter(|&index| index < self.len());
        near.min_by_key(|&index| u64::from(self.points.steps.at(index)).abs_diff(step))
    }

    /// Number of points before a step.
    #[must_use]
    pub fn before(&self, step: u64) -> usize {
        self.points.steps.before(step)
    }

    /// The point at a place, which must be one.
    #[must_use]
    pub fn at(&self, index: usize) -> (u64, f64) {
        (u64::from(self.points.steps.at(index)), f64::from(self.points.values[index]))
    }

    /// The point this many points further than the one nearest to a step, none beyond the ends.
    #[must_use]
    pub fn neighbour(&self, step: u64, by: isize) -> Option<(u64, f64)> {
        let index = self.nearest_index(step)?.saturating_add_signed(by).min(self.len() - 1);
        Some(self.at(index))
    }

    /// The lowest point, or the highest one, of those from a step to before another; the first of equals.
    #[must_use]
    pub fn extreme(&self, from: u64, to: u64, lowest: bool) -> Option<(u64, f64)> {
        let (from, to) = (self.before(from), self.before(to));
        let (min, max) = self.pyramid.extremes(self.values(), from, to)?;
        let wanted = |bin: pyramid::Bin| if lowest { bin.0 <= min } else { bin.1 >= max };
        self.pyramid.first(self.values(), from, to, wanted).map(|index| self.at(index))
    }

    /// Every point.
    pub fn points(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.points.iter()
    }

    fn values(&self) -> &[f32] {
        &self.points.values
    }

    fn last_finite(&self, from: usize, to: usize) -> Option<usize> {
        self.pyramid.last_finite(self.values(), from, to)
    }

    /// The places in each of the columns of [`Series::columns`].
    ///
    /// Where a column holds very many points, it begins at a bin of the pyramid, a sixteenth of its width too early at the
    /// most: nobody could see the difference, and no single points need to be looked at, each of which would have to be
    /// fetched from afar.
    fn ranges<'a>(&'a self, edges: &'a [u64]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let place = |edge: Option<&u64>| edge.map_or(0, |&edge| self.before(edge));
        let (first, last) = (place(edges.first()), place(edges.last()));
        let width = last.saturating_sub(first) / edges.len().saturating_sub(1).max(1);
        let coarse = if width >= 16 * smooth::EVERY { (width / 16 + 1).next_power_of_two() / 2 } else { 1 };
        let begins = move |place: usize| if place < self.len() { place - place % coarse } else { place };
        let mut from = begins(first);
        edges.iter().skip(1).map(move |&edge| {
            let to = begins(self.before(edge)).max(from);
            (std::mem::replace(&mut from, to), to)
        })
    }

    /// Thins the series out to columns: each holds the steps from one of these edges to before the next. Each column
    /// looks at all of its points, so that no spike is lost; the cost grows with the columns, not with the points.
    ///
    /// Where the edges stay while new points come, columns keep their points, and a live curve does not shimmer.
    #[must_use]
    pub fn columns(&self, edges: &[u64]) -> Vec<Option<Column>> {
        let values = self.values();
        self.ranges(edges)
            .map(|(from, to)| {
                let (min, max) = self.pyramid.extremes(values, from, to)?;
                let first = values[self.pyramid.first_finite(values, from, to)?];
                let last = values[self.last_finite(from, to)?];
                Some(Column { first: first.into(), min: min.into(), max: max.into(), last: last.into() })
            })
            .collect()
    }

    /// The gaps in each of the columns of [`Series::columns`].
    #[must_use]
    pub fn gaps_in_columns(&self, edges: &[u64]) -> Vec<usize> {
        self.ranges(edges).map(|(from, to)| self.gaps.before(to) - self.gaps.before(from)).collect()
    }

    /// Bytes that are kept for it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.points.bytes() + self.gaps.bytes() + self.pyramid.bytes()
    }
}

#[cfg(test)]
mod tests;
