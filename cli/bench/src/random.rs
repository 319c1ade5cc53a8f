//! Numbers that look random, and come again from the same seed.
//!
//! Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (SplitMix64).

use crate::numbers::ratio;

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
/// Bits that a `f64` between 0 and 1 has.
const UNIT_BITS: u32 = 53;

impl Random {
    /// - `stream`: another one gives other numbers of the same seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let first = Self(seed).next();
        Self(Self(first.wrapping_add(stream)).next())
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0 and less than 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ratio(self.next() >> (u64::BITS - UNIT_BITS), 1 << UNIT_BITS)
    }

    /// Less than `count`, which isn't 0.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(count);
        u64::try_from(product >> u64::BITS).expect("it is less than the count")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        // The first of the reference implementation for the seed 1234567.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_of_a_seed_differ_and_come_again() {
        let first = |seed, stream| Random::new(seed, stream).next();
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(0, 1), first(1, 0));
    }

    #[test]
    fn all_that_is_below_comes_and_nothing_else() {
        let mut random = Random::new(1, 0);
        let mut seen = [0; 5];
        for _ in 0..5_000 {
            seen[usize::try_from(random.below(5)).unwrap()] += 1;
            assert!((0.0..1.0).contains(&random.unit()));
        }
        assert!(seen.iter().all(|count| (900..1_100).contains(count)), "{seen:?}");
    }
}
