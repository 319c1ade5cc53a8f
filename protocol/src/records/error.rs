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
    /// The records inflate to more than is allowed.
    Inflated {
        /// The limit in bytes.
        limit: usize,
    },
}

impl BatchError {
    /// The code with which the reference broker answers a produce of such a batch.
    ///
    /// A compressed batch that cannot be inflated is the one exception: the reference answers
    /// UNKNOWN_SERVER_ERROR, we say that the message is corrupt.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::Truncated { .. }
            | Self::Length { .. }
            | Self::Crc { .. }
            | Self::Compression { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::Magic { .. }
            | Self::NotOneBatch
            | Self::Attributes { .. }
            | Self::Count { .. }
            | Self::Producer { .. }
            | Self::Record { .. }
            | Self::Timestamp { .. }
            | Self::Trailing => ErrorCode::INVALID_RECORD,
            Self::LogAppendTime => ErrorCode::INVALID_TIMESTAMP,
            Self::Codec { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::Inflated { .. } => ErrorCode::MESSAGE_TOO_LARGE,
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
            Self::Inflated { limit } => write!(f, "inflates to more than {limit} bytes"),
        }
    }
}

impl std::error::Error for BatchError {}
