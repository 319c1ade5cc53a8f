//! The records' values.

/// Bytes from which values are cut; more than a batch, so that none repeats within one.
const POOL_BYTES: usize = 1 << 20;
/// Noise and its absence take turns in blocks of so many bytes.
const BLOCK_BYTES: usize = 64;

/// Values of one length, cut from a pool in turn.
#[derive(Debug)]
pub(crate) struct Payloads {
    pool: Vec<u8>,
    record_bytes: usize,
    at: usize,
}

impl Payloads {
    /// - `entropy`: the share of noise, 0 to 1.
    /// - `seed`: another one gives other noise.
    pub(crate) fn new(record_bytes: usize, entropy: f64, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[3]
        };
        // A comparison in floating point has no cast that could go wrong.
        let is_noise = |i: u8| f64::from(i) < entropy * 64.0;
        let places = (0_u8..64).cycle().take(POOL_BYTES.max(BLOCK_BYTES) + record_bytes);
        let pool = places.map(|i| if is_noise(i) { noise() } else { b'-' }).collect();
        Self { pool, record_bytes, at: 0 }
    }

    /// The next value.
    pub(crate) fn next(&mut self) -> &[u8] {
        let at = self.at;
        // Beginning within a block as well, so that the blocks of two records don't line up.
        self.at = (at + self.record_bytes) % POOL_BYTES;
        &self.pool[at..at + self.record_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::Payloads;

    #[test]
    fn the_share_of_noise_is_as_asked_and_values_differ() {
        for (entropy, noisy) in [(0.0, 0), (0.5, 512), (1.0, 1024)] {
            let mut payloads = Payloads::new(1024, entropy, 1);
            let first = payloads.next().to_vec();
            let quiet = first.iter().filter(|byte| **byte == b'-').count();
            assert!(quiet.abs_diff(1024 - noisy) < 20, "{entropy}: {quiet} of 1024 are quiet");
            assert_eq!(entropy > 0.0, first != payloads.next(), "{entropy}");
        }
        let mut payloads = Payloads::new(100, 1.0, 1);
        assert!((0..100_000).all(|_| payloads.next().len() == 100), "around the pool's end");
    }
}
