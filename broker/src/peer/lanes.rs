//! Lanes: the parts into which a broker's groups are divided, the same on every broker.
//!
//! A lane is the smallest thing that shards share out: two brokers beat for each other lane by
//! lane, and all groups of a lane live on one thread, with the pairs that beat for them. Hence a
//! shard that hangs doesn't beat for its groups.
//!
//! Must always hold: the lane of a group never changes, nor differs between brokers. Another
//! function needs another version of the protocol.

use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

const COUNT: u8 = 16;
/// The number of lanes. Of more shards than that some own none.
pub(crate) const LANES: usize = COUNT as usize;

/// Odd, and with its bits spread: 2⁶⁴ over the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The lane of a group, below [`LANES`]. The partitions of a topic follow each other from lane to
/// lane, so that the lanes have as many of them, give or take one.
pub(crate) fn lane_of(key: &GroupKey) -> u8 {
    let Uuid(topic) = key.topic_id;
    let word = |at: usize| topic[at..].first_chunk().map_or(0, |word| u64::from_be_bytes(*word));
    // The upper bits of a product depend on all bits of its factors.
    let [first, ..] = (word(0) ^ word(8).rotate_left(32)).wrapping_mul(SPREAD).to_be_bytes();
    let [.., partition] = key.partition.to_be_bytes();
    (first >> 4).wrapping_add(partition) % COUNT
}

/// The shard that owns a lane, of so many.
pub(crate) fn shard_of(lane: u8, shards: usize) -> usize {
    usize::from(lane) % shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(topic: u128, partition: i32) -> GroupKey {
        GroupKey { topic_id: Uuid(topic.to_be_bytes()), partition }
    }

    #[test]
    fn lanes_stay_what_they_are() {
        let all = [(0, 0), (1, 0), (1, 1), (1, 15), (1, 16), (u128::MAX, 300), (7 << 64, 2)];
        let lanes = all.map(|(topic, partition)| lane_of(&key(topic, partition)));
        assert_eq!(lanes, [0, 7, 8, 6, 7, 12, 7]);
    }

    #[test]
    fn partitions_of_a_topic_take_turns_and_topics_begin_anywhere() {
        let first = lane_of(&key(99, 0));
        for partition in 0..1_000 {
            let turn = usize::try_from(partition).unwrap() + usize::from(first);
            assert_eq!(usize::from(lane_of(&key(99, partition))), turn % LANES);
        }
        let mut topics = [0; LANES];
        for topic in 0..1_600u128 {
            // As random ids are.
            let id = topic.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            topics[usize::from(lane_of(&key(id, 0)))] += 1;
        }
        assert!(topics.iter().all(|count| (50..150).contains(count)), "{topics:?}");
    }

    #[test]
    fn every_lane_has_a_shard() {
        for shards in 1..40 {
            let owned = (0..COUNT).map(|lane| shard_of(lane, shards));
            assert!(owned.clone().all(|shard| shard < shards));
            assert_eq!(owned.max(), Some(shards.min(LANES) - 1));
        }
    }
}
