//! Requests over a socket, answered by a whole broker.

use bytes::Bytes;

use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use logboom_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, CompactString, ErrorCode, Message, Request};

use crate::clock::now_ms;
use crate::testing::TestBroker;

mod cluster;
mod configs;
mod delete_records;
mod producers;
mod records;
mod topics;

/// A topic of one replica.
fn topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

fn creation(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, ..CreateTopicsRequest::default() }
}

/// Creates topics that nothing is wrong with.
fn create(broker: &TestBroker, topics: Vec<CreatableTopic>) -> CreateTopicsResponse {
    let response = broker.request(&creation(topics), newest::<CreateTopicsRequest>());
    for topic in &response.topics {
        assert_eq!(topic.error_code, ErrorCode::NONE, "{topic:?}");
    }
    response
}

/// The newest version of an API.
fn newest<R: Request>() -> i16 {
    <R as Message>::API.versions().max
}

/// Every version of an API.
fn versions(api: ApiKey) -> impl Iterator<Item = i16> {
    api.versions().min..=api.versions().max
}

/// Produces one batch of so many records to partition 0.
fn produce(
    broker: &TestBroker,
    topic: &str,
    records: usize,
    producer: Option<ProducerState>,
) -> PartitionProduceResponse {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    for _ in 0..records {
        builder.append(now_ms(), Some(b"key"), Some(b"value"), &[]).unwrap();
    }
    let request = produce_request(topic, builder.build().unwrap());
    let mut response = broker.request(&request, 12);
    response.responses.remove(0).partition_responses.remove(0)
}

fn produce_request(topic: &str, records: Bytes) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(records) }];
    let name = CompactString::from(topic);
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData { name, topic_id: Uuid::ZERO, partition_data }],
    }
}
