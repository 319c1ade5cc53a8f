//! Fetch sessions: what is ours, beside what `tests/it/wire/sessions.rs` tells of any broker.

use super::*;

/// A fetch in a session, of partitions of [`TOPIC`].
fn request(session_id: i32, session_epoch: i32, wanted: Vec<FetchPartition>) -> FetchRequest {
    let mut request = FetchRequest { session_id, session_epoch, ..fetch_request(wanted) };
    request.topics.retain(|topic| !topic.partitions.is_empty());
    request
}

/// Partitions with their records.
type Served = Vec<(i32, Vec<(i64, String)>)>;

/// A fetch in a session, which has to go well: the session, and what is served.
fn fetch(broker: &TestBroker, request: &FetchRequest) -> (i32, Served) {
    let response = broker.request(request, BY_NAME);
    assert_eq!(response.error_code, ErrorCode::NONE);
    let found = answers(&response).into_iter().map(|one| (one.partition_index, records(one)));
    (response.session_id, found.collect())
}

fn start(partitions: &str) -> TestBroker {
    let broker = TestBroker::with([("num.partitions", partitions)]);
    create_topic(&broker);
    broker
}

/// Opens a session with the first partitions.
fn open(broker: &TestBroker, partitions: i32) -> i32 {
    let wanted = (0..partitions).map(|partition| wanted(partition, 0)).collect();
    let (session, found) = fetch(broker, &request(0, 0, wanted));
    assert_eq!(found.len(), usize::try_from(partitions).unwrap(), "all of them at first");
    session
}

#[test]
fn wire_54_without_slots_there_are_no_sessions() {
    let slots = "max.incremental.fetch.session.cache.slots";
    let broker = TestBroker::with([(slots, "0")]);
    create_topic(&broker);
    assert_eq!(open(&broker, 1), 0);
}

#[test]
fn wire_54_a_session_outlives_its_connection_and_its_shard() {
    let broker = start("1");
    let session = open(&broker, 1);
    for epoch in 1..4 {
        // Each connection lands on the next shard.
        let response = broker.client().request(&request(session, epoch, Vec::new()), BY_NAME);
        assert_eq!((response.error_code, response.session_id), (ErrorCode::NONE, session));
    }
}

#[test]
fn wire_54_whoever_was_served_comes_last_the_next_time() {
    let broker = start("2");
    (0..2).for_each(|partition| assert_eq!(produce(&broker, partition, large_batch(1000)), 0));
    let limited =
        |session, epoch, wanted| FetchRequest { max_bytes: 1, ..request(session, epoch, wanted) };
    let all = vec![wanted(0, 0), wanted(1, 0)];
    let (session, first) = fetch(&broker, &limited(0, 0, all));
    assert_eq!(first.iter().map(|(_, records)| records.len()).collect::<Vec<_>>(), [1, 0]);
    // Nothing is acknowledged, and yet the other partition has its turn.
    for (epoch, expected) in [(1, 1), (2, 0), (3, 1)] {
        let (_, found) = fetch(&broker, &limited(session, epoch, Vec::new()));
        assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [expected]);
    }
}
