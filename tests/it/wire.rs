//! The statements about the wire, by number, over sockets against the running broker.
//!
//! All of them were run against Apache Kafka 4.1.0 as well (`LOGBOOM_REFERENCE=HOST:PORT`); where
//! a test says "reference", it is what was seen there. What a single broker that speaks plain text
//! can't show is not here: ApiVersions in front of SASL and behind a TLS handshake (most of 10),
//! and what `fetch` names of 58 and 59. `cluster` has what needs several brokers, which are ours.

mod admin;
mod cluster;
mod compacted;
mod fetch;
mod framing;
mod groups;
mod idempotence;
mod metadata;
mod negotiation;
mod offsets;
mod produce;
mod sessions;
mod topics;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponseTopic,
};
use logboom_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::{Raw, topic_name};

/// How often a topic is looked for that is being made.
const LOOKS_MAX: usize = 2_000;
/// A version of Produce that names topics.
pub(crate) const PRODUCE: i16 = 9;

/// Milliseconds since 1970, as timestamps of records have it.
pub(crate) fn now_ms() -> i64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(time.unwrap().as_millis()).unwrap()
}

/// Asks for one topic by name.
fn by_name(name: &str, create: bool) -> MetadataRequest {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: create,
        ..Default::default()
    }
}

/// The topic, as soon as it has leaders; it is made where it isn't there.
pub(crate) fn made(raw: &mut Raw, name: &str) -> MetadataResponseTopic {
    for _ in 0..LOOKS_MAX {
        let topic = raw.call(12, &by_name(name, true)).topics.remove(0);
        if topic.error_code == ErrorCode::NONE && are_led(raw, name, topic.partitions.len()) {
            return topic;
        }
        pause();
    }
    panic!("{name} doesn't come to be");
}

/// Whether the leaders of these partitions know that they are; in the reference that takes a while.
fn are_led(raw: &mut Raw, name: &str, partitions: usize) -> bool {
    let partition = |partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    };
    let partitions = (0..).take(partitions).map(partition).collect();
    let topic = ListOffsetsTopic { name: name.into(), partitions };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answers = &raw.call(2, &request).topics[0].partitions;
    answers.iter().all(|answer| answer.error_code == ErrorCode::NONE)
}

/// A topic of one partition that nobody else uses, made because it is asked for.
fn new_topic(raw: &mut Raw, test: &str) -> String {
    let name = topic_name(test);
    made(raw, &name);
    name
}

/// A topic that nobody else uses, made on request.
pub(crate) fn new_topic_with(
    raw: &mut Raw,
    test: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> String {
    let name = topic_name(test);
    let config = |&(name, value): &(&str, &str)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let topic = CreatableTopic {
        name: name.as_str().into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let response = raw.call(5, &request);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{:?}", response.topics[0]);
    made(raw, &name);
    name
}

/// A batch of records with these values.
fn batch(codec: Codec, values: &[&[u8]]) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for value in values {
        builder.append(now_ms(), Some(b"key"), Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A produce request with records for partitions of one topic.
pub(crate) fn records_for(topic: &str, acks: i16, partitions: &[(i32, Bytes)]) -> ProduceRequest {
    let data = |(index, records): &(i32, Bytes)| PartitionProduceData {
        index: *index,
        records: Some(records.clone()),
    };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: partitions.iter().map(data).collect(),
        ..Default::default()
    };
    ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

/// A produce request with one batch for one partition.
pub(crate) fn produce_to(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    records_for(topic, -1, &[(partition, records)])
}

/// Sends one batch to partition 0; what is said of it.
fn produce(raw: &mut Raw, version: i16, topic: &str, records: Bytes) -> PartitionProduceResponse {
    let mut response = raw.call(version, &records_for(topic, -1, &[(0, records)]));
    response.responses.remove(0).partition_responses.remove(0)
}

/// Sends one batch to partition 0, which is taken; its base offset.
fn offset_of(raw: &mut Raw, topic: &str, records: Bytes) -> i64 {
    let answer = produce(raw, PRODUCE, topic, records);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer.base_offset
}

/// A fetch of partition 0 from `offset` on that waits until something is there, but no longer than
/// `max_wait_ms`.
fn fetch(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 4 << 20,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 4 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// The batches of partition 0 from `offset` on.
fn fetched(raw: &mut Raw, topic: &str, offset: i64) -> Bytes {
    let mut response = raw.call(11, &fetch(topic, offset, 30_000));
    let answer = response.responses.remove(0).partitions.remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer.records.expect("records")
}

/// Has the first replicas of a topic's partitions lead; what is said of each partition.
pub(crate) fn send_home(cluster: &Cluster, topic: &str, partitions: i32) -> Vec<ErrorCode> {
    let topic = TopicPartitions { topic: topic.into(), partitions: (0..partitions).collect() };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![topic]), ..Default::default() };
    let answers = (0..LOOKS_MAX).map(|_| cluster.any().call(1, &request));
    let mut answers = answers.skip_while(|it| it.error_code == ErrorCode::NOT_CONTROLLER);
    let answer = answers.next().expect("somebody decides");
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    let results = answer.replica_election_results.iter().flat_map(|it| &it.partition_result);
    results.map(|it| it.error_code).collect()
}
