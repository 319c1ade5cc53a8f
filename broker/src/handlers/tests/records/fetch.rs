//! Fetch without sessions: what is ours, beside what `tests/it/wire/fetch.rs` tells of any broker.

use super::*;

/// A wait that no test lives to see the end of.
const LONG_MS: i32 = 3_600_000;

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
