//! Records in and out of a broker in this process, request by request.

mod fetch;
mod offsets;
mod produce;
mod sessions;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use logboom_protocol::records::{BatchBuilder, Codec, Inflater, ProducedBatch, RawBatches};
use logboom_protocol::units::Uuid;

use crate::testing::TestBroker;

/// The version in which tests ask, unless it matters: by name, with everything else.
const BY_NAME: i16 = 12;
const TOPIC: &str = "flights";

/// Makes [`TOPIC`] as the broker's configuration says; returns its id.
fn create_topic(broker: &TestBroker) -> Uuid {
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let response = broker.request(&request, 12);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    response.topics[0].topic_id
}

/// A batch with one record for each value, one millisecond apart.
fn batch(first_timestamp: i64, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for (value, timestamp) in values.iter().zip(first_timestamp..) {
        builder.append(timestamp, Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of one record of about so many bytes.
fn large_batch(bytes: usize) -> Bytes {
    batch(1, &[&"x".repeat(bytes)])
}

fn produce_request(records: impl IntoIterator<Item = (i32, Bytes)>, acks: i16) -> ProduceRequest {
    let data = |(index, records)| PartitionProduceData { index, records: Some(records) };
    let partition_data = records.into_iter().map(data).collect();
    let topic = TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() };
    ProduceRequest { acks, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

/// Appends a batch to a partition of [`TOPIC`], which has to go well.
fn produce(broker: &TestBroker, partition: i32, records: Bytes) -> i64 {
    let answer = try_produce(broker, partition, records);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
    answer.base_offset
}

fn try_produce(broker: &TestBroker, partition: i32, records: Bytes) -> PartitionProduceResponse {
    let response = broker.request(&produce_request([(partition, records)], -1), 9);
    response.responses[0].partition_responses[0].clone()
}

fn wanted(partition: i32, fetch_offset: i64) -> FetchPartition {
    let partition_max_bytes = 1 << 20;
    FetchPartition { partition, fetch_offset, partition_max_bytes, ..Default::default() }
}

/// A fetch of [`TOPIC`] that waits for nothing.
fn fetch_request(partitions: Vec<FetchPartition>) -> FetchRequest {
    let topic = FetchTopic { topic: TOPIC.into(), partitions, ..Default::default() };
    FetchRequest { topics: vec![topic], ..Default::default() }
}

/// What a fetch answers for its partitions, in the order of the answer.
fn answers(response: &FetchResponse) -> Vec<&PartitionData> {
    response.responses.iter().flat_map(|topic| &topic.partitions).collect()
}

fn fetch_one(broker: &TestBroker, partition: i32, offset: i64) -> PartitionData {
    let request = fetch_request(vec![wanted(partition, offset)]);
    let response = broker.request(&request, BY_NAME);
    assert_eq!(response.error_code, ErrorCode::NONE);
    answers(&response)[0].clone()
}

fn bytes(answer: &PartitionData) -> usize {
    answer.records.as_ref().map_or(0, Bytes::len)
}

/// The records of an answer, as offsets and values.
fn records(answer: &PartitionData) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for raw in RawBatches::new(answer.records.as_deref().unwrap_or_default()) {
        let raw = raw.unwrap();
        let batch = Bytes::copy_from_slice(raw.bytes());
        let batch = logboom_protocol::records::CheckedBatch::check(batch).unwrap();
        for record in &batch.records(&mut Inflater::default()).unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
            found.push((record.offset, value));
        }
    }
    found
}

fn record(offset: i64, value: &str) -> (i64, String) {
    (offset, value.to_owned())
}

/// A batch that a producer with numbers sends.
fn numbered(producer_id: i64, base_sequence: i32, values: &[&str]) -> Bytes {
    use logboom_protocol::records::ProducerState;
    let state = ProducerState { id: producer_id, epoch: 0, base_sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::None).producer(state);
    for value in values {
        builder.append(1, None, Some(value.as_bytes()), &[]).unwrap();
    }
    let bytes = builder.build().unwrap();
    ProducedBatch::check(bytes.clone(), &mut Inflater::default()).unwrap();
    bytes
}
