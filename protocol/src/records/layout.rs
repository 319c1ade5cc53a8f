//! Where the fields of a batch lie, in bytes from its start. All integers are big-endian.
//!
//! Each constant is the end of the field before it, so that the chain and the table in
//! `docs/format.md` can be compared line by line.

/// Offset of the first record, `i64`. Stamped by the leader; not covered by the CRC.
pub const BASE_OFFSET_AT: usize = 0;
/// Bytes behind this field, `i32`. Not covered by the CRC.
pub const LENGTH_AT: usize = BASE_OFFSET_AT + 8;
/// Epoch of the leader that appended the batch, `i32`. Stamped by it; not covered by the CRC.
pub const LEADER_EPOCH_AT: usize = LENGTH_AT + 4;
/// Format version, `i8`, always [`MAGIC`]. Not covered by the CRC.
pub const MAGIC_AT: usize = LEADER_EPOCH_AT + 4;
/// CRC-32C of everything behind this field, `u32`.
pub const CRC_AT: usize = MAGIC_AT + 1;
/// Codec, timestamp type and flags, `i16`; see [`super::Attributes`].
pub const ATTRIBUTES_AT: usize = CRC_AT + 4;
/// Offset of the last record minus the base offset, `i32`.
pub const LAST_OFFSET_DELTA_AT: usize = ATTRIBUTES_AT + 2;
/// Timestamp to which those of the records are relative, `i64`, milliseconds.
pub const BASE_TIMESTAMP_AT: usize = LAST_OFFSET_DELTA_AT + 4;
/// The greatest timestamp of the records, `i64`, milliseconds.
pub const MAX_TIMESTAMP_AT: usize = BASE_TIMESTAMP_AT + 8;
/// Id of an idempotent producer or −1, `i64`.
pub const PRODUCER_ID_AT: usize = MAX_TIMESTAMP_AT + 8;
/// Epoch of an idempotent producer or −1, `i16`.
pub const PRODUCER_EPOCH_AT: usize = PRODUCER_ID_AT + 8;
/// Sequence number of the first record or −1, `i32`.
pub const BASE_SEQUENCE_AT: usize = PRODUCER_EPOCH_AT + 2;
/// Number of records, `i32`.
pub const RECORD_COUNT_AT: usize = BASE_SEQUENCE_AT + 4;
/// The records, compressed or not.
pub const RECORDS_AT: usize = RECORD_COUNT_AT + 4;

/// Bytes of base offset and length, which the length doesn't count.
pub const LENGTH_OVERHEAD: usize = LEADER_EPOCH_AT;
/// Bytes of a batch's header.
pub const HEADER_BYTES: usize = RECORDS_AT;
/// The only format.
pub const MAGIC: i8 = 2;

const _: () = assert!(HEADER_BYTES == 61, "the header of format v2 has 61 bytes");
