//! What is sent: keys and values, drawn from distributions or cut from a file.
//!
//! Must always hold: the same seed gives a client the same records; a record costs no allocation;
//! what all clients draw from is in memory once, and bounded.

mod keys;
mod sizes;
mod values;

use std::sync::Arc;

use logboom_protocol::records::{BatchBuilder, BatchError, Codec};

use crate::numbers::ratio;
use crate::random::Random;

pub(crate) use keys::KeyChoice;
pub(crate) use sizes::ValueChoice;
pub(crate) use values::Values;

use keys::Keys;

/// Bytes of records by which it is seen how well they compress.
const SAMPLE_BYTES: usize = 256 << 10;

/// What clients send.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) keys: KeyChoice,
    pub(crate) values: Arc<Values>,
    pub(crate) seed: u64,
}

impl Workload {
    /// The records of a client.
    pub(crate) fn stream(&self, client: u64) -> Stream {
        let mut random = Random::new(self.seed, client);
        Stream {
            at: self.values.begin(&mut random),
            values: Arc::clone(&self.values),
            keys: Keys::new(self.keys),
            random,
        }
    }

    /// What compression leaves of a batch of such records, 0 to 1; a little more than 1 where they
    /// don't compress.
    ///
    /// # Errors
    /// A record that can't be one.
    pub(crate) fn compressed_share(&self, codec: Codec) -> Result<f64, BatchError> {
        let mut stream = self.stream(0);
        let mut batch = BatchBuilder::new(codec);
        while batch.uncompressed_bytes() < SAMPLE_BYTES {
            let (key, value) = stream.next();
            batch.append(0, key, Some(value), &[])?;
        }
        let before = batch.uncompressed_bytes() as u64;
        Ok(ratio(batch.build()?.len() as u64, before))
    }
}

/// The records of a client, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    random: Random,
    keys: Keys,
    values: Arc<Values>,
    at: usize,
}

impl Stream {
    /// Key and value of the next one.
    pub(crate) fn next(&mut self) -> (Option<&[u8]>, &[u8]) {
        let value = self.values.next(&mut self.at, &mut self.random);
        (self.keys.next(&mut self.random), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(values: &str, keys: &str, entropy: f64, seed: u64) -> Workload {
        let values = Values::new(&values.parse().unwrap(), entropy, seed).unwrap();
        Workload { keys: keys.parse().unwrap(), values: Arc::new(values), seed }
    }

    fn records(workload: &Workload, client: u64) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
        let mut stream = workload.stream(client);
        let mut next = || {
            let (key, value) = stream.next();
            (key.map(<[u8]>::to_vec), value.to_vec())
        };
        (0..100).map(|_| next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_records_and_another_others() {
        let one = workload("uniform:10-2000", "zipf:100:1", 1.0, 1);
        assert_eq!(
            records(&one, 3),
            records(&workload("uniform:10-2000", "zipf:100:1", 1.0, 1), 3)
        );
        assert_ne!(records(&one, 3), records(&one, 4));
        let other = workload("uniform:10-2000", "zipf:100:1", 1.0, 2);
        assert_ne!(records(&one, 3), records(&other, 3));
    }

    #[test]
    fn half_noise_compresses_to_about_half_and_noise_not_at_all() {
        for (entropy, least, most) in [(0.0, 0.0, 0.1), (0.5, 0.45, 0.65), (1.0, 0.97, 1.05)] {
            let workload = workload("1024", "none", entropy, 1);
            for codec in [Codec::Lz4, Codec::Zstd] {
                let share = workload.compressed_share(codec).unwrap();
                assert!((least..most).contains(&share), "{entropy} {codec:?}: {share}");
            }
        }
        let share = workload("1024", "none", 0.5, 1).compressed_share(Codec::None).unwrap();
        assert!((0.99..1.01).contains(&share), "{share}");
    }
}
