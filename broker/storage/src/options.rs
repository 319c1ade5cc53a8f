//! Sizes and times of a log and of a directory, with their defaults.

use std::fmt;

/// How one partition's log is kept. Names in the docs are the reference broker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes after which a segment is sealed and another begun (`segment.bytes`, default 1 GiB).
    pub segment_bytes: u32,
    /// Milliseconds after which it is, counted from its first batch (`segment.ms`, default 7 days).
    pub segment_ms: i64,
    /// Bytes above which the oldest segments are deleted (`retention.bytes`); −1 keeps all.
    pub retention_bytes: i64,
    /// Milliseconds after which a segment is deleted, counted from its latest timestamp
    /// (`retention.ms`, default 7 days); −1 keeps all.
    pub retention_ms: i64,
}

const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            retention_bytes: -1,
            retention_ms: WEEK_MS,
        }
    }
}

/// A value that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionError {
    /// The option, by the reference broker's name.
    pub name: &'static str,
    /// Its value.
    pub value: i64,
    /// What it must be.
    pub rule: &'static str,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, but must be {}", self.name, self.value, self.rule)
    }
}

impl std::error::Error for OptionError {}

/// The least `segment.bytes`, as in the reference broker from version 4 on.
pub const SEGMENT_BYTES_MIN: u32 = 1 << 20;
/// The most: positions in a file are 32 bits wide.
pub const SEGMENT_BYTES_MAX: u32 = i32::MAX as u32;

impl LogOptions {
    /// Checks that every value lies in its range.
    ///
    /// # Errors
    /// The first one that doesn't.
    pub fn validate(&self) -> Result<(), OptionError> {
        let check = |name, value, fits: bool, rule| {
            if fits { Ok(()) } else { Err(OptionError { name, value, rule }) }
        };
        let bytes = self.segment_bytes;
        let range = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        check("segment.bytes", bytes.into(), range.contains(&bytes), "1 MiB to 2 GiB")?;
        check("segment.ms", self.segment_ms, self.segment_ms > 0, "above 0")?;
        check("retention.bytes", self.retention_bytes, self.retention_bytes >= -1, "-1 or above")?;
        check("retention.ms", self.retention_ms, self.retention_ms >= -1, "-1 or above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_what_is_not_is_named() {
        assert_eq!(LogOptions::default().validate(), Ok(()));
        let options = LogOptions { segment_bytes: 14, ..LogOptions::default() };
        let error = options.validate().unwrap_err();
        assert_eq!(error.to_string(), "segment.bytes is 14, but must be 1 MiB to 2 GiB");
    }
}
