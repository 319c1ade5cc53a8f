//! What stands behind another request on the same connection.

use logboom_protocol::Request;
use logboom_protocol::frame::encode_request;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_protocol::messages::produce::ProduceRequest;

use super::*;

const TOPIC: &str = "topic";
/// Longer than any test waits.
const FOR_EVER_MS: i32 = 10 * 60 * 1000;

fn encoded<R: Request>(request: &R, version: i16, correlation_id: i32) -> Vec<u8> {
    encode_request(request, version, correlation_id, None).unwrap().to_vec()
}

/// More than lands at once.
fn large(correlation_id: i32) -> Vec<u8> {
    metadata(correlation_id, 290, 200)
}

fn small(correlation_id: i32) -> Vec<u8> {
    request(API_VERSIONS, 0, correlation_id, &[])
}

/// Makes the topic that [`waits`] asks.
fn create_topic(started: &Started) {
    let topic = MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    let creation = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    };
    let mut stream = started.connect();
    stream.write_all(&encoded(&creation, 8, 1)).unwrap();
    assert_eq!(answer(&mut stream), 1);
}

/// A fetch of an empty partition, and of others that aren't there, which don't end the wait.
fn waits(correlation_id: i32, max_wait_ms: i32, partitions: i32) -> Vec<u8> {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: TOPIC.into(),
        partitions: (0..partitions).map(partition).collect(),
        ..FetchTopic::default()
    };
    let fetch = FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    encoded(&fetch, 11, correlation_id)
}

/// A produce request of nothing, which is answered at once.
fn produces_nothing(correlation_id: i32) -> Vec<u8> {
    let nothing = ProduceRequest { acks: 1, timeout_ms: 1_000, ..ProduceRequest::default() };
    encoded(&nothing, 9, correlation_id)
}

#[test]
fn wire_14_small_requests_behind_large_ones_are_answered_in_order() {
    let started = Started::with(&[]);
    let mut stream = started.connect();
    stream.set_nodelay(true).unwrap();
    let together = [large(1), small(2), large(3), large(4), small(5), small(6)].concat();
    stream.write_all(&together).unwrap();
    assert_eq!([(); 6].map(|()| answer(&mut stream)), [1, 2, 3, 4, 5, 6]);
    // Behind a large one that is answered, and in two parts.
    for (id, first) in (0..).step_by(2).zip(1..14) {
        stream.write_all(&large(id)).unwrap();
        assert_eq!(answer(&mut stream), id);
        let bytes = small(id + 1);
        stream.write_all(&bytes[..first]).unwrap();
        stream.write_all(&bytes[first..]).unwrap();
        assert_eq!(answer(&mut stream), id + 1);
    }
    started.broker.stop();
}

#[test]
fn wire_16_a_few_bytes_or_none_behind_a_large_request_are_closed() {
    let started = Started::with(&[("connections.max.idle.ms", "200")]);
    let metrics = Arc::clone(&started.broker.node().metrics);
    for count in 0..=5 {
        let mut stream = started.connect();
        stream.write_all(&large(1)).unwrap();
        assert_eq!(answer(&mut stream), 1);
        stream.write_all(&large(2)[..count]).unwrap();
        assert!(is_closed(&mut stream), "{count} bytes");
    }
    eventually(|| metrics.connections_open.get() == 0);
    assert_eq!((metrics.queued_bytes.get(), metrics.queued_response_bytes.get()), (0, 0));
    started.broker.stop();
}

#[test]
fn wire_16_half_a_request_behind_one_that_waits_is_closed() {
    let started = Started::with(&[("connections.max.idle.ms", "200")]);
    let metrics = Arc::clone(&started.broker.node().metrics);
    create_topic(&started);
    // The larger ones don't land at once.
    for (partitions, count) in [(1, 3), (1, 9), (1_000, 1), (1_000, 5), (1_000, 9)] {
        let mut stream = started.connect();
        stream.write_all(&waits(1, FOR_EVER_MS, partitions)).unwrap();
        stream.write_all(&large(2)[..count]).unwrap();
        assert!(is_closed(&mut stream), "{count} bytes behind {partitions} partitions");
    }
    eventually(|| metrics.connections_open.get() == 0);
    assert_eq!((metrics.queued_bytes.get(), metrics.queued_response_bytes.get()), (0, 0));
    started.broker.stop();
}

#[test]
fn good_answers_arrive_before_the_connection_is_closed() {
    let started = Started::with(&[]);
    create_topic(&started);
    for (what, bad) in [
        ("a body that is none", request(PRODUCE, 8, 4, &[0xff; 40])),
        ("an unknown version", request(PRODUCE, 99, 4, &[])),
        ("a negative length", (-1_i32).to_be_bytes().to_vec()),
    ] {
        let mut stream = started.connect();
        // While the fetch waits, what is behind it is taken up.
        let good = [waits(1, 300, 1), produces_nothing(2), produces_nothing(3)].concat();
        stream.write_all(&[good, bad].concat()).unwrap();
        assert_eq!([(); 3].map(|()| answer(&mut stream)), [1, 2, 3], "before {what}");
        assert!(is_closed(&mut stream), "{what} is answered");
    }
    started.broker.stop();
}
