//! Curves: how they are stored, smoothed and thinned out for drawing.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are kept in f32 for drawing, and every float is clamped before it becomes an index"
)]

mod pyramid;
mod smooth;

pub use smooth::{Curve, Smoother};

use pyramid::Pyramid;

/// Values over steps, in the order of the steps: 8 bytes a point, less than 3 more for the pyramid over them.
///
/// What is not finite is a gap: it is counted and splits the line, and no extreme sees it.
#[derive(Debug, Clone, Default)]
pub struct Series {
    steps: Vec<u32>,
    values: Vec<f32>,
    gaps: Vec<u32>,
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

impl Series {
    /// Adds a point. A point whose step is not after the last one is left out, since a line never runs backwards.
    pub fn push(&mut self, step: u64, value: f64) {
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        if self.steps.last().is_some_and(|&last| step <= last) {
            return;
        }
        let value = value as f32;
        if !value.is_finite() {
            self.gaps.push(step);
        }
        self.steps.push(step);
        self.values.push(value);
        self.pyramid.push(value, self.values.len());
    }

    /// Number of points, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Number of points that are no number.
    #[must_use]
    pub fn gap_count(&self) -> usize {
        self.gaps.len()
    }

    /// First and last step.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((u64::from(*self.steps.first()?), u64::from(*self.steps.last()?)))
    }

    /// The last point, gap or not.
    #[must_use]
    pub fn last(&self) -> Option<(u64, f64)> {
        Some((u64::from(*self.steps.last()?), f64::from(*self.values.last()?)))
    }

    /// The points up to a step, that one included.
    #[must_use]
    pub fn until(&self, step: u64) -> Self {
        let mut series = Self::default();
        self.points().take_while(|(at, _)| *at <= step).for_each(|(at, value)| series.push(at, value));
        series
    }

    /// The point that is nearest to a step.
    #[must_use]
    pub fn nearest(&self, step: u64) -> Option<(u64, f64)> {
        let after = self.steps.partition_point(|&at| u64::from(at) < step);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter(|&index| index < self.len());
        let index = near.min_by_key(|&index| u64::from(self.steps[index]).abs_diff(step))?;
        Some((u64::from(self.steps[index]), f64::from(self.values[index])))
    }

    /// Every point.
    pub fn points(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.steps.iter().zip(&self.values).map(|(&step, &value)| (u64::from(step), f64::from(value)))
    }

    /// Thins the series out to `count` columns, the first of which begins at step `start`. Each column looks at
    /// all of its points, so that no spike is lost; the cost grows with the columns, not with the points.
    ///
    /// Where `start` is a multiple of `steps_per_column`, columns keep their points while the window moves, and a
    /// live curve does not shimmer.
    #[must_use]
    pub fn columns(&self, start: f64, steps_per_column: f64, count: usize) -> Vec<Option<Column>> {
        edges(&self.steps, start, steps_per_column, count)
            .map(|(from, to)| {
                let (min, max) = self.pyramid.extremes(&self.values, from, to)?;
                let mut finite = self.values[from..to].iter().filter(|value| value.is_finite());
                let first = *finite.next()?;
                let last = finite.next_back().copied().unwrap_or(first);
                Some(Column { first: first.into(), min: min.into(), max: max.into(), last: last.into() })
            })
            .collect()
    }

    /// The gaps in each of the columns of [`Series::columns`].
    #[must_use]
    pub fn gaps_in_columns(&self, start: f64, steps_per_column: f64, count: usize) -> Vec<usize> {
        edges(&self.gaps, start, steps_per_column, count).map(|(from, to)| to - from).collect()
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        4 * (self.steps.len() + self.values.len() + self.gaps.len()) + self.pyramid.bytes()
    }
}

/// The places in `steps` where each column begins and ends.
fn edges(steps: &[u32], start: f64, width: f64, count: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
    let edge = move |column: usize| {
        let step = (start + column as f64 * width).ceil().max(0.0) as u64;
        steps.partition_point(|&known| u64::from(known) < step)
    };
    let mut from = edge(0);
    (0..count).map(move |column| {
        let to = edge(column + 1).max(from);
        (std::mem::replace(&mut from, to), to)
    })
}

#[cfg(test)]
mod tests;
