//! The records that travel together: filled, then encoded, perhaps numbered anew or divided.
//!
//! Must always hold: a batch that is dropped has an outcome, so nobody waits for it for ever; the
//! room that it takes is given back with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use logboom_client::{ClientError, Produced};
use logboom_protocol::records::{
    BatchBuilder, BatchError, BatchHeader, CheckedBatch, Codec, HeaderRef, Inflater, ProducerState,
    crc32c, layout,
};

use crate::delivery::{Delivery, Outcome, Part};
use crate::memory::Room;
use crate::{ProduceError, Record};

/// Records for a partition.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Its place in the order of the partition; halves of a divided batch share one.
    pub(crate) number: u64,
    pub(crate) created: Instant,
    /// How it is numbered towards the broker, from its first sending on.
    pub(crate) numbers: Option<ProducerState>,
    /// How often it was sent and answered with an error that may pass.
    pub(crate) attempts: u32,
    /// The last such error.
    pub(crate) last_error: Option<ClientError>,
    /// Whether it may be in the log with the numbers that it has: an attempt had no answer, or one
    /// that leaves it open.
    pub(crate) is_unsure: bool,
    /// Whether its last attempt may have left the client.
    pub(crate) is_sent: bool,
    codec: Codec,
    content: Content,
    outcome: Arc<Outcome>,
    /// Its first record's index in the outcome.
    first: i32,
    count: i32,
    room: Room,
}

#[derive(Debug)]
enum Content {
    Open(BatchBuilder),
    /// In pieces, of which the first begins with the whole head.
    Encoded(Vec<Bytes>),
    /// It can't be encoded.
    Broken(BatchError),
}

impl Batch {
    /// - `expected_bytes`: about how large it will be.
    pub(crate) fn new(
        number: u64,
        codec: Codec,
        outcome: Outcome,
        room: Room,
        expected_bytes: usize,
        now: Instant,
    ) -> Self {
        Self {
            number,
            created: now,
            numbers: None,
            attempts: 0,
            last_error: None,
            is_unsure: false,
            is_sent: false,
            codec,
            content: Content::Open(BatchBuilder::new(codec).expecting(expected_bytes)),
            outcome: Arc::new(outcome),
            first: 0,
            count: 0,
            room,
        }
    }

    /// Adds a record, and the room that was taken for it.
    ///
    /// # Errors
    /// The record can't be one of this batch; nothing is added.
    pub(crate) fn append(
        &mut self,
        record: &Record<'_>,
        timestamp: i64,
        room: SemaphorePermit<'_>,
    ) -> Result<Delivery, BatchError> {
        let Content::Open(builder) = &mut self.content else {
            unreachable!("nothing is added to a batch that was closed");
        };
        builder.append(timestamp, record.key, record.value, record.headers)?;
        self.room.add(room, builder.allocated_bytes());
        self.count += 1;
        Ok(Delivery::new(Arc::clone(&self.outcome), self.count - 1))
    }

    /// Bytes of its records and its head, not compressed.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Open(builder) => builder.uncompressed_bytes(),
            Content::Encoded(pieces) => pieces.iter().map(Bytes::len).sum(),
            Content::Broken(_) => 0,
        }
    }

    pub(crate) fn record_count(&self) -> i32 {
        self.count
    }

    pub(crate) fn outcome(&self) -> &Arc<Outcome> {
        &self.outcome
    }

    /// Its records' indices in the outcome: the first, and how many.
    pub(crate) fn range(&self) -> (i32, i32) {
        (self.first, self.count)
    }

    /// No more records are added.
    pub(crate) fn close(&self) {
        self.outcome.seal(self.count);
    }

    /// Its bytes as they are sent, in pieces. What was encoded stays so; only where it was numbered
    /// anew its head is another one.
    ///
    /// # Errors
    /// It can't be encoded, and won't be: a codec that this build leaves out, for example.
    pub(crate) fn encode(&mut self) -> Result<Vec<Bytes>, BatchError> {
        let content = std::mem::replace(&mut self.content, Content::Encoded(Vec::new()));
        let encoded = match content {
            Content::Open(builder) => {
                if self.codec != Codec::None {
                    // The chunks aren't sent.
                    self.room.cover(0);
                }
                match self.numbers {
                    Some(numbers) => builder.producer(numbers).build_pieces(),
                    None => builder.build_pieces(),
                }
            }
            Content::Encoded(pieces) => Ok(renumbered(pieces, self.numbers)),
            Content::Broken(error) => Err(error),
        };
        self.content = match &encoded {
            Ok(pieces) => Content::Encoded(pieces.clone()),
            Err(error) => Content::Broken(*error),
        };
        encoded
    }

    /// Two batches, the records of each half, where the broker takes no batch of this size. They
    /// continue each other's numbers.
    ///
    /// # Errors
    /// Itself, where it has one record or wasn't sent.
    pub(crate) fn divide(mut self) -> Result<[Self; 2], Box<Self>> {
        let Content::Encoded(pieces) = &self.content else { return Err(Box::new(self)) };
        if self.count < 2 {
            return Err(Box::new(self));
        }
        let middle = self.count / 2;
        let Ok(halves) = halves(pieces, self.codec, middle) else { return Err(Box::new(self)) };
        let [left, right] = halves;
        let second = Self {
            number: self.number,
            created: self.created,
            numbers: self.numbers.map(|numbers| ProducerState {
                base_sequence: next_sequence(numbers.base_sequence, middle),
                ..numbers
            }),
            attempts: 0,
            last_error: self.last_error.clone(),
            is_unsure: self.is_unsure,
            is_sent: self.is_sent,
            codec: self.codec,
            content: Content::Open(right),
            outcome: Arc::clone(&self.outcome),
            first: self.first + middle,
            count: self.count - middle,
            room: self.room.split(),
        };
        self.content = Content::Open(left);
        self.count = middle;
        self.attempts = 0;
        Ok([self, second])
    }

    /// It is over. Where a broker names the records that are no good, the others hear that it was
    /// another one.
    pub(crate) fn settle(self, result: Result<Produced, ProduceError>) {
        match &result {
            Err(ProduceError::Cluster(ClientError::RefusedRecords {
                what,
                code,
                message,
                records,
            })) if records.iter().all(|one| (0..self.count).contains(&one.index)) => {
                let bad = records.iter().map(|one| {
                    let message = one.message.clone().or_else(|| message.clone());
                    let error = ClientError::Refused { what: what.clone(), code: *code, message };
                    (one.index, ProduceError::Cluster(error))
                });
                self.outcome.settle_all(self.parts(bad.collect(), what));
            }
            _ => self.outcome.settle(self.first, self.count, result),
        }
    }

    /// Those that are no good, and between them runs of others.
    fn parts(&self, bad: BTreeMap<i32, ProduceError>, what: &str) -> Vec<Part> {
        let (mut parts, mut next) = (Vec::new(), 0);
        let others = |first: i32, end: i32| {
            let error = ProduceError::OtherRefused { what: what.to_owned() };
            Part { first: self.first + first, end: self.first + end, result: Err(error) }
        };
        for (index, error) in bad {
            let (first, end) = (self.first + index, self.first + index + 1);
            parts.extend([others(next, index), Part { first, end, result: Err(error) }]);
            next = index + 1;
        }
        parts.push(others(next, self.count));
        parts
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let is_broken = std::thread::panicking();
        let error = if is_broken { ProduceError::Broken } else { ProduceError::Closed };
        self.outcome.settle(self.first, self.count, Err(error));
    }
}

/// Sequence numbers begin anew behind the greatest (KIP-98).
pub(crate) fn next_sequence(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

/// The batch with these numbers in its head; its records are the same bytes.
fn renumbered(mut pieces: Vec<Bytes>, numbers: Option<ProducerState>) -> Vec<Bytes> {
    let Some(numbers) = numbers else { return pieces };
    let first = pieces.first().and_then(|first| first.first_chunk());
    let Some(header) = first.map(BatchHeader::from_bytes) else { return pieces };
    let is = (header.producer_id, header.producer_epoch, header.base_sequence);
    if is == (numbers.id, numbers.epoch, numbers.base_sequence) {
        return pieces;
    }
    let mut header = BatchHeader {
        producer_id: numbers.id,
        producer_epoch: numbers.epoch,
        base_sequence: numbers.base_sequence,
        ..header
    };
    pieces[0].advance(layout::RECORDS_AT);
    let head = header.to_bytes();
    let checked =
        [&head[layout::ATTRIBUTES_AT..]].into_iter().chain(pieces.iter().map(|one| &**one));
    header.crc = crc32c(&checked.collect::<Vec<_>>());
    let head = Bytes::copy_from_slice(&header.to_bytes());
    if pieces[0].is_empty() {
        pieces[0] = head;
    } else {
        pieces.insert(0, head);
    }
    pieces
}

/// The records of an encoded batch as two: those before the place `middle`, and the others.
fn halves(pieces: &[Bytes], codec: Codec, middle: i32) -> Result<[BatchBuilder; 2], BatchError> {
    let batch = CheckedBatch::check(pieces.concat().into())?;
    let mut inflater = Inflater::new(usize::MAX);
    let records = batch.records(&mut inflater)?;
    let mut halves = [BatchBuilder::new(codec), BatchBuilder::new(codec)];
    for (place, record) in (0..).zip(records.iter()) {
        let record = record?;
        // They were strings when they were put in.
        let key = |key| str::from_utf8(key).unwrap_or_default();
        let headers = record.headers.iter();
        let headers: Vec<HeaderRef<'_>> =
            headers.map(|one| HeaderRef { key: key(one.key), value: one.value }).collect();
        let half = usize::from(place >= middle);
        halves[half].append(record.timestamp, record.key, record.value, &headers)?;
    }
    Ok(halves)
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::ProducedBatch;

    use super::*;
    use crate::memory::Memory;

    /// A batch of values of these lengths.
    fn batch(lengths: &[usize]) -> Batch {
        let memory = Memory::new(1 << 20);
        let outcome = Outcome::new("t".into(), 0);
        let mut batch = Batch::new(0, Codec::None, outcome, Room::of(&memory), 0, Instant::now());
        for &length in lengths {
            let value = vec![b'x'; length];
            let record = Record::to("t").value(&value);
            let room = memory.try_take(1).unwrap();
            drop(batch.append(&record, 7, room).unwrap());
        }
        batch
    }

    fn numbers(base_sequence: i32) -> Option<ProducerState> {
        Some(ProducerState { id: 9, epoch: 1, base_sequence, transactional: false })
    }

    /// Where the records lie that a batch sends.
    fn places(pieces: &[Bytes]) -> Vec<*const u8> {
        let ends = pieces.iter().map(|piece| piece.as_ptr_range().end);
        ends.skip(usize::from(pieces[0].len() == layout::HEADER_BYTES)).collect()
    }

    #[tokio::test]
    async fn what_is_sent_again_or_numbered_anew_is_the_same_bytes() {
        for lengths in [&[10][..], &[500, 600, 40, 9_000]] {
            let mut batch = batch(lengths);
            batch.numbers = numbers(0);
            let first = batch.encode().unwrap();
            let places_before = places(&first);
            assert_eq!(places(&batch.encode().unwrap()), places_before);
            for sequence in [5, 6, 70] {
                batch.numbers = numbers(sequence);
                let anew = batch.encode().unwrap();
                assert_eq!(places(&anew), places_before, "records were copied");
                assert_eq!(anew.len(), places_before.len() + 1);
                let whole: Bytes = anew.concat().into();
                let checked = ProducedBatch::check(whole, &mut Inflater::default()).unwrap();
                assert_eq!(checked.header().base_sequence, sequence);
            }
        }
    }
}
