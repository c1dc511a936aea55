use proptest::prelude::*;

use super::*;

fn series(values: &[f64]) -> Series {
    let mut series = Series::default();
    for (step, &value) in values.iter().enumerate() {
        series.push(step as u64 + 1, value);
    }
    series
}

#[test]
fn a_point_takes_at_most_sixteen_bytes() {
    let dense = series(&vec![1.0; 100_000]);
    assert!(dense.bytes() <= 16 * dense.len());
    let all_gaps = series(&vec![f64::NAN; 100_000]);
    assert!(all_gaps.bytes() <= 16 * all_gaps.len());
}

#[test]
fn one_spike_among_a_million_points_survives() {
    let mut values = vec![1.0; 1_000_000];
    values[777_777] = 50.0;
    let columns = series(&values).columns(0.0, 10_000.0, 101);
    let spiked: Vec<usize> =
        (0..columns.len()).filter(|&index| columns[index].is_some_and(|column| column.max > 49.0)).collect();
    assert_eq!(spiked, [77]);
}

#[test]
fn what_is_no_number_is_a_gap_and_counted() {
    let series = series(&[1.0, f64::NAN, f64::INFINITY, 2.0]);
    assert_eq!(series.gap_count(), 2);
    assert_eq!(series.gaps_in_columns(1.0, 1.0, 4), [0, 1, 1, 0]);
    assert_eq!(series.gaps_in_columns(1.0, 4.0, 1), [2]);
    let columns = series.columns(1.0, 1.0, 4);
    assert_eq!((columns[1], columns[2]), (None, None));
    assert!(series.columns(1.0, 4.0, 1)[0].is_some_and(|column| column.min > 0.9 && column.max < 2.1));
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
        for (index, column) in series.columns(start, width, 40).into_iter().enumerate() {
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
            // The raw series keeps f32, so the comparison starts from what it keeps.
            let value = f64::from(value as f32);
            early.push(step as u64, value);
            late.push(step as u64, value);
        }
        late.set_weight(weight);
        prop_assert_eq!(early.smoothed().points().collect::<Vec<_>>(), late.smoothed().points().collect::<Vec<_>>());
    }
}
