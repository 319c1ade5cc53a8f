//! Which LZ4 frames are taken: those that every client can read.
//!
//! A frame is a magic, a descriptor, blocks of a `u32` length (little-endian; the top bit says
//! that the block is not compressed), an end mark of four zero bytes, and perhaps a checksum.
//! `lz4_flex` takes more than the reference's clients do: frames without an end mark, blocks that
//! depend on the one before, several frames, blocks of nothing. A batch with one of these would be
//! appended here and stop every Java consumer there, so it is refused.
//!
//! Source: "LZ4 Frame Format Description"; what `Lz4BlockInputStream` of the reference reads.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// What every frame begins with. Legacy frames, which have no end mark, begin otherwise.
const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// The bits of the flags that must be as in [`FIXED`]: version, independent blocks, the reserved
/// bit and the dictionary.
const FIXED_MASK: u8 = 0b1110_0011;
/// Version 1, independent blocks, nothing reserved, no dictionary.
const FIXED: u8 = 0b0110_0000;

const BLOCK_CHECKSUMS: u8 = 1 << 4;
const CONTENT_SIZE: u8 = 1 << 3;
const CONTENT_CHECKSUM: u8 = 1 << 2;

/// A compressed block that inflates to nothing, which a decoder takes for the end.
const EMPTY_BLOCK: [u8; 1] = [0];

/// Whether `bytes` are exactly one frame that every client can read. Looks at the structure; the
/// contents are the decoder's.
pub(super) fn is_readable(bytes: &[u8]) -> bool {
    behind_frame(bytes).is_some_and(<[u8]>::is_empty)
}

/// The size of the frame's blocks, as its descriptor says; 0 where there is none.
pub(super) fn block_bytes(bytes: &[u8]) -> usize {
    let descriptor = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk::<2>());
    match descriptor.map(|[_, block_size]| block_size >> 4 & 7) {
        Some(4) => 64 << 10,
        Some(5) => 256 << 10,
        Some(6) => 1 << 20,
        Some(7) => 4 << 20,
        _ => 0,
    }
}

/// What follows the frame, if that is readable and has an end.
fn behind_frame(bytes: &[u8]) -> Option<&[u8]> {
    let (&[flags, _block_size], mut rest) = bytes.strip_prefix(&MAGIC)?.split_first_chunk()?;
    if flags & FIXED_MASK != FIXED {
        return None;
    }
    let bytes_if = |flag: u8, bytes: usize| if flags & flag == 0 { 0 } else { bytes };
    rest = rest.get(bytes_if(CONTENT_SIZE, 8)..)?;
    let (_header_checksum, mut rest) = rest.split_first()?;
    loop {
        let (length, blocks) = rest.split_first_chunk()?;
        let word = u32::from_le_bytes(*length);
        if word == 0 {
            return blocks.get(bytes_if(CONTENT_CHECKSUM, 4)..);
        }
        let length = usize::try_from(word & i32::MAX.cast_unsigned()).ok()?;
        let (block, behind) = blocks.split_at_checked(length)?;
        let stored = word > i32::MAX.cast_unsigned();
        if block.is_empty() || (block == EMPTY_BLOCK && !stored) {
            return None;
        }
        rest = behind.get(bytes_if(BLOCK_CHECKSUMS, 4)..)?;
    }
}

#[cfg(test)]
mod tests;
