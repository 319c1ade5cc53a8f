//! A coordinator that was stalled tells nobody what was.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestTopic, OffsetFetchResponse,
};
use logboom_tests::broker::{Broker, pause};
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::Raw;

const GROUP: &str = "stalled";
/// A version of OffsetFetch and OffsetCommit each that knows nothing of members.
const FETCH: i16 = 5;
const COMMIT: i16 = 7;
const PATIENCE: Duration = Duration::from_secs(60);

/// The broker that coordinates the group, as another one sees it.
fn coordinator(cluster: &mut Cluster, asked: i32) -> i32 {
    let request = FindCoordinatorRequest { key: GROUP.into(), ..Default::default() };
    Raw::connect(&cluster.broker(asked).bootstrap()).call(2, &request).node_id
}

fn fetch(topic: &str) -> OffsetFetchRequest {
    let topic = OffsetFetchRequestTopic { name: topic.into(), partition_indexes: vec![0] };
    OffsetFetchRequest { group_id: GROUP.into(), topics: Some(vec![topic]), ..Default::default() }
}

/// What is said to be committed, if anything is.
fn told(response: &OffsetFetchResponse) -> Result<i64, ErrorCode> {
    match response.error_code {
        ErrorCode::NONE => Ok(response.topics[0].partitions[0].committed_offset),
        code => Err(code),
    }
}

/// Commits an offset, as often as it takes until it is acknowledged by somebody else than one
/// broker. Returns whom.
fn commit(cluster: &mut Cluster, topic: &str, offset: i64, not_by: Option<i32>) -> i32 {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: topic.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request =
        OffsetCommitRequest { group_id: GROUP.into(), topics: vec![topic], ..Default::default() };
    let asked = (1..=3).find(|id| Some(*id) != not_by).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let by = coordinator(cluster, asked);
        if by > 0 && Some(by) != not_by {
            let answer = Raw::connect(&cluster.broker(by).bootstrap()).call(COMMIT, &request);
            if answer.topics[0].partitions[0].error_code == ErrorCode::NONE {
                return by;
            }
        }
        assert!(Instant::now() < deadline, "nobody commits");
        pause();
    }
}

/// Has all threads of a broker stand still.
fn stall(broker: &Broker) {
    broker.signal("STOP");
    let threads = format!("/proc/{}/task", broker.pid());
    let stands = |thread: &Path| {
        let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tT"))
    };
    let deadline = Instant::now() + PATIENCE;
    // They stop one after the other; what still runs may still answer.
    while !fs::read_dir(&threads).unwrap().all(|thread| stands(&thread.unwrap().path())) {
        assert!(Instant::now() < deadline, "it goes on");
        pause();
    }
}

#[test]
fn a_coordinator_that_was_stalled_does_not_tell_what_was() {
    let mut cluster = Cluster::start("stalled", 3);
    let topic = cluster.new_topic("stalled", 1, 3);
    let mut at = commit(&mut cluster, &topic, 0, None);
    for round in 1..=5 {
        let mut raw = Raw::connect(&cluster.broker(at).bootstrap());
        assert_eq!(told(&raw.call(FETCH, &fetch(&topic))), Ok(round - 1));
        stall(cluster.broker(at));
        // It is there to be answered before anything is heard of others.
        let asked = raw.ask(FETCH, &fetch(&topic));
        let next = commit(&mut cluster, &topic, round, Some(at));
        cluster.broker(at).signal("CONT");
        let answer = raw.answer(FETCH, asked).expect("an answer");
        let is_so = matches!(told(&answer), Ok(offset) if offset == round)
            || told(&answer) == Err(ErrorCode::NOT_COORDINATOR);
        assert!(is_so, "round {round}: {:?}", told(&answer));
        at = next;
    }
}
