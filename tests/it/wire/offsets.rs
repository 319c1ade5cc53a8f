//! Statements 61 to 65: offsets by time, by place and by epoch.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use logboom_tests::broker::shared;
use logboom_tests::raw::Raw;

use super::fetch::batch;
use super::{new_topic, new_topic_with, offset_of};

/// The newest version of ListOffsets that the reference has.
const NEWEST: i16 = 10;
/// What is as old as the timestamps here would else be deleted.
const KEPT: [(&str, &str); 1] = [("retention.ms", "-1")];
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

fn list_all(
    raw: &mut Raw,
    topic: &str,
    asked: &[(i32, i64)],
    version: i16,
) -> Vec<ListOffsetsPartitionResponse> {
    let ask = |&(partition_index, timestamp)| ListOffsetsPartition {
        partition_index,
        timestamp,
        current_leader_epoch: -1,
    };
    let partitions = asked.iter().map(ask).collect();
    let topics = vec![ListOffsetsTopic { name: topic.into(), partitions }];
    let request =
        ListOffsetsRequest { replica_id: -1, topics, timeout_ms: 60_000, ..Default::default() };
    raw.call(version, &request).topics.remove(0).partitions
}

/// Offset, timestamp and epoch that are found without an error.
fn found(raw: &mut Raw, topic: &str, timestamp: i64) -> (i64, i64, i32) {
    let answer = list_all(raw, topic, &[(0, timestamp)], NEWEST).remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE);
    (answer.offset, answer.timestamp, answer.leader_epoch)
}

#[test]
fn wire_61_timestamps_that_are_names() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "names", 1, &KEPT);
    offset_of(&mut raw, &topic, batch(100, &["a", "b"]));
    offset_of(&mut raw, &topic, batch(50, &["c"]));
    assert_eq!(found(&mut raw, &topic, LATEST), (3, -1, 0));
    assert_eq!(found(&mut raw, &topic, EARLIEST), (0, -1, 0));
    assert_eq!(found(&mut raw, &topic, MAX_TIMESTAMP), (1, 101, 0));
    assert_eq!(found(&mut raw, &topic, -4), (0, -1, 0));
    assert_eq!(found(&mut raw, &topic, -5), (-1, -1, -1));
}

#[test]
fn wire_61_a_name_from_a_later_version_is_unsupported() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "later-names");
    for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
        for version in 1..=NEWEST {
            let answer = list_all(&mut raw, &topic, &[(0, timestamp)], version).remove(0);
            let unsupported = answer.error_code == ErrorCode::UNSUPPORTED_VERSION;
            assert_eq!(unsupported, version < since, "{timestamp} in {version}: {answer:?}");
        }
    }
}

#[test]
fn wire_62_a_time_finds_the_first_record_that_is_not_older() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "times", 1, &KEPT);
    offset_of(&mut raw, &topic, batch(100, &["a", "b", "c"]));
    offset_of(&mut raw, &topic, batch(200, &["d", "e"]));
    for (timestamp, expected) in [
        (0, (0, 100, 0)),
        (101, (1, 101, 0)),
        (103, (3, 200, 0)),
        (201, (4, 201, 0)),
        (202, (-1, -1, -1)),
    ] {
        assert_eq!(found(&mut raw, &topic, timestamp), expected, "{timestamp}");
    }
}

#[test]
fn wire_63_a_partition_twice_is_an_invalid_request_for_it() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "twice", 2, &[]);
    let asked = [(0, LATEST), (1, LATEST), (0, EARLIEST)];
    for version in 1..=NEWEST {
        let answers = list_all(&mut raw, &topic, &asked, version);
        let mut codes: Vec<_> =
            answers.iter().map(|answer| (answer.partition_index, answer.error_code.0)).collect();
        codes.sort_unstable();
        // The reference answers for it once.
        assert_eq!(codes, [(0, ErrorCode::INVALID_REQUEST.0), (1, 0)], "version {version}");
    }
}

#[test]
fn wire_64_an_empty_log_has_no_epoch_of_a_record() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "no-epoch");
    for timestamp in [MAX_TIMESTAMP, 0, 5] {
        assert_eq!(found(&mut raw, &topic, timestamp), (-1, -1, -1), "{timestamp}");
    }
    for timestamp in [LATEST, EARLIEST, -4] {
        let (offset, time, epoch) = found(&mut raw, &topic, timestamp);
        assert_eq!((offset, time), (0, -1), "{timestamp}, epoch {epoch}");
    }
    let unknown = list_all(&mut raw, &topic, &[(9, LATEST)], NEWEST).remove(0);
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!((unknown.offset, unknown.timestamp, unknown.leader_epoch), (-1, -1, -1));
}

/// The reference takes −1 alone for no epoch here, and anything negative in Fetch.
#[test]
fn wire_64_the_epoch_of_the_leader_is_compared() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "leader-epoch");
    let fenced = ErrorCode::FENCED_LEADER_EPOCH;
    let unknown = ErrorCode::UNKNOWN_LEADER_EPOCH;
    for (epoch, expected) in
        [(-1, ErrorCode::NONE), (0, ErrorCode::NONE), (1, unknown), (-2, fenced)]
    {
        let asked = ListOffsetsPartition {
            partition_index: 0,
            timestamp: LATEST,
            current_leader_epoch: epoch,
        };
        let of_topic = ListOffsetsTopic { name: topic.as_str().into(), partitions: vec![asked] };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![of_topic], ..Default::default() };
        let code = raw.call(NEWEST, &request).topics[0].partitions[0].error_code;
        assert_eq!(code, expected, "ListOffsets, {epoch}");
        let asked = OffsetForLeaderPartition { current_leader_epoch: epoch, ..Default::default() };
        let of_topic =
            OffsetForLeaderTopic { topic: topic.as_str().into(), partitions: vec![asked] };
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![of_topic] };
        let code = raw.call(4, &request).topics[0].partitions[0].error_code;
        assert_eq!(code, expected, "OffsetForLeaderEpoch, {epoch}");
    }
}

#[test]
fn wire_65_an_epoch_ends_at_the_log_end_and_one_to_come_is_unknown() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "epoch-ends", 1, &KEPT);
    offset_of(&mut raw, &topic, batch(1, &["a", "b"]));
    for version in 2..=4 {
        for (leader_epoch, expected) in [(0, (0, 2)), (1, (-1, -1)), (-1, (-1, -1))] {
            let asked = OffsetForLeaderPartition {
                leader_epoch,
                current_leader_epoch: -1,
                ..Default::default()
            };
            let topic =
                OffsetForLeaderTopic { topic: topic.as_str().into(), partitions: vec![asked] };
            let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] };
            let response = raw.call(version, &request);
            let end = &response.topics[0].partitions[0];
            assert_eq!(end.error_code, ErrorCode::NONE);
            assert_eq!((end.leader_epoch, end.end_offset), expected, "epoch {leader_epoch}");
        }
    }
}
