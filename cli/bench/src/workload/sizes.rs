//! How large values are, or which file they are from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::keys::exponent;
use crate::quantity;
use crate::random::Random;
use crate::zipf::Zipf;

/// The largest value: the default of the largest request that a broker takes, ours or Kafka's. As
/// much is held in memory of it, a few times.
const VALUE_BYTES_MAX: usize = 100 << 20;

/// How values are chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ValueChoice {
    /// All of this size, bytes.
    Fixed(usize),
    /// From the first to the second, both included, all as frequent.
    Uniform(usize, usize),
    /// From the first to the second, both included; the smaller ones are more frequent, after
    /// Zipf's law with that exponent.
    Zipf(usize, usize, f64),
    /// The lines of a file, in its order.
    File(PathBuf),
}

impl FromStr for ValueChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(path.into()));
        }
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [bytes] if bytes.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(Self::Fixed(size(bytes)?))
            }
            ["uniform", bytes] => range(bytes).map(|(least, most)| Self::Uniform(least, most)),
            ["zipf", bytes, power] => {
                let (least, most) = range(bytes)?;
                Ok(Self::Zipf(least, most, exponent(power)?))
            }
            _ => Err(format!(
                "{text}: write BYTES, uniform:BYTES-BYTES, zipf:BYTES-BYTES:EXPONENT or file:PATH"
            )),
        }
    }
}

impl ValueChoice {
    /// Whether no value has a byte.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Fixed(most) | Self::Uniform(_, most) | Self::Zipf(_, most, _) => *most == 0,
            // Its empty lines are left out.
            Self::File(_) => false,
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(quantity::bytes(text)?).unwrap_or(usize::MAX);
    if bytes > VALUE_BYTES_MAX {
        return Err(format!("{text}: a value has at most {VALUE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

fn range(text: &str) -> Result<(usize, usize), String> {
    let fault = || format!("{text}: write the least and the most as 100-2000");
    let (least, most) = text.split_once('-').ok_or_else(fault)?;
    let (least, most) = (size(least)?, size(most)?);
    if least <= most { Ok((least, most)) } else { Err(fault()) }
}

impl fmt::Display for ValueChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => write!(f, "{bytes}"),
            Self::Uniform(least, most) => write!(f, "uniform:{least}-{most}"),
            Self::Zipf(least, most, exponent) => write!(f, "zipf:{least}-{most}:{exponent}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Draws sizes.
#[derive(Debug)]
pub(crate) struct Sizes {
    least: usize,
    most: usize,
    zipf: Option<Zipf>,
}

impl Sizes {
    /// Those of values that are made; `None` where they are from a file.
    pub(super) fn new(choice: &ValueChoice) -> Option<Self> {
        let (least, most, exponent) = match *choice {
            ValueChoice::Fixed(bytes) => (bytes, bytes, None),
            ValueChoice::Uniform(least, most) => (least, most, None),
            ValueChoice::Zipf(least, most, exponent) => (least, most, Some(exponent)),
            ValueChoice::File(_) => return None,
        };
        let count = (most - least + 1) as u64;
        Some(Self { least, most, zipf: exponent.map(|exponent| Zipf::new(count, exponent)) })
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn next(&self, random: &mut Random) -> usize {
        let more = match &self.zipf {
            _ if self.least == self.most => return self.least,
            Some(zipf) => zipf.rank(random) - 1,
            None => random.below((self.most - self.least + 1) as u64),
        };
        self.least + usize::try_from(more).expect("it is at most the difference of two sizes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for text in ["1024", "uniform:100-2000", "zipf:1-1000:1.2", "file:a:b.txt"] {
            assert_eq!(text.parse::<ValueChoice>().unwrap().to_string(), text);
        }
        assert_eq!("1KiB".parse(), Ok(ValueChoice::Fixed(1024)));
        for wrong in ["", "x", "uniform:5", "uniform:9-1", "zipf:1-9", "file:", "2GiB", "-1"] {
            assert!(wrong.parse::<ValueChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_lie_within_their_limits_and_reach_them() {
        let mut random = Random::new(1, 0);
        for (text, mean) in [("10-14", 12.0), ("7-7", 7.0)] {
            let choice = format!("uniform:{text}").parse().unwrap();
            let sizes = Sizes::new(&choice).unwrap();
            let drawn: Vec<usize> = (0..2_000).map(|_| sizes.next(&mut random)).collect();
            let (least, most) = range(text).unwrap();
            assert_eq!(drawn.iter().min(), Some(&least));
            assert_eq!(drawn.iter().max(), Some(&most));
            let sum: usize = drawn.iter().sum();
            assert!((sum as f64 / 2_000.0 - mean).abs() < 0.15, "{text}: {sum}");
        }
        let sizes = Sizes::new(&"zipf:10-1000:1".parse().unwrap()).unwrap();
        let small = (0..2_000).filter(|_| sizes.next(&mut random) == 10).count();
        // 1/H(991) = 13.4 % of them.
        assert!((210..330).contains(&small), "{small}");
    }
}
