//! Statements 36, 44 and 108, which need more than one broker: clients are sent to another one, and
//! go on there.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::records::Codec;
use logboom_protocol::units::Uuid;
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;
use logboom_tests::raw::Raw;

use super::idempotence::{producer_id, sent, sequenced};
use super::{PRODUCE, batch, by_name, produce_to, send_home};
use crate::cluster::{Endless, PARTITIONS, all_are_there, wait_for_progress};
use crate::groups::command;

const PATIENCE: Duration = Duration::from_secs(60);

/// Who leads, as a refusal says it: the broker, the epoch, and where it is reached.
type Told = (i32, i32, Option<String>);

fn told_to_producers(raw: &mut Raw, version: i16, topic: &str) -> Told {
    let records = batch(Codec::None, &[b"no"]);
    let answer = raw.call(version, &produce_to(topic, 0, records));
    let one = &answer.responses[0].partition_responses[0];
    assert_eq!(one.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER, "{answer:?}");
    let (id, epoch) = (one.current_leader.leader_id, one.current_leader.leader_epoch);
    let reached = answer.node_endpoints.iter().find(|it| it.node_id == id);
    (id, epoch, reached.map(|it| format!("{}:{}", it.host, it.port)))
}

fn told_to_consumers(raw: &mut Raw, version: i16, topic: &str, topic_id: Uuid) -> Told {
    let partition = FetchPartition {
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let (partitions, by_id) = (vec![partition], version >= FETCH_BY_ID);
    let topic = FetchTopic {
        topic: if by_id { "".into() } else { topic.into() },
        topic_id: if by_id { topic_id } else { Uuid::ZERO },
        partitions,
    };
    let request = FetchRequest {
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let answer = raw.call(version, &request);
    let one = &answer.responses[0].partitions[0];
    assert_eq!(one.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER, "{answer:?}");
    let (id, epoch) = (one.current_leader.leader_id, one.current_leader.leader_epoch);
    let reached = answer.node_endpoints.iter().find(|it| it.node_id == id);
    (id, epoch, reached.map(|it| format!("{}:{}", it.host, it.port)))
}

/// The version of Fetch from which on it names topics by their ids.
const FETCH_BY_ID: i16 = 13;

#[test]
fn wire_36_who_does_not_lead_says_who_does_and_where_that_one_is_reached() {
    let mut cluster = Cluster::start("wire-36", 3);
    let topic = cluster.new_topic("wire-36", 1, 2);
    let led = cluster.wait_until(&topic, "it is led", |it| it.leader_id > 0).remove(0);
    // One that has no copy: a follower with one serves consumers.
    let other = (1..=3).find(|id| !led.replica_nodes.contains(id)).unwrap();
    let mut raw = Raw::connect(&cluster.broker(other).bootstrap());
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let found = raw.call(12, &by_name(&topic, false)).topics.remove(0);
        let knows = found.partitions.first().is_some_and(|it| it.leader_id == led.leader_id);
        if knows {
            break found;
        }
        assert!(Instant::now() < deadline, "it doesn't hear of the leader: {found:?}");
        pause();
    };
    let epoch = found.partitions[0].leader_epoch;
    let address = Some(cluster.broker(led.leader_id).bootstrap());
    let nobody = (-1, -1, None);
    assert_eq!(told_to_producers(&mut raw, PRODUCE, &topic), nobody);
    assert_eq!(told_to_producers(&mut raw, 10, &topic), (led.leader_id, epoch, address.clone()));
    let mut consumers = |version| told_to_consumers(&mut raw, version, &topic, found.topic_id);
    assert_eq!(consumers(11), nobody);
    // Addresses came later than leaders.
    assert_eq!(consumers(12), (led.leader_id, epoch, None));
    assert_eq!(consumers(16), (led.leader_id, epoch, address));
}

/// Sends a batch to whoever leads, as often as it takes until somebody knows that he does.
fn sent_to_leader(cluster: &Cluster, topic: &str, batch: &bytes::Bytes) -> (ErrorCode, i64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = sent(&mut cluster.leader(topic, 0), topic, batch);
        if answer.0 != ErrorCode::NOT_LEADER_OR_FOLLOWER {
            return answer;
        }
        assert!(Instant::now() < deadline, "nobody leads");
        pause();
    }
}

#[test]
fn wire_44_whoever_leads_next_knows_the_producers_of_the_one_that_was_killed() {
    let mut cluster = Cluster::start("wire-44-cluster", 3);
    let topic = cluster.new_topic("wire-44", 1, 3);
    let id = producer_id();
    for round in 0..6 {
        let batch = sequenced(id, 0, round * 2);
        let offset = i64::from(round) * 2;
        assert_eq!(sent_to_leader(&cluster, &topic, &batch), (ErrorCode::NONE, offset));
        cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
        let leader = cluster.partitions(&topic)[0].leader_id;
        if round % 2 == 0 {
            cluster.kill(leader);
        } else {
            cluster.stop(leader);
        }
        let is_other = |it: i32| it > 0 && it != leader;
        cluster.wait_until(&topic, "another leads", |it| is_other(it.leader_id));
        // The answer may have been lost: it is sent again, to somebody else.
        assert_eq!(sent_to_leader(&cluster, &topic, &batch), (ErrorCode::NONE, offset), "{round}");
        let gap = sent_to_leader(&cluster, &topic, &sequenced(id, 0, round * 2 + 4));
        assert_eq!(gap.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        cluster.restart(leader);
    }
}

#[test]
fn wire_108_kills_stops_and_moves_of_leaders_are_invisible_to_clients_that_retry() {
    let mut cluster = Cluster::start("wire-108", 3);
    let topic = cluster.new_topic("wire-108", PARTITIONS, 3);
    let Some(producer) = Endless::start(&cluster, &topic) else { return };
    let root = scratch("wire-108-consumer");
    let output = root.join("values");
    let words = ["consume", &topic, "--group", "wire-108", "--from", "beginning"];
    let mut consume = command(&cluster.bootstrap(), &words);
    let mut consumer =
        consume.stdin(Stdio::null()).stdout(File::create(&output).unwrap()).spawn().unwrap();
    let mut seen = 0;
    for round in 0..3 {
        wait_for_progress(&cluster, &topic, &mut seen, round);
        let victim = i32::try_from(round).unwrap() + 1;
        if round == 1 {
            cluster.stop(victim);
        } else {
            cluster.kill(victim);
        }
        wait_for_progress(&cluster, &topic, &mut seen, round);
        cluster.restart(victim);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
        _ = send_home(&cluster, &topic, PARTITIONS);
    }
    let count = producer.end();
    all_are_there(&cluster, &topic, count);
    let read = || -> BTreeSet<i64> {
        let text = std::fs::read_to_string(&output).unwrap();
        // The last line may be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| line.parse().unwrap()).collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while !read().iter().copied().eq(0..count) {
        assert_eq!(consumer.try_wait().unwrap(), None, "the consumer goes on");
        assert!(Instant::now() < deadline, "{} of {count} were read", read().len());
        pause();
    }
    consumer.kill().unwrap();
    consumer.wait().unwrap();
    std::fs::remove_dir_all(root).unwrap();
}
