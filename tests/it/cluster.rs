//! Three brokers, each a process: what one of them answers holds for all, and whatever happens to
//! one of them nothing acknowledged is lost, and nothing twice.
//!
//! `LOGBOOM_BROKER_KILLS` is how often; `cargo xtask soak broker` makes it large.

mod upgrade;
mod walkthrough;

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use logboom_protocol::messages::list_partition_reassignments::ListPartitionReassignmentsRequest;
use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{Broker, pause};
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{or_skip, python};
use logboom_tests::load::random;
use logboom_tests::raw::{Raw, read_all, topic_name};

use crate::wire::{PRODUCE, now_ms, produce_to};

mod coordinators;
mod enough;
mod epochs;
mod growing;
mod joining;
mod many;
mod stalled;
mod throttled;
mod tombstones;

pub(crate) const PARTITIONS: i32 = 4;
const BROKERS: i32 = 3;
/// A version of Produce whose answers say who leads.
const LEADERS_TOLD: i16 = 10;

/// A producer of librdkafka's that sends numbers until it is told to end.
pub(crate) struct Endless(Child);

impl Endless {
    pub(crate) fn start(cluster: &Cluster, topic: &str) -> Option<Self> {
        Self::at_rate(cluster, topic, 0)
    }

    /// - `rate`: numbers a second; 0 for as many as it can.
    pub(crate) fn at_rate(cluster: &Cluster, topic: &str, rate: u32) -> Option<Self> {
        let python = or_skip("librdkafka and a cluster", python())?;
        let mut command = python.command("librdkafka_endless.py");
        let numbers = [PARTITIONS.to_string(), rate.to_string()];
        command.args([&cluster.bootstrap(), topic]).args(numbers);
        Some(Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()))
    }

    /// How many numbers it sent, all of which were acknowledged.
    pub(crate) fn end(mut self) -> i64 {
        drop(self.0.stdin.take());
        let mut count = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut count).unwrap();
        assert!(self.0.wait().unwrap().success(), "{count}");
        count.trim().parse().unwrap()
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // It has ended, unless a test has failed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until so many records more are there.
pub(crate) fn wait_for_progress(cluster: &Cluster, topic: &str, seen: &mut i64, round: u64) {
    let goal = *seen + 1 + i64::try_from(random(round) % 5_000).unwrap();
    while *seen < goal {
        let end = |one| cluster.leader(topic, one).try_end_offset(topic, one);
        *seen = (*seen).max((0..PARTITIONS).filter_map(end).sum::<i64>());
        pause();
    }
}

/// Each number is there once, in order, in the partition that it was sent to.
pub(crate) fn all_are_there(cluster: &Cluster, topic: &str, count: i64) {
    cluster.wait_until(topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    for partition in 0..PARTITIONS {
        let records = read_all(&mut cluster.leader(topic, partition), topic, partition);
        let expected = (i64::from(partition)..count).step_by(4);
        assert_eq!(records.len(), expected.clone().count(), "partition {partition}");
        for ((record, number), offset) in records.iter().zip(expected).zip(0_i64..) {
            assert_eq!((record.offset, &record.value[..]), (offset, number.to_string().as_bytes()));
        }
    }
}

/// Produces a record, as often as it takes until it is acknowledged.
pub(crate) fn produce(cluster: &Cluster, topic: &str, partition: i32, value: &[u8]) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let request = produce_to(topic, partition, one_record(value));
        let answer = cluster.leader(topic, partition).call(PRODUCE, &request);
        let answer = &answer.responses[0].partition_responses[0];
        if answer.error_code == ErrorCode::NONE {
            return answer.base_offset;
        }
        // The one that is to lead may not have heard of it yet.
        let retriable = [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION];
        assert!(retriable.contains(&answer.error_code), "{answer:?}");
        assert!(Instant::now() < deadline, "{answer:?}");
        pause();
    }
}

fn one_record(value: &[u8]) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(now_ms(), None, Some(value), &[]).unwrap();
    builder.build().unwrap()
}

/// Deletes the records of a topic's first partition that are before an offset.
fn delete_before(cluster: &Cluster, topic: &str, offset: i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 30_000 };
    let answer = cluster.leader(topic, 0).call(1, &request);
    assert_eq!(answer.topics[0].partitions[0].low_watermark, offset, "{answer:?}");
}

/// Waits until a broker has said something.
fn wait_until_said(broker: &Broker, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !broker.stderr().contains(what) {
        assert!(Instant::now() < deadline, "{what}: never said:\n{}", broker.stderr());
        pause();
    }
}

/// Has the first of a partition's replicas lead, and waits until it does.
fn lead_from(cluster: &Cluster, topic: &str, first: i32) {
    let home = TopicPartitions { topic: topic.into(), partitions: vec![0] };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![home]), ..Default::default() };
    let answer = cluster.any().call(1, &request);
    let code = answer.replica_election_results[0].partition_result[0].error_code;
    assert!([ErrorCode::NONE, ErrorCode::ELECTION_NOT_NEEDED].contains(&code), "{answer:?}");
    cluster.wait_until(topic, "the first leads", |it| it.leader_id == first);
}

#[test]
fn brokers_found_a_cluster_and_each_knows_what_was_asked_of_any() {
    let mut cluster = Cluster::start("founding", 3);
    let topic = cluster.new_topic("founding", PARTITIONS, 3);
    let led = cluster.wait_until(&topic, "all are led", |it| it.leader_id > 0);
    let leaders: std::collections::BTreeSet<i32> = led.iter().map(|it| it.leader_id).collect();
    assert_eq!(leaders.len(), 3, "the first replicas lead: {led:?}");
    for partition in 0..PARTITIONS {
        assert_eq!(produce(&cluster, &topic, partition, b"v"), 0);
    }
    // Whoever doesn't lead says so.
    let led = cluster.partitions(&topic);
    let other = led.iter().find(|it| it.leader_id != 1).unwrap();
    let mut raw = Raw::connect(&cluster.broker(1).bootstrap());
    let (index, record) = (other.partition_index, one_record(b"no"));
    let produced = raw.call(LEADERS_TOLD, &produce_to(&topic, index, record));
    let answer = &produced.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    // And who does, and where it is reached: wire 36.
    let told = &answer.current_leader;
    assert_eq!((told.leader_id, told.leader_epoch), (other.leader_id, other.leader_epoch));
    let address = cluster.broker(other.leader_id).bootstrap();
    let endpoint = &produced.node_endpoints[0];
    let reached = format!("{}:{}", endpoint.host, endpoint.port);
    assert_eq!((endpoint.node_id, reached), (other.leader_id, address));
    let (partition, current_leader_epoch) = (other.partition_index, other.leader_epoch);
    let asked = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch: 0 };
    let topics =
        vec![OffsetForLeaderTopic { topic: topic.as_str().into(), partitions: vec![asked] }];
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    let told = &raw.call(4, &request).topics[0].partitions[0];
    assert_eq!(told.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn librdkafka_goes_on_over_kills_of_any_broker_and_every_record_is_there_once_and_in_order() {
    let mut cluster = Cluster::start("cluster-kills", 3);
    let topic = cluster.new_topic("kills", PARTITIONS, 3);
    let Some(producer) = Endless::start(&cluster, &topic) else { return };
    let rounds = crate::storage::size("LOGBOOM_BROKER_KILLS", 6);
    let mut seen = 0;
    for round in 0..rounds {
        wait_for_progress(&cluster, &topic, &mut seen, round);
        let victim = i32::try_from(round % 3).unwrap() + 1;
        cluster.kill(victim);
        // Without it the others go on.
        wait_for_progress(&cluster, &topic, &mut seen, round);
        cluster.restart(victim);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    }
    all_are_there(&cluster, &topic, producer.end());
}

#[test]
fn brokers_are_restarted_in_turn_and_no_client_notices() {
    let mut cluster = Cluster::start("rolling", 3);
    let topic = cluster.new_topic("rolling", PARTITIONS, 3);
    let Some(producer) = Endless::start(&cluster, &topic) else { return };
    let mut seen = 0;
    for id in 1..=BROKERS {
        wait_for_progress(&cluster, &topic, &mut seen, 1);
        cluster.stop(id);
        let led = cluster.wait_until(&topic, "others lead", |it| it.leader_id != id);
        assert!(led.iter().all(|it| it.leader_id > 0), "at once: {led:?}");
        cluster.restart(id);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    }
    all_are_there(&cluster, &topic, producer.end());
}

#[test]
fn without_a_majority_nothing_is_acknowledged_and_with_it_again_everything_goes_on() {
    let mut cluster = Cluster::start("majority", 3);
    let topic = cluster.new_topic("majority", 1, 3);
    let leader = cluster.wait_until(&topic, "it is led", |it| it.leader_id > 0)[0].leader_id;
    let mut raw = cluster.leader(&topic, 0);
    let others: Vec<i32> = (1..=BROKERS).filter(|id| *id != leader).collect();
    others.iter().for_each(|id| cluster.kill(*id));
    let mut request = produce_to(&topic, 0, one_record(b"lonely"));
    request.timeout_ms = 2_000;
    let answer = &raw.call(PRODUCE, &request).responses[0].partition_responses[0];
    let refused = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::REQUEST_TIMED_OUT,
    ];
    assert!(refused.contains(&answer.error_code), "{answer:?}");
    others.iter().for_each(|id| cluster.restart(*id));
    produce(&cluster, &topic, 0, b"together");
    let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    assert_eq!(read.last().unwrap().value, b"together");
}

#[test]
fn a_leader_that_has_just_died_is_not_named() {
    let mut cluster = Cluster::start("died", 3);
    let topic = cluster.new_topic("died", 1, 3);
    let led = cluster.wait_until(&topic, "it is led", |it| it.leader_id > 0);
    let leader = led[0].leader_id;
    let others: Vec<i32> = (1..=BROKERS).filter(|id| *id != leader).collect();
    // With one of them alone nobody else is elected. The first is asked.
    cluster.broker(others[1]).signal("STOP");
    cluster.kill(leader);
    cluster.wait_until(&topic, "nobody is named", |it| {
        (it.leader_id, it.error_code) == (-1, ErrorCode::LEADER_NOT_AVAILABLE)
    });
    cluster.broker(others[1]).signal("CONT");
    cluster.wait_until(&topic, "another leads", |it| others.contains(&it.leader_id));
}

/// Moves all partitions of a topic, so many, to these brokers; waits until they are there.
fn move_to(cluster: &Cluster, topic: &str, partitions: i32, brokers: &[i32]) {
    let moved = |partition_index| ReassignablePartition {
        partition_index,
        replicas: Some(brokers.to_vec()),
    };
    let partitions = (0..partitions).map(moved).collect();
    let topics = vec![ReassignableTopic { name: topic.into(), partitions }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut answer = cluster.any().call(0, &request);
    // Who decides may change where much else is to be done.
    while answer.error_code == ErrorCode::NOT_CONTROLLER && Instant::now() < deadline {
        pause();
        answer = cluster.any().call(0, &request);
    }
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    for moved in &answer.responses[0].partitions {
        assert_eq!(moved.error_code, ErrorCode::NONE, "{answer:?}");
    }
    let is_there = |it: &MetadataResponsePartition| {
        it.replica_nodes == brokers
            && it.isr_nodes.len() == brokers.len()
            && brokers.contains(&it.leader_id)
    };
    cluster.wait_until(topic, "it has moved", is_there);
    let listed = cluster.any().call(0, &ListPartitionReassignmentsRequest::default());
    assert!(listed.topics.is_empty(), "{listed:?}");
}

#[test]
fn a_partition_moves_to_other_brokers_with_all_that_it_has_and_leaders_go_home() {
    let cluster = Cluster::start("moves", 3);
    let topic = cluster.new_topic("moves", 1, 2);
    for number in 0..100_i64 {
        assert_eq!(produce(&cluster, &topic, 0, number.to_string().as_bytes()), number);
    }
    let before = cluster.partitions(&topic)[0].replica_nodes.clone();
    let other = (1..=BROKERS).find(|id| !before.contains(id)).unwrap();
    move_to(&cluster, &topic, 1, &[other, before[1]]);
    lead_from(&cluster, &topic, other);
    assert_eq!(produce(&cluster, &topic, 0, b"100"), 100);
    let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    assert_eq!(read.len(), 101);
    for (record, number) in read.iter().zip(0_i64..) {
        assert_eq!((record.offset, &record.value[..]), (number, number.to_string().as_bytes()));
    }
}

/// Sets a large configuration of a topic, again and again, so that the metadata log is written down
/// anew and begins behind what it was; returns the last.
fn fill_metadata(cluster: &Cluster, topic: &str) -> String {
    let mut value = String::new();
    for round in 0..30 {
        let replicas = (round..round + 4_500).map(|partition| format!("{partition}:1"));
        value = replicas.collect::<Vec<_>>().join(",");
        let config = AlterableConfig {
            name: THROTTLED.into(),
            config_operation: 0,
            value: Some(value.as_str().into()),
        };
        let resource = AlterConfigsResource {
            resource_type: 2,
            resource_name: topic.into(),
            configs: vec![config],
        };
        let request =
            IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = &cluster.any().call(1, &request).responses[0];
        assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    }
    value
}

const THROTTLED: &str = "leader.replication.throttled.replicas";

/// What a broker says of that configuration.
fn throttled(raw: &mut Raw, topic: &str) -> Option<String> {
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: topic.into(),
        configuration_keys: Some(vec![THROTTLED.into()]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = raw.call(4, &request).results.remove(0);
    Some(answer.configs.first()?.value.as_ref()?.to_string())
}

#[test]
fn a_broker_that_was_away_over_a_checkpoint_knows_all_and_has_all() {
    let mut cluster = Cluster::start("checkpoint", 3);
    let topic = cluster.new_topic("before", 2, 3);
    for number in 0..20_i64 {
        assert_eq!(produce(&cluster, &topic, 0, number.to_string().as_bytes()), number);
    }
    cluster.kill(3);
    fill_metadata(&cluster, &topic);
    let later = cluster.new_topic("later", 2, 3);
    let value = fill_metadata(&cluster, &topic);
    cluster.restart(3);
    for name in [&topic, &later] {
        cluster.wait_until(name, "it is in sync again", |it| it.isr_nodes.len() == 3);
    }
    let mut third = Raw::connect(&cluster.broker(3).bootstrap());
    assert_eq!(throttled(&mut third, &topic), Some(value.clone()));
    // All of them at once, behind a checkpoint and before the next.
    (1..=BROKERS).for_each(|id| cluster.kill(id));
    (1..=BROKERS).for_each(|id| cluster.restart(id));
    assert_eq!(produce(&cluster, &topic, 0, b"20"), 20);
    assert_eq!(produce(&cluster, &later, 1, b"first"), 0);
    for id in 1..=BROKERS {
        let mut raw = Raw::connect(&cluster.broker(id).bootstrap());
        assert_eq!(throttled(&mut raw, &topic), Some(value.clone()), "broker {id}");
    }
    assert_eq!(read_all(&mut cluster.leader(&topic, 0), &topic, 0).len(), 21);
}

#[test]
fn what_was_acknowledged_survives_kills_of_all_brokers_at_once() {
    survives_kills_of_all("all-killed", "false");
}

#[test]
fn with_write_caching_too() {
    survives_kills_of_all("all-killed-cached", "true");
}

fn survives_kills_of_all(name: &str, write_caching: &str) {
    let mut cluster = Cluster::start(name, 3);
    let topic = topic_name(name);
    cluster.create_topic_with(&topic, 1, 3, &[("write.caching", write_caching)]);
    let mut expected = 0;
    for _ in 0..3 {
        // More than what is between two checkpoints of a log.
        for _ in 0..40 {
            assert_eq!(produce(&cluster, &topic, 0, &[b'x'; 20_000]), expected);
            expected += 1;
        }
        (1..=BROKERS).for_each(|id| cluster.kill(id));
        (1..=BROKERS).for_each(|id| cluster.restart(id));
    }
    assert_eq!(produce(&cluster, &topic, 0, b"last"), expected);
    let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    assert_eq!(read.len(), usize::try_from(expected).unwrap() + 1);
}

#[test]
fn records_that_are_deleted_are_gone_on_all_replicas() {
    let mut cluster = Cluster::start("deleted", 3);
    let topic = cluster.new_topic("deleted", 1, 3);
    for number in 0..10_i64 {
        assert_eq!(produce(&cluster, &topic, 0, number.to_string().as_bytes()), number);
    }
    delete_before(&cluster, &topic, 7);
    // Whoever leads next, begins there.
    for _ in 0..3 {
        let leader = cluster.partitions(&topic)[0].leader_id;
        cluster.stop(leader);
        let led = |it: &MetadataResponsePartition| it.leader_id > 0 && it.leader_id != leader;
        cluster.wait_until(&topic, "another leads", led);
        let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
        assert_eq!(read.iter().map(|it| it.offset).collect::<Vec<_>>(), [7, 8, 9]);
        cluster.restart(leader);
        cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    }
}

#[test]
fn a_replica_that_begins_where_records_were_deleted_within_a_batch_has_the_others() {
    let cluster = Cluster::start("within", 3);
    let topic = cluster.new_topic("within", 1, 2);
    assert_eq!(produce(&cluster, &topic, 0, b"before"), 0);
    let mut builder = BatchBuilder::new(Codec::None);
    for number in 1..=9_i64 {
        builder.append(now_ms(), None, Some(number.to_string().as_bytes()), &[]).unwrap();
    }
    let batch = builder.build().unwrap();
    let answer = cluster.leader(&topic, 0).call(PRODUCE, &produce_to(&topic, 0, batch));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    delete_before(&cluster, &topic, 7);
    let before = cluster.partitions(&topic)[0].replica_nodes.clone();
    let other = (1..=BROKERS).find(|id| !before.contains(id)).unwrap();
    move_to(&cluster, &topic, 1, &[other, before[1]]);
    lead_from(&cluster, &topic, other);
    assert_eq!(produce(&cluster, &topic, 0, b"10"), 10);
    let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    let read: Vec<_> = read.iter().map(|it| (it.offset, &it.value[..])).collect();
    assert_eq!(read, [(7, &b"7"[..]), (8, b"8"), (9, b"9"), (10, b"10")]);
}
