//! The 61 bytes before the records of a batch.

use super::layout as at;

/// Codec, timestamp type and flags of a batch.
///
/// | bits | meaning |
/// | --- | --- |
/// | 0–2 | codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd |
/// | 3 | timestamp type: 0 create time, 1 log append time |
/// | 4 | part of a transaction |
/// | 5 | control batch |
/// | 6 | the base timestamp is a delete horizon (KIP-534) |
/// | 7–15 | unused |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0b111;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;
    const DELETE_HORIZON: i16 = 1 << 6;

    /// The number of the codec, 0 to 7; 5 to 7 are no codec.
    #[must_use]
    pub const fn codec_number(self) -> i16 {
        self.0 & Self::CODEC
    }

    /// Where the timestamps of the records come from.
    #[must_use]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the records are for brokers and clients, not for applications.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether compaction has put a delete horizon in place of the base timestamp.
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    pub(super) const fn new(codec: i16, transactional: bool, control: bool) -> Self {
        let transactional = if transactional { Self::TRANSACTIONAL } else { 0 };
        let control = if control { Self::CONTROL } else { 0 };
        Self(codec & Self::CODEC | transactional | control)
    }

    pub(super) const fn with_codec(self, codec: i16) -> Self {
        Self(self.0 & !Self::CODEC | codec & Self::CODEC)
    }

    pub(super) const fn with_log_append_time(self) -> Self {
        Self(self.0 | Self::LOG_APPEND_TIME)
    }

    pub(super) const fn with_delete_horizon(self) -> Self {
        Self(self.0 | Self::DELETE_HORIZON)
    }

    /// Those of a batch that has lost its records: no codec, no delete horizon.
    pub(super) const fn without_records(self) -> Self {
        Self(self.0 & !Self::CODEC & !Self::DELETE_HORIZON)
    }
}

/// Where the timestamps of the records come from (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// From the producer, a timestamp a record.
    CreateTime,
    /// From the broker: every record has the batch's greatest timestamp.
    LogAppendTime,
}

/// The fields of a batch's header, as they stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record, inclusive.
    pub base_offset: i64,
    /// Bytes behind the length field.
    pub length: i32,
    /// Epoch of the leader that appended the batch; −1 or anything before that.
    pub leader_epoch: i32,
    /// Format version.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// Offset of the last record minus the base offset.
    pub last_offset_delta: i32,
    /// Timestamp to which those of the records are relative, milliseconds.
    pub base_timestamp: i64,
    /// Greatest timestamp of the records, milliseconds.
    pub max_timestamp: i64,
    /// Id of an idempotent producer or −1.
    pub producer_id: i64,
    /// Epoch of an idempotent producer or −1.
    pub producer_epoch: i16,
    /// Sequence number of the first record or −1.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

/// The bytes `at..at + N` of a header; the compiler sees that they exist.
macro_rules! field {
    ($bytes:ident, $at:expr, $type:ty) => {{
        const AT: usize = $at;
        const SIZE: usize = size_of::<$type>();
        const _: () = assert!(AT + SIZE <= at::HEADER_BYTES);
        let (_, tail) = $bytes.split_at(AT);
        let (field, _) = tail.split_at(SIZE);
        <$type>::from_be_bytes(field.try_into().expect("split at its size"))
    }};
}

impl BatchHeader {
    /// Reads the fields; any bytes are some header.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; at::HEADER_BYTES]) -> Self {
        Self {
            base_offset: field!(bytes, at::BASE_OFFSET_AT, i64),
            length: field!(bytes, at::LENGTH_AT, i32),
            leader_epoch: field!(bytes, at::LEADER_EPOCH_AT, i32),
            magic: field!(bytes, at::MAGIC_AT, i8),
            crc: field!(bytes, at::CRC_AT, u32),
            attributes: Attributes(field!(bytes, at::ATTRIBUTES_AT, i16)),
            last_offset_delta: field!(bytes, at::LAST_OFFSET_DELTA_AT, i32),
            base_timestamp: field!(bytes, at::BASE_TIMESTAMP_AT, i64),
            max_timestamp: field!(bytes, at::MAX_TIMESTAMP_AT, i64),
            producer_id: field!(bytes, at::PRODUCER_ID_AT, i64),
            producer_epoch: field!(bytes, at::PRODUCER_EPOCH_AT, i16),
            base_sequence: field!(bytes, at::BASE_SEQUENCE_AT, i32),
            record_count: field!(bytes, at::RECORD_COUNT_AT, i32),
        }
    }

    /// Writes the fields; reading them back gives the same header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; at::HEADER_BYTES] {
        let mut bytes = [0; at::HEADER_BYTES];
        let mut put = |start: usize, field: &[u8]| {
            bytes[start..start + field.len()].copy_from_slice(field);
        };
        put(at::BASE_OFFSET_AT, &self.base_offset.to_be_bytes());
        put(at::LENGTH_AT, &self.length.to_be_bytes());
        put(at::LEADER_EPOCH_AT, &self.leader_epoch.to_be_bytes());
        put(at::MAGIC_AT, &self.magic.to_be_bytes());
        put(at::CRC_AT, &self.crc.to_be_bytes());
        put(at::ATTRIBUTES_AT, &self.attributes.0.to_be_bytes());
        put(at::LAST_OFFSET_DELTA_AT, &self.last_offset_delta.to_be_bytes());
        put(at::BASE_TIMESTAMP_AT, &self.base_timestamp.to_be_bytes());
        put(at::MAX_TIMESTAMP_AT, &self.max_timestamp.to_be_bytes());
        put(at::PRODUCER_ID_AT, &self.producer_id.to_be_bytes());
        put(at::PRODUCER_EPOCH_AT, &self.producer_epoch.to_be_bytes());
        put(at::BASE_SEQUENCE_AT, &self.base_sequence.to_be_bytes());
        put(at::RECORD_COUNT_AT, &self.record_count.to_be_bytes());
        bytes
    }
}
