//! OffsetFetch.

use alloc::vec::Vec;

use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use crate::coordinator::Coordinator;
use crate::group::Group;
use crate::record::CommittedOffset;

/// Metadata that is told in any case, however often its partition is named.
const METADATA_BYTES: usize = 1 << 20;
/// Where nothing was committed.
const NO_OFFSET: i64 = -1;

impl Coordinator {
    /// The committed offsets of a group: those that are asked for, or all. What was never committed
    /// is −1, without an error.
    ///
    /// - `require_stable`: offsets that an open transaction will change are not told (KIP-447).
    #[must_use]
    pub fn fetch(
        &self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
    ) -> OffsetFetchResponseGroup {
        let group = self.groups.get(&request.group_id);
        let told = Told { coordinator: self, group, require_stable };
        if group.is_some_and(|group| Told::is_too_much(group, request)) {
            return OffsetFetchResponseGroup {
                group_id: request.group_id.clone(),
                error_code: ErrorCode::INVALID_REQUEST,
                ..OffsetFetchResponseGroup::default()
            };
        }
        let topics = match (&request.topics, group) {
            (Some(topics), _) => topics.iter().map(|topic| told.asked(topic)).collect(),
            (None, Some(group)) => told.all(group),
            (None, None) => Vec::new(),
        };
        OffsetFetchResponseGroup {
            group_id: request.group_id.clone(),
            topics,
            error_code: ErrorCode::NONE,
        }
    }
}

/// What the answers are made of.
struct Told<'a> {
    coordinator: &'a Coordinator,
    group: Option<&'a Group>,
    require_stable: bool,
}

impl Told<'_> {
    /// Whether a request names partitions so often that their metadata is more than a group has.
    fn is_too_much(group: &Group, request: &OffsetFetchRequestGroup) -> bool {
        let of_topic = |topic: &OffsetFetchRequestTopics| {
            let stored = |one: &i32| group.offsets.get(&topic.name, *one);
            let stored = topic.partition_indexes.iter().filter_map(stored);
            stored.map(|stored| stored.value.metadata.len()).sum::<usize>()
        };
        let asked: usize = request.topics.iter().flatten().map(of_topic).sum();
        asked > group.offsets.bytes().max(METADATA_BYTES)
    }

    fn asked(&self, asked: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
        let partitions = asked.partition_indexes.iter();
        let partitions =
            partitions.map(|partition| self.partition(&asked.name, asked.topic_id, *partition));
        OffsetFetchResponseTopics {
            name: asked.name.clone(),
            topic_id: asked.topic_id,
            partitions: partitions.collect(),
        }
    }

    fn all(&self, group: &Group) -> Vec<OffsetFetchResponseTopics> {
        let topics = group.offsets.topics().map(|(name, partitions)| {
            let partitions = partitions.keys();
            OffsetFetchResponseTopics {
                name: name.clone(),
                partitions: partitions.map(|one| self.partition(name, Uuid::ZERO, *one)).collect(),
                ..OffsetFetchResponseTopics::default()
            }
        });
        topics.collect()
    }

    fn partition(
        &self,
        topic: &CompactString,
        topic_id: Uuid,
        partition: i32,
    ) -> OffsetFetchResponsePartitions {
        let id = self.group.map_or("", |group| group.id.as_str());
        if self.require_stable && self.coordinator.pending.has(id, topic, partition) {
            return OffsetFetchResponsePartitions {
                error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT,
                ..none(partition)
            };
        }
        let stored = self.group.and_then(|group| group.offsets.get(topic, partition));
        match stored.filter(|stored| is_of(&stored.value, topic_id)) {
            Some(stored) => OffsetFetchResponsePartitions {
                partition_index: partition,
                committed_offset: stored.value.offset,
                committed_leader_epoch: stored.value.leader_epoch,
                metadata: Some(stored.value.metadata.clone()),
                error_code: ErrorCode::NONE,
            },
            None => none(partition),
        }
    }
}

/// Whether an offset was committed for that topic and not for a namesake.
fn is_of(value: &CommittedOffset, topic_id: Uuid) -> bool {
    value.topic_id.is_zero() || topic_id.is_zero() || value.topic_id == topic_id
}

fn none(partition_index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: NO_OFFSET,
        committed_leader_epoch: -1,
        metadata: Some(CompactString::default()),
        error_code: ErrorCode::NONE,
    }
}
