//! Offsets by time, by place and by epoch.

use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use super::*;

/// The newest version of ListOffsets.
const NEWEST: i16 = 11;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

fn list_all(
    broker: &TestBroker,
    asked: &[(i32, i64)],
    version: i16,
) -> Vec<ListOffsetsPartitionResponse> {
    let ask = |&(partition_index, timestamp)| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..Default::default()
    };
    let partitions = asked.iter().map(ask).collect();
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions }];
    let request = ListOffsetsRequest { topics, timeout_ms: 60_000, ..Default::default() };
    broker.request(&request, version).topics.remove(0).partitions
}

fn list(broker: &TestBroker, timestamp: i64, version: i16) -> ListOffsetsPartitionResponse {
    list_all(broker, &[(0, timestamp)], version).remove(0)
}

/// Offset, timestamp and epoch that are found without an error.
fn found(broker: &TestBroker, timestamp: i64) -> (i64, i64, i32) {
    let answer = list(broker, timestamp, NEWEST);
    assert_eq!(answer.error_code, ErrorCode::NONE);
    (answer.offset, answer.timestamp, answer.leader_epoch)
}

#[test]
fn wire_61_timestamps_that_are_names() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(100, &["a", "b"]));
    produce(&broker, 0, batch(50, &["c"]));
    assert_eq!(found(&broker, LATEST), (3, -1, 0));
    assert_eq!(found(&broker, EARLIEST), (0, -1, 0));
    assert_eq!(found(&broker, MAX_TIMESTAMP), (1, 101, 0));
    assert_eq!(found(&broker, -4), (0, -1, 0));
    assert_eq!(found(&broker, -5), (-1, -1, -1));
    assert_eq!(found(&broker, -6), (-1, -1, -1));
}

#[test]
fn wire_61_a_name_from_a_later_version_is_unsupported() {
    let broker = TestBroker::start();
    create_topic(&broker);
    for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 12)] {
        for version in 1..=NEWEST {
            let unsupported = list(&broker, timestamp, version).error_code;
            let expected = version < since;
            assert_eq!(
                unsupported == ErrorCode::UNSUPPORTED_VERSION,
                expected,
                "{timestamp} in version {version}: {unsupported:?}"
            );
        }
    }
}

#[test]
fn wire_62_a_time_finds_the_first_record_that_is_not_older() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(100, &["a", "b", "c"]));
    produce(&broker, 0, batch(200, &["d", "e"]));
    assert_eq!(found(&broker, 0), (0, 100, 0));
    assert_eq!(found(&broker, 101), (1, 101, 0));
    assert_eq!(found(&broker, 103), (3, 200, 0));
    assert_eq!(found(&broker, 201), (4, 201, 0));
    assert_eq!(found(&broker, 202), (-1, -1, -1));
}

#[test]
fn wire_63_a_partition_twice_is_an_invalid_request_for_it() {
    let broker = TestBroker::with([("num.partitions", "2")]);
    create_topic(&broker);
    let answers = list_all(&broker, &[(0, LATEST), (1, LATEST), (0, EARLIEST)], NEWEST);
    let codes: Vec<_> = answers.iter().map(|answer| answer.error_code).collect();
    let invalid = ErrorCode::INVALID_REQUEST;
    assert_eq!(codes, [invalid, ErrorCode::NONE]);
}

#[test]
fn wire_64_an_empty_log_has_no_epoch_of_a_record() {
    let broker = TestBroker::start();
    create_topic(&broker);
    for timestamp in [MAX_TIMESTAMP, 0, 5] {
        assert_eq!(found(&broker, timestamp), (-1, -1, -1));
    }
    assert_eq!(found(&broker, LATEST).0, 0);
    let unknown = list_all(&broker, &[(9, LATEST)], NEWEST).remove(0);
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!((unknown.offset, unknown.timestamp, unknown.leader_epoch), (-1, -1, -1));
}

#[test]
fn wire_65_an_epoch_ends_at_the_log_end_and_one_to_come_is_unknown() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a", "b"]));
    for version in 2..=4 {
        for (leader_epoch, expected) in [(0, (0, 2)), (1, (-1, -1)), (-1, (-1, -1))] {
            let asked = OffsetForLeaderPartition { leader_epoch, ..Default::default() };
            let topic = OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![asked] };
            let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
            let response = broker.request(&request, version);
            let end = &response.topics[0].partitions[0];
            assert_eq!(end.error_code, ErrorCode::NONE);
            assert_eq!((end.leader_epoch, end.end_offset), expected, "epoch {leader_epoch}");
        }
    }
}
