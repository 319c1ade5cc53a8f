//! Consumers read at the replica in their rack (KIP-392).

use logboom_consumer::{Consumer, Start, TopicPartition};
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{or_skip, python};
use logboom_tests::raw::Raw;

use crate::cluster::produce;
use crate::repair::ask;
use crate::rust::{consumer, run};
use crate::wire::{PRODUCE, now_ms, produce_to};

/// The first version with racks.
const RACKS: i16 = 11;
const RECORDS: i64 = 100;
/// So that all records are more than a client and a broker have to say beside them.
const KEY_BYTES: usize = 2_000;
/// How often a follower is asked for its high watermark.
const LOOKS_MAX: usize = 10_000;

/// Three brokers, each in a rack of its own, `rack-1` and so on.
fn cluster(name: &str, selector: &str) -> Cluster {
    let selector = format!("replica.selector.class={selector}");
    Cluster::start_with(name, 3, |id| vec![format!("broker.rack=rack-{id}"), selector.clone()])
}

const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
const LEADER: &str = "org.apache.kafka.common.replica.LeaderSelector";

fn fetch(raw: &mut Raw, version: i16, topic: &str, offset: i64, rack: &str) -> PartitionData {
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition], ..FetchTopic::default() };
    let request = FetchRequest {
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: vec![topic],
        rack_id: if version < RACKS { "".into() } else { rack.into() },
        ..FetchRequest::default()
    };
    raw.call(version, &request).responses.remove(0).partitions.remove(0)
}

/// A topic with records that all replicas show; and who leads it.
fn filled(cluster: &mut Cluster, name: &str) -> (String, MetadataResponsePartition) {
    let topic = cluster.new_topic(name, 1, 3);
    cluster.wait_until(&topic, "all are in sync", |it| {
        it.leader_id == it.replica_nodes[0] && it.isr_nodes.len() == 3
    });
    for number in 0..RECORDS {
        let mut builder = BatchBuilder::new(Codec::None);
        let value = number.to_string();
        builder.append(now_ms(), Some(&[b'k'; KEY_BYTES]), Some(value.as_bytes()), &[]).unwrap();
        let request = produce_to(&topic, 0, builder.build().unwrap());
        let answer = cluster.leader(&topic, 0).call(PRODUCE, &request);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    }
    for id in 1..=3 {
        let mut raw = Raw::connect(&cluster.broker(id).bootstrap());
        let mut shows = || fetch(&mut raw, RACKS, &topic, 0, "").high_watermark;
        assert!((0..LOOKS_MAX).any(|_| shows() == RECORDS), "broker {id} is behind for good");
    }
    let partition = cluster.partitions(&topic).remove(0);
    (topic, partition)
}

#[test]
fn a_leader_names_the_replica_in_the_consumers_rack_and_that_one_serves_it() {
    let mut cluster = cluster("nearest", RACK_AWARE);
    let (topic, partition) = filled(&mut cluster, "nearest");
    let leader = partition.leader_id;
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let mut at_leader = cluster.leader(&topic, 0);
    let rack = |id: i32| format!("rack-{id}");
    for offset in [0, RECORDS - 1, RECORDS] {
        let answer = fetch(&mut at_leader, RACKS, &topic, offset, &rack(other));
        assert_eq!((answer.error_code, answer.preferred_read_replica), (ErrorCode::NONE, other));
        assert!(answer.records.is_none_or(|it| it.is_empty()), "they are read there");
    }
    // Who is in the leader's rack, in none, or in one without a replica, reads here.
    for rack in [rack(leader), String::new(), "rack-9".to_owned()] {
        let answer = fetch(&mut at_leader, RACKS, &topic, 0, &rack);
        assert_eq!((answer.error_code, answer.preferred_read_replica), (ErrorCode::NONE, -1));
        assert!(answer.records.is_some_and(|it| !it.is_empty()));
    }
    // So does who asks for what no follower has.
    let answer = fetch(&mut at_leader, RACKS, &topic, RECORDS + 1, &rack(other));
    assert_eq!(answer.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "{answer:?}");

    let mut follower = Raw::connect(&cluster.broker(other).bootstrap());
    let answer = fetch(&mut follower, RACKS, &topic, 0, &rack(other));
    assert_eq!((answer.error_code, answer.preferred_read_replica), (ErrorCode::NONE, -1));
    assert!(answer.records.is_some_and(|it| !it.is_empty()));
    let behind = fetch(&mut follower, RACKS, &topic, RECORDS + 1, &rack(other));
    assert_eq!(behind.error_code, ErrorCode::OFFSET_NOT_AVAILABLE, "the leader may have it");
    let before = fetch(&mut follower, RACKS, &topic, -1, &rack(other));
    assert_eq!(before.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    // Versions that know nothing of it are sent to the leader.
    let old = fetch(&mut follower, RACKS - 1, &topic, 0, "");
    assert_eq!(old.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn without_that_selector_everybody_reads_at_the_leader() {
    let mut cluster = cluster("nearest-off", LEADER);
    let (topic, partition) = filled(&mut cluster, "nearest-off");
    let other = (1..=3).find(|id| *id != partition.leader_id).unwrap();
    let mut leader = cluster.leader(&topic, 0);
    let answer = fetch(&mut leader, RACKS, &topic, 0, &format!("rack-{other}"));
    assert_eq!((answer.error_code, answer.preferred_read_replica), (ErrorCode::NONE, -1));
}

#[test]
fn librdkafka_reads_in_its_rack_and_goes_on_at_the_leader_when_that_broker_dies() {
    let Some(python) = or_skip("librdkafka and racks", python()) else { return };
    let mut cluster = cluster("nearest-librdkafka", RACK_AWARE);
    let (topic, partition) = filled(&mut cluster, "nearest-librdkafka");
    let other = (1..=3).find(|id| *id != partition.leader_id).unwrap();
    let read = |cluster: &Cluster, rack: i32| {
        let mut command = python.command("librdkafka_nearest.py");
        let rack = format!("rack-{rack}");
        command.args([&cluster.bootstrap(), &topic, &rack, &RECORDS.to_string()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().parse::<i32>().unwrap()
    };
    assert_eq!(read(&cluster, other), other, "the broker that it fetched from last");
    assert_eq!(read(&cluster, partition.leader_id), partition.leader_id);
    cluster.kill(other);
    let leader = read(&cluster, other);
    assert_ne!(leader, other);
}

/// Bytes of all answers that a broker has sent.
fn sent_bytes(cluster: &Cluster, id: i32) -> u64 {
    let told = ask(cluster.admin(id), "GET", "/metrics");
    let count = told.lines().find_map(|line| line.strip_prefix("logboom_sent_bytes_total "));
    count.unwrap_or_else(|| panic!("{told}")).parse().unwrap()
}

/// Reads what [`filled`] has written, from a rack.
async fn read(bootstrap: &str, topic: &str, rack: i32) -> Consumer {
    let builder = consumer(bootstrap).client_rack(format!("rack-{rack}"));
    let mut consumer = builder.build().unwrap();
    consumer.assign_from([(TopicPartition::new(topic, 0), Start::Earliest)]).unwrap();
    for offset in 0..RECORDS {
        assert_eq!(consumer.next().await.unwrap().offset, offset);
    }
    consumer
}

#[test]
fn our_consumer_reads_in_its_rack_and_goes_on_at_the_leader_when_that_broker_dies() {
    let mut cluster = cluster("nearest-ours", RACK_AWARE);
    let (topic, partition) = filled(&mut cluster, "nearest-ours");
    let (bootstrap, leader) = (cluster.bootstrap(), partition.leader_id);
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let all = u64::try_from(KEY_BYTES).unwrap() * RECORDS.unsigned_abs();
    for reads_at in [leader, other] {
        let before = [1, 2, 3].map(|id| sent_bytes(&cluster, id));
        drop(run(read(&bootstrap, &topic, reads_at)));
        for (id, before) in (1..).zip(before) {
            let sent = sent_bytes(&cluster, id) - before;
            let told = format!("broker {id} has sent {sent} B to a reader in rack {reads_at}");
            assert!(if id == reads_at { sent >= all } else { sent < all / 2 }, "{told}");
        }
    }
    run(async {
        let mut consumer = read(&bootstrap, &topic, other).await;
        cluster.kill(other);
        assert_eq!(produce(&cluster, &topic, 0, b"one more"), RECORDS);
        let record = consumer.next().await.unwrap();
        assert_eq!((record.offset, record.value.as_deref()), (RECORDS, Some(&b"one more"[..])));
    });
}
