//! Numbered records: each says where it belongs and who wrote it.

use logboom_protocol::records::{
    BatchBuilder, Codec, Inflater, ProducedBatch, Record, StampedBatch, Stamps,
};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::GroupKey;

/// The most records of a batch.
pub const BATCH_RECORDS_MAX: u64 = 5;

/// The partitions of the program.
pub fn key(partition: i32) -> GroupKey {
    GroupKey { topic_id: Uuid([9; 16]), partition }
}

/// A number that looks like any other (SplitMix64).
pub fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A batch of up to [`BATCH_RECORDS_MAX`] records, of up to about `bytes_max` bytes in all.
pub fn batch(partition: i32, life: u32, offset: i64, bytes_max: usize) -> StampedBatch {
    let seed = u64::from(life) << 48 ^ (partition as u64) << 40 ^ offset as u64;
    let (count, part) = (1 + random(seed) % BATCH_RECORDS_MAX, 1 + random(!seed) % 4);
    sized_batch(partition, life, offset, count, bytes_max * part as usize / 4 / count as usize)
}

/// A batch of `count` records of `bytes` each, at `offset`.
///
/// # Panics
/// If it is larger than a batch may be.
pub fn sized_batch(
    partition: i32,
    life: u32,
    offset: i64,
    count: u64,
    bytes: usize,
) -> StampedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    for offset in offset..offset + count as i64 {
        let value = value(partition, life, offset, bytes);
        builder.append(1_000 + offset, None, Some(&value), &[]).expect("small");
    }
    let bytes = builder.build().expect("it has records");
    let batch = ProducedBatch::check(bytes, &mut Inflater::default()).expect("well-formed");
    let base_offset = Offset::from_wire(offset).expect("offsets count from 0");
    batch.stamp(&Stamps { base_offset, leader_epoch: LeaderEpoch::ZERO, log_append_time: None })
}

/// Partition, life and offset, and then bytes that differ from record to record.
fn value(partition: i32, life: u32, offset: i64, bytes: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(bytes.max(16));
    value.extend(partition.to_be_bytes());
    value.extend(life.to_be_bytes());
    value.extend(offset.to_be_bytes());
    // Never 0, which is what was reserved and not written.
    let fill = 1 + (random(offset as u64) % 255) as u8;
    value.resize(bytes.max(16), fill);
    value
}

/// Who wrote a record, if it is what belongs there.
pub(super) fn life_of(partition: i32, record: &Record<'_>) -> Option<u32> {
    let found = record.value?;
    let life = u32::from_be_bytes(*found.get(4..8)?.first_chunk()?);
    (found == value(partition, life, record.offset, found.len())).then_some(life)
}
