//! Producer ids, and what a partition knows of producers.

use logboom_protocol::messages::describe_producers::{
    DescribeProducersRequest, PartitionResponse, ProducerState as Described, TopicRequest,
};
use logboom_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::*;

fn without_transactions() -> InitProducerIdRequest {
    InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() }
}

fn init(broker: &TestBroker, request: &InitProducerIdRequest) -> (i64, i16, ErrorCode) {
    let InitProducerIdResponse { producer_id, producer_epoch, error_code, .. } =
        broker.request(request, newest::<InitProducerIdRequest>());
    (producer_id, producer_epoch, error_code)
}

fn describe(broker: &TestBroker, topic: &str, partition: i32) -> PartitionResponse {
    let topic = TopicRequest { name: topic.into(), partition_indexes: vec![partition] };
    let request = DescribeProducersRequest { topics: vec![topic] };
    broker.request(&request, 0).topics.remove(0).partitions.remove(0)
}

#[test]
fn every_producer_gets_an_id_that_no_other_has_ever_had() {
    let mut broker = TestBroker::start();
    let mut last = -1;
    for version in versions(ApiKey::InitProducerId) {
        let response = broker.request(&without_transactions(), version);
        assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
        assert!(response.producer_id > last);
        last = response.producer_id;
    }
    broker.restart();
    assert!(init(&broker, &without_transactions()).0 > last);
}

#[test]
fn a_producer_that_has_an_id_gets_a_new_one() {
    let broker = TestBroker::start();
    let old = InitProducerIdRequest { producer_id: 7, producer_epoch: 3, ..without_transactions() };
    let (id, epoch, code) = init(&broker, &old);
    assert!(id >= 0);
    assert_eq!((epoch, code), (0, ErrorCode::NONE));
    let half =
        InitProducerIdRequest { producer_id: 7, producer_epoch: -1, ..without_transactions() };
    assert_eq!(init(&broker, &half), (-1, -1, ErrorCode::INVALID_REQUEST));
}

#[test]
fn nobody_coordinates_transactions() {
    let broker = TestBroker::start();
    for (id, timeout_ms, code) in [
        ("", 1_000, ErrorCode::INVALID_REQUEST),
        ("t", 0, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        ("t", 900_001, ErrorCode::INVALID_TRANSACTION_TIMEOUT),
        ("t", 900_000, ErrorCode::COORDINATOR_NOT_AVAILABLE),
    ] {
        let request = InitProducerIdRequest {
            transactional_id: Some(id.into()),
            transaction_timeout_ms: timeout_ms,
            ..Default::default()
        };
        assert_eq!(init(&broker, &request), (-1, -1, code), "{id} {timeout_ms}");
    }
}

#[test]
fn a_partition_tells_its_producers() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    assert_eq!(describe(&broker, "t", 0).active_producers, []);
    let (id, epoch, _) = init(&broker, &without_transactions());
    for base_sequence in [0, 2] {
        let producer = ProducerState { id, epoch, base_sequence, transactional: false };
        assert_eq!(produce(&broker, "t", 2, Some(producer)).error_code, ErrorCode::NONE);
    }
    let described = describe(&broker, "t", 0);
    let last_timestamp = described.active_producers[0].last_timestamp;
    assert!(0 < last_timestamp && last_timestamp <= now_ms());
    let expected = Described {
        producer_id: id,
        producer_epoch: 0,
        last_sequence: 3,
        last_timestamp,
        coordinator_epoch: -1,
        current_txn_start_offset: -1,
    };
    assert_eq!(described.active_producers, [expected]);
}

#[test]
fn producers_of_no_partition_are_an_error_of_that_partition() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    for (topic, partition, code) in [
        ("t", 0, ErrorCode::NONE),
        ("t", 1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("u", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ("no/name", 0, ErrorCode::INVALID_TOPIC_EXCEPTION),
    ] {
        assert_eq!(describe(&broker, topic, partition).error_code, code, "{topic} {partition}");
    }
}
