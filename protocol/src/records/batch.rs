//! From bytes to a batch: first its length, then its header and its checksum.
//!
//! Must always hold: a [`CheckedBatch`] has the length, magic and CRC-32C that it claims, and a
//! header that some broker or producer may have written. Its records have not been looked at.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::layout as at;
use super::{BatchError, BatchHeader, Codec, Inflater, Records, crc32c};

/// A batch whose length and magic are right; nothing else is known of it.
#[derive(Debug, Clone, Copy)]
pub struct RawBatch<'a> {
    bytes: &'a [u8],
    header: BatchHeader,
}

impl<'a> RawBatch<'a> {
    /// Splits the first batch off `bytes`; returns it and what is behind it.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] where it doesn't end within `bytes`, [`BatchError::Length`] or
    /// [`BatchError::Magic`] where it is none.
    #[inline]
    pub fn split_first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), BatchError> {
        let truncated = |needed| BatchError::Truncated { needed, present: bytes.len() };
        // The magic stands where older formats have theirs, and those can be shorter.
        if let Some(&magic) = bytes.get(at::MAGIC_AT)
            && magic.cast_signed() != at::MAGIC
        {
            return Err(BatchError::Magic { magic: magic.cast_signed() });
        }
        let head = bytes.first_chunk().ok_or(truncated(at::HEADER_BYTES))?;
        let header = BatchHeader::from_bytes(head);
        let size = usize::try_from(header.length).ok();
        let size = size.map(|length| length.saturating_add(at::LENGTH_OVERHEAD));
        let Some(size) = size.filter(|&size| size >= at::HEADER_BYTES) else {
            return Err(BatchError::Length { length: header.length });
        };
        let (bytes, rest) = bytes.split_at_checked(size).ok_or(truncated(size))?;
        Ok((Self { bytes, header }, rest))
    }

    /// The fields of its header, unchecked.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, for who leaves the checksum to others (`check.crcs=false`); of the header only
    /// that its fields fit together is looked at.
    ///
    /// - `owner`: what the batch was split off from.
    ///
    /// # Errors
    /// As [`CheckedBatch::records`], or the fields that don't fit together.
    ///
    /// # Panics
    /// If the batch doesn't lie within `owner`.
    pub fn unchecked_records(
        &self,
        owner: &Bytes,
        inflater: &mut Inflater,
    ) -> Result<Records, BatchError> {
        check_header(&self.header)?;
        let (bytes, header) = (owner.slice_ref(self.bytes), self.header);
        CheckedBatch { bytes, header }.records(inflater)
    }

    /// Checks what makes a [`CheckedBatch`], without owning the bytes: the checksum, and the
    /// fields of the header against each other.
    ///
    /// # Errors
    /// [`BatchError::Crc`], or the fields that don't fit together.
    #[inline]
    pub fn check(&self) -> Result<(), BatchError> {
        let computed = crc32c(&[self.bytes.get(at::ATTRIBUTES_AT..).unwrap_or_default()]);
        if computed != self.header.crc {
            return Err(BatchError::Crc { stored: self.header.crc, computed });
        }
        check_header(&self.header)
    }
}

/// The batches in a run of bytes, in order. After the first error it ends.
#[derive(Debug, Clone)]
pub struct RawBatches<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> RawBatches<'a> {
    /// The batches in `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, ended: false }
    }

    /// What lies behind the batches that were taken; after an error, from the batch on that isn't
    /// one.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for RawBatches<'a> {
    type Item = Result<RawBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.ended {
            return None;
        }
        match RawBatch::split_first(self.rest) {
            Ok((batch, rest)) => {
                self.rest = rest;
                Some(Ok(batch))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// A batch whose length, magic, checksum and header are right.
#[derive(Debug, Clone)]
pub struct CheckedBatch {
    bytes: Bytes,
    header: BatchHeader,
}

impl CheckedBatch {
    /// Checks bytes that are to be one batch, whoever wrote it: a producer, another broker, or
    /// compaction, which leaves gaps and even batches without records.
    ///
    /// # Errors
    /// [`BatchError::NotOneBatch`], or what is wrong with the one.
    #[inline]
    pub fn check(bytes: Bytes) -> Result<Self, BatchError> {
        if bytes.is_empty() {
            return Err(BatchError::NotOneBatch);
        }
        let (raw, rest) = RawBatch::split_first(&bytes)?;
        if !rest.is_empty() {
            return Err(BatchError::NotOneBatch);
        }
        raw.check()?;
        let header = raw.header;
        Ok(Self { bytes, header })
    }

    /// The fields of its header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes behind the header, compressed or not.
    #[must_use]
    pub fn record_bytes(&self) -> Bytes {
        self.bytes.slice(at::RECORDS_AT..)
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`BatchError::Codec`] for a number without a codec.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        Codec::from_number(self.header.attributes.codec_number())
    }

    /// The records, inflated into memory of their own where they are compressed.
    ///
    /// # Errors
    /// [`BatchError::Codec`], [`BatchError::Compression`] or [`BatchError::Inflated`].
    pub fn records(&self, inflater: &mut Inflater) -> Result<Records, BatchError> {
        let bytes = match self.codec()? {
            Codec::None => self.record_bytes(),
            codec => inflater.inflate(codec, &self.record_bytes())?,
        };
        Ok(Records::new(bytes, &self.header))
    }
}

/// What holds for every batch, whoever wrote it.
fn check_header(header: &BatchHeader) -> Result<(), BatchError> {
    let &BatchHeader {
        record_count: count, last_offset_delta: last_delta, base_offset: base, ..
    } = header;
    // Compaction keeps the last offset when it removes records, so there may be fewer.
    let records_max = i64::from(last_delta).saturating_add(1);
    if count < 0 || last_delta < 0 || i64::from(count) > records_max {
        return Err(BatchError::Count { count, last_offset_delta: last_delta });
    }
    // The offset behind the last record must exist, too.
    if base < 0 || base.checked_add(records_max).is_none() {
        return Err(BatchError::Offsets { base, last_delta });
    }
    let &BatchHeader { producer_id: id, producer_epoch: epoch, base_sequence: sequence, .. } =
        header;
    // Control batches of a transaction have a producer and no sequence.
    let producer_fits = if id >= 0 { epoch >= 0 && sequence >= -1 } else { id == -1 };
    if !producer_fits {
        return Err(BatchError::Producer { id, epoch, sequence });
    }
    Ok(())
}
