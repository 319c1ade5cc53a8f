//! Fetch sessions over a socket.

use logboom_protocol::messages::fetch::{FetchTopic, ForgottenTopic};

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
fn wire_53_an_epoch_of_minus_one_is_sessionless() {
    let broker = start("1");
    let (session, found) = fetch(&broker, &request(0, -1, vec![wanted(0, 0)]));
    assert_eq!((session, found.len()), (0, 1));
    let session = open(&broker, 1);
    assert_ne!(session, 0);
    // The last fetch of a session closes it.
    assert_eq!(fetch(&broker, &request(session, -1, vec![wanted(0, 0)])).0, 0);
    let response = broker.request(&request(session, 1, Vec::new()), BY_NAME);
    assert_eq!(response.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn wire_53_errors_of_sessions_stand_above_no_topics() {
    let broker = start("1");
    let session = open(&broker, 1);
    let unknown = broker.request(&request(session ^ 1, 1, vec![wanted(0, 0)]), BY_NAME);
    assert_eq!(unknown.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let wrong = broker.request(&request(session, 2, vec![wanted(0, 0)]), BY_NAME);
    assert_eq!(wrong.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert!(unknown.responses.is_empty() && wrong.responses.is_empty());
    assert_eq!((unknown.session_id, wrong.session_id), (0, 0));
    // It is still there.
    assert_eq!(fetch(&broker, &request(session, 1, Vec::new())).0, session);
}

#[test]
fn wire_54_only_what_has_changed_is_answered() {
    let broker = start("3");
    let session = open(&broker, 3);
    assert_eq!(fetch(&broker, &request(session, 1, Vec::new())), (session, Vec::new()));
    produce(&broker, 2, batch(1, &["a"]));
    let expected = vec![(2, vec![record(0, "a")])];
    assert_eq!(fetch(&broker, &request(session, 2, Vec::new())), (session, expected.clone()));
    // Records come again until the client says that it wants what is behind them.
    assert_eq!(fetch(&broker, &request(session, 3, Vec::new())), (session, expected));
    let moved = request(session, 4, vec![wanted(2, 1)]);
    assert_eq!(fetch(&broker, &moved), (session, Vec::new()));
}

#[test]
fn wire_54_an_error_is_answered_each_time_and_its_end_once() {
    let broker = start("1");
    let session = open(&broker, 1);
    for epoch in 1..3 {
        let beyond = request(session, epoch, vec![wanted(0, 7)]);
        let response = broker.request(&beyond, BY_NAME);
        assert_eq!(answers(&response)[0].error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let mended = request(session, 3, vec![wanted(0, 0)]);
    assert_eq!(fetch(&broker, &mended).1, [(0, Vec::new())]);
    assert_eq!(fetch(&broker, &request(session, 4, Vec::new())).1, []);
}

#[test]
fn wire_54_forgotten_partitions_are_dropped_and_the_last_ends_the_session() {
    let broker = start("2");
    let session = open(&broker, 2);
    (0..2).for_each(|partition| assert_eq!(produce(&broker, partition, batch(1, &["a"])), 0));
    let forget = |epoch, partition| {
        let topic = TOPIC.into();
        let partitions = vec![partition];
        let forgotten = ForgottenTopic { topic, partitions, ..Default::default() };
        FetchRequest { forgotten_topics_data: vec![forgotten], ..request(session, epoch, vec![]) }
    };
    assert_eq!(fetch(&broker, &forget(1, 0)), (session, vec![(1, vec![record(0, "a")])]));
    assert_eq!(fetch(&broker, &forget(2, 1)), (0, Vec::new()));
    let response = broker.request(&request(session, 3, Vec::new()), BY_NAME);
    assert_eq!(response.error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
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

#[test]
fn wire_55_names_and_ids_do_not_mix_in_a_session() {
    let broker = TestBroker::start();
    let topic_id = create_topic(&broker);
    let by_name = open(&broker, 1);
    let response = broker.request(&request(by_name, 1, Vec::new()), BY_ID);
    assert_eq!(response.error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    let topic = FetchTopic { topic_id, partitions: vec![wanted(0, 0)], ..Default::default() };
    let opening = FetchRequest { topics: vec![topic], ..request(0, 0, Vec::new()) };
    let by_id = broker.request(&opening, BY_ID).session_id;
    let response = broker.request(&request(by_id, 1, Vec::new()), BY_NAME);
    assert_eq!(response.error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
}
