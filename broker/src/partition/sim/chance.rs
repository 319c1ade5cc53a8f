//! All chance of a run, from its seed.

use logboom_protocol::units::Uuid;

/// A generator of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x243f_6a88_85a3_08d3)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below a limit; 0 where that is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// Both ends included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// As [`Self::between`], of things.
    pub(super) fn count(&mut self, least: usize, most: usize) -> usize {
        least + self.index(most - least + 1)
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// So many of them, each once.
    pub(super) fn some<T: Copy>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut left = of.to_vec();
        (0..count.min(of.len())).map(|_| left.swap_remove(self.index(left.len()))).collect()
    }

    /// An id that nothing else has.
    pub(super) fn id(&mut self) -> Uuid {
        Uuid((u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes())
    }

    /// True so many times in a thousand.
    pub(super) fn permille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// Mostly short, sometimes ten or a hundred times as long.
    pub(super) fn latency(&mut self, usual: u64) -> u64 {
        let factor = match self.below(100) {
            0 => 100,
            1..=5 => 10,
            _ => 1,
        };
        self.between(usual / 2, usual * 3 / 2) * factor
    }
}
