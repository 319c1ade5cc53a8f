//! A member as the simulation has it: a consumer of the eager kind, with what it believes.

use std::collections::BTreeMap;
use std::vec::Vec;

use bytes::Bytes;

use logboom_protocol::CompactString;
use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

/// The topic that everybody reads.
pub(super) const TOPIC: &str = "t";

/// What a member is about to do, or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Joining,
    Syncing,
    Reading,
    /// It has left, or was killed.
    Gone,
}

/// A member.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) group: CompactString,
    pub(super) instance_id: Option<CompactString>,
    pub(super) member_id: CompactString,
    pub(super) generation: i32,
    pub(super) stage: Stage,
    /// Counts its attempts: what belongs to an earlier one is of no interest any more.
    pub(super) attempt: u64,
    /// Does nothing until then.
    pub(super) hangs_until_ms: i64,
    /// The offset that it has read up to, of each partition that it owns.
    pub(super) owned: BTreeMap<i32, i64>,
    /// The members of the generation that it leads.
    roll: Vec<CompactString>,
}

impl Client {
    pub(super) fn new(group: CompactString, instance_id: Option<CompactString>) -> Self {
        Self {
            group,
            instance_id,
            member_id: CompactString::default(),
            generation: -1,
            stage: Stage::Joining,
            attempt: 0,
            hangs_until_ms: 0,
            owned: BTreeMap::new(),
            roll: Vec::new(),
        }
    }

    pub(super) fn join_request(&self) -> JoinGroupRequest {
        // A consumer's subscription to one topic.
        let metadata = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 15_000,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: "consumer".into(),
            protocols: Vec::from([JoinGroupRequestProtocol { name: "range".into(), metadata }]),
            reason: None,
        }
    }

    pub(super) fn on_joined(&mut self, told: &JoinGroupResponse) {
        self.member_id = told.member_id.clone();
        self.generation = told.generation_id;
        self.roll = told.members.iter().map(|member| member.member_id.clone()).collect();
        self.stage = Stage::Syncing;
    }

    /// Its sync; the leader deals out the partitions, one after the other.
    pub(super) fn sync_request(&self, partitions: u8) -> SyncGroupRequest {
        let count = self.roll.len();
        let assignments = self.roll.iter().enumerate().map(|(index, id)| {
            let own = (0..partitions).filter(|partition| usize::from(*partition) % count == index);
            let assignment = own.collect::<Vec<u8>>().into();
            SyncGroupRequestAssignment { member_id: id.clone(), assignment }
        });
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.collect(),
        }
    }

    /// What it has read of all that it owns.
    pub(super) fn commit_request(&self) -> OffsetCommitRequest {
        let partitions =
            self.owned.iter().map(|(partition, offset)| OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                ..OffsetCommitRequestPartition::default()
            });
        let partitions = partitions.collect();
        let topic =
            OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() };
        OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            topics: Vec::from([topic]),
            ..OffsetCommitRequest::default()
        }
    }

    /// Begins anew; what it owned belongs to others.
    pub(super) fn rejoin(&mut self, forgets_id: bool) {
        self.owned.clear();
        self.stage = Stage::Joining;
        self.attempt += 1;
        if forgets_id {
            self.member_id = CompactString::default();
        }
    }
}
