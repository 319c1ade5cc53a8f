//! The primitives of the protocol: integers, strings, arrays and tagged fields.
//!
//! All integers are big-endian. *Flexible* versions (KIP-482) write lengths as unsigned varints,
//! one more than the length so that 0 is null, and end every struct with tagged fields.
//!
//! Must always hold: reading checks every length against what remains before it allocates, and
//! counts what it allocates against [`memory_limit`].

mod reader;
mod writer;

pub use reader::{Reader, memory_limit};
pub use writer::Writer;

/// Zigzag encoding of a signed integer, as record fields use it.
#[must_use]
pub const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// The integer behind its zigzag encoding.
#[must_use]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Bytes of `value` as an unsigned varint, 1 to 10.
#[must_use]
pub const fn uvarint_size(value: u64) -> usize {
    // Seven bits to a byte; zero takes one.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests;
