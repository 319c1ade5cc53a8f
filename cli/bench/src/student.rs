//! Intervals for a ratio of means, after Welch and Student.
//!
//! Figures of benchmarks are compared by their logarithms: what is asked for is by which factor one
//! is greater, and what disturbs a run tends to do so by a factor.
//!
//! Sources: Welch, "The generalization of Student's problem when several different population
//! variances are involved" (1947); Lentz's continued fraction for the incomplete beta function, as
//! in DLMF 8.17.22.

use crate::numbers::real;

/// A factor, and between which two it lies with some confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) least: f64,
    pub(crate) middle: f64,
    pub(crate) most: f64,
}

/// By which factor the figures of `after` are greater than those of `before`, each a geometric
/// mean; `None` where one of them has fewer than two figures, or one that isn't greater than 0.
///
/// - `confidence`: how often such an interval holds the true factor, 0 to 1.
pub(crate) fn factor(before: &[f64], after: &[f64], confidence: f64) -> Option<Interval> {
    let (before, after) = (Logs::of(before)?, Logs::of(after)?);
    let middle = after.mean - before.mean;
    let (a, b) = (before.error_squared(), after.error_squared());
    let half_width = match a + b {
        // All figures of a side are the same: nothing is known of what differs between runs.
        0.0 => return None,
        variance => {
            let freedom = variance * variance / (before.freedom_part(a) + after.freedom_part(b));
            quantile(0.5 + confidence / 2.0, freedom) * variance.sqrt()
        }
    };
    let (least, most) = ((middle - half_width).exp(), (middle + half_width).exp());
    Some(Interval { least, middle: middle.exp(), most })
}

/// Mean and variance of logarithms.
struct Logs {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Logs {
    fn of(figures: &[f64]) -> Option<Self> {
        let is_usable = |figure: &f64| figure.is_finite() && *figure > 0.0;
        if figures.len() < 2 || !figures.iter().all(is_usable) {
            return None;
        }
        let count = real(figures.len() as u64);
        let mean = figures.iter().map(|figure| figure.ln()).sum::<f64>() / count;
        let square = |figure: &f64| (figure.ln() - mean) * (figure.ln() - mean);
        let variance = figures.iter().map(square).sum::<f64>() / (count - 1.0);
        Some(Self { count, mean, variance })
    }

    /// The square of the mean's standard error.
    fn error_squared(&self) -> f64 {
        self.variance / self.count
    }

    fn freedom_part(&self, error_squared: f64) -> f64 {
        error_squared * error_squared / (self.count - 1.0)
    }
}

/// The median; 0 of nothing.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        even if even.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// What a value of Student's distribution is at most, with that probability.
///
/// - `probability`: more than one half and less than 1.
/// - `freedom`: degrees of it, greater than 0.
pub(crate) fn quantile(probability: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while cumulative(high, freedom) < probability && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        match cumulative(middle, freedom) < probability {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// The probability of a value of at most `t`, which is at least 0.
fn cumulative(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    1.0 - 0.5 * incomplete_beta(x, freedom / 2.0, 0.5)
}

/// The regularized incomplete beta function.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        // The fraction is quick on this side.
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    front.exp() / a / continued_fraction(x, a, b)
}

/// The fraction by which the function's front is divided, by Lentz's method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let (mut fraction, mut c, mut d) = (1.0, 1.0, 0.0);
    for step in 1..=1_000_u32 {
        let m = f64::from(step / 2);
        let term = match step {
            odd if odd % 2 == 1 => {
                -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
            }
            _ => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
        };
        d = away_from_zero(1.0 + term * d, TINY).recip();
        c = away_from_zero(1.0 + term / c, TINY);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
    }
    fraction
}

fn away_from_zero(number: f64, tiny: f64) -> f64 {
    if number.abs() < tiny { tiny } else { number }
}

/// The logarithm of the gamma function (Lanczos, with 7 and 9 terms), of what is greater than 0.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let reflected = std::f64::consts::PI / (std::f64::consts::PI * x).sin();
        return reflected.ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let terms = TERMS.iter().zip(0_u32..).skip(1);
    let sum = TERMS[0] + terms.map(|(term, at)| term / (x + f64::from(at))).sum::<f64>();
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, freedom, expected) in [
            (0.975, 1.0, 12.706),
            (0.975, 2.0, 4.303),
            (0.975, 4.0, 2.776),
            (0.95, 10.0, 1.812),
            (0.975, 30.0, 2.042),
            (0.995, 5.0, 4.032),
            (0.975, 1e6, 1.960),
        ] {
            let found = quantile(probability, freedom);
            assert!((found - expected).abs() < 6e-4, "{probability} of {freedom}: {found}");
        }
        // Between the tables: one degree and a half, by the definition of the distribution.
        let t = quantile(0.975, 1.5);
        assert!((6.0..6.5).contains(&t), "{t}");
        assert!((cumulative(t, 1.5) - 0.975).abs() < 1e-12);
    }

    #[test]
    fn gamma_is_a_factorial() {
        for (x, expected) in [(1.0, 1.0), (5.0, 24.0), (0.5, std::f64::consts::PI.sqrt())] {
            assert!((ln_gamma(x).exp() - expected).abs() < 1e-10, "{x}");
        }
    }

    #[test]
    fn an_interval_is_that_of_welch_by_hand() {
        // Logarithms 0, 1, 2 and 3, 5: means 1 and 4, squared errors 1/3 and 1. Degrees of freedom
        // (4/3)² / ((1/3)²/2 + 1²/1) = 1.6842; the quantile of 0.975 is 5.2.
        let e = std::f64::consts::E;
        let found = factor(&[1.0, e, e * e], &[e.powi(3), e.powi(5)], 0.95).unwrap();
        assert!((found.middle.ln() - 3.0).abs() < 1e-9);
        let half_width = quantile(0.975, 1.684_210_526) * (4.0_f64 / 3.0).sqrt();
        assert!((found.least.ln() - (3.0 - half_width)).abs() < 1e-6, "{found:?}");
        assert!((found.most.ln() - (3.0 + half_width)).abs() < 1e-6, "{found:?}");
        let surer = factor(&[1.0, e, e * e], &[e.powi(3), e.powi(5)], 0.99).unwrap();
        assert!(surer.least < found.least && surer.most > found.most);
    }

    #[test]
    fn one_figure_a_zero_or_no_difference_at_all_is_no_interval() {
        let two = [1.0, 2.0];
        assert_eq!(factor(&[1.0], &two, 0.95), None);
        assert_eq!(factor(&two, &[], 0.95), None);
        assert_eq!(factor(&two, &[0.0, 1.0], 0.95), None);
        assert_eq!(factor(&two, &[1.0, f64::NAN], 0.95), None);
        assert_eq!(factor(&[3.0; 4], &[4.0; 4], 0.95), None);
    }

    #[test]
    fn an_interval_holds_the_truth_as_often_as_it_says() {
        let mut random = crate::random::Random::new(1, 0);
        // Sums of twelve are nearly normal.
        let mut figure = || ((0..12).map(|_| random.unit()).sum::<f64>() * 0.1).exp();
        let mut held = 0;
        for _ in 0..2_000 {
            let before: Vec<f64> = (0..3).map(|_| figure()).collect();
            let after: Vec<f64> = (0..4).map(|_| 1.3 * figure()).collect();
            let found = factor(&before, &after, 0.9).unwrap();
            held += u32::from(found.least <= 1.3 && 1.3 <= found.most);
        }
        assert!((1_740..1_880).contains(&held), "{held} of 2000");
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!([median(&[]), median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0])], [0.0, 2.0, 2.5]);
    }
}
