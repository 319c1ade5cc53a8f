//! Records as an application sees them, lent from the bytes of their batch.
//!
//! Must always hold: nothing is copied and nothing is allocated for a record.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::source::{SliceSource, Source as _};
use super::walk::{Broken, length, nullable_length};
use super::{BatchError, BatchHeader, TimestampType};

/// The inflated records of one batch.
#[derive(Debug, Clone)]
pub struct Records {
    bytes: Bytes,
    header: BatchHeader,
}

impl Records {
    pub(super) fn new(bytes: Bytes, header: &BatchHeader) -> Self {
        Self { bytes, header: *header }
    }

    /// The bytes that the records are lent from; `slice_ref` makes a part of them one's own.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The records in order. After the first error the iterator ends.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter {
            source: SliceSource::new(&self.bytes),
            header: &self.header,
            index: 0,
            floor: 0,
        }
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, BatchError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// A record, lent from its batch.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Its offset, of which the next record's is greater.
    pub offset: i64,
    /// Milliseconds; the batch's greatest where the broker stamps them.
    pub timestamp: i64,
    /// `None` is null and differs from empty.
    pub key: Option<&'a [u8]>,
    /// `None` is null and differs from empty.
    pub value: Option<&'a [u8]>,
    /// In the order of the producer; a key may occur twice.
    pub headers: Headers<'a>,
}

/// The headers of a record.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut source = SliceSource::new(self.bytes);
        // They were walked over when the record was read, so every one is there.
        (0..self.count).map_while(move |_| header(&mut source).ok())
    }
}

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by agreement; any bytes in fact.
    pub key: &'a [u8],
    /// `None` is null and differs from empty.
    pub value: Option<&'a [u8]>,
}

/// Iterator over the records of a batch; see [`Records::iter`].
pub struct RecordIter<'a> {
    source: SliceSource<'a>,
    header: &'a BatchHeader,
    index: i32,
    /// The least offset delta that the next record may have.
    floor: i32,
}

impl<'a> RecordIter<'a> {
    fn read(&mut self) -> Result<Record<'a>, Broken> {
        let bytes = length(&mut self.source, "a negative length")?;
        let mut source = SliceSource::new(self.source.take(bytes)?);
        let _attributes = source.byte()?;
        let timestamp_delta = source.varlong()?;
        let offset_delta = source.varint()?;
        if offset_delta < self.floor || offset_delta > self.header.last_offset_delta {
            return Err(Broken::Format("its offset is out of order"));
        }
        self.floor = offset_delta.saturating_add(1);
        let key = nullable(&mut source)?;
        let value = nullable(&mut source)?;
        let count = length(&mut source, "a negative number of headers")?;
        let headers = Headers { count, bytes: source.rest };
        for _ in 0..count {
            header(&mut source)?;
        }
        if !source.rest.is_empty() {
            return Err(Broken::LENGTH);
        }
        let timestamp = match self.header.attributes.timestamp_type() {
            TimestampType::LogAppendTime => self.header.max_timestamp,
            TimestampType::CreateTime => self
                .header
                .base_timestamp
                .checked_add(timestamp_delta)
                .ok_or(Broken::Format("its timestamp overflows"))?,
        };
        let offset = self.header.base_offset.checked_add(i64::from(offset_delta));
        let offset = offset.ok_or(Broken::Format("its offset overflows"))?;
        Ok(Record { offset, timestamp, key, value, headers })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.header.record_count {
            let trailing = !std::mem::take(&mut self.source.rest).is_empty();
            return trailing.then_some(Err(BatchError::Trailing));
        }
        let result = self.read().map_err(|broken| broken.at(self.index, &self.source));
        if result.is_ok() {
            self.index = self.index.saturating_add(1);
        } else {
            self.index = self.header.record_count;
            self.source.rest = &[];
        }
        Some(result)
    }
}

fn nullable<'a>(source: &mut SliceSource<'a>) -> Result<Option<&'a [u8]>, Broken> {
    nullable_length(source)?.map(|length| source.take(length)).transpose().map_err(Broken::from)
}

fn header<'a>(source: &mut SliceSource<'a>) -> Result<Header<'a>, Broken> {
    let key = length(source, "a header without a key")?;
    let key = source.take(key)?;
    Ok(Header { key, value: nullable(source)? })
}
