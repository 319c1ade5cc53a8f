//! What can be wrong with a batch.

use std::fmt;

use crate::ErrorCode;

/// A batch that cannot be taken, with the numbers that show why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end before the batch does.
    Truncated {
        /// Bytes that the batch takes, or of a header where not even that is there.
        needed: usize,
        /// Bytes that are there.
        present: usize,
    },
    /// A length that no batch has.
    Length {
        /// As it stands there.
        length: i32,
    },
    /// A format that we don't read.
    Magic {
        /// As it stands there.
        magic: i8,
    },
    /// The checksum doesn't match the bytes.
    Crc {
        /// As it stands there.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// A produce request must carry exactly one batch a partition.
    NotOneBatch,
    /// Offsets that are negative, beyond 64 bits, or, from a producer, not from 0 on.
    Offsets {
        /// Base offset.
        base: i64,
        /// Last offset delta.
        last_delta: i32,
    },
    /// Attribute bits that a producer may not set.
    Attributes {
        /// As they stand there.
        attributes: i16,
        /// Which ones and why not.
        reason: &'static str,
    },
    /// A producer claims that a broker stamped the timestamps.
    LogAppendTime,
    /// A codec number without a codec, or a codec that this build leaves out.
    Codec {
        /// As it stands there.
        number: i16,
    },
    /// The number of records and the last offset don't fit together.
    Count {
        /// Number of records.
        count: i32,
        /// Last offset delta.
        last_offset_delta: i32,
    },
    /// Producer id, epoch and sequence don't fit together.
    Producer {
        /// Producer id.
        id: i64,
        /// Producer epoch.
        epoch: i16,
        /// First sequence number.
        sequence: i32,
    },
    /// A record breaks the format.
    Record {
        /// Its place in the batch, from 0.
        index: i32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A record's timestamp lies outside 64 bits.
    Timestamp {
        /// Base timestamp of the batch, milliseconds.
        base: i64,
        /// What the record adds to it.
        delta: i64,
    },
    /// Bytes behind the last record.
    Trailing,
    /// The compressed bytes are damaged.
    Compression {
        /// The codec's name.
        codec: &'static str,
    },
    /// A part of a record, or the batch, is beyond what the format can say (2 GiB).
    TooLarge,
    /// The records inflate to more than is allowed.
    Inflated {
        /// The limit in bytes.
        limit: usize,
    },
}

impl BatchError {
    /// The code with which to answer a produce of such a batch.
    ///
    /// Where it differs from the reference's, the page of `docs/decisions` about what a producer
    /// may send says why.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::Crc { .. } | Self::Length { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::Magic { magic } if *magic < 0 || *magic > 2 => ErrorCode::CORRUPT_MESSAGE,
            Self::Truncated { .. }
            | Self::Magic { .. }
            | Self::NotOneBatch
            | Self::Offsets { .. }
            | Self::Attributes { .. }
            | Self::Count { .. }
            | Self::Producer { .. }
            | Self::Record { .. }
            | Self::Timestamp { .. }
            | Self::Compression { .. }
            | Self::Trailing => ErrorCode::INVALID_RECORD,
            Self::LogAppendTime => ErrorCode::INVALID_TIMESTAMP,
            Self::Codec { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::TooLarge | Self::Inflated { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, present } => {
                write!(f, "the batch takes {needed} bytes, {present} are there")
            }
            Self::Length { length } => write!(f, "no batch has the length {length}"),
            Self::Magic { magic } => write!(f, "magic {magic}; only format v2 is read"),
            Self::Crc { stored, computed } => {
                write!(f, "CRC-32C {stored:#010x} stored, {computed:#010x} computed")
            }
            Self::NotOneBatch => f.write_str("exactly one batch a partition is allowed"),
            Self::Attributes { attributes, reason } => {
                write!(f, "attributes {attributes:#06x}: {reason}")
            }
            Self::LogAppendTime => f.write_str("only brokers set log append time"),
            Self::Codec { number } => write!(f, "codec {number} is not supported"),
            Self::Count { count, last_offset_delta } => {
                write!(f, "{count} records with the last offset delta {last_offset_delta}")
            }
            Self::Producer { id, epoch, sequence } => {
                write!(f, "producer {id} with epoch {epoch} and sequence {sequence}")
            }
            Self::Record { index, reason } => write!(f, "record {index}: {reason}"),
            Self::Timestamp { base, delta } => write!(f, "timestamp {base} plus {delta} overflows"),
            Self::Trailing => f.write_str("bytes behind the last record"),
            Self::Compression { codec } => write!(f, "damaged {codec} data"),
            Self::Offsets { base, last_delta } => {
                write!(f, "base offset {base} with the last offset delta {last_delta}")
            }
            Self::TooLarge => f.write_str("a part is larger than 2 GiB"),
            Self::Inflated { limit } => write!(f, "inflates to more than {limit} bytes"),
        }
    }
}

impl std::error::Error for BatchError {}
