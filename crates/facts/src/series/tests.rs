#![expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "steps of a test are few")]

use proptest::prelude::*;

use super::*;

fn series(values: &[f64]) -> Series {
    let mut series = Series::default();
    for (step, &value) in values.iter().enumerate() {
        series.push(step as u64 + 1, value);
    }
    series
}

/// The edges of this many columns of equal width.
fn edges(start: f64, width: f64, count: usize) -> Vec<u64> {
    (0..=count).map(|column| (start + column as f64 * width).ceil() as u64).collect()
}

#[test]
fn a_point_takes_at_most_sixteen_bytes() {
    let even = |step: u64| step;
    let uneven = |step: u64| step * 10 + step * step % 7;
    let value = |step: u64| (step as f64).sin();
    let gaps = |step: u64| if step.is_multiple_of(2) { f64::NAN } else { 1.0 };
    let curve = |step: &dyn Fn(u64) -> u64, value: &dyn Fn(u64) -> f64| {
        let mut curve = Curve::new(0.9);
        for number in 1..=100_000 {
            assert!(curve.push(step(number), value(number)));
        }
        curve.bytes() as f64 / 1e5
    };
    assert!(curve(&even, &value) < 6.2, "{}", curve(&even, &value));
    assert!(curve(&uneven, &gaps) < 14.0, "{}", curve(&uneven, &gaps));
}

#[test]
fn one_spike_among_a_million_points_survives() {
    let mut values = vec![1.0; 1_000_000];
    values[777_777] = 50.0;
    let columns = series(&values).columns(&edges(0.0, 10_000.0, 101));
    let spiked: Vec<usize> =
        (0..columns.len()).filter(|&index| columns[index].is_some_and(|column| column.max > 49.0)).collect();
    assert_eq!(spiked, [77]);
}

#[test]
fn a_value_that_is_not_finite_is_a_counted_gap() {
    let series = series(&[1.0, f64::NAN, f64::INFINITY, 2.0]);
    assert_eq!(series.gap_count(), 2);
    assert_eq!(series.gaps_in_columns(&edges(1.0, 1.0, 4)), [0, 1, 1, 0]);
    assert_eq!(series.gaps_in_columns(&edges(1.0, 4.0, 1)), [2]);
    let columns = series.columns(&edges(1.0, 1.0, 4));
    assert_eq!((columns[1], columns[2]), (None, None));
    assert!(series.columns(&edges(1.0, 4.0, 1))[0].is_some_and(|column| column.min > 0.9 && column.max < 2.1));
}

#[test]
fn the_nearest_point_and_those_until_a_step() {
    let mut series = Series::default();
    for (step, value) in [(2, 1.0), (5, 2.0), (9, 3.0)] {
        series.push(step, value);
    }
    let nearest: Vec<u64> =
        [0, 3, 4, 7, 8, 99].into_iter().filter_map(|step| series.nearest(step)).map(|at| at.0).collect();
    assert_eq!(nearest, [2, 2, 5, 5, 9, 9]);
    assert_eq!(Series::default().nearest(3), None);
    assert_eq!(series.until(5).points().collect::<Vec<_>>(), [(2, 1.0), (5, 2.0)]);
}

#[test]
fn a_series_never_runs_backwards() {
    let mut series = series(&[1.0, 2.0]);
    series.push(2, 9.0);
    series.push(1, 9.0);
    assert_eq!(series.points().collect::<Vec<_>>(), [(1, 1.0), (2, 2.0)]);
}

#[test]
fn smoothing_is_debiased() {
    let mut smoother = Smoother::new(0.9);
    assert!((smoother.push(4.0) - 4.0).abs() < 1e-12);
    assert!((smoother.push(4.0) - 4.0).abs() < 1e-12);
    assert!(smoother.push(f64::NAN).is_nan());
    let expected = (0.9 * (4.0 * (1.0 - 0.81)) + 0.1) / (1.0 - 0.729);
    assert!((smoother.push(1.0) - expected).abs() < 1e-12);
}

#[test]
fn the_extremes_of_a_stretch() {
    let mut values: Vec<f64> = (0..1000).map(|step| f64::from(step % 100)).collect();
    values[555] = -3.0;
    values[556] = f64::NAN;
    values[700] = 400.0;
    let series = series(&values);
    assert_eq!(series.extreme(1, 1001, true), Some((556, -3.0)));
    assert_eq!(series.extreme(1, 1001, false), Some((701, 400.0)));
    assert_eq!(series.extreme(702, 1001, false), Some((800, 99.0)));
    assert_eq!(series.extreme(557, 558, true), None);
    assert_eq!(series.neighbour(556, -2), Some((554, 53.0)));
    assert_eq!(series.neighbour(3, isize::MIN), Some((1, 0.0)));
    assert_eq!(series.neighbour(3, isize::MAX), Some((1000, 99.0)));
}

proptest! {
    #[test]
    #[expect(clippy::float_cmp, reason = "thinning computes nothing")]
    fn thinning_keeps_extremes_and_ends(
        values in prop::collection::vec(prop_oneof![9 => -1e3..1e3f64, 1 => Just(f64::NAN)], 1..600),
        strides in prop::collection::vec(1u64..9, 600),
        start in 0u32..400,
        width in 0.3..90.0f64,
    ) {
        let mut series = Series::default();
        let mut step = 0;
        for (value, stride) in values.iter().zip(&strides) {
            step += stride;
            series.push(step, *value);
        }
        let start = f64::from(start);
        for (index, column) in series.columns(&edges(start, width, 40)).into_iter().enumerate() {
            let begin = start + index as f64 * width;
            let end = start + (index + 1) as f64 * width;
            let inside: Vec<f64> = series
                .points()
                .filter(|(step, value)| (begin..end).contains(&(*step as f64)) && value.is_finite())
                .map(|(_, value)| value)
                .collect();
            match column {
                None => prop_assert!(inside.is_empty()),
                Some(column) => {
                    prop_assert_eq!(column.first, inside[0]);
                    prop_assert_eq!(column.last, inside[inside.len() - 1]);
                    prop_assert_eq!(column.min, inside.iter().copied().fold(f64::INFINITY, f64::min));
                    prop_assert_eq!(column.max, inside.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                }
            }
        }
    }

    #[test]
    fn smoothing_again_is_the_same_as_smoothing_from_the_start(
        values in prop::collection::vec(-10.0..10.0f64, 1..200),
        weight in 0.0..0.99f64,
    ) {
        let (mut early, mut late) = (Curve::new(weight), Curve::new(0.0));
        for (step, &value) in values.iter().enumerate() {
            // The raw series stores f32, so the comparison starts from the stored value.
            let value = f64::from(value as f32);
            early.push(step as u64, value);
            late.push(step as u64, value);
        }
        late.set_weight(weight);
        prop_assert_eq!(early.smoothed_columns(&edges(0.0, 7.0, 30)), late.smoothed_columns(&edges(0.0, 7.0, 30)));
    }

    #[test]
    fn steps_of_any_stride_are_found_again(strides in prop::collection::vec(prop_oneof![3 => Just(1u32), 1 => 1u32..2000], 1..300)) {
        let mut steps = steps::Steps::default();
        let mut plain = Vec::new();
        let mut step = 0;
        for stride in strides {
            step += stride;
            prop_assert!(steps.push(step));
            plain.push(step);
        }
        prop_assert!(!steps.push(step) && !steps.push(0));
        prop_assert_eq!(steps.iter().collect::<Vec<_>>(), plain.clone());
        prop_assert_eq!((steps.first(), steps.last()), (plain.first().copied(), plain.last().copied()));
        for (index, &at) in plain.iter().enumerate() {
            prop_assert_eq!(steps.at(index), at);
            prop_assert_eq!(steps.before(u64::from(at)), index);
            prop_assert_eq!(steps.before(u64::from(at) + 1), index + 1);
        }
        prop_assert_eq!(steps.before(u64::MAX), plain.len());
    }

    #[test]
    fn gaps_are_counted_to_any_place(values in prop::collection::vec(prop_oneof![1 => Just(f64::NAN), 3 => Just(1.0)], 1..2000), at in 0usize..2100) {
        let series = series(&values);
        let expected = values.iter().take(at).filter(|value| value.is_nan()).count();
        prop_assert_eq!(series.gaps.before(at), expected);
    }

    #[test]
    fn smoothing_in_pieces_equals_smoothing_at_once(
        values in prop::collection::vec(prop_oneof![9 => -10.0..10.0f64, 1 => Just(f64::NAN)], 1..400),
        weight in 0.0..0.999f64,
    ) {
        let mut curve = Curve::new(weight);
        let mut smoother = Smoother::new(weight);
        for (step, &value) in values.iter().enumerate() {
            curve.push(step as u64, value);
            let expected = smoother.push(f64::from(value as f32));
            let (_, found) = curve.smoothed_last().expect("a point");
            prop_assert!(found.is_nan() == expected.is_nan());
            prop_assert!(found.is_nan() || (found - expected).abs() < 1e-9, "{} is not {}", found, expected);
        }
        let last = curve.smoothed().last().expect("a point").1;
        prop_assert!(last.is_nan() == values[values.len() - 1].is_nan());
    }

    #[test]
    fn a_ruler_finds_the_point_that_it_measured(parts in prop::collection::vec(prop_oneof![8 => 0.0..9.0f64, 1 => Just(f64::NAN), 1 => Just(-3.0)], 1..400)) {
        let mut ruler = Ruler::from(5.0);
        for part in &parts {
            ruler.push(*part);
        }
        prop_assert_eq!(ruler.before(5.0), 0);
        prop_assert_eq!(ruler.before(f64::INFINITY), parts.len());
        for index in 0..parts.len() {
            let at = ruler.at(index);
            let before = ruler.before(at);
            prop_assert!(before <= index && ruler.at(before) >= at, "{} {}", before, index);
            prop_assert!(index == 0 || at >= ruler.at(index - 1));
        }
        prop_assert!((ruler.at(parts.len() - 1) - ruler.end()).abs() < 1e-6);
    }

    #[test]
    fn a_curve_that_follows_another_is_smoothed_as_if_they_were_one(
        values in prop::collection::vec(prop_oneof![9 => -10.0..10.0f64, 1 => Just(f64::NAN)], 2..300),
        at in 0usize..300,
        weight in 0.0..0.99f64,
    ) {
        let at = at % values.len();
        let (mut whole, mut first) = (Curve::new(weight), Curve::new(weight));
        values.iter().enumerate().for_each(|(step, value)| {
            whole.push(step as u64, *value);
            first.push(step as u64, *value);
        });
        let mut second = first.following(at as u64);
        values.iter().enumerate().skip(at).for_each(|(step, value)| {
            second.push(step as u64, *value);
        });
        for step in at..values.len() {
            let (expected, found) = (whole.smoothed_near(step as u64), second.smoothed_near(step as u64));
            prop_assert!(expected.is_nan() == found.is_nan());
            prop_assert!(expected.is_nan() || (expected - found).abs() < 1e-9, "{expected} {found}");
        }
    }
}

#[test]
fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
    assert_eq!(super::median([]), None);
    assert_eq!(super::median([3.0]), Some(3.0));
    assert_eq!(super::median([4.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(super::median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
}
