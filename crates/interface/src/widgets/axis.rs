//! The value axis: its mapping to dots, and its ticks.

/// A range of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// An axis that holds all of these values, with a little room at both ends. Logarithmic only if all are positive.
    #[must_use]
    pub fn around(low: f64, high: f64, log: bool) -> Self {
        let log = log && low > 0.0;
        let (low, high) = if log { (low.log10(), high.log10()) } else { (low, high) };
        let room = if high > low { (high - low) * 0.04 } else { (low.abs() * 0.05).max(1e-3) };
        Self { low: low - room, high: high + room, log }
    }

    /// As [`Axis::around`], without the room at the ends.
    #[must_use]
    pub fn between(low: f64, high: f64) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, log: false }
    }

    /// Whether it is logarithmic.
    #[must_use]
    pub fn is_log(&self) -> bool {
        self.log
    }

    /// The vertical position of a value, from 0 at the top to 1.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let value = if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((self.high - value) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The row of a value among this many; 0 is at the top.
    #[must_use]
    pub fn row(&self, value: f64, rows: usize) -> usize {
        (self.share(value) * rows.saturating_sub(1) as f64).round() as usize
    }

    /// Whether a value lies above the axis.
    #[must_use]
    pub fn is_above(&self, value: f64) -> bool {
        (if self.log { value.log10() } else { value }) > self.high
    }

    /// Round values on the axis, about this many, each with its label: at least two if the axis has that many.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if self.log {
            let ticks = self.log_ticks(most);
            if ticks.len() >= 2 {
                return ticks;
            }
        }
        (most..most + 4).map(|most| self.round_ticks(most)).find(|ticks| ticks.len() >= 2).unwrap_or_default()
    }

    fn round_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let value = |place: f64| if self.log { 10f64.powf(place) } else { place };
        let (low, high) = (value(self.low), value(self.high));
        let step = round_step((high - low) / most.max(1) as f64);
        let decimals = usize::try_from(-(step.log10() + 1e-9).floor() as i64).unwrap_or(0).min(9);
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        let count = ((last - first).clamp(-1.0, 100.0) + 1.0) as usize;
        (0..count)
            .map(|index| (first + index as f64) * step)
            .map(|tick| (tick, label(tick, decimals)))
            .take(most.max(1))
            .collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let decades = self.low.floor() as i32..=self.high.ceil() as i32;
        let ticks = |digits: &[i32]| -> Vec<(f64, String)> {
            decades
                .clone()
                .flat_map(|decade| digits.iter().map(move |&digit| (f64::from(digit) * 10f64.powi(decade), decade)))
                .filter(|(tick, _)| (self.low..=self.high).contains(&tick.log10()))
                .map(|(tick, decade)| (tick, label(tick, usize::try_from(-decade).unwrap_or(0))))
                .collect()
        };
        [&[1, 2, 5][..], &[1, 3], &[1]].into_iter().map(ticks).find(|ticks| ticks.len() <= most).unwrap_or_default()
    }
}

fn label(value: f64, decimals: usize) -> String {
    if value != 0.0 && (value.abs() >= 1e6 || decimals > 5) {
        format!("{value:.0e}")
    } else {
        format!("{:.decimals$}", if value == 0.0 { 0.0 } else { value })
    }
}

/// The smallest of 1, 2, 5, 10, … that is at least this.
#[must_use]
pub fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * decade)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(decade * 10.0)
}

/// Lowest and highest of these finite values.
#[must_use]
pub fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let (first, rest) = values.split_first()?;
    Some(rest.iter().fold((*first, *first), |(low, high), value| (low.min(*value), high.max(*value))))
}

/// Lowest and highest of these values, without outliers far above nearly all others.
#[must_use]
pub fn outlier_proof(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    let (low, high) = ends(&values)?;
    let place = |share: f64| ((values.len() - 1) as f64 * share).round() as usize;
    let places = [place(0.02), place(0.98)];
    // Selecting two of them is cheaper than sorting all.
    let [usual_low, usual_high] = places.map(|place| *values.select_nth_unstable_by(place, f64::total_cmp).1);
    let limit = usual_high + 1.5 * (usual_high - usual_low);
    let many = values.len() >= 24;
    let highest = values.iter().copied().filter(|value| *value <= limit).reduce(f64::max).unwrap_or(high);
    Some((low, if many && usual_high > usual_low { highest } else { high }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Axis::between(0.0, 2.4), 5), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(labels(Axis::between(0.12, 0.19), 4), ["0.12", "0.14", "0.16", "0.18"]);
        assert_eq!(labels(Axis::around(0.01, 10.0, true), 5), ["0.01", "0.1", "1", "10"]);
        assert!(Axis::around(-1.0, 1.0, true).ticks(4).len() > 1);
        assert!(!Axis::around(5.0, 5.0, false).ticks(4).is_empty());
    }

    #[test]
    fn rows_run_from_top_to_bottom_and_clip() {
        let axis = Axis::between(0.0, 1.0);
        assert_eq!([axis.row(1.0, 5), axis.row(0.5, 5), axis.row(-9.0, 5), axis.row(9.0, 5)], [0, 2, 4, 0]);
        assert_eq!(axis.row(0.5, 0), 0);
    }

    #[test]
    fn one_spike_does_not_flatten_the_rest() {
        let mut values: Vec<f64> = (0..100).map(|index| 1.0 + f64::from(index) / 100.0).collect();
        values[50] = 1e6;
        let (low, high) = outlier_proof(values).expect("values");
        assert!(low >= 1.0 && high < 2.01);
        assert_eq!(outlier_proof([f64::NAN]), None);
    }
}
