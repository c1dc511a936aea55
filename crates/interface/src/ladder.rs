//! A ladder of 1, 2 and 5, which covers decades in few key presses.

/// The next value of the ladder above this one.
#[must_use]
pub fn up(value: f64) -> f64 {
    let decade = decade_of(value);
    (decade..decade + 2).flat_map(rungs).find(|&rung| rung > value * (1.0 + 1e-9)).unwrap_or(value)
}

/// The next value of the ladder below this one.
#[must_use]
pub fn down(value: f64) -> f64 {
    let decade = decade_of(value);
    (decade - 1..=decade).flat_map(rungs).rfind(|&rung| rung < value * (1.0 - 1e-9)).unwrap_or(value)
}

/// The sparsity one step away: the ladder is that of the density, bounded at both ends.
#[must_use]
pub fn sparsity(value: f64, sparser: bool, (low, high): (f64, f64)) -> f64 {
    let training = (1.0 - value).max(1e-12);
    let next = 1.0 - if sparser { down(training) } else { up(training) };
    // The bounds are rounded inwards, and everything to the digits that a person would type.
    let low = (low * 1e6).ceil() / 1e6;
    let high = (high * 1e6).floor() / 1e6;
    let next = (next * 1e9).round() / 1e9;
    if low <= high { next.clamp(low, high) } else { next }
}

fn decade_of(value: f64) -> i32 {
    if value > 0.0 && value.is_finite() { value.log10().floor().clamp(-300.0, 300.0) as i32 } else { -6 }
}

fn rungs(decade: i32) -> impl DoubleEndedIterator<Item = f64> {
    // Parsed rather than multiplied, so that 2e-4 is exactly the 2e-4 of a recipe.
    [1, 2, 5].into_iter().map(move |digit| format!("{digit}e{decade}").parse().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "rungs are exact")]
    fn rungs_are_one_two_five() {
        assert_eq!([up(1e-4), up(2e-4), up(5e-4), up(3e-4), up(9.9e-4)], [2e-4, 5e-4, 1e-3, 5e-4, 1e-3]);
        assert_eq!([down(1e-4), down(2e-4), down(5e-4), down(3e-4), down(1e-3)], [5e-5, 1e-4, 2e-4, 2e-4, 5e-4]);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "rungs are exact")]
    fn sparsity_steps_and_stays_in_bounds() {
        let bounds = (0.8, 0.999_312_7);
        let mut value = 0.9;
        let mut seen = Vec::new();
        for _ in 0..7 {
            value = sparsity(value, true, bounds);
            seen.push(value);
        }
        assert_eq!(seen, [0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.999_312]);
        assert_eq!(sparsity(0.995, false, bounds), 0.99);
        assert_eq!(sparsity(0.85, false, bounds), 0.8);
    }
}
