//! Ranks after Zipf's law: the k-th of n is drawn with a probability in proportion to 1/k^s.
//!
//! Each draw takes the same time, whatever n is, and no memory.
//!
//! Source: Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
//! distributions" (1996).

use crate::numbers::{real, whole};
use crate::random::Random;

/// Draws ranks.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    count: u64,
    exponent: f64,
    /// The integral of the hat at both ends of where is drawn.
    first: f64,
    last: f64,
    /// As near to a rank its inverse is taken without a further look.
    squeeze: f64,
}

impl Zipf {
    /// - `count`: how many ranks there are, at least 1.
    /// - `exponent`: at least 0, where all ranks are as frequent.
    pub(crate) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count, exponent, first: 0.0, last: 0.0, squeeze: 0.0 };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(real(count) + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    /// A rank, from 1 to the count.
    pub(crate) fn rank(&self, random: &mut Random) -> u64 {
        loop {
            let at = self.last + random.unit() * (self.first - self.last);
            let exact = self.inverse(at);
            let rank = whole(exact).clamp(1, self.count);
            let near = real(rank);
            if near - exact <= self.squeeze || at >= self.integral(near + 0.5) - self.hat(near) {
                return rank;
            }
        }
    }

    /// What the probabilities are in proportion to, between the ranks as well.
    fn hat(&self, rank: f64) -> f64 {
        (-self.exponent * rank.ln()).exp()
    }

    /// The integral of the hat from 1.
    fn integral(&self, to: f64) -> f64 {
        let log = to.ln();
        relative_exp((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, integral: f64) -> f64 {
        let scaled = (integral * (1.0 - self.exponent)).max(-1.0);
        (relative_log(scaled) * integral).exp()
    }
}

/// (e^x − 1)/x, also near 0.
fn relative_exp(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x)/x, also near 0.
fn relative_log(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of what is drawn from the law, as a chi-square statistic.
    fn chi_square(count: u64, exponent: f64, draws: u32) -> f64 {
        let zipf = Zipf::new(count, exponent);
        let mut random = Random::new(7, 0);
        let mut seen = vec![0.0; usize::try_from(count).unwrap()];
        for _ in 0..draws {
            seen[usize::try_from(zipf.rank(&mut random) - 1).unwrap()] += 1.0;
        }
        let weights: Vec<f64> = (1..=count).map(|rank| real(rank).powf(-exponent)).collect();
        let all: f64 = weights.iter().sum();
        let expected = weights.iter().map(|weight| weight / all * f64::from(draws));
        seen.iter().zip(expected).map(|(seen, due)| (seen - due) * (seen - due) / due).sum()
    }

    #[test]
    fn ranks_are_as_frequent_as_the_law_says() {
        // Of 19 degrees of freedom; one in a thousand is greater than 43.8.
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.01, 2.0] {
            let distance = chi_square(20, exponent, 100_000);
            assert!(distance < 43.8, "{exponent}: {distance}");
        }
    }

    #[test]
    fn another_exponent_is_another_law() {
        let zipf = Zipf::new(20, 1.05);
        let mut random = Random::new(7, 0);
        let firsts = (0..100_000).filter(|_| zipf.rank(&mut random) == 1).count();
        // 29.5 % of 20 ranks with 1.05, 27.8 % with 1.
        assert!((29_100..30_000).contains(&firsts), "{firsts}");
    }

    #[test]
    fn the_ends_are_drawn_and_nothing_beyond_them() {
        let mut random = Random::new(3, 0);
        for (count, exponent) in [(1, 1.0), (2, 0.0), (u64::from(u32::MAX), 0.2)] {
            let zipf = Zipf::new(count, exponent);
            let ranks: Vec<u64> = (0..1_000).map(|_| zipf.rank(&mut random)).collect();
            assert!(ranks.iter().all(|rank| (1..=count).contains(rank)), "{count}");
            assert!(count > 2 || ranks.contains(&count), "{count}");
        }
    }
}
