//! OffsetCommit.

use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now};
use crate::group::{Group, GroupState, Turn};
use crate::offsets::{GroupOffsets, StoredOffset};
use crate::options::NAME_BYTES_MAX;
use crate::record::{CommittedOffset, GroupRecord};

/// The request doesn't say for how long its offsets are to be kept.
const RETENTION_OF_THE_BROKER: i64 = -1;
/// Bytes of the records of one request.
const COMMIT_BYTES_MAX: usize = 16 << 20;
/// Bytes of a record beside its names and its metadata.
const RECORD_BYTES: usize = 100;
/// From this version on a group that doesn't exist has an error of its own.
const NOT_FOUND_FROM: i16 = 9;

impl Coordinator {
    /// Commits offsets. The request's topics are those that exist, with names and, where the host
    /// knows them, ids.
    pub fn commit(
        &mut self,
        now: Now,
        request: &OffsetCommitRequest,
        version: i16,
        effects: &mut Effects,
    ) -> OffsetCommitResponse {
        if let Err(error_code) = self.check_commit(request, version) {
            return refuse(request, error_code);
        }
        self.step(&request.group_id, now, effects, |group, turn| group.commit(request, turn))
    }

    fn check_commit(&self, request: &OffsetCommitRequest, version: i16) -> Result<(), ErrorCode> {
        let group = self.groups.get(&request.group_id);
        let is_by_member = request.generation_id_or_member_epoch >= 0;
        match group {
            Some(group) => group.check_commit(request)?,
            None if is_by_member && version >= NOT_FOUND_FROM => {
                return Err(ErrorCode::GROUP_ID_NOT_FOUND);
            }
            None if is_by_member => return Err(ErrorCode::ILLEGAL_GENERATION),
            None => {}
        }
        if request.group_id.len() > NAME_BYTES_MAX {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        if record_bytes(request) > COMMIT_BYTES_MAX {
            return Err(ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
        }
        let none = GroupOffsets::of_group(&request.group_id);
        let offsets = group.map_or(&none, |group| &group.offsets);
        let growth = request.topics.iter().map(|topic| growth(offsets, topic)).sum();
        // Whoever commits tries again, and what is old is forgotten now and then.
        let is_full = growth > 0 && self.lacks_room(group.is_none(), growth);
        if is_full { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) } else { Ok(()) }
    }
}

/// Memory that the offsets of a topic take.
fn growth(offsets: &GroupOffsets, topic: &OffsetCommitRequestTopic) -> usize {
    let partitions = topic.partitions.iter();
    let growth =
        partitions.map(|one| offsets.growth(&topic.name, one.partition_index, metadata_bytes(one)));
    growth.sum()
}

/// Bytes of the records of a request, about. A request can name a partition again and again.
fn record_bytes(request: &OffsetCommitRequest) -> usize {
    let topics = request.topics.iter().map(|topic| {
        let names = RECORD_BYTES + request.group_id.len() + topic.name.len();
        let partitions = topic.partitions.iter();
        partitions.map(|one| names + metadata_bytes(one)).sum::<usize>()
    });
    topics.sum()
}

fn metadata_bytes(one: &OffsetCommitRequestPartition) -> usize {
    one.committed_metadata.as_ref().map_or(0, |text| text.len())
}

impl Group {
    /// Whether an offset may be committed.
    fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && self.state() == GroupState::Empty {
            // A consumer that does without a group's protocol.
            return Ok(());
        }
        if generation >= 0 || !request.member_id.is_empty() || instance_id.is_some() {
            self.check_member(&request.member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else if self.state() != GroupState::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        match self.state() {
            GroupState::CompletingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    fn commit(
        &mut self,
        request: &OffsetCommitRequest,
        turn: &mut Turn<'_>,
    ) -> OffsetCommitResponse {
        if matches!(self.state(), GroupState::Stable | GroupState::PreparingRebalance) {
            self.keep_alive(&request.member_id, turn.now);
        }
        let expires_ms = (request.retention_time_ms != RETENTION_OF_THE_BROKER)
            .then(|| turn.now.wall_ms.saturating_add(request.retention_time_ms));
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for one in &topic.partitions {
                let committed = self.commit_one(topic, one, expires_ms, turn);
                partitions.push(OffsetCommitResponsePartition {
                    partition_index: one.partition_index,
                    error_code: committed.err().unwrap_or(ErrorCode::NONE),
                });
            }
            let (name, topic_id) = (topic.name.clone(), topic.topic_id);
            topics.push(OffsetCommitResponseTopic { name, topic_id, partitions });
        }
        OffsetCommitResponse { throttle_time_ms: 0, topics }
    }

    fn commit_one(
        &mut self,
        topic: &OffsetCommitRequestTopic,
        one: &OffsetCommitRequestPartition,
        expires_ms: Option<i64>,
        turn: &mut Turn<'_>,
    ) -> Result<(), ErrorCode> {
        let metadata = one.committed_metadata.clone().unwrap_or_default();
        if is_too_long(&metadata, turn.options.offset_metadata_max) {
            return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        let value = CommittedOffset {
            offset: one.committed_offset,
            leader_epoch: if expires_ms.is_none() { one.committed_leader_epoch } else { -1 },
            metadata,
            committed_ms: turn.now.wall_ms,
            expires_ms,
            // Its record has no place for both.
            topic_id: if expires_ms.is_none() { topic.topic_id } else { Default::default() },
        };
        *turn.order += 1;
        let stored = StoredOffset { value: value.clone(), order: *turn.order };
        self.offsets.put(&topic.name, one.partition_index, stored);
        turn.effects.records.push(GroupRecord::Offset {
            group: self.id.clone(),
            topic: topic.name.clone(),
            partition: one.partition_index,
            value: Some(value),
        });
        Ok(())
    }
}

/// Whether metadata is longer than it may be, counted as Java does; and it has to fit a record.
fn is_too_long(metadata: &str, units_max: usize) -> bool {
    let is_short = metadata.len() <= units_max;
    metadata.len() > NAME_BYTES_MAX || !is_short && metadata.encode_utf16().count() > units_max
}

/// The same error for all that a request has.
fn refuse(request: &OffsetCommitRequest, error_code: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|one| OffsetCommitResponsePartition {
                partition_index: one.partition_index,
                error_code,
            })
            .collect(),
    });
    OffsetCommitResponse { throttle_time_ms: 0, topics: topics.collect() }
}
