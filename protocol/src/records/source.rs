//! Where records are read from: a slice, or the output of a decompressor.
//!
//! Must always hold: a source reads no byte twice and knows how many it has given out.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::Read;

use super::walk::Broken;
use super::{BatchError, Codec};

/// Why a source stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// No more bytes.
    End,
    /// A variable-length integer that is longer than its type.
    Varint,
    /// The decompressor says that its input is damaged.
    Damaged,
    /// More bytes came out of the decompressor than allowed.
    Limit,
}

/// A stream of bytes of records.
pub(super) trait Source {
    /// What it gives for a run of bytes: a slice, or nothing where they are not kept.
    type Run;

    /// The next byte.
    fn byte(&mut self) -> Result<u8, Stop>;

    /// The next byte, if it is at hand; it is not given out.
    fn peek(&self) -> Option<u8>;

    /// The next `count` bytes.
    fn run(&mut self, count: usize) -> Result<Self::Run, Stop>;

    /// What is left of the record, without taking it.
    fn rest(&self) -> Self::Run;

    /// Reads a record of `bytes` bytes with `fields`, which must use up all of them.
    fn record<T>(
        &mut self,
        bytes: usize,
        fields: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<T, Broken>;

    /// Bytes given out or passed over so far; not to be asked within a record.
    fn position(&self) -> usize;

    /// Whether no byte is left.
    fn is_at_end(&mut self) -> Result<bool, Stop>;

    /// What a stop within the record at `index` means for the batch.
    fn error(&self, stop: Stop, index: i32) -> BatchError;

    /// A signed varint of at most 32 bits.
    #[inline(always)]
    fn varint(&mut self) -> Result<i32, Stop> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(i32::from(first >> 1) ^ i32::from(first & 1).wrapping_neg());
        }
        // Two bytes reach to 8 KiB, which is most lengths.
        if let Some(second) = self.peek().filter(|&second| second < 0x80) {
            self.byte()?;
            let value = i32::from(first & 0x7f) | i32::from(second) << 7;
            return Ok(value >> 1 ^ (value & 1).wrapping_neg());
        }
        i32::try_from(self.long_varint(first, 5)?).map_err(|_| Stop::Varint)
    }

    /// A signed varint of at most 64 bits.
    #[inline(always)]
    fn varlong(&mut self) -> Result<i64, Stop> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(i64::from(first >> 1) ^ i64::from(first & 1).wrapping_neg());
        }
        self.long_varint(first, 10)
    }

    /// The varint that begins with `first`, of 2 to `bytes_max` bytes.
    #[inline]
    fn long_varint(&mut self, first: u8, bytes_max: u32) -> Result<i64, Stop> {
        let mut value = u64::from(first & 0x7f);
        for place in 1..bytes_max {
            let byte = self.byte()?;
            let shift = place.wrapping_mul(7);
            if shift == 63 && byte > 1 {
                return Err(Stop::Varint);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(crate::wire::unzigzag(value));
            }
        }
        Err(Stop::Varint)
    }
}

/// What a stop within the record at `index` means wherever the bytes come from.
#[cold]
fn format_error(stop: Stop, index: i32) -> BatchError {
    let reason = match stop {
        Stop::Varint => "a variable-length integer is too long",
        Stop::End => "the bytes end within it",
        Stop::Damaged | Stop::Limit => "it cannot be inflated",
    };
    BatchError::Record { index, reason }
}

/// Records that lie in memory as they are.
pub(super) struct SliceSource<'a> {
    pub(super) rest: &'a [u8],
    length: usize,
}

impl<'a> SliceSource<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }
}

impl<'a> Source for SliceSource<'a> {
    type Run = &'a [u8];

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.rest.split_first().ok_or(Stop::End)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline(always)]
    fn run(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (run, rest) = self.rest.split_at_checked(count).ok_or(Stop::End)?;
        self.rest = rest;
        Ok(run)
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn error(&self, stop: Stop, index: i32) -> BatchError {
        format_error(stop, index)
    }

    /// The next record begins where this one's length says. It is known before the fields are
    /// read, so a processor works on two records at once: 6.5 ns for a record of 1 KiB, against 10
    /// when the next one is found at the end of the last field.
    #[inline(always)]
    fn record<T>(
        &mut self,
        bytes: usize,
        fields: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let (body, behind) = self.rest.split_at_checked(bytes).ok_or(Stop::End)?;
        self.rest = body;
        let value = fields(self)?;
        if !self.rest.is_empty() {
            return Err(Broken::LENGTH);
        }
        self.rest = behind;
        Ok(value)
    }

    #[inline(always)]
    fn position(&self) -> usize {
        self.length.wrapping_sub(self.rest.len())
    }

    #[inline]
    fn is_at_end(&mut self) -> Result<bool, Stop> {
        Ok(self.rest.is_empty())
    }
}

/// Records that come out of a decompressor, through a buffer of fixed size.
pub(super) struct StreamSource<'a, R> {
    reader: R,
    buffer: &'a mut [u8],
    /// The part of the buffer that holds bytes not yet given out is `start..end`.
    start: usize,
    end: usize,
    /// Bytes that came out of the reader.
    received: usize,
    limit: usize,
    codec: Codec,
}

impl<'a, R: Read> StreamSource<'a, R> {
    /// - `buffer`: not empty.
    /// - `limit`: the most bytes that may come out of `reader`.
    pub(super) fn new(reader: R, buffer: &'a mut [u8], limit: usize, codec: Codec) -> Self {
        Self { reader, buffer, start: 0, end: 0, received: 0, limit, codec }
    }

    /// Bytes that came out of the reader.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    fn fill(&mut self) -> Result<bool, Stop> {
        let count = loop {
            match self.reader.read(self.buffer) {
                Ok(count) => break count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Stop::Damaged),
            }
        };
        self.start = 0;
        self.end = count;
        self.received = self.received.saturating_add(count);
        if self.received > self.limit {
            return Err(Stop::Limit);
        }
        Ok(count > 0)
    }

    fn buffered(&self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

impl<R: Read> Source for StreamSource<'_, R> {
    type Run = ();

    fn rest(&self) {}

    #[inline]
    fn byte(&mut self) -> Result<u8, Stop> {
        if self.start >= self.end && !self.fill()? {
            return Err(Stop::End);
        }
        let byte = *self.buffer.get(self.start).ok_or(Stop::End)?;
        self.start = self.start.saturating_add(1);
        Ok(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.buffer.get(self.start..self.end)?.first().copied()
    }

    fn record<T>(
        &mut self,
        bytes: usize,
        fields: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let start = self.position();
        let value = fields(self)?;
        if self.position().wrapping_sub(start) != bytes {
            return Err(Broken::LENGTH);
        }
        Ok(value)
    }

    fn run(&mut self, count: usize) -> Result<(), Stop> {
        let mut left = count;
        loop {
            let step = left.min(self.buffered());
            self.start = self.start.saturating_add(step);
            left = left.saturating_sub(step);
            if left == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return Err(Stop::End);
            }
        }
    }

    fn position(&self) -> usize {
        self.received.saturating_sub(self.buffered())
    }

    fn is_at_end(&mut self) -> Result<bool, Stop> {
        Ok(self.start >= self.end && !self.fill()?)
    }

    fn error(&self, stop: Stop, index: i32) -> BatchError {
        match stop {
            Stop::Damaged => BatchError::Compression { codec: self.codec.name() },
            Stop::Limit => BatchError::Inflated { limit: self.limit },
            Stop::Varint | Stop::End => format_error(stop, index),
        }
    }
}
