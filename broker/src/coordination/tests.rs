//! Hosted groups: what is committed is there after a restart, and what was held is answered.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::delete_topics::DeleteTopicsRequest;
use logboom_protocol::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::OFFSETS_TOPIC;
use crate::testing::TestBroker;

mod faults;

/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker with a topic `t`, whose group waits for nobody.
fn broker() -> TestBroker {
    let broker = TestBroker::with([
        ("group.initial.rebalance.delay.ms", "0"),
        ("offsets.topic.num.partitions", "3"),
    ]);
    create(&broker);
    let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    assert_eq!(broker.request(&request, 2).error_code, ErrorCode::NONE);
    broker
}

fn create(broker: &TestBroker) {
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 2,
        replication_factor: 1,
        ..Default::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(broker.request(&request, 5).topics[0].error_code, ErrorCode::NONE);
}

fn commit(broker: &TestBroker, group: &str, partition: i32, offset: i64) -> ErrorCode {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request =
        OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
    broker.request(&request, 7).topics[0].partitions[0].error_code
}

/// What a group has committed for partition 0, when its partition is read.
fn committed(broker: &TestBroker, group: &str) -> i64 {
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0] };
    let request = OffsetFetchRequest {
        group_id: group.into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = broker.request(&request, 5);
        match response.error_code {
            ErrorCode::NONE => return response.topics[0].partitions[0].committed_offset,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {
                assert!(Instant::now() < deadline, "groups aren't read");
            }
            code => panic!("{code}"),
        }
    }
}

/// Offsets that the coordinators of all partitions have.
fn kept(broker: &TestBroker) -> usize {
    let node = broker.broker().node();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(node.coordination.load_all(node));
    let counted = node.coordination.ask_all(node, |coordinator| coordinator.offsets().count());
    runtime.block_on(counted).unwrap().into_iter().sum()
}

fn join(group: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    }
}

/// Waits until a member has joined a group, which waits for others.
fn wait_for_a_member(broker: &TestBroker, group: &str) {
    let describe = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let deadline = Instant::now() + PATIENCE;
    while broker.request(&describe, 0).groups[0].members.is_empty() {
        assert!(Instant::now() < deadline, "nobody joins {group}");
    }
}

#[test]
fn offsets_and_members_survive_a_restart() {
    let mut broker = broker();
    for (group, offset) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        assert_eq!(commit(&broker, group, 0, offset), ErrorCode::NONE);
    }
    assert_eq!(commit(&broker, "a", 9, 1), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let joined = broker.request(&join("m"), 2);
    let assignment = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: (&b"mine"[..]).into(),
    };
    let sync = SyncGroupRequest {
        group_id: "m".into(),
        generation_id: 1,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..Default::default()
    };
    assert_eq!(broker.request(&sync, 2).assignment, &b"mine"[..]);
    broker.restart();
    for (group, offset) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        assert_eq!(committed(&broker, group), offset);
    }
    assert_eq!(committed(&broker, "m"), -1);
    let heartbeat = HeartbeatRequest {
        group_id: "m".into(),
        generation_id: 1,
        member_id: joined.member_id,
        ..Default::default()
    };
    assert_eq!(broker.request(&heartbeat, 3).error_code, ErrorCode::NONE);
    assert_eq!(
        broker.request(&SyncGroupRequest { assignments: vec![], ..sync }, 2).assignment,
        &b"mine"[..]
    );
}

#[test]
fn offsets_of_a_deleted_topic_are_not_those_of_its_namesake() {
    let mut broker = broker();
    assert_eq!(commit(&broker, "a", 0, 5), ErrorCode::NONE);
    let request = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..Default::default()
    };
    assert_eq!(broker.request(&request, 5).responses[0].error_code, ErrorCode::NONE);
    create(&broker);
    assert_eq!(committed(&broker, "a"), -1);
    assert_eq!(kept(&broker), 0, "they are forgotten, and not only hidden");
    broker.restart();
    assert_eq!(committed(&broker, "a"), -1);
    assert_eq!(kept(&broker), 0);
}

#[test]
fn a_stop_answers_those_who_wait_for_others() {
    let broker = TestBroker::with([("group.initial.rebalance.delay.ms", "60000")]);
    let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    assert_eq!(broker.request(&request, 2).error_code, ErrorCode::NONE);
    let mut client = broker.client();
    client.send(&join("g"), 2);
    wait_for_a_member(&broker, "g");
    let stopped = std::thread::spawn(move || drop(broker));
    let code = client.response::<JoinGroupRequest>(2).error_code;
    assert_eq!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    stopped.join().unwrap();
}

#[test]
fn who_waits_for_others_holds_no_room_at_the_doors() {
    let broker = TestBroker::with([
        ("group.initial.rebalance.delay.ms", "60000"),
        ("queued.max.response.bytes", "65536"),
    ]);
    let find = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    assert_eq!(broker.request(&find, 2).error_code, ErrorCode::NONE);
    let mut clients: Vec<_> = (0..5).map(|_| broker.client()).collect();
    clients.iter_mut().for_each(|client| client.send(&join("g"), 2));
    let describe = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    let deadline = Instant::now() + PATIENCE;
    while broker.request(&describe, 0).groups[0].members.len() < clients.len() {
        assert!(Instant::now() < deadline, "not all of them join");
    }
    let metrics = &broker.broker().node().metrics;
    // The last description may not be off its connection yet.
    while (metrics.queued_bytes.get(), metrics.queued_response_bytes.get()) != (0, 0) {
        assert!(Instant::now() < deadline, "room is held");
    }
}

#[test]
fn a_group_that_is_named_often_makes_no_endless_answer() {
    const MEMBER_BYTES: usize = 1 << 20;
    const TIMES: usize = 100;
    let broker = broker();
    let protocol =
        JoinGroupRequestProtocol { name: "range".into(), metadata: vec![1; MEMBER_BYTES].into() };
    let joined = broker.request(&JoinGroupRequest { protocols: vec![protocol], ..join("m") }, 2);
    let sync = SyncGroupRequest {
        group_id: "m".into(),
        generation_id: 1,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    assert_eq!(broker.request(&sync, 2).error_code, ErrorCode::NONE);
    let names = vec!["m".into(); TIMES];
    let describe = DescribeGroupsRequest { groups: names, ..Default::default() };
    let groups = broker.request(&describe, 0).groups;
    assert_eq!(groups.len(), TIMES);
    let is_told = |group: &&DescribedGroup| group.error_code.is_none();
    let told = groups.iter().filter(is_told).count();
    assert_eq!(told, 16, "as many as fit");
    let all = groups.iter().take(told).flat_map(|group| &group.members);
    assert!(
        all.clone().count() == told && all.clone().all(|m| m.member_metadata.len() == MEMBER_BYTES)
    );
    let code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    assert!(groups[told..].iter().all(|group| group.error_code == code), "asked for again");
}

#[test]
fn offsets_of_many_groups_make_no_endless_answer() {
    const METADATA_BYTES: usize = 30_000;
    const TIMES: usize = 700;
    let broker = TestBroker::with([("offset.metadata.max.bytes", "30000")]);
    create(&broker);
    let find = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    assert_eq!(broker.request(&find, 2).error_code, ErrorCode::NONE);
    let partition = OffsetCommitRequestPartition {
        committed_metadata: Some("m".repeat(METADATA_BYTES).into()),
        ..Default::default()
    };
    let commit = |group: &str, partitions| {
        let topic = OffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() };
        let (group_id, topics) = (group.into(), vec![topic]);
        let request = OffsetCommitRequest { group_id, topics, ..Default::default() };
        broker.request(&request, 7).topics[0].partitions[0].error_code
    };
    assert_eq!(commit("g", vec![partition]), ErrorCode::NONE);
    // A small request, whose records have the group's name each.
    let often = vec![OffsetCommitRequestPartition::default(); TIMES];
    let code = commit(&"g".repeat(METADATA_BYTES), often);
    assert_eq!(code, ErrorCode::INVALID_COMMIT_OFFSET_SIZE);

    let group = |times| {
        let partition_indexes = vec![0; times];
        let topic =
            OffsetFetchRequestTopics { name: "t".into(), partition_indexes, ..Default::default() };
        let topics = Some(vec![topic]);
        OffsetFetchRequestGroup { group_id: "g".into(), topics, ..Default::default() }
    };
    let request = OffsetFetchRequest { groups: vec![group(1); TIMES], ..Default::default() };
    let groups = broker.request(&request, 8).groups;
    let told = groups.iter().take_while(|group| group.error_code.is_none()).count();
    assert!((500..TIMES - 100).contains(&told), "{told}: 16 MiB");
    let code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    assert!(groups[told..].iter().all(|group| group.error_code == code), "asked for again");
    assert_eq!(groups.len(), TIMES);
    // One partition that is named again and again.
    let request = OffsetFetchRequest { groups: vec![group(TIMES)], ..Default::default() };
    assert_eq!(broker.request(&request, 8).groups[0].error_code, ErrorCode::INVALID_REQUEST);
}

#[test]
fn all_that_is_asked_at_once_is_answered() {
    const ASKED: usize = 5_000;
    let broker = broker();
    let node = broker.broker().node();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ask = |_| node.coordination.ask(node, "g", None, |coordinator, _, _| coordinator.bytes());
    let answers = runtime.block_on(futures_util::future::join_all((0..ASKED).map(ask)));
    assert_eq!(answers.len(), ASKED);
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|one| one.is_err()));
}

#[test]
fn without_the_topic_nobody_coordinates() {
    let broker = TestBroker::start();
    create(&broker);
    assert_eq!(commit(&broker, "g", 0, 1), ErrorCode::NOT_COORDINATOR);
    assert_eq!(broker.request(&join("g"), 2).error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn clients_do_not_write_to_the_topic() {
    let broker = broker();
    let mut builder =
        logboom_protocol::records::BatchBuilder::new(logboom_protocol::records::Codec::None);
    builder.append(1, Some(b"\0\x01\0\x01g\0\x01t\0\0\0\0"), None, &[]).unwrap();
    let data = PartitionProduceData { index: 0, records: Some(builder.build().unwrap()) };
    let topic = TopicProduceData {
        name: OFFSETS_TOPIC.into(),
        partition_data: vec![data],
        ..Default::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let answer = broker.request(&request, 9).responses.remove(0).partition_responses.remove(0);
    assert_eq!(answer.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
}

#[test]
fn lag_is_told_in_records_and_seconds() {
    let broker = broker();
    let mut builder =
        logboom_protocol::records::BatchBuilder::new(logboom_protocol::records::Codec::None);
    for _ in 0..5 {
        builder.append(crate::clock::now_ms() - 60_000, None, Some(b"v"), &[]).unwrap();
    }
    let data = PartitionProduceData { index: 0, records: Some(builder.build().unwrap()) };
    let topic =
        TopicProduceData { name: "t".into(), partition_data: vec![data], ..Default::default() };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    broker.request(&request, 9);
    assert_eq!(commit(&broker, "a", 0, 2), ErrorCode::NONE);
    assert_eq!(commit(&broker, "a", 1, 0), ErrorCode::NONE);
    let node = broker.broker().node();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (lags, omitted) = runtime.block_on(super::lags(node, 10)).unwrap();
    let told: Vec<_> = lags.iter().map(|lag| (lag.partition, lag.records)).collect();
    assert_eq!((told, omitted), (vec![(0, 3), (1, 0)], 0));
    assert!(lags[0].behind_ms.is_some_and(|ms| (60_000..120_000).contains(&ms)), "{lags:?}");
    assert_eq!(lags[1].behind_ms, Some(0));
    let (some, omitted) = runtime.block_on(super::lags(node, 1)).unwrap();
    assert_eq!((some.len(), omitted), (1, 1));
}

#[test]
fn whoever_waits_is_told_when_the_topic_of_groups_is_deleted() {
    let broker = TestBroker::with([("group.initial.rebalance.delay.ms", "60000")]);
    create(&broker);
    let find = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
    assert_eq!(broker.request(&find, 2).error_code, ErrorCode::NONE);
    assert_eq!(commit(&broker, "a", 0, 5), ErrorCode::NONE);
    let mut client = broker.client();
    client.send(&join("g"), 2);
    wait_for_a_member(&broker, "g");
    let request = DeleteTopicsRequest {
        topic_names: vec![OFFSETS_TOPIC.into()],
        timeout_ms: 10_000,
        ..Default::default()
    };
    assert_eq!(broker.request(&request, 5).responses[0].error_code, ErrorCode::NONE);
    let code = client.response::<JoinGroupRequest>(2).error_code;
    assert_eq!(code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(commit(&broker, "a", 0, 6), ErrorCode::NOT_COORDINATOR);
    assert_eq!(broker.request(&find, 2).error_code, ErrorCode::NONE);
    assert_eq!(committed(&broker, "a"), -1);
    assert_eq!(commit(&broker, "a", 0, 7), ErrorCode::NONE);
    assert_eq!(committed(&broker, "a"), 7);
}

#[test]
fn groups_are_found_after_somebody_wanted_more_partitions_for_them() {
    let mut broker = broker();
    for (group, offset) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        assert_eq!(commit(&broker, group, 0, offset), ErrorCode::NONE);
    }
    let topic = CreatePartitionsTopic { name: OFFSETS_TOPIC.into(), count: 5, assignments: None };
    let request =
        CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let result = broker.request(&request, 3).results.remove(0);
    assert_eq!(result.error_code, ErrorCode::INVALID_PARTITIONS);
    assert!(result.error_message.unwrap().contains("offsets.topic.num.partitions"));
    broker.restart();
    for (group, offset) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        assert_eq!(committed(&broker, group), offset);
    }
}
