//! Fetch without sessions.

use std::time::{Duration, Instant};

use logboom_protocol::messages::fetch::FetchTopic;
use logboom_protocol::units::Uuid;

use super::*;

/// A wait that no test lives to see the end of.
const LONG_MS: i32 = 3_600_000;

#[test]
fn wire_46_an_offset_within_a_batch_returns_the_whole_batch() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a", "b"]));
    produce(&broker, 0, batch(1, &["c", "d", "e"]));
    let all = [record(2, "c"), record(3, "d"), record(4, "e")];
    for offset in 2..5 {
        assert_eq!(records(&fetch_one(&broker, 0, offset)), all, "from {offset}");
    }
}

#[test]
fn wire_47_the_first_batch_is_whole_and_later_partitions_obey_the_limits() {
    let broker = TestBroker::with([("num.partitions", "3")]);
    create_topic(&broker);
    for partition in 1..3 {
        produce(&broker, partition, large_batch(10_000));
    }
    let limited =
        |partition, bytes| FetchPartition { partition_max_bytes: bytes, ..wanted(partition, 0) };
    // By the limit of the partition, and by that of the request.
    for (partition_bytes, max_bytes) in [(1, i32::MAX), (1 << 20, 1), (0, 0), (1 << 20, 10_100)] {
        let wanted = (0..3).map(|partition| limited(partition, partition_bytes)).collect();
        let request = FetchRequest { max_bytes, ..fetch_request(wanted) };
        let response = broker.request(&request, BY_NAME);
        let found: Vec<_> = answers(&response).into_iter().map(bytes).collect();
        assert_eq!(found[0], 0);
        assert!(found[1] > 10_000, "the first that has records: {found:?}");
        assert_eq!(found[2], 0, "there is no room for it");
    }
}

#[test]
fn wire_48_partitions_are_served_in_the_order_of_the_request() {
    let broker = TestBroker::with([("num.partitions", "3")]);
    create_topic(&broker);
    (0..3).for_each(|partition| assert_eq!(produce(&broker, partition, large_batch(1000)), 0));
    for first in 0..3 {
        let order: Vec<_> = (0..3).map(|at| (first + at) % 3).collect();
        let wanted = order.iter().map(|&partition| wanted(partition, 0)).collect();
        let request = FetchRequest { max_bytes: 1, ..fetch_request(wanted) };
        let response = broker.request(&request, BY_NAME);
        let answers = answers(&response);
        let numbers: Vec<_> = answers.iter().map(|answer| answer.partition_index).collect();
        assert_eq!(numbers, order);
        let served: Vec<_> = answers.iter().map(|answer| bytes(answer) > 0).collect();
        assert_eq!(served, [true, false, false]);
    }
}

#[test]
fn wire_49_a_fetch_waits_for_new_records() {
    let broker = TestBroker::with([("num.partitions", "2")]);
    create_topic(&broker);
    let mut consumer = broker.client();
    let waiting = FetchRequest {
        max_wait_ms: LONG_MS,
        min_bytes: 1,
        ..fetch_request(vec![wanted(0, 0), wanted(1, 0)])
    };
    consumer.send(&waiting, BY_NAME);
    produce(&broker, 1, batch(1, &["a"]));
    let response = consumer.response::<FetchRequest>(BY_NAME);
    assert_eq!(records(answers(&response)[1]), [record(0, "a")]);
    assert_eq!(answers(&response)[1].high_watermark, 1);
}

#[test]
fn wire_49_a_fetch_waits_until_there_is_enough() {
    let broker = TestBroker::with([("num.partitions", "2")]);
    create_topic(&broker);
    let mut consumer = broker.client();
    let waiting = FetchRequest {
        max_wait_ms: LONG_MS,
        min_bytes: 2500,
        ..fetch_request(vec![wanted(0, 0), wanted(1, 0)])
    };
    produce(&broker, 0, large_batch(1000));
    consumer.send(&waiting, BY_NAME);
    produce(&broker, 1, large_batch(1000));
    produce(&broker, 0, large_batch(1000));
    let response = consumer.response::<FetchRequest>(BY_NAME);
    let found: usize = answers(&response).into_iter().map(bytes).sum();
    assert!(found >= 2500, "{found}");
}

#[test]
fn wire_49_a_fetch_without_records_waits_as_long_as_it_may() {
    let broker = TestBroker::start();
    create_topic(&broker);
    let wait = Duration::from_millis(100);
    let waiting =
        FetchRequest { max_wait_ms: 100, min_bytes: 1, ..fetch_request(vec![wanted(0, 0)]) };
    let begun = Instant::now();
    let response = broker.request(&waiting, BY_NAME);
    assert!(begun.elapsed() >= wait, "an answer that comes early would make the client spin");
    assert_eq!(bytes(answers(&response)[0]), 0);
}

#[test]
fn a_fetch_that_waits_ends_with_the_broker() {
    let broker = TestBroker::start();
    create_topic(&broker);
    let mut consumer = broker.client();
    let waiting =
        FetchRequest { max_wait_ms: LONG_MS, min_bytes: 1, ..fetch_request(vec![wanted(0, 0)]) };
    consumer.send(&waiting, BY_NAME);
    // The stop may come before the fetch is there: it ends then as well.
    drop(broker);
}

#[test]
fn wire_50_the_end_is_empty_and_what_lies_beyond_is_out_of_range() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a", "b"]));
    let end = fetch_one(&broker, 0, 2);
    assert_eq!((end.error_code, bytes(&end)), (ErrorCode::NONE, 0));
    for offset in [3, i64::MAX, -1, i64::MIN] {
        let beyond = fetch_one(&broker, 0, offset);
        assert_eq!(beyond.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "{offset}");
        assert_eq!((beyond.high_watermark, beyond.log_start_offset), (-1, -1));
    }
}

#[test]
fn wire_51_every_partition_has_its_own_answer_on_every_path() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a"]));
    for version in 4..=BY_NAME {
        let fenced = FetchPartition { current_leader_epoch: 7, ..wanted(0, 0) };
        let mut request = fetch_request(vec![wanted(0, 9), wanted(5, 0), fenced, wanted(0, 0)]);
        let partitions = vec![wanted(3, 0)];
        let unknown = FetchTopic { topic: "unknown".into(), partitions, ..Default::default() };
        request.topics.push(unknown);
        let response = broker.request(&request, version);
        let found: Vec<_> = answers(&response)
            .into_iter()
            .map(|answer| (answer.partition_index, answer.error_code))
            .collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        // Older requests don't say what epoch they believe in.
        let epoch = if version < 9 { ErrorCode::NONE } else { ErrorCode::UNKNOWN_LEADER_EPOCH };
        let expected = [
            (0, ErrorCode::OFFSET_OUT_OF_RANGE),
            (5, unknown),
            (0, epoch),
            (0, ErrorCode::NONE),
            (3, unknown),
        ];
        assert_eq!(found, expected, "version {version}");
    }
}

#[test]
fn wire_51_topics_are_named_by_their_ids_from_version_13_on() {
    let broker = TestBroker::start();
    let id = create_topic(&broker);
    produce(&broker, 0, batch(1, &["a"]));
    for version in 13..=18 {
        let topic = |topic_id| FetchTopic {
            topic_id,
            partitions: vec![wanted(0, 0)],
            ..Default::default()
        };
        let topics = vec![topic(Uuid([7; 16])), topic(id)];
        let request = FetchRequest { topics, ..Default::default() };
        let response = broker.request(&request, version);
        let ids: Vec<_> = response.responses.iter().map(|topic| topic.topic_id).collect();
        assert_eq!(ids, [Uuid([7; 16]), id]);
        let answers = answers(&response);
        assert_eq!(answers[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
        assert_eq!(records(answers[1]), [record(0, "a")]);
    }
}

#[test]
fn wire_52_no_other_replica_is_preferred() {
    let broker = TestBroker::start();
    create_topic(&broker);
    assert_eq!(fetch_one(&broker, 0, 0).preferred_read_replica, -1);
}

#[test]
fn wire_56_the_epoch_of_the_leader_is_compared() {
    let broker = TestBroker::start();
    create_topic(&broker);
    let of_epoch = |current_leader_epoch| {
        let wanted = FetchPartition { current_leader_epoch, ..wanted(0, 0) };
        let response = broker.request(&fetch_request(vec![wanted]), BY_NAME);
        answers(&response)[0].error_code
    };
    assert_eq!(of_epoch(-1), ErrorCode::NONE);
    assert_eq!(of_epoch(0), ErrorCode::NONE);
    assert_eq!(of_epoch(1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(of_epoch(-2), ErrorCode::NONE);
}

#[test]
fn wire_56_a_log_that_left_ours_is_told_where() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a", "b"]));
    let fetched = |last_fetched_epoch, offset| {
        let wanted = FetchPartition { last_fetched_epoch, ..wanted(0, offset) };
        let response = broker.request(&fetch_request(vec![wanted]), BY_NAME);
        answers(&response)[0].clone()
    };
    let same = fetched(0, 1);
    assert_eq!((same.error_code, same.diverging_epoch.end_offset), (ErrorCode::NONE, -1));
    assert_eq!(records(&same), [record(0, "a"), record(1, "b")]);
    let longer = fetched(0, 5);
    let diverging = (longer.diverging_epoch.epoch, longer.diverging_epoch.end_offset);
    assert_eq!((longer.error_code, diverging), (ErrorCode::NONE, (0, 2)));
    assert_eq!(bytes(&longer), 0);
    assert_eq!(fetched(3, 1).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn wire_57_aborted_transactions_are_a_list_for_read_committed_alone() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, batch(1, &["a"]));
    for (isolation_level, expected) in [(0, None), (1, Some(Vec::new()))] {
        let request = FetchRequest { isolation_level, ..fetch_request(vec![wanted(0, 0)]) };
        for version in 4..=BY_NAME {
            let response = broker.request(&request, version);
            let answer = answers(&response)[0];
            assert_eq!(answer.aborted_transactions, expected);
            assert_eq!(answer.last_stable_offset, 1);
        }
    }
}

#[test]
fn a_fetch_gets_no_more_than_the_broker_allows() {
    let broker = TestBroker::with([("num.partitions", "3"), ("fetch.max.bytes", "2500")]);
    create_topic(&broker);
    (0..3).for_each(|partition| assert_eq!(produce(&broker, partition, large_batch(1000)), 0));
    let request = fetch_request((0..3).map(|partition| wanted(partition, 0)).collect());
    let response = broker.request(&request, BY_NAME);
    let served = answers(&response).into_iter().filter(|answer| bytes(answer) > 0).count();
    assert_eq!(served, 2);
}

#[test]
fn what_was_written_before_a_restart_is_fetched_from_the_device() {
    let mut broker = TestBroker::with([("num.partitions", "2")]);
    create_topic(&broker);
    (0..2).for_each(|partition| assert_eq!(produce(&broker, partition, batch(1, &["a", "b"])), 0));
    broker.restart();
    for partition in 0..2 {
        let answer = fetch_one(&broker, partition, 0);
        assert_eq!(records(&answer), [record(0, "a"), record(1, "b")]);
        assert_eq!(answer.high_watermark, 2);
    }
}
