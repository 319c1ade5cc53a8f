//! Records as an application sees them, lent from the bytes of their batch.
//!
//! Must always hold: nothing is copied and nothing is allocated for a record.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::source::SliceSource;
use super::walk::{self, Broken};
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
        RecordIter::over(&self.bytes, &self.header)
    }
}

/// Where in the records of a batch a reader is, who comes back for the next one.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordCursor {
    /// Bytes behind which the next record begins.
    position: usize,
    index: i32,
    floor: i32,
}

impl RecordCursor {
    /// How many records lie before it.
    #[must_use]
    pub fn taken(&self) -> i32 {
        self.index
    }
}

impl Records {
    /// The record at a cursor, which goes on behind it; as [`Records::iter`] for who can't hold an
    /// iterator.
    #[inline]
    pub fn next_at(&self, cursor: &mut RecordCursor) -> Option<Result<Record<'_>, BatchError>> {
        let rest = self.bytes.get(cursor.position..).unwrap_or_default();
        let source = SliceSource::new(rest);
        let RecordCursor { index, floor, .. } = *cursor;
        let mut iter = RecordIter { source, header: &self.header, index, floor };
        let record = iter.next();
        let position = self.bytes.len().saturating_sub(iter.source.rest.len());
        *cursor = RecordCursor { position, index: iter.index, floor: iter.floor };
        record
    }

    /// How many records the header of the batch promises.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.header.record_count
    }

    /// Where the timestamps come from.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        self.header.attributes.timestamp_type()
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
        (0..self.count).map_while(move |_| {
            let (key, value) = walk::header(&mut source).ok()?;
            Some(Header { key, value })
        })
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
    /// The records in `bytes`, which are not compressed.
    pub(super) fn over(bytes: &'a [u8], header: &'a BatchHeader) -> Self {
        Self { source: SliceSource::new(bytes), header, index: 0, floor: 0 }
    }

    /// Bytes behind the records that were taken.
    pub(super) fn rest_bytes(&self) -> usize {
        self.source.rest.len()
    }

    fn read(&mut self) -> Result<Record<'a>, Broken> {
        let fields = walk::read(&mut self.source)?;
        let delta = fields.offset_delta;
        if delta < self.floor || delta > self.header.last_offset_delta {
            return Err(Broken::Format("its offset is out of order"));
        }
        self.floor = delta.saturating_add(1);
        let offset = self.header.base_offset.checked_add(i64::from(delta));
        let timestamp = match self.header.attributes.timestamp_type() {
            TimestampType::LogAppendTime => Some(self.header.max_timestamp),
            TimestampType::CreateTime => {
                self.header.base_timestamp.checked_add(fields.timestamp_delta)
            }
        };
        Ok(Record {
            offset: offset.ok_or(Broken::Format("its offset overflows"))?,
            timestamp: timestamp.ok_or(Broken::Format("its timestamp overflows"))?,
            key: fields.key,
            value: fields.value,
            headers: Headers { count: fields.header_count, bytes: fields.headers },
        })
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
