//! Which keys records have.
//!
//! A key is 12 digits. The cluster's partitioner decides where it goes; `zipf` makes the lower
//! numbers the more frequent ones.

use std::fmt;
use std::str::FromStr;

use crate::random::Random;
use crate::zipf::Zipf;

/// The digits of a key.
const DIGITS: usize = 12;
/// The most keys that have so many digits.
const KEYS_MAX: u64 = 1_000_000_000_000;

/// How keys are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum KeyChoice {
    /// Records have none.
    None,
    /// One of so many, all as frequent.
    Uniform(u64),
    /// One of so many, after Zipf's law with that exponent.
    Zipf(u64, f64),
}

impl FromStr for KeyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let count = |text: &str| {
            let count = text.parse().ok().filter(|count| (1..=KEYS_MAX).contains(count));
            count.ok_or_else(|| format!("{text}: a number of keys from 1 to {KEYS_MAX} is wanted"))
        };
        match parts[..] {
            ["none"] => Ok(Self::None),
            ["uniform", keys] => Ok(Self::Uniform(count(keys)?)),
            ["zipf", keys, power] => Ok(Self::Zipf(count(keys)?, exponent(power)?)),
            _ => Err(format!("{text}: write none, uniform:COUNT or zipf:COUNT:EXPONENT")),
        }
    }
}

/// Of Zipf's law.
///
/// # Errors
/// One with which nothing is to be had but the first.
pub(super) fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse().ok().filter(|exponent| (0.0..=10.0).contains(exponent));
    exponent.ok_or_else(|| format!("{text}: an exponent from 0 to 10 is wanted"))
}

impl fmt::Display for KeyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Uniform(count) => write!(f, "uniform:{count}"),
            Self::Zipf(count, exponent) => write!(f, "zipf:{count}:{exponent}"),
        }
    }
}

/// Makes keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    choice: KeyChoice,
    zipf: Option<Zipf>,
    key: [u8; DIGITS],
}

impl Keys {
    pub(super) fn new(choice: KeyChoice) -> Self {
        let zipf = match choice {
            KeyChoice::Zipf(count, exponent) => Some(Zipf::new(count, exponent)),
            KeyChoice::None | KeyChoice::Uniform(_) => None,
        };
        Self { choice, zipf, key: [b'0'; DIGITS] }
    }

    pub(super) fn next(&mut self, random: &mut Random) -> Option<&[u8]> {
        let mut number = match (self.choice, &self.zipf) {
            (KeyChoice::Uniform(count), _) => random.below(count),
            (KeyChoice::Zipf(..), Some(zipf)) => zipf.rank(random) - 1,
            _ => return None,
        };
        for digit in self.key.iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).expect("a digit");
            number /= 10;
        }
        Some(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for text in ["none", "uniform:10", "zipf:1000:0.99"] {
            assert_eq!(text.parse::<KeyChoice>().unwrap().to_string(), text);
        }
        for wrong in ["", "uniform", "uniform:0", "uniform:x", "zipf:10", "zipf:10:-1", "zipf:1:x"]
        {
            assert!(wrong.parse::<KeyChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_twelve_digits_and_the_first_is_the_most_frequent() {
        let mut keys = Keys::new("zipf:5:1".parse().unwrap());
        let mut random = Random::new(1, 0);
        let mut seen = BTreeMap::new();
        for _ in 0..10_000 {
            let key = keys.next(&mut random).unwrap().to_vec();
            *seen.entry(String::from_utf8(key).unwrap()).or_insert(0) += 1;
        }
        let names: Vec<&str> = seen.keys().map(String::as_str).collect();
        assert_eq!((names.len(), names[0], names[4]), (5, "000000000000", "000000000004"));
        // 1/H(5) = 43.8 % of them.
        assert!((4_200..4_560).contains(&seen["000000000000"]), "{seen:?}");
        assert_eq!(Keys::new(KeyChoice::None).next(&mut random), None);
    }
}
