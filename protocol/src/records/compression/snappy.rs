//! Snappy as Kafka's clients write it: one raw block, or the framing of snappy-java ("xerial").
//!
//! The framing is an 8-byte magic, two `i32` versions, then blocks of an `i32` length and raw
//! snappy each. Java and Go clients write it, librdkafka writes raw blocks; all read both.
//! We write the framing, as the reference does.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{self, Read};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Version and oldest compatible version, both 1.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Bytes of a block before compression, as snappy-java cuts them.
const BLOCK_BYTES: usize = 32 << 10;

/// The most bytes that one byte of snappy can stand for: a copy of up to 64 bytes takes 3.
const EXPANSION_MAX: usize = 22;

/// The most memory that is kept from one batch to the next.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// No block lies over two pieces, so nothing is copied to be compressed.
pub(super) fn compress<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::from(MAGIC);
    out.extend(VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in pieces.flat_map(|piece| piece.chunks(BLOCK_BYTES)) {
        let compressed = encoder.compress_vec(block).expect("a block is far below 4 GiB");
        let length = u32::try_from(compressed.len()).expect("a block is far below 4 GiB");
        out.extend(length.to_be_bytes());
        out.extend(compressed);
    }
    out
}

/// Inflates either form, a block at a time. It holds the block that was inflated last.
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    framed: bool,
    block: &'a mut Vec<u8>,
    /// Bytes of `block` that were read.
    read: usize,
    /// Bytes that may still be inflated.
    limit: usize,
    over_limit: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8], limit: usize, block: &'a mut Vec<u8>) -> Self {
        let framed = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.get(VERSIONS.len()..));
        // A block of the usual size is kept for the next batch, an outsize one is not.
        if block.capacity() > KEPT_BYTES_MAX {
            *block = Vec::new();
        }
        block.clear();
        Self {
            rest: framed.unwrap_or(bytes),
            framed: framed.is_some(),
            block,
            read: 0,
            limit,
            over_limit: false,
        }
    }

    /// Whether it stopped because more than its limit would have come out.
    pub(super) fn over_limit(&self) -> bool {
        self.over_limit
    }

    /// Takes the next compressed block off the input.
    fn next_block(&mut self) -> io::Result<&'a [u8]> {
        if !self.framed {
            return Ok(std::mem::take(&mut self.rest));
        }
        let damaged = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (length, rest) = self.rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| damaged())?;
        let (block, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(block)
    }

    fn inflate(&mut self, block: &[u8]) -> io::Result<()> {
        let bytes = snap::raw::decompress_len(block)?;
        if bytes > block.len().saturating_mul(EXPANSION_MAX) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(left) = self.limit.checked_sub(bytes) else {
            self.over_limit = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.limit = left;
        self.block.resize(bytes, 0);
        self.read = 0;
        snap::raw::Decoder::new().decompress(block, self.block)?;
        Ok(())
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read >= self.block.len() {
            if self.rest.is_empty() {
                return Ok(0);
            }
            let block = self.next_block()?;
            self.inflate(block)?;
        }
        let count = Read::read(&mut self.block.get(self.read..).unwrap_or_default(), out)?;
        self.read = self.read.saturating_add(count);
        Ok(count)
    }
}
