//! The walk over the records of a batch that proves them well-formed.
//!
//! | field of a record | encoding |
//! | --- | --- |
//! | length of the rest | varint |
//! | attributes | `i8`, unused |
//! | timestamp − base timestamp | varlong |
//! | offset − base offset | varint |
//! | key: length or −1, bytes | varint |
//! | value: length or −1, bytes | varint |
//! | headers: count, then key length, key, value length or −1, value | varints |
//!
//! Must always hold: a walk that succeeds has seen `record_count` records, each ending exactly
//! where its length says, and no byte behind the last.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::source::{Source, Stop};
use super::{BatchError, BatchHeader};

/// What a walk over all records of a batch learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSummary {
    /// The greatest timestamp, milliseconds.
    pub max_timestamp: i64,
    /// The least timestamp, milliseconds.
    pub min_timestamp: i64,
    /// The offset delta of the first record that has the greatest timestamp.
    pub max_timestamp_offset_delta: i32,
    /// The place in the batch of the first record whose key is null.
    pub first_without_key: Option<i32>,
    /// Bytes of the records, inflated.
    pub bytes: usize,
}

/// Walks over the records of a batch as a producer sends it: offset deltas count from 0.
///
/// Marked inline so that the slice variant, the hot path, is compiled for its caller.
#[inline]
pub(super) fn walk<S: Source>(
    source: &mut S,
    header: &BatchHeader,
) -> Result<RecordSummary, BatchError> {
    let mut max_delta = i64::MIN;
    let mut min_delta = i64::MAX;
    let mut max_at = 0;
    let mut first_without_key = None;
    for index in 0..header.record_count {
        let record = match read(source) {
            Ok(record) => record,
            Err(broken) => return Err(broken.at(index, source)),
        };
        if record.offset_delta != index {
            return Err(BatchError::Record { index, reason: "offsets must count from 0" });
        }
        if record.timestamp_delta > max_delta {
            max_delta = record.timestamp_delta;
            max_at = index;
        }
        min_delta = min_delta.min(record.timestamp_delta);
        if record.key.is_none() && first_without_key.is_none() {
            first_without_key = Some(index);
        }
    }
    match source.is_at_end() {
        Ok(true) => {}
        Ok(false) => return Err(BatchError::Trailing),
        Err(stop) => return Err(source.error(stop, header.record_count)),
    }
    let timestamp = |delta: i64| {
        let base = header.base_timestamp;
        base.checked_add(delta).ok_or(BatchError::Timestamp { base, delta })
    };
    Ok(RecordSummary {
        max_timestamp: timestamp(max_delta)?,
        min_timestamp: timestamp(min_delta)?,
        max_timestamp_offset_delta: max_at,
        first_without_key,
        bytes: source.position(),
    })
}

/// The fields of a record; `R` is what its source gives for a run of bytes.
pub(super) struct Fields<R> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<R>,
    pub(super) value: Option<R>,
    pub(super) header_count: usize,
    pub(super) headers: R,
}

/// What breaks a record; its place is added by the caller.
pub(super) enum Broken {
    Stopped(Stop),
    Format(&'static str),
}

impl From<Stop> for Broken {
    #[inline]
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl Broken {
    /// The fields of a record end before or behind its end.
    pub(super) const LENGTH: Self = Self::Format("its length is not that of its fields");

    #[cold]
    pub(super) fn at(self, index: i32, source: &impl Source) -> BatchError {
        match self {
            Self::Format(reason) => BatchError::Record { index, reason },
            Self::Stopped(stop) => source.error(stop, index),
        }
    }
}

/// Reads a record whole.
#[inline(always)]
pub(super) fn read<S: Source>(source: &mut S) -> Result<Fields<S::Run>, Broken> {
    let bytes = length(source, "a negative length")?;
    source.record(bytes, |source| {
        let _attributes = source.byte()?;
        let timestamp_delta = source.varlong()?;
        let offset_delta = source.varint()?;
        let key = nullable(source)?;
        let value = nullable(source)?;
        let header_count = length(source, "a negative number of headers")?;
        let headers = source.rest();
        if header_count > 0 {
            skip_headers(source, header_count)?;
        }
        Ok(Fields { timestamp_delta, offset_delta, key, value, header_count, headers })
    })
}

#[inline(never)]
fn skip_headers<S: Source>(source: &mut S, count: usize) -> Result<(), Broken> {
    // Each header takes at least two bytes, so the bytes bound the loop whatever the count says.
    (0..count).try_for_each(|_| header(source).map(drop))
}

/// The key and the value of a header.
#[inline]
pub(super) fn header<S: Source>(source: &mut S) -> Result<(S::Run, Option<S::Run>), Broken> {
    let key = length(source, "a header without a key")?;
    Ok((source.run(key)?, nullable(source)?))
}

/// A length that may not be null.
#[inline(always)]
fn length<S: Source>(source: &mut S, negative: &'static str) -> Result<usize, Broken> {
    usize::try_from(source.varint()?).map_err(|_| Broken::Format(negative))
}

/// A length and so many bytes; −1 is null.
#[inline(always)]
fn nullable<S: Source>(source: &mut S) -> Result<Option<S::Run>, Broken> {
    let length = source.varint()?;
    match usize::try_from(length) {
        Ok(length) => Ok(Some(source.run(length)?)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(Broken::Format("a length below -1")),
    }
}
