//! The two distributions of the tests.

/// Two-sided p-value of `least` or fewer successes out of `of`, each with probability one half; `least` is at most
/// half of `of`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "trials are below 2^53")]
pub fn binomial_half(least: u64, of: u64) -> f64 {
    if 2 * least >= of {
        return 1.0;
    }
    let of_steps = of as f64;
    let mut term = 0.5_f64.powf(of_steps);
    let mut sum = term;
    for k in 0..least {
        term *= (of_steps - k as f64) / (k as f64 + 1.0);
        sum += term;
    }
    (2.0 * sum).min(1.0)
}

/// Probability that a chi-square variable with one degree of freedom exceeds `x`.
#[must_use]
pub fn chi_square_1(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 { 1.0 } else { upper_gamma_half(x / 2.0) }
}

/// Regularised upper incomplete gamma function of one half: by its series for small `x`, else by its continued
/// fraction (Abramowitz and Stegun 6.5.29 and 6.5.31, the latter by Lentz's method).
fn upper_gamma_half(x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let front = x.sqrt() * (-x).exp() / std::f64::consts::PI.sqrt();
    if x < 1.5 {
        let (mut term, mut sum, mut a) = (2.0, 2.0, 0.5);
        while term > sum * f64::EPSILON {
            a += 1.0;
            term *= x / a;
            sum += term;
        }
        return 1.0 - front * sum;
    }
    let mut whole = x + 0.5;
    let (mut above, mut below) = (1.0 / TINY, 1.0 / whole);
    let mut fraction = below;
    for term in 1..1000_u32 {
        let term = f64::from(term);
        let part = -term * (term - 0.5);
        whole += 2.0;
        below = 1.0 / nonzero(part * below + whole, TINY);
        above = nonzero(whole + part / above, TINY);
        fraction *= above * below;
        if (above * below - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    front * fraction
}

fn nonzero(x: f64, tiny: f64) -> f64 {
    if x.abs() < tiny { tiny } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // 3.841458820694124 is the upper 5 % point, 6.634896601021213 the upper 1 % point.
        for (x, p) in [(3.841_458_820_694_124, 0.05), (6.634_896_601_021_213, 0.01), (0.454_936_423_119_572, 0.5)] {
            assert!((chi_square_1(x) / p - 1.0).abs() < 1e-12, "{x}: {}", chi_square_1(x));
        }
        assert!((binomial_half(1, 5) - 0.375).abs() < 1e-15);
        assert!((binomial_half(0, 24) - 2.0_f64.powi(-23)).abs() < 1e-22);
        assert_eq!((binomial_half(0, 0), binomial_half(3, 6)), (1.0, 1.0));
    }

    #[test]
    fn series_and_fraction_meet() {
        let (below, above) = (chi_square_1(3.0 - 1e-9), chi_square_1(3.0 + 1e-9));
        assert!(below > above && below - above < 1e-9, "{below} {above}");
        assert!(chi_square_1(2000.0) >= 0.0 && chi_square_1(2000.0) < 1e-300);
    }
}
