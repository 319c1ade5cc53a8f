//! Making batches: for producers, for coordinators, and for tests.
//!
//! Must always hold: what is built passes [`super::ProducedBatch::check`], control batches apart.
//!
//! Must always hold: a record is written once. The batch grows by chunks beside those that it has,
//! none of which is made anew or moved.

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
    /// Bytes of the header and the records, not compressed.
    bytes: usize,
    /// What the caller takes for the size of the batch.
    expected_bytes: usize,
    /// Chunks without room for what came next. The first one begins with the header's place; each
    /// holds whole records.
    full: Vec<BytesMut>,
    /// The last chunk; without capacity before the first record.
    chunk: BytesMut,
    /// Bytes of all chunks.
    allocated_bytes: usize,
}

/// Bytes of the second chunk, unless its first record needs more. Those behind it double the batch.
const CHUNK_BYTES_MIN: usize = 256;
/// Bytes of a chunk, unless one record needs more.
const CHUNK_BYTES_MAX: usize = 64 << 10;

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
            bytes: at::HEADER_BYTES,
            expected_bytes: 0,
            full: Vec::new(),
            chunk: BytesMut::new(),
            allocated_bytes: 0,
        }
    }

    /// Sets aside so many bytes with the first record, within the limit of a chunk: for who knows
    /// about how large the batch will be.
    #[must_use]
    pub fn expecting(mut self, bytes: usize) -> Self {
        self.expected_bytes = bytes.min(CHUNK_BYTES_MAX);
        self
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
        self.bytes
    }

    /// Bytes that the records' chunks take, what they leave empty included.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.allocated_bytes
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
        length(self.bytes + body_bytes + varint_size(i64::MAX))?;
        self.base_timestamp = base;
        self.max_timestamp =
            if self.count == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        let body = length(body_bytes)?;
        let record_bytes = varint_size(body) + body_bytes;
        if self.chunk.capacity() - self.chunk.len() < record_bytes {
            self.begin_chunk(record_bytes);
        }
        self.bytes += record_bytes;
        self.varint(body);
        self.chunk.put_u8(0);
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

    /// Makes room for a record; what was written stays where it is.
    fn begin_chunk(&mut self, record_bytes: usize) {
        if self.count == 0 {
            let bytes = self.expected_bytes.max(at::HEADER_BYTES + record_bytes);
            self.chunk = BytesMut::with_capacity(bytes);
            self.chunk.put_bytes(0, at::HEADER_BYTES);
        } else {
            let bytes = self.bytes.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX).max(record_bytes);
            let chunk = BytesMut::with_capacity(bytes);
            self.full.push(std::mem::replace(&mut self.chunk, chunk));
        }
        self.allocated_bytes += self.chunk.capacity();
    }

    /// The batch in one piece, with base offset 0 and no leader epoch, as a producer sends it. One
    /// of several chunks is copied.
    ///
    /// # Errors
    /// As [`Self::build_pieces`].
    pub fn build(self) -> Result<Bytes, BatchError> {
        let mut pieces = self.build_pieces()?;
        Ok(match pieces.as_mut_slice() {
            [only] => std::mem::take(only),
            pieces => pieces.concat().into(),
        })
    }

    /// The batch, with base offset 0 and no leader epoch, as a producer sends it, in pieces, the
    /// first of which begins with the whole header. What isn't compressed isn't copied.
    ///
    /// # Errors
    /// [`BatchError::Codec`] for a codec that this build leaves out, [`BatchError::Count`] for a
    /// batch without records.
    pub fn build_pieces(mut self) -> Result<Vec<Bytes>, BatchError> {
        if self.count == 0 {
            return Err(BatchError::Count { count: 0, last_offset_delta: -1 });
        }
        let mut chunks = std::mem::take(&mut self.full);
        chunks.push(std::mem::take(&mut self.chunk));
        if self.codec != Codec::None {
            let records = chunks.iter().enumerate();
            let records =
                records.map(|(nth, one)| &one[if nth == 0 { at::HEADER_BYTES } else { 0 }..]);
            let compressed = self.codec.compress_pieces(records)?;
            // A buffer of the right size: the batch may be queued for long.
            let mut buffer = BytesMut::with_capacity(at::HEADER_BYTES + compressed.len());
            buffer.put_bytes(0, at::HEADER_BYTES);
            buffer.put_slice(&compressed);
            chunks = vec![buffer];
        }
        self.put_header(&mut chunks)?;
        Ok(chunks.into_iter().map(BytesMut::freeze).collect())
    }

    /// Fills in the header's place.
    fn put_header(&self, chunks: &mut [BytesMut]) -> Result<(), BatchError> {
        let bytes: usize = chunks.iter().map(BytesMut::len).sum();
        let too_large = |_| BatchError::TooLarge;
        let nobody = ProducerState { id: -1, epoch: -1, base_sequence: -1, transactional: false };
        let producer = self.producer.unwrap_or(nobody);
        let codec = self.codec.number();
        let mut header = BatchHeader {
            base_offset: 0,
            length: i32::try_from(bytes - at::LENGTH_OVERHEAD).map_err(too_large)?,
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
        chunks[0][..at::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        let skipped = |nth| if nth == 0 { at::ATTRIBUTES_AT } else { 0 };
        let checked = chunks.iter().enumerate().map(|(nth, chunk)| &chunk[skipped(nth)..]);
        header.crc = crc32c(&checked.collect::<Vec<_>>());
        chunks[0][..at::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        Ok(())
    }

    fn varint(&mut self, value: i64) {
        let mut value = zigzag(value);
        while value >= 0x80 {
            self.chunk.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.chunk.put_u8((value & 0x7f) as u8);
    }

    fn bytes(&mut self, value: Option<&[u8]>) -> Result<(), BatchError> {
        match value {
            None => self.varint(-1),
            Some(bytes) => {
                self.varint(length(bytes.len())?);
                self.chunk.put_slice(bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Inflater, ProducedBatch};

    /// Values of these lengths; where each was written, when it was.
    fn written(builder: &mut BatchBuilder, lengths: &[usize]) -> Vec<*const u8> {
        let append = |&length: &usize| {
            builder.append(7, Some(b"key"), Some(&vec![b'x'; length]), &[]).unwrap();
            // Behind the value there is the number of headers.
            let end = builder.chunk.len() - 1;
            builder.chunk[end - length..end].as_ptr()
        };
        lengths.iter().map(append).collect()
    }

    const LENGTHS: [&[usize]; 4] =
        [&[100; 5_000], &[1_000_000, 1, 1, 300_000], &[0, 1], &[70_000, 70_000, 16, 5_000]];

    #[test]
    fn a_payload_is_written_once_and_stays_where_it_is() {
        for (lengths, expected) in LENGTHS.into_iter().flat_map(|one| [(one, 0), (one, 16 << 10)]) {
            let mut builder = BatchBuilder::new(Codec::None).expecting(expected);
            let written = written(&mut builder, lengths);
            let bytes = builder.uncompressed_bytes();
            let pieces = builder.build_pieces().unwrap();
            assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), bytes);
            assert!(pieces.len() > 1 || lengths.len() < 3, "it isn't tried");
            for (nth, &place) in written.iter().enumerate() {
                let is_there = |piece: &Bytes| piece.as_ptr_range().contains(&place);
                // One of no bytes may lie behind the last.
                assert!(lengths[nth] == 0 || pieces.iter().any(is_there), "{nth} of {lengths:?}");
            }
        }
    }

    #[test]
    fn what_is_in_pieces_is_what_it_would_be_in_one() {
        for codec in Codec::ALL {
            for lengths in LENGTHS {
                let mut builder = BatchBuilder::new(codec);
                written(&mut builder, lengths);
                let pieces = builder.clone().build_pieces().unwrap();
                let whole = builder.build().unwrap();
                assert_eq!(pieces.concat(), whole, "{}", codec.name());
                let batch = ProducedBatch::check(whole, &mut Inflater::default()).unwrap();
                let count = usize::try_from(batch.header().record_count).unwrap();
                assert_eq!(count, lengths.len(), "{}", codec.name());
            }
        }
    }

    #[test]
    fn a_batch_takes_no_more_than_twice_its_bytes_and_one_record_no_more_than_it_is_long() {
        for lengths in LENGTHS {
            let mut builder = BatchBuilder::new(Codec::None);
            written(&mut builder, lengths);
            let chunks = builder.full.iter().chain([&builder.chunk]);
            let taken: usize = chunks.map(BytesMut::capacity).sum();
            assert_eq!(taken, builder.allocated_bytes());
            let bytes = builder.uncompressed_bytes();
            assert!(taken <= 2 * bytes + CHUNK_BYTES_MIN, "{taken} for {bytes}");
            let mut builder = BatchBuilder::new(Codec::None);
            written(&mut builder, &lengths[..1]);
            assert_eq!(builder.chunk.capacity(), builder.uncompressed_bytes());
        }
    }

    #[test]
    fn what_is_expected_is_set_aside_with_the_first_record_up_to_a_limit() {
        for (expected, taken) in [(20_000, 20_000), (10 << 20, CHUNK_BYTES_MAX)] {
            let mut builder = BatchBuilder::new(Codec::None).expecting(expected);
            assert_eq!(builder.chunk.capacity(), 0);
            written(&mut builder, &[100; 100]);
            assert_eq!((builder.full.len(), builder.chunk.capacity()), (0, taken));
        }
    }
}
