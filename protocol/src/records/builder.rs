//! Making batches: for producers, for coordinators, and for tests.
//!
//! Must always hold: what is built passes [`super::ProducedBatch::check`], control batches apart.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Attributes, BatchError, BatchHeader, Codec, crc32c, layout as at};
use crate::wire::{uvarint_size, zigzag};

/// A header to append: key and value, of which only the value may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderRef<'a> {
    /// UTF-8 by agreement.
    pub key: &'a str,
    /// `None` is null.
    pub value: Option<&'a [u8]>,
}

/// Who sends a batch, for a producer that is idempotent (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    /// Handed out by InitProducerId, at least 0.
    pub id: i64,
    /// Handed out by InitProducerId, at least 0.
    pub epoch: i16,
    /// The number of the batch's first record; −1 for control batches.
    pub base_sequence: i32,
    /// Whether the batch is part of the producer's transaction.
    pub transactional: bool,
}

/// Collects records and makes one batch of them.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    codec: Codec,
    control: bool,
    producer: Option<ProducerState>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    /// The header's place, then the records, not compressed.
    buffer: BytesMut,
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            control: false,
            producer: None,
            base_timestamp: -1,
            max_timestamp: -1,
            count: 0,
            buffer: BytesMut::zeroed(at::HEADER_BYTES),
        }
    }

    /// Names the idempotent producer.
    #[must_use]
    pub fn producer(mut self, producer: ProducerState) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Makes it a control batch, which is for brokers alone.
    pub(super) fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// How many records were appended.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Bytes of the batch if it were not compressed.
    #[must_use]
    pub fn uncompressed_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Appends a record; its offset follows that of the one before.
    ///
    /// - `timestamp`: milliseconds.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] where a part of it, or the batch, would reach 2 GiB, and
    /// [`BatchError::Timestamp`] where its timestamp is too far from the first one's. Nothing is
    /// appended then.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[HeaderRef<'_>],
    ) -> Result<(), BatchError> {
        let base = if self.count == 0 { timestamp } else { self.base_timestamp };
        let overflow = BatchError::Timestamp { base, delta: timestamp };
        let timestamp_delta = timestamp.checked_sub(base).ok_or(overflow)?;
        let header_bytes: usize =
            headers.iter().map(|h| bytes_size(Some(h.key.as_bytes())) + bytes_size(h.value)).sum();
        let body_bytes = 1
            + varint_size(timestamp_delta)
            + varint_size(self.count.into())
            + bytes_size(key)
            + bytes_size(value)
            + varint_size(length(headers.len())?)
            + header_bytes;
        // Every part is within the whole, so one look is enough.
        length(self.buffer.len() + body_bytes + varint_size(i64::MAX))?;
        self.base_timestamp = base;
        self.max_timestamp =
            if self.count == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        self.varint(length(body_bytes)?);
        self.buffer.put_u8(0);
        self.varint(timestamp_delta);
        self.varint(self.count.into());
        self.bytes(key)?;
        self.bytes(value)?;
        self.varint(length(headers.len())?);
        for header in headers {
            self.bytes(Some(header.key.as_bytes()))?;
            self.bytes(header.value)?;
        }
        self.count += 1;
        Ok(())
    }

    /// The batch, with base offset 0 and no leader epoch, as a producer sends it.
    ///
    /// # Errors
    /// [`BatchError::Codec`] for a codec that this build leaves out, [`BatchError::Count`] for a
    /// batch without records.
    pub fn build(mut self) -> Result<Bytes, BatchError> {
        if self.count == 0 {
            return Err(BatchError::Count { count: 0, last_offset_delta: -1 });
        }
        if self.codec != Codec::None {
            let compressed = self.codec.compress(&self.buffer[at::RECORDS_AT..])?;
            // A buffer of the right size: the batch may be queued for long.
            self.buffer = BytesMut::with_capacity(at::HEADER_BYTES + compressed.len());
            self.buffer.resize(at::HEADER_BYTES, 0);
            self.buffer.put_slice(&compressed);
        }
        let too_large = |_| BatchError::TooLarge;
        let bytes = i32::try_from(self.buffer.len() - at::LENGTH_OVERHEAD).map_err(too_large)?;
        let nobody = ProducerState { id: -1, epoch: -1, base_sequence: -1, transactional: false };
        let producer = self.producer.unwrap_or(nobody);
        let codec = self.codec.number();
        let mut header = BatchHeader {
            base_offset: 0,
            length: bytes,
            leader_epoch: -1,
            magic: at::MAGIC,
            crc: 0,
            attributes: Attributes::new(codec, producer.transactional, self.control),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence: producer.base_sequence,
            record_count: self.count,
        };
        self.buffer[..at::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        header.crc = crc32c(&[&self.buffer[at::ATTRIBUTES_AT..]]);
        self.buffer[..at::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        Ok(self.buffer.freeze())
    }

    fn varint(&mut self, value: i64) {
        let mut value = zigzag(value);
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8((value & 0x7f) as u8);
    }

    fn bytes(&mut self, value: Option<&[u8]>) -> Result<(), BatchError> {
        match value {
            None => self.varint(-1),
            Some(bytes) => {
                self.varint(length(bytes.len())?);
                self.buffer.put_slice(bytes);
            }
        }
        Ok(())
    }
}

/// A length as the format has it.
fn length(bytes: usize) -> Result<i64, BatchError> {
    i32::try_from(bytes).map(i64::from).map_err(|_| BatchError::TooLarge)
}

fn varint_size(value: i64) -> usize {
    uvarint_size(zigzag(value))
}

fn bytes_size(value: Option<&[u8]>) -> usize {
    // A length is at most ten bytes; one that is too large is refused where it is written.
    value.map_or(1, |bytes| uvarint_size(2 * bytes.len() as u64) + bytes.len())
}
