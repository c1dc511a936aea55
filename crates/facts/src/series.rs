//! Curves: storage, smoothing and downsampling.

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

/// Appends to a list whose capacity shall not exceed its need by more than an eighth.
fn grow<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 8);
    }
    list.push(item);
}

/// The median: for an even number of values, the mean of the two middle ones; none without values.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2).copied().unwrap_or(upper);
    Some(f64::midpoint(lower, upper))
}

/// Values over ascending steps, without an index: 4 bytes a point if the steps are evenly spaced.
#[derive(Debug, Clone, Default)]
pub struct Points {
    steps: Steps,
    values: Vec<f32>,
}

/// Points that can be downsampled: 4 bytes each and 1 for the pyramid over them, if the steps are evenly spaced.
///
/// A value that is not finite is a gap: it is counted and splits the line, and extremes ignore it.
#[derive(Debug, Clone, Default)]
pub struct Series {
    points: Points,
    gaps: Gaps,
    pyramid: Pyramid,
}

/// The points in one column of a chart.
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
    /// Adds a point; returns whether it was added. A point whose step does not come after the last one is left out,
    /// since a line never runs backwards.
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

    /// Number of points that are not finite.
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

    /// The points up to and including a step.
    #[must_use]
    pub fn until(&self, step: u64) -> Self {
        let mut series = Self::default();
        self.points().take_while(|(at, _)| *at <= step).for_each(|(at, value)| {
            series.push(at, value);
        });
        series
    }

    /// The point nearest to a step.
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

    /// The point at an index, which must exist.
    #[must_use]
    pub fn at(&self, index: usize) -> (u64, f64) {
        (u64::from(self.points.steps.at(index)), f64::from(self.points.values[index]))
    }

    /// The point this many points after the one nearest to a step; none beyond the ends.
    #[must_use]
    pub fn neighbour(&self, step: u64, by: isize) -> Option<(u64, f64)> {
        let index = self.nearest_index(step)?.saturating_add_signed(by).min(self.len() - 1);
        Some(self.at(index))
    }

    /// The lowest or highest point from a step to before another; the first of equal ones.
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

    /// The index ranges of the columns of [`Series::columns`].
    ///
    /// If a column has very many points, it begins at a bin of the pyramid, at most a sixteenth of its width too
    /// early: the difference is invisible, and no single points need to be read, each of which would be a cache miss.
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

    /// Downsamples the series to columns: each has the steps from one of these edges to before the next. Each column
    /// covers all of its points, so that no spike is lost; the cost grows with the columns, not with the points.
    ///
    /// If the edges stay while points are added, columns keep their points, and a live curve does not flicker.
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

    /// The number of gaps in each of the columns of [`Series::columns`].
    #[must_use]
    pub fn gaps_in_columns(&self, edges: &[u64]) -> Vec<usize> {
        self.ranges(edges).map(|(from, to)| self.gaps.before(to) - self.gaps.before(from)).collect()
    }

    /// Memory used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.points.bytes() + self.gaps.bytes() + self.pyramid.bytes()
    }
}

#[cfg(test)]
mod tests;
