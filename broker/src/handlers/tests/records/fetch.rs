//! Fetch without sessions: what is ours, beside what `tests/it/wire/fetch.rs` tells of any broker.

use logboom_storage::{Found, ReadUntil};

use super::*;

/// A wait that no test lives to see the end of.
const LONG_MS: i32 = 3_600_000;
/// Partitions of a large fetch.
const MANY: i32 = 10_000;

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
fn a_fetch_gets_no_more_than_the_broker_allows() {
    let broker = TestBroker::with([("num.partitions", "3"), ("fetch.max.bytes", "2500")]);
    create_topic(&broker);
    (0..3).for_each(|partition| assert_eq!(produce(&broker, partition, large_batch(1000)), 0));
    let request = fetch_request((0..3).map(|partition| wanted(partition, 0)).collect());
    let response = broker.request(&request, BY_NAME);
    let served = answers(&response).into_iter().filter(|answer| bytes(answer) > 0).count();
    assert_eq!(served, 2);
}

/// Whether a read of partition 0 takes the device.
fn is_cold(broker: &TestBroker, topic_id: Uuid, offset: i64) -> bool {
    let partition = broker.broker().node().registry.get(topic_id, 0).unwrap();
    let found = partition.view.read(offset, 1 << 20, ReadUntil::HighWatermark);
    matches!(found, Ok(Found::Cold(_)))
}

#[test]
fn what_was_written_before_a_restart_is_fetched_from_the_device() {
    let mut broker = TestBroker::with([("num.partitions", "2")]);
    let id = create_topic(&broker);
    (0..2).for_each(|partition| assert_eq!(produce(&broker, partition, batch(1, &["a", "b"])), 0));
    assert!(!is_cold(&broker, id, 0));
    broker.restart();
    assert!(is_cold(&broker, id, 0));
    for partition in 0..2 {
        let answer = fetch_one(&broker, partition, 0);
        assert_eq!(records(&answer), [record(0, "a"), record(1, "b")]);
        assert_eq!(answer.high_watermark, 2);
    }
}

/// Flips a byte of a record in the only segment of partition 0, where it says `value`.
fn damage(data_dir: &std::path::Path, topic_id: Uuid, value: &str) {
    let dir = data_dir.join(format!("partitions/{topic_id}-0"));
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    let [log] = &logs[..] else { panic!("{logs:?}") };
    let mut content = std::fs::read(log).unwrap();
    let at = content.windows(value.len()).position(|found| found == value.as_bytes()).unwrap();
    content[at] ^= 1;
    std::fs::write(log, content).unwrap();
}

#[test]
fn a_batch_that_was_damaged_is_a_corrupt_message_and_the_others_are_served() {
    let mut broker = TestBroker::start();
    let id = create_topic(&broker);
    for value in ["first", "second", "third"] {
        produce(&broker, 0, batch(1, &[value]));
    }
    broker.restart_after(|data_dir| damage(data_dir, id, "second"));
    // What stands in front of it is all that comes.
    assert_eq!(records(&fetch_one(&broker, 0, 0)), [record(0, "first")]);
    for _ in 0..2 {
        let answer = fetch_one(&broker, 0, 1);
        assert_eq!((answer.error_code, bytes(&answer)), (ErrorCode::CORRUPT_MESSAGE, 0));
        assert_eq!((answer.high_watermark, answer.log_start_offset), (-1, -1));
    }
    assert_eq!(records(&fetch_one(&broker, 0, 2)), [record(2, "third")]);
    assert_eq!(produce(&broker, 0, batch(1, &["fourth"])), 3);
    assert_eq!(records(&fetch_one(&broker, 0, 3)), [record(3, "fourth")]);
}

#[test]
fn ten_thousand_partitions_are_fetched_at_once_and_waited_for() {
    let broker = TestBroker::start();
    super::super::create(&broker, vec![super::super::topic(TOPIC, MANY)]);
    let filled = [0, 4_999, MANY - 1];
    for partition in filled {
        produce(&broker, partition, batch(1, &["a"]));
    }
    let request = fetch_request((0..MANY).map(|partition| wanted(partition, 0)).collect());
    let response = broker.request(&request, BY_NAME);
    let found = answers(&response);
    assert!(found.iter().map(|answer| answer.partition_index).eq(0..MANY), "in their order");
    assert!(found.iter().all(|answer| answer.error_code == ErrorCode::NONE));
    let served = found.iter().filter(|answer| bytes(answer) > 0);
    assert_eq!(served.map(|answer| answer.partition_index).collect::<Vec<_>>(), filled);
    // At the end of all of them.
    let end = |partition| wanted(partition, i64::from(filled.contains(&partition)));
    let request = fetch_request((0..MANY).map(end).collect());
    let mut consumer = broker.client();
    let waiting = FetchRequest { max_wait_ms: LONG_MS, min_bytes: 1, ..request };
    consumer.send(&waiting, BY_NAME);
    produce(&broker, 7_777, batch(1, &["b"]));
    let response = consumer.response::<FetchRequest>(BY_NAME);
    let served = answers(&response).into_iter().filter(|answer| bytes(answer) > 0);
    let served: Vec<_> = served.map(|answer| (answer.partition_index, records(answer))).collect();
    assert_eq!(served, [(7_777, vec![record(0, "b")])]);
}
