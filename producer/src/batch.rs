//! The records that travel together: filled, then encoded, perhaps numbered anew or divided.
//!
//! Must always hold: a batch that is dropped has an outcome, so nobody waits for it for ever; the
//! room that it takes is given back with it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use logboom_client::{ClientError, Produced};
use logboom_protocol::records::{
    BatchBuilder, BatchError, BatchHeader, CheckedBatch, Codec, HeaderRef, Inflater, ProducerState,
    RawBatch, crc32c, layout,
};

use crate::delivery::{Delivery, Outcome};
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
    codec: Codec,
    content: Content,
    outcome: Arc<Outcome>,
    /// Its first record's index in the outcome.
    first: i32,
    count: i32,
    room: Room,
}

/// Bytes of `buffer.memory` that are given back in the end.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Arc<Semaphore>,
    bytes: usize,
}

impl Room {
    /// None yet.
    pub(crate) fn of(memory: &Arc<Semaphore>) -> Self {
        Self { memory: Arc::clone(memory), bytes: 0 }
    }

    fn add(&mut self, taken: SemaphorePermit<'_>) {
        self.bytes += taken.num_permits();
        taken.forget();
    }

    /// Takes a half of it away.
    fn split(&mut self) -> Self {
        let half = self.bytes / 2;
        self.bytes -= half;
        Self { memory: Arc::clone(&self.memory), bytes: half }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.memory.add_permits(self.bytes);
    }
}

#[derive(Debug)]
enum Content {
    Open(BatchBuilder),
    Encoded(Bytes),
    /// It can't be encoded.
    Broken(BatchError),
}

impl Batch {
    pub(crate) fn new(
        number: u64,
        codec: Codec,
        outcome: Outcome,
        room: Room,
        now: Instant,
    ) -> Self {
        Self {
            number,
            created: now,
            numbers: None,
            attempts: 0,
            last_error: None,
            codec,
            content: Content::Open(BatchBuilder::new(codec)),
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
        self.room.add(room);
        self.count += 1;
        Ok(Delivery::new(Arc::clone(&self.outcome), self.count - 1))
    }

    /// Bytes of its records and its head, not compressed.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Open(builder) => builder.uncompressed_bytes(),
            Content::Encoded(bytes) => bytes.len(),
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

    /// Its bytes as they are sent. What was encoded stays so; only where it was numbered anew its
    /// head is another one.
    ///
    /// # Errors
    /// It can't be encoded, and won't be: a codec that this build leaves out, for example.
    pub(crate) fn encode(&mut self) -> Result<Bytes, BatchError> {
        let content = std::mem::replace(&mut self.content, Content::Encoded(Bytes::new()));
        let encoded = match content {
            Content::Open(builder) => match self.numbers {
                Some(numbers) => builder.producer(numbers).build(),
                None => builder.build(),
            },
            Content::Encoded(bytes) => Ok(renumbered(bytes, self.numbers)),
            Content::Broken(error) => Err(error),
        };
        self.content = match &encoded {
            Ok(bytes) => Content::Encoded(bytes.clone()),
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
        let Content::Encoded(bytes) = &self.content else { return Err(Box::new(self)) };
        if self.count < 2 {
            return Err(Box::new(self));
        }
        let middle = self.count / 2;
        let Ok(halves) = halves(bytes, self.codec, middle) else { return Err(Box::new(self)) };
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

    /// It is over.
    pub(crate) fn settle(self, result: Result<Produced, ProduceError>) {
        self.outcome.settle(self.first, self.count, result);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.outcome.settle(self.first, self.count, Err(ProduceError::Closed));
    }
}

/// Sequence numbers begin anew behind the greatest (KIP-98).
pub(crate) fn next_sequence(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

/// The batch with these numbers in its head.
fn renumbered(bytes: Bytes, numbers: Option<ProducerState>) -> Bytes {
    let Some(numbers) = numbers else { return bytes };
    let Ok((raw, _)) = RawBatch::split_first(&bytes) else { return bytes };
    let header = raw.header();
    let is = (header.producer_id, header.producer_epoch, header.base_sequence);
    if is == (numbers.id, numbers.epoch, numbers.base_sequence) {
        return bytes;
    }
    let mut header = BatchHeader {
        producer_id: numbers.id,
        producer_epoch: numbers.epoch,
        base_sequence: numbers.base_sequence,
        ..*header
    };
    let records = &bytes[layout::RECORDS_AT..];
    header.crc = crc32c(&[&header.to_bytes()[layout::ATTRIBUTES_AT..], records]);
    let mut out = BytesMut::with_capacity(bytes.len());
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(records);
    out.freeze()
}

/// The records of an encoded batch as two: those before the place `middle`, and the others.
fn halves(bytes: &Bytes, codec: Codec, middle: i32) -> Result<[BatchBuilder; 2], BatchError> {
    let batch = CheckedBatch::check(bytes.clone())?;
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
