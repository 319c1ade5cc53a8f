//! Values: cut from noise that was made before, or lines of a file that was read before.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::ValueChoice;
use super::sizes::Sizes;
use crate::numbers::{ratio, real};
use crate::random::Random;

/// Bytes at which the cut begins anew; more than a batch, so that none repeats within one.
const POOL_BYTES: usize = 4 << 20;
/// Noise and its absence take turns in blocks of so many bytes.
const BLOCK_BYTES: usize = 64;
/// Bytes of a file that are kept; the rest of it isn't sent.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Bytes with which a line ends.
const LINE_END_BYTES_MAX: usize = 2;
/// What stands where there is no noise.
const QUIET: u8 = b'-';

/// What values are taken from.
#[derive(Debug)]
pub(crate) enum Values {
    /// Parts of one piece of memory.
    Cut {
        /// Longer than [`POOL_BYTES`] by the largest value.
        pool: Vec<u8>,
        /// How long they are.
        sizes: Sizes,
    },
    /// The lines of a file.
    Lines {
        /// All of them, without their ends.
        text: Vec<u8>,
        /// Where each of them ends, exclusive; at least one.
        ends: Vec<usize>,
        /// Whether the file goes on behind them.
        is_part: bool,
    },
}

impl Values {
    /// - `entropy`: the share of noise, 0 to 1, where values are made.
    /// - `seed`: another one gives other noise.
    ///
    /// # Errors
    /// A file that can't be read, or has no line.
    pub(crate) fn new(choice: &ValueChoice, entropy: f64, seed: u64) -> Result<Self, String> {
        match (choice, Sizes::new(choice)) {
            (ValueChoice::File(path), _) => {
                read(path, FILE_BYTES_MAX).map_err(|why| format!("{}: {why}", path.display()))
            }
            (_, Some(sizes)) => Ok(Self::Cut { pool: pool(sizes.most(), entropy, seed), sizes }),
            (_, None) => unreachable!("what is no file has sizes"),
        }
    }

    /// The mean size of a value, bytes.
    pub(crate) fn bytes_mean(&self, seed: u64) -> f64 {
        match self {
            Self::Lines { text, ends, .. } => ratio(text.len() as u64, ends.len() as u64),
            Self::Cut { sizes, .. } => {
                let mut random = Random::new(seed, u64::MAX);
                let draws = 10_000;
                let sum: u64 = (0..draws).map(|_| sizes.next(&mut random) as u64).sum();
                real(sum) / f64::from(draws)
            }
        }
    }

    /// Where a client begins.
    pub(super) fn begin(&self, random: &mut Random) -> usize {
        let count = match self {
            Self::Cut { .. } => POOL_BYTES,
            Self::Lines { ends, .. } => ends.len(),
        };
        usize::try_from(random.below(count as u64)).expect("it is less than a length")
    }

    pub(super) fn next(&self, at: &mut usize, random: &mut Random) -> &[u8] {
        match self {
            Self::Cut { pool, sizes } => {
                let (begin, bytes) = (*at, sizes.next(random));
                // Beginning within a block as well, so that the blocks of two values don't line up.
                *at = (begin + bytes.max(1)) % POOL_BYTES;
                &pool[begin..begin + bytes]
            }
            Self::Lines { text, ends, .. } => {
                let line = *at;
                *at = (line + 1) % ends.len();
                let begin = line.checked_sub(1).map_or(0, |before| ends[before]);
                &text[begin..ends[line]]
            }
        }
    }
}

fn pool(value_bytes_max: usize, entropy: f64, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed, 0);
    let is_noise = |place: usize| real((place % BLOCK_BYTES) as u64) < entropy * real(64);
    let byte = |place| {
        let [noise, ..] = random.next().to_be_bytes();
        if is_noise(place) { noise } else { QUIET }
    };
    (0..POOL_BYTES + value_bytes_max).map(byte).collect()
}

/// Reads lines; those that are empty are left out.
fn read(path: &Path, bytes_max: usize) -> Result<Values, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut lines = BufReader::new(file);
    let (mut text, mut ends, mut is_part) = (Vec::new(), Vec::new(), false);
    loop {
        let begin = text.len();
        // A line that is longer than all that is kept isn't read to its end.
        let room = (bytes_max - begin + LINE_END_BYTES_MAX + 1) as u64;
        let read = lines.by_ref().take(room).read_until(b'\n', &mut text);
        let read = read.map_err(|error| error.to_string())?;
        if read == 0 {
            break;
        }
        while text.len() > begin && matches!(text.last(), Some(b'\n' | b'\r')) {
            text.pop();
        }
        if text.len() > bytes_max {
            text.truncate(begin);
            is_part = true;
            break;
        }
        if text.len() > begin {
            ends.push(text.len());
        }
    }
    match ends.is_empty() {
        true => Err("there is no line that could be sent".to_owned()),
        false => Ok(Values::Lines { text, ends, is_part }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, bytes_max: usize) -> Result<Values, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path(), bytes_max)
    }

    fn four(values: &Values) -> Vec<String> {
        let (mut at, mut random) = (0, Random::new(1, 0));
        let mut next = || String::from_utf8(values.next(&mut at, &mut random).to_vec()).unwrap();
        (0..4).map(|_| next()).collect()
    }

    #[test]
    fn the_lines_of_a_file_are_sent_in_its_order_again_and_again() {
        let values = lines("ab\r\n\ncde\nf", 100).unwrap();
        assert_eq!(four(&values), ["ab", "cde", "f", "ab"]);
        assert!((values.bytes_mean(1) - 2.0).abs() < 1e-9);
        assert!(matches!(values, Values::Lines { is_part: false, .. }));
    }

    #[test]
    fn what_is_kept_of_a_file_is_bounded() {
        let values = lines("ab\ncde\nfghi\n", 5).unwrap();
        assert_eq!(four(&values), ["ab", "cde", "ab", "cde"]);
        assert!(matches!(values, Values::Lines { is_part: true, .. }));
        assert!(lines("\n\r\n", 5).is_err());
        assert!(lines("longer than that\n", 5).is_err());
        assert!(
            Values::new(&"file:/nonexistent".parse().unwrap(), 1.0, 1)
                .unwrap_err()
                .starts_with("/nonexistent: ")
        );
    }

    #[test]
    fn values_differ_and_have_their_size_around_the_end_of_the_pool() {
        let values = Values::new(&ValueChoice::Fixed(1_000), 1.0, 1).unwrap();
        let (mut at, mut random) = (0, Random::new(1, 0));
        let first = values.next(&mut at, &mut random).to_vec();
        assert_ne!(first, values.next(&mut at, &mut random));
        assert!((0..10_000).all(|_| values.next(&mut at, &mut random).len() == 1_000));
    }
}
