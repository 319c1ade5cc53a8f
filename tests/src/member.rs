//! The one member of a group: it heartbeats and commits, and notices what its coordinator forgets.
//!
//! Must always hold: it joins once. Whoever coordinates its group afterwards knows it, or it fails.

use std::time::{Duration, Instant};

use bytes::Bytes;

use logboom_protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use logboom_protocol::{CompactString, ErrorCode, Request};

use crate::broker::pause;
use crate::cluster::Cluster;
use crate::raw::Raw;

/// Longer than it takes until another broker coordinates a group.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long is waited for an answer before it is asked for anew.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Longer than a coordinator is away.
const SESSION_MS: i32 = 45_000;

/// What passes by itself.
const PASSING: [ErrorCode; 3] = [
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
];

/// A member.
pub struct Member {
    group: CompactString,
    topic: CompactString,
    member_id: CompactString,
    generation: i32,
    /// The coordinator, and a connection to it.
    coordinator: Option<(i32, Raw)>,
}

impl Member {
    /// Joins, and is given the one partition of a topic that is watched.
    ///
    /// # Panics
    /// If the group isn't its own.
    pub fn join(cluster: &Cluster, group: &str, topic: &str) -> Self {
        let mut member = Self {
            group: group.into(),
            topic: topic.into(),
            member_id: "".into(),
            generation: -1,
            coordinator: None,
        };
        let range =
            JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"m") };
        let mut join = JoinGroupRequest {
            group_id: group.into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: SESSION_MS,
            protocol_type: "consumer".into(),
            protocols: vec![range],
            ..JoinGroupRequest::default()
        };
        // First it is told its id.
        for expected in [ErrorCode::MEMBER_ID_REQUIRED, ErrorCode::NONE] {
            let joined = member.ask(cluster, 5, &join, |it| it.error_code);
            assert_eq!(joined.error_code, expected);
            join.member_id = joined.member_id;
            member.generation = joined.generation_id;
        }
        member.member_id = join.member_id;
        let assignment = SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: Bytes::from_static(b"a"),
        };
        let sync = SyncGroupRequest {
            group_id: group.into(),
            generation_id: member.generation,
            member_id: member.member_id.clone(),
            assignments: vec![assignment],
            ..SyncGroupRequest::default()
        };
        let synced = member.ask(cluster, 3, &sync, |it| it.error_code);
        assert_eq!(synced.error_code, ErrorCode::NONE);
        member
    }

    /// Who coordinates its group, as it has found last.
    ///
    /// # Panics
    /// If it has lost that one.
    pub fn coordinator(&self) -> i32 {
        self.coordinator.as_ref().expect("it was answered").0
    }

    /// Heartbeats and commits, whoever coordinates.
    ///
    /// # Panics
    /// If somebody does who doesn't know the member.
    pub fn commit(&mut self, cluster: &Cluster, offset: i64) {
        let heartbeat = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            ..HeartbeatRequest::default()
        };
        let beat = self.ask(cluster, 3, &heartbeat, |it| it.error_code);
        assert_eq!(beat.error_code, ErrorCode::NONE, "a heartbeat");
        let partition =
            OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
        let topic = OffsetCommitRequestTopic {
            name: self.topic.clone(),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        };
        let commit = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        let done = self.ask(cluster, 7, &commit, |it| it.topics[0].partitions[0].error_code);
        assert_eq!(done.topics[0].partitions[0].error_code, ErrorCode::NONE, "a commit");
    }

    /// What is committed.
    ///
    /// # Panics
    /// If nobody says.
    pub fn committed(&mut self, cluster: &Cluster) -> i64 {
        let topic =
            OffsetFetchRequestTopic { name: self.topic.clone(), partition_indexes: vec![0] };
        let fetch = OffsetFetchRequest {
            group_id: self.group.clone(),
            topics: Some(vec![topic]),
            ..OffsetFetchRequest::default()
        };
        let found = self.ask(cluster, 5, &fetch, |it| it.error_code);
        assert_eq!(found.error_code, ErrorCode::NONE, "what is committed");
        found.topics[0].partitions[0].committed_offset
    }

    /// Asks the coordinator until it answers with something that doesn't pass by itself.
    fn ask<R: Request>(
        &mut self,
        cluster: &Cluster,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> ErrorCode,
    ) -> R::Response {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = self.coordinator.take().or_else(|| self.find(cluster));
            if let Some((id, mut raw)) = known
                && let Some(answer) = raw.try_call(version, request)
                && !PASSING.contains(&code(&answer))
            {
                self.coordinator = Some((id, raw));
                return answer;
            }
            assert!(Instant::now() < deadline, "nobody coordinates {}", self.group);
            pause();
        }
    }

    fn find(&self, cluster: &Cluster) -> Option<(i32, Raw)> {
        let request = FindCoordinatorRequest { key: self.group.clone(), ..Default::default() };
        let FindCoordinatorResponse { error_code, node_id, host, port, .. } =
            cluster.any().try_call(2, &request)?;
        let raw = || Raw::brief(&format!("{host}:{port}"), ANSWER_MAX).ok();
        (error_code == ErrorCode::NONE).then(raw)?.map(|raw| (node_id, raw))
    }
}
