//! What is handed out: records that are one's own, and batches that lend theirs.

use std::slice;
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{
    BatchError, Record as RecordRef, RecordIter, Records, TimestampType,
};

use crate::haul::Part;
use crate::{ConsumerError, TopicPartition};

/// When a record is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// Its producer says so; milliseconds since 1970.
    Created(i64),
    /// The broker has stamped it so; milliseconds since 1970.
    Appended(i64),
    /// Nobody says.
    None,
}

impl Timestamp {
    fn new(kind: TimestampType, millis: i64) -> Self {
        match kind {
            _ if millis < 0 => Self::None,
            TimestampType::CreateTime => Self::Created(millis),
            TimestampType::LogAppendTime => Self::Appended(millis),
        }
    }

    /// Milliseconds since 1970, whoever says so.
    #[must_use]
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::Created(millis) | Self::Appended(millis) => Some(millis),
            Self::None => None,
        }
    }
}

/// A header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// UTF-8 by agreement; any bytes in fact.
    pub key: Bytes,
    /// `None` is null and differs from empty.
    pub value: Option<Bytes>,
}

/// A record of one's own. Key, value and headers are parts of what was fetched, which lives as long
/// as any of them: who keeps few records for long copies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// In which leader epoch it was written, where that is known.
    pub leader_epoch: Option<i32>,
    /// When it is from.
    pub timestamp: Timestamp,
    /// `None` is null and differs from empty.
    pub key: Option<Bytes>,
    /// `None` is null and differs from empty.
    pub value: Option<Bytes>,
    /// In the order of the producer; a key may occur twice.
    pub headers: Vec<Header>,
}

impl Record {
    pub(crate) fn new(place: &TopicPartition, lent: &RecordRef<'_>, part: &Part) -> Self {
        let bytes = part.records.bytes();
        let own = |slice: &[u8]| bytes.slice_ref(slice);
        let headers = lent.headers.iter();
        Self {
            topic: Arc::clone(&place.topic),
            partition: place.partition,
            offset: lent.offset,
            leader_epoch: (part.leader_epoch >= 0).then_some(part.leader_epoch),
            timestamp: Timestamp::new(part.records.timestamp_type(), lent.timestamp),
            key: lent.key.map(own),
            value: lent.value.map(own),
            headers: headers
                .map(|header| Header { key: own(header.key), value: header.value.map(own) })
                .collect(),
        }
    }

    /// The partition that it is from.
    #[must_use]
    pub fn place(&self) -> TopicPartition {
        TopicPartition { topic: Arc::clone(&self.topic), partition: self.partition }
    }
}

/// Records of one partition, in their order, at least one batch of them. It lends them from what
/// was fetched: nothing is copied and nothing allocated for a record.
#[derive(Debug, Clone)]
pub struct RecordBatch {
    place: TopicPartition,
    /// Invariant: not empty.
    parts: Vec<Part>,
}

impl RecordBatch {
    pub(crate) fn new(place: TopicPartition, parts: Vec<Part>) -> Self {
        Self { place, parts }
    }

    /// The partition that they are from.
    #[must_use]
    pub fn place(&self) -> &TopicPartition {
        &self.place
    }

    /// The offset behind the last record; what a group commits that has read them.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.parts.last().map_or(0, |part| part.end)
    }

    /// The records, lent.
    ///
    /// An item is [`ConsumerError::Damaged`] where a broker has sent what is no record, although
    /// its checksum is right. The iterator goes on behind the batch that it is in, and so does the
    /// consumer: who seeks there is given later batches twice.
    #[must_use]
    pub fn records(&self) -> BatchRecords<'_> {
        let mut parts = self.parts.iter();
        let Some(part) = parts.next() else { unreachable!("a batch has a part") };
        let (open, from, end) = (part.records.iter(), part.from, part.end);
        BatchRecords { place: &self.place, parts, open, from, end, next: from }
    }

    /// How many records there are at most; fewer where the first ones aren't wanted.
    #[must_use]
    pub fn count_max(&self) -> usize {
        self.parts.iter().map(|part| count(&part.records)).sum()
    }

    /// What the first records are lent from, for who wants to keep a part of them by
    /// [`Bytes::slice_ref`].
    pub fn bytes(&self) -> impl Iterator<Item = &Bytes> {
        self.parts.iter().map(|part| part.records.bytes())
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = Result<RecordRef<'a>, ConsumerError>;
    type IntoIter = BatchRecords<'a>;

    fn into_iter(self) -> BatchRecords<'a> {
        self.records()
    }
}

pub(crate) fn count(records: &Records) -> usize {
    usize::try_from(records.count()).unwrap_or_default()
}

/// Iterator over lent records; see [`RecordBatch::records`].
pub struct BatchRecords<'a> {
    place: &'a TopicPartition,
    parts: slice::Iter<'a, Part>,
    open: RecordIter<'a>,
    from: i64,
    /// Behind the batch that is open.
    end: i64,
    /// Behind the record that was lent last.
    next: i64,
}

impl BatchRecords<'_> {
    #[cold]
    fn damaged(&self, error: BatchError) -> ConsumerError {
        let (partition, offset) = (self.place.clone(), self.from.max(self.next));
        let next = Some(self.end).filter(|next| *next > offset);
        ConsumerError::Damaged { partition, offset, next, error }
    }
}

impl<'a> Iterator for BatchRecords<'a> {
    type Item = Result<RecordRef<'a>, ConsumerError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.open.next() {
                Some(Ok(record)) if record.offset >= self.from => {
                    self.next = record.offset.saturating_add(1);
                    return Some(Ok(record));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(Err(self.damaged(error))),
                None => {
                    let part = self.parts.next()?;
                    (self.open, self.from, self.end) = (part.records.iter(), part.from, part.end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{BatchBuilder, Codec, HeaderRef, Inflater};

    use super::*;
    use crate::haul::{Aborted, Haul};

    fn batch() -> RecordBatch {
        let mut builder = BatchBuilder::new(Codec::None);
        let header = HeaderRef { key: "h", value: None };
        builder.append(5, Some(b"k"), Some(b"v"), &[header]).unwrap();
        builder.append(-1, None, None, &[]).unwrap();
        let mut haul = Haul::new(builder.build().unwrap(), 0, Aborted::default(), true);
        let part = haul.next_part(&mut Inflater::new(1 << 10)).unwrap().unwrap();
        let next = Part { from: 1, ..part.clone() };
        RecordBatch::new(TopicPartition::new("t", 1), vec![part, next])
    }

    #[test]
    fn a_batch_lends_the_records_that_are_wanted_of_each_part() {
        let batch = batch();
        let offsets: Vec<i64> = batch.records().map(|record| record.unwrap().offset).collect();
        assert_eq!(offsets, [0, 1, 1]);
        assert_eq!((batch.next_offset(), batch.count_max()), (2, 4));
    }

    #[test]
    fn what_is_no_record_is_named_by_the_offset_behind_the_last_one_and_the_rest_is_lent() {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..3 {
            builder.append(5, None, Some(b"v"), &[]).unwrap();
        }
        let good = builder.build().unwrap();
        let mut bytes = good.to_vec();
        // How many headers the last record has, of which there are none.
        *bytes.last_mut().unwrap() = 2;
        let next = bytes.len();
        bytes.extend_from_slice(&good);
        bytes[next..next + 8].copy_from_slice(&3_i64.to_be_bytes());
        let mut haul = Haul::new(bytes.into(), 0, Aborted::default(), false);
        let mut inflater = Inflater::new(1 << 10);
        let mut part = || haul.next_part(&mut inflater).unwrap().unwrap();
        let batch = RecordBatch::new(TopicPartition::new("t", 1), vec![part(), part()]);
        let error = batch.records().find_map(Result::err);
        let Some(ConsumerError::Damaged { offset, next, .. }) = error else { panic!("{error:?}") };
        assert_eq!((offset, next), (2, Some(3)));
        let offsets = batch.records().filter_map(Result::ok).map(|record| record.offset);
        assert_eq!(offsets.collect::<Vec<_>>(), [0, 1, 3, 4, 5]);
    }

    #[test]
    fn a_record_of_ones_own_is_what_was_lent() {
        let batch = batch();
        let lent: Vec<_> = batch.records().map(Result::unwrap).collect();
        let own: Vec<Record> =
            lent.iter().map(|lent| Record::new(batch.place(), lent, &batch.parts[0])).collect();
        assert_eq!(own[0].key.as_deref(), Some(&b"k"[..]));
        assert_eq!(own[0].value.as_deref(), Some(&b"v"[..]));
        assert_eq!(own[0].headers, [Header { key: Bytes::from_static(b"h"), value: None }]);
        assert_eq!(own[0].timestamp.millis(), Some(5));
        assert_eq!((own[1].key.as_ref(), own[1].timestamp), (None, Timestamp::None));
        let memory = batch.parts[0].records.bytes().as_ptr_range();
        assert!(memory.contains(&own[0].value.as_ref().unwrap().as_ptr()), "it is not copied");
    }
}
