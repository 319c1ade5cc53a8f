//! The values of options: how each is read, and within which limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::quantity;

/// The most producers or consumers of a process: each producer has a thread, each client a buffer.
pub(super) const CLIENTS_MAX: u64 = 512;
/// The most repetitions.
pub(super) const REPETITIONS_MAX: u64 = 1_000;
/// The most records: at the highest rate they take three years.
pub(super) const RECORDS_MAX: u64 = 1_000_000_000_000_000;
/// The most partitions of a topic: each producer has a place for each.
pub(super) const PARTITIONS_MAX: i64 = 100_000;
/// The most pairs of a producer and a partition: each has a queue, of 4 KiB about, a GiB together.
pub(super) const LANES_MAX: u64 = 1 << 18;
/// Records a second: at fewer nothing comes within the time that is waited for the first; no
/// process comes to more.
const RATES: RangeInclusive<f64> = 0.1..=10_000_000.0;
/// The shortest and the longest time.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=DURATION_MAX;
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
/// The longest that a batch may wait, milliseconds.
const LINGER_MS_MAX: f64 = 3_600_000.0;
/// The largest batch, bytes.
const BATCH_BYTES_MAX: u64 = 100 << 20;
/// The most bytes that are written first: more than any disk has.
const FILL_BYTES_MAX: u64 = 1 << 50;

pub(super) fn clients() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=CLIENTS_MAX)
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = quantity::duration(text)?;
    match TIMES.contains(&duration) {
        true => Ok(duration),
        false => Err(format!("{text}: at least 10ms, and at most a year, 8760h")),
    }
}

pub(super) fn warmup(text: &str) -> Result<Duration, String> {
    let duration = quantity::duration(text)?;
    match duration <= DURATION_MAX {
        true => Ok(duration),
        false => Err(format!("{text}: at most a year, 8760h")),
    }
}

pub(super) fn millis(text: &str) -> Result<Duration, String> {
    let is_one = |millis: f64| (0.0..=LINGER_MS_MAX).contains(&millis);
    let millis = number(text, is_one, "milliseconds from 0 to 3600000")?;
    Ok(Duration::from_secs_f64(millis / 1e3))
}

pub(super) fn batch_bytes(text: &str) -> Result<usize, String> {
    let bytes = quantity::bytes(text)?;
    let is_one = usize::try_from(bytes).ok().filter(|_| bytes <= BATCH_BYTES_MAX);
    is_one.ok_or_else(|| format!("{text}: a batch has at most {BATCH_BYTES_MAX} bytes"))
}

pub(super) fn fill_bytes(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text)?;
    match (1..=FILL_BYTES_MAX).contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!("{text}: from 1 to {FILL_BYTES_MAX} bytes")),
    }
}

fn number(text: &str, is_one: impl FnOnce(f64) -> bool, rule: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| is_one(*number));
    number.ok_or_else(|| format!("{text}: {rule} is wanted"))
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "a share from 0 to 1")
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let (least, most) = (RATES.start(), RATES.end());
    let rule = format!("a number of records a second from {least} to {most}");
    number(text, |rate| RATES.contains(&rate), &rule)
}

pub(super) fn confidence(text: &str) -> Result<f64, String> {
    let is_one = |percent: f64| (50.0..100.0).contains(&percent);
    number(text, is_one, "a confidence from 50 up to 100 percent")
}
