//! Plan: a broker on loopback that coordinates by a script: it gives ids, shares anew, forgets its
//! members, and moves away. Time is real, but nothing is measured.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use logboom_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use logboom_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use logboom_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberResponse,
};
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use logboom_protocol::{ApiKey, ErrorCode};

use super::*;
use crate::testing::{Arrived, ScriptedBroker, cluster};
use crate::{BrokerAddress, ClientConfig, ClientError, Cluster};

/// A group with the one member that asks, as its coordinator sees it.
struct Group {
    address: BrokerAddress,
    /// How often a member id was given.
    ids: usize,
    generation: i32,
    /// Of topic `t`, which isn't there while it has none.
    partitions: i32,
    /// What is told of it where it has some.
    topic: ErrorCode,
    /// How often whoever is asked for it hasn't heard of anything yet.
    novices: usize,
    /// What heartbeats and commits are answered with.
    heartbeat: ErrorCode,
    commit: ErrorCode,
    /// Commits that were taken: member, generation, partition and offset of the first.
    commits: Vec<(String, i32, i32, i64)>,
    /// How often a commit was asked for, and a coordinator.
    asked_to_commit: usize,
    asked_for: usize,
    left: Vec<String>,
    /// What the next syncs are answered with, before they are taken.
    syncs: VecDeque<ErrorCode>,
    /// By which names, and with what.
    names: BTreeSet<(ApiKey, Option<String>)>,
    /// How many heartbeats have come.
    beats: watch::Sender<usize>,
}

type Shared = Arc<Mutex<Group>>;

fn member_id(number: usize) -> String {
    format!("member-{number}")
}

impl Group {
    fn shared(address: &BrokerAddress) -> Shared {
        Arc::new(Mutex::new(Self {
            address: address.clone(),
            ids: 0,
            generation: 4,
            partitions: 3,
            topic: ErrorCode::NONE,
            novices: 0,
            heartbeat: ErrorCode::NONE,
            commit: ErrorCode::NONE,
            commits: Vec::new(),
            asked_to_commit: 0,
            asked_for: 0,
            left: Vec::new(),
            syncs: VecDeque::new(),
            names: BTreeSet::new(),
            beats: watch::Sender::new(0),
        }))
    }

    fn answer(&mut self, asked: &Arrived) -> Bytes {
        match asked.api {
            ApiKey::Metadata => asked.answer(&self.metadata()),
            ApiKey::FindCoordinator => {
                self.asked_for += 1;
                asked.answer(&self.found(asked.version))
            }
            ApiKey::JoinGroup => asked.answer(&self.join(&asked.decode())),
            ApiKey::SyncGroup => asked.answer(&self.sync(&asked.decode())),
            ApiKey::Heartbeat => {
                let request: HeartbeatRequest = asked.decode();
                assert_eq!(request.generation_id, self.generation);
                self.note(ApiKey::Heartbeat, request.group_instance_id.as_deref());
                self.beats.send_modify(|beats| *beats += 1);
                let error_code = self.heartbeat;
                asked.answer(&HeartbeatResponse { error_code, ..Default::default() })
            }
            ApiKey::OffsetCommit => asked.answer(&self.take(&asked.decode())),
            ApiKey::LeaveGroup => asked.answer(&self.leave(asked)),
            ApiKey::OffsetFetch => asked.answer(&self.fetch(asked)),
            api => panic!("{api}"),
        }
    }

    fn metadata(&mut self) -> MetadataResponse {
        if self.novices > 0 {
            self.novices -= 1;
            return MetadataResponse::default();
        }
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            ..MetadataResponsePartition::default()
        };
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 0,
                host: self.address.host.as_str().into(),
                port: self.address.port.into(),
                ..MetadataResponseBroker::default()
            }],
            topics: vec![MetadataResponseTopic {
                error_code: match self.partitions {
                    0 => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    _ => self.topic,
                },
                name: Some("t".into()),
                partitions: (0..self.partitions).map(partition).collect(),
                ..MetadataResponseTopic::default()
            }],
            ..MetadataResponse::default()
        }
    }

    fn found(&self, version: i16) -> FindCoordinatorResponse {
        let (host, port) = (self.address.host.as_str().into(), self.address.port.into());
        if version < 4 {
            return FindCoordinatorResponse { host, port, ..Default::default() };
        }
        let found = Coordinator { key: "g".into(), host, port, ..Coordinator::default() };
        FindCoordinatorResponse { coordinators: vec![found], ..Default::default() }
    }

    fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        assert_eq!((request.protocol_type.as_str(), request.protocols.len()), ("consumer", 1));
        assert_eq!(request.protocols[0].name, "range");
        self.note(ApiKey::JoinGroup, request.group_instance_id.as_deref());
        if request.member_id.is_empty() {
            self.ids += 1;
            let error_code = ErrorCode::MEMBER_ID_REQUIRED;
            let member_id = member_id(self.ids).into();
            return JoinGroupResponse { error_code, member_id, ..Default::default() };
        }
        if request.member_id != member_id(self.ids) {
            let error_code = ErrorCode::UNKNOWN_MEMBER_ID;
            return JoinGroupResponse { error_code, ..Default::default() };
        }
        self.generation += 1;
        self.heartbeat = ErrorCode::NONE;
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_name: Some("range".into()),
            leader: request.member_id.clone(),
            member_id: request.member_id.clone(),
            members: vec![JoinGroupResponseMember {
                member_id: request.member_id.clone(),
                group_instance_id: None,
                metadata: request.protocols[0].metadata.clone(),
            }],
            ..JoinGroupResponse::default()
        }
    }

    fn note(&mut self, api: ApiKey, name: Option<&str>) {
        self.names.insert((api, name.map(str::to_owned)));
    }

    fn sync(&mut self, request: &SyncGroupRequest) -> SyncGroupResponse {
        assert_eq!(request.generation_id, self.generation);
        self.note(ApiKey::SyncGroup, request.group_instance_id.as_deref());
        if let Some(error_code) = self.syncs.pop_front() {
            return SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
        }
        let own = request.assignments.iter().find(|one| one.member_id == request.member_id);
        let assignment = own.expect("the leader assigns to itself").assignment.clone();
        SyncGroupResponse { assignment, ..SyncGroupResponse::default() }
    }

    fn take(&mut self, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        self.asked_to_commit += 1;
        self.note(ApiKey::OffsetCommit, request.group_instance_id.as_deref());
        let first = &request.topics[0].partitions[0];
        if self.commit == ErrorCode::NONE {
            let (id, generation) = (&request.member_id, request.generation_id_or_member_epoch);
            let taken = (first.partition_index, first.committed_offset);
            self.commits.push((id.as_str().to_owned(), generation, taken.0, taken.1));
        }
        let partition = |one: &OffsetCommitRequestPartition| OffsetCommitResponsePartition {
            partition_index: one.partition_index,
            error_code: match one.partition_index < self.partitions {
                true => self.commit,
                false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            },
        };
        let topic = OffsetCommitResponseTopic {
            name: "t".into(),
            partitions: request.topics[0].partitions.iter().map(partition).collect(),
            ..OffsetCommitResponseTopic::default()
        };
        OffsetCommitResponse { topics: vec![topic], ..OffsetCommitResponse::default() }
    }

    fn leave(&mut self, asked: &Arrived) -> LeaveGroupResponse {
        let request: LeaveGroupRequest = asked.decode();
        let alone = (asked.version < 3).then_some(&request.member_id);
        let listed = request.members.iter().map(|member| &member.member_id);
        self.left.extend(alone.into_iter().chain(listed).map(ToString::to_string));
        let members = request.members.iter().map(|member| MemberResponse {
            member_id: member.member_id.clone(),
            ..MemberResponse::default()
        });
        LeaveGroupResponse { members: members.collect(), ..LeaveGroupResponse::default() }
    }

    /// Offset 7 for partition 0, and nothing for partition 1.
    fn fetch(&self, asked: &Arrived) -> OffsetFetchResponse {
        let request: OffsetFetchRequest = asked.decode();
        assert!(asked.version < 8 && request.groups.is_empty());
        let of_a_topic = request.topics.is_some();
        assert_eq!(request.require_stable, asked.version == 7 && of_a_topic, "only 7 can say it");
        let partition = |(partition_index, committed_offset)| OffsetFetchResponsePartition {
            partition_index,
            committed_offset,
            ..OffsetFetchResponsePartition::default()
        };
        let partitions = [(1, -1), (0, 7)].map(partition).to_vec();
        let topics = vec![OffsetFetchResponseTopic { name: "t".into(), partitions }];
        OffsetFetchResponse { topics, ..OffsetFetchResponse::default() }
    }
}

/// A broker that coordinates group `g`, and the group.
async fn coordinator(limits: &[(ApiKey, i16)]) -> Shared {
    let broker = ScriptedBroker::bind().await;
    let group = Group::shared(&broker.address);
    let answering = Arc::clone(&group);
    broker.run_with(limits, move |asked| Some(answering.lock().unwrap().answer(asked)));
    group
}

fn member(group: &Shared) -> GroupMember {
    let address = group.lock().unwrap().address.clone();
    member_of(cluster(vec![address]))
}

fn member_of(cluster: Cluster) -> GroupMember {
    GroupMember::new(cluster, config())
}

fn config() -> MemberConfig {
    MemberConfig {
        heartbeat_interval: Duration::from_millis(5),
        ..MemberConfig::new("g".to_owned(), vec!["t".to_owned()])
    }
}

fn offset(partition: i32, offset: i64) -> [OffsetToCommit; 1] {
    [(&PartitionOffset { topic: "t".to_owned(), partition, offset }).into()]
}

async fn commit(member: &GroupMember, offset: [OffsetToCommit; 1]) -> Result<(), ClientError> {
    member.committer().commit_each(&offset).await.remove(0)
}

#[tokio::test]
async fn a_member_joins_shares_commits_and_leaves() {
    let group = coordinator(&[]).await;
    let mut member = member(&group);
    let joined = member.join().await.unwrap();
    assert_eq!(joined.generation, 5);
    assert_eq!(joined.assignment, [("t".to_owned(), vec![0, 1, 2])].into());
    commit(&member, offset(1, 9)).await.unwrap();
    group.lock().unwrap().heartbeat = ErrorCode::REBALANCE_IN_PROGRESS;
    assert_eq!(member.disturbed().await, Beat::Rebalance);
    let joined = member.join().await.unwrap();
    assert_eq!(joined.generation, 6);
    commit(&member, offset(1, 10)).await.unwrap();
    member.leave().await.unwrap();
    let group = group.lock().unwrap();
    let taken = [("member-1".to_owned(), 5, 1, 9), ("member-1".to_owned(), 6, 1, 10)];
    assert_eq!(group.commits, taken);
    assert_eq!(group.left, ["member-1"]);
}

#[tokio::test]
async fn a_member_that_is_forgotten_joins_as_a_new_one() {
    let group = coordinator(&[]).await;
    let mut member = member(&group);
    member.join().await.unwrap();
    {
        let mut group = group.lock().unwrap();
        group.ids += 1;
        group.heartbeat = ErrorCode::UNKNOWN_MEMBER_ID;
        group.commit = ErrorCode::UNKNOWN_MEMBER_ID;
    }
    let error = commit(&member, offset(0, 1)).await.unwrap_err();
    assert!(error.is_lost_membership(), "{error}");
    assert_eq!(member.disturbed().await, Beat::Lost);
    member.join().await.unwrap();
    assert_eq!(member.id(), "member-3");
}

#[tokio::test]
async fn whoever_is_told_at_the_end_of_a_join_that_it_has_changed_joins_again() {
    for (code, id, generation) in [
        (ErrorCode::REBALANCE_IN_PROGRESS, "member-1", 6),
        // A join that was given up has come behind this one.
        (ErrorCode::ILLEGAL_GENERATION, "member-1", 6),
        (ErrorCode::UNKNOWN_MEMBER_ID, "member-2", 6),
        (ErrorCode::NOT_COORDINATOR, "member-1", 6),
    ] {
        let group = coordinator(&[]).await;
        group.lock().unwrap().syncs = [code].into();
        let mut member = member(&group);
        let joined = member.join().await.unwrap();
        assert_eq!((member.id(), joined.generation), (id, generation), "{code}");
        commit(&member, offset(0, 1)).await.unwrap();
    }
}

#[tokio::test]
async fn who_keeps_partitions_hears_that_they_are_lost_before_it_joins_again() {
    for code in [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::ILLEGAL_GENERATION] {
        let group = coordinator(&[]).await;
        let mut member = member(&group);
        let joined = member.join().await.unwrap();
        group.lock().unwrap().syncs = [code].into();
        let error = member.join_keeping(&joined.assignment).await.unwrap_err();
        assert!(error.is_lost_membership(), "{error}");
        let committed = commit(&member, offset(0, 1)).await.unwrap_err();
        assert!(committed.is_lost_membership(), "they may be somebody else's: {committed}");
        member.join().await.unwrap();
        commit(&member, offset(0, 1)).await.unwrap();
    }
}

#[tokio::test]
async fn who_has_a_name_is_known_by_it_wherever_it_asks() {
    let group = coordinator(&[]).await;
    let address = group.lock().unwrap().address.clone();
    let config = MemberConfig { instance_id: Some("n".to_owned()), ..config() };
    let mut member = GroupMember::new(cluster(vec![address]), config);
    member.join().await.unwrap();
    after_beats(&group, &mut member, 1).await;
    commit(&member, offset(0, 1)).await.unwrap();
    let asked = [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::OffsetCommit];
    let names = asked.map(|api| (api, Some("n".to_owned())));
    assert_eq!(group.lock().unwrap().names, names.into());
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_in_time_whatever_a_connection_waits_for() {
    const LIMIT: Duration = Duration::from_secs(5);
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let address = BrokerAddress { host: "127.0.0.1".to_owned(), port };
    let config = ClientConfig { api_timeout: LIMIT, ..ClientConfig::default() };
    let cluster = Cluster::new(vec![address], config);
    let began = tokio::time::Instant::now();
    cluster.coordinator("g").await.unwrap_err();
    assert!(began.elapsed() <= LIMIT, "{:?}", began.elapsed());
    let began = tokio::time::Instant::now();
    let commits = Committer::standalone(cluster, "g").commit_each(&offset(0, 1)).await;
    assert!(commits[0].is_err() && began.elapsed() <= LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_is_no_member_commits_nothing() {
    let group = coordinator(&[]).await;
    let error = commit(&member(&group), offset(0, 1)).await.unwrap_err();
    assert!(error.is_lost_membership(), "{error}");
    assert_eq!(group.lock().unwrap().commits, []);
}

#[tokio::test]
async fn a_partition_that_is_gone_holds_up_no_other_s_commit() {
    let group = coordinator(&[]).await;
    let mut member = member(&group);
    member.join().await.unwrap();
    let lookups = {
        let mut group = group.lock().unwrap();
        group.partitions = 2;
        group.asked_for
    };
    let offsets = [offset(2, 7), offset(1, 9)].concat();
    let told = member.committer().commit_each(&offsets).await;
    let code = told[0].as_ref().unwrap_err().code();
    assert_eq!(code, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{told:?}");
    assert!(matches!(told[0], Err(ClientError::Refused { .. })), "long before the deadline");
    assert!(told[1].is_ok(), "{told:?}");
    let group = group.lock().unwrap();
    assert_eq!(group.asked_to_commit, 2, "the coordinator may be the last one to hear of it");
    assert_eq!(group.asked_for, lookups + 1, "the coordinator isn't to blame");
}

#[tokio::test]
async fn a_commit_follows_the_coordinator() {
    let (first, second) = (coordinator(&[]).await, coordinator(&[]).await);
    let mut member = member(&first);
    member.join().await.unwrap();
    {
        let mut first = first.lock().unwrap();
        first.commit = ErrorCode::NOT_COORDINATOR;
        first.address = second.lock().unwrap().address.clone();
        second.lock().unwrap().generation = 5;
    }
    commit(&member, offset(2, 3)).await.unwrap();
    assert_eq!(second.lock().unwrap().commits, [("member-1".to_owned(), 5, 2, 3)]);
    assert_eq!(first.lock().unwrap().commits, []);
}

#[tokio::test]
async fn who_has_shared_partitions_notices_new_ones() {
    let group = coordinator(&[]).await;
    let address = group.lock().unwrap().address.clone();
    let config = ClientConfig { metadata_age_max: Duration::ZERO, ..ClientConfig::default() };
    let mut member = member_of(Cluster::new(vec![address], config));
    member.join().await.unwrap();
    group.lock().unwrap().partitions = 4;
    assert_eq!(member.disturbed().await, Beat::Rebalance);
    let joined = member.join().await.unwrap();
    assert_eq!(joined.assignment["t"], [0, 1, 2, 3]);
}

#[tokio::test]
async fn what_a_broker_says_that_knows_nobody_yet_is_not_shared() {
    let group = coordinator(&[]).await;
    group.lock().unwrap().novices = 2;
    let joined = member(&group).join().await.unwrap();
    assert_eq!(joined.assignment["t"], [0, 1, 2]);
}

#[tokio::test]
async fn a_topic_of_which_nothing_is_told_is_named_to_who_shares() {
    for (code, partitions) in [
        (ErrorCode::TOPIC_AUTHORIZATION_FAILED, 3),
        (ErrorCode::INVALID_TOPIC_EXCEPTION, 3),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0),
    ] {
        let group = coordinator(&[]).await;
        {
            let mut group = group.lock().unwrap();
            (group.topic, group.partitions) = (code, partitions);
        }
        let joined = member(&group).join().await.unwrap();
        assert!(joined.assignment.is_empty(), "{joined:?}");
        assert_eq!(joined.unshared, [("t".to_owned(), code)].into());
    }
}

/// Waits for so many heartbeats more, and says what has become of the member meanwhile.
async fn after_beats(group: &Shared, member: &mut GroupMember, count: usize) -> Beat {
    let mut beats = group.lock().unwrap().beats.subscribe();
    let wanted = *beats.borrow() + count;
    tokio::select! {
        biased;
        beat = member.disturbed() => beat,
        _ = beats.wait_for(|beats| *beats >= wanted) => Beat::Steady,
    }
}

#[tokio::test]
async fn a_topic_that_has_grown_is_shared_anew_once_whatever_was_remembered_of_it() {
    let group = coordinator(&[]).await;
    let mut member = member(&group);
    member.join().await.unwrap();
    assert_eq!(after_beats(&group, &mut member, 3).await, Beat::Steady);
    {
        let mut group = group.lock().unwrap();
        group.partitions = 4;
        group.heartbeat = ErrorCode::REBALANCE_IN_PROGRESS;
    }
    assert_eq!(after_beats(&group, &mut member, 3).await, Beat::Rebalance);
    assert_eq!(member.join().await.unwrap().assignment["t"], [0, 1, 2, 3]);
    assert_eq!(after_beats(&group, &mut member, 5).await, Beat::Steady, "all of it is shared");
}

#[tokio::test]
async fn who_shares_notices_when_a_topic_comes_that_was_not_there() {
    let group = coordinator(&[]).await;
    group.lock().unwrap().partitions = 0;
    let mut member = member(&group);
    assert_eq!(member.join().await.unwrap().assignment, Assignment::new());
    group.lock().unwrap().partitions = 2;
    assert_eq!(member.disturbed().await, Beat::Rebalance);
    assert_eq!(member.join().await.unwrap().assignment["t"], [0, 1]);
}

#[tokio::test]
async fn who_shares_notices_when_a_topic_is_deleted() {
    let group = coordinator(&[]).await;
    let mut member = member(&group);
    member.join().await.unwrap();
    assert_eq!(after_beats(&group, &mut member, 3).await, Beat::Steady);
    group.lock().unwrap().partitions = 0;
    assert_eq!(after_beats(&group, &mut member, 5).await, Beat::Rebalance);
    assert_eq!(member.join().await.unwrap().assignment, Assignment::new());
    assert_eq!(after_beats(&group, &mut member, 3).await, Beat::Steady, "nothing is shared");
}

#[tokio::test]
async fn a_coordinator_that_answers_nobody_loses_its_members() {
    let group = coordinator(&[]).await;
    let address = group.lock().unwrap().address.clone();
    let config = MemberConfig {
        heartbeat_interval: Duration::from_millis(2),
        session_timeout: Duration::from_millis(20),
        ..MemberConfig::new("g".to_owned(), vec!["t".to_owned()])
    };
    let mut member = GroupMember::new(cluster(vec![address]), config);
    member.join().await.unwrap();
    group.lock().unwrap().heartbeat = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    assert_eq!(member.disturbed().await, Beat::Lost);
}

#[tokio::test]
async fn a_member_asks_for_what_is_stable_wherever_that_can_be_said() {
    for version in [2, 6, 7] {
        let group = coordinator(&[(ApiKey::OffsetFetch, version)]).await;
        let address = group.lock().unwrap().address.clone();
        let cluster = cluster(vec![address]);
        // The coordinator looks at what it is asked.
        let of_topic = cluster.committed_offsets_for("g", &[("t", &[0, 1])]).await.unwrap();
        let all = cluster.committed_offsets("g").await.unwrap();
        assert_eq!((of_topic.len(), all.len()), (1, 1), "version {version}");
    }
}

#[tokio::test]
async fn an_old_coordinator_is_asked_in_its_own_versions() {
    let limits = [(ApiKey::FindCoordinator, 0), (ApiKey::OffsetFetch, 2), (ApiKey::LeaveGroup, 0)];
    let group = coordinator(&limits).await;
    let address = group.lock().unwrap().address.clone();
    let cluster = cluster(vec![address]);
    let told = cluster.committed_offsets_for("g", &[("t", &[0, 1])]).await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.partition, one.offset)).collect();
    assert_eq!(told, [(0, 7)], "nothing is committed for the other");
    let mut member = member_of(cluster);
    member.join().await.unwrap();
    member.leave().await.unwrap();
    assert_eq!(group.lock().unwrap().left, ["member-1"]);
}
