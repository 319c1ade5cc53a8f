//! Statements 53 to 55: fetch sessions.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use logboom_tests::broker::{Subject, shared};
use logboom_tests::raw::Raw;

use super::fetch::{
    BY_ID, BY_NAME, answers, append, batch, fetch_now, large_batch, records, wanted,
};
use super::{made, new_topic_with, now_ms};

/// A topic, and a client of it; the broker with them, because it ends with its last user.
struct Sessions {
    _subject: Subject,
    raw: Raw,
    topic: String,
}

/// Partitions with their records.
type Served = Vec<(i32, Vec<(i64, String)>)>;

impl Sessions {
    fn start(partitions: i32) -> Self {
        let subject = shared();
        let mut raw = Raw::connect(&subject.bootstrap());
        let topic = new_topic_with(&mut raw, "sessions", partitions, &[]);
        Self { _subject: subject, raw, topic }
    }

    /// A fetch in a session.
    fn request(
        &self,
        session_id: i32,
        session_epoch: i32,
        of: Vec<FetchPartition>,
    ) -> FetchRequest {
        let mut request = fetch_now(&self.topic, of);
        request.topics.retain(|topic| !topic.partitions.is_empty());
        FetchRequest { session_id, session_epoch, ..request }
    }

    /// A fetch in a session, which has to go well: the session, and what is served.
    fn fetch(&mut self, request: &FetchRequest) -> (i32, Served) {
        let response = self.raw.call(BY_NAME, request);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let found = answers(&response).into_iter().map(|one| (one.partition_index, records(one)));
        (response.session_id, found.collect())
    }

    /// The next fetch of a session, which wants nothing new.
    fn next(&mut self, session: i32, epoch: i32) -> Served {
        let request = self.request(session, epoch, vec![]);
        let (same, served) = self.fetch(&request);
        assert_eq!(same, session);
        served
    }

    /// Opens a session with the first partitions.
    fn open(&mut self, partitions: i32) -> i32 {
        let wanted = (0..partitions).map(|partition| wanted(partition, 0)).collect();
        let request = self.request(0, 0, wanted);
        let (session, found) = self.fetch(&request);
        assert_eq!(found.len(), usize::try_from(partitions).unwrap(), "all of them at first");
        assert_ne!(session, 0);
        session
    }

    fn append(&mut self, partition: i32) {
        append(&mut self.raw, &self.topic, partition, batch(now_ms(), &["a"]));
    }

    /// The error above a fetch of a session that wants nothing new, and no topics below it.
    fn error(&mut self, version: i16, session: i32, epoch: i32) -> ErrorCode {
        let request = self.request(session, epoch, vec![]);
        let response = self.raw.call(version, &request);
        assert_eq!((response.session_id, response.responses.len()), (0, 0));
        response.error_code
    }
}

#[test]
fn wire_53_an_epoch_of_minus_one_is_sessionless_and_ends_a_session() {
    let mut its = Sessions::start(1);
    let request = its.request(0, -1, vec![wanted(0, 0)]);
    let (session, found) = its.fetch(&request);
    assert_eq!((session, found.len()), (0, 1));
    let session = its.open(1);
    let request = its.request(session, -1, vec![wanted(0, 0)]);
    assert_eq!(its.fetch(&request).0, 0);
    assert_eq!(its.error(BY_NAME, session, 1), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn wire_53_errors_of_sessions_stand_above_no_topics() {
    let mut its = Sessions::start(1);
    let session = its.open(1);
    // Others have theirs; none is likely to have this.
    let unknown = session ^ 0x2a5a_5a5a;
    assert_eq!(its.error(BY_NAME, unknown, 1), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(its.error(BY_NAME, session, 2), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(its.next(session, 1), [], "it is still there");
}

#[test]
fn wire_54_only_what_has_changed_is_answered() {
    let mut its = Sessions::start(3);
    let session = its.open(3);
    assert_eq!(its.next(session, 1), []);
    its.append(2);
    let expected = vec![(2, vec![(0, "a".to_owned())])];
    assert_eq!(its.next(session, 2), expected);
    // Records come again until the client says that it wants what is behind them.
    assert_eq!(its.next(session, 3), expected);
    let moved = its.request(session, 4, vec![wanted(2, 1)]);
    assert_eq!(its.fetch(&moved), (session, vec![]));
}

#[test]
fn wire_54_an_error_is_answered_each_time_and_its_end_once() {
    let mut its = Sessions::start(1);
    let session = its.open(1);
    for epoch in 1..3 {
        let beyond = its.request(session, epoch, vec![wanted(0, 7)]);
        let response = its.raw.call(BY_NAME, &beyond);
        assert_eq!(answers(&response)[0].error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let mended = its.request(session, 3, vec![wanted(0, 0)]);
    assert_eq!(its.fetch(&mended).1, [(0, vec![])]);
    assert_eq!(its.next(session, 4), []);
}

#[test]
fn wire_54_forgotten_partitions_are_dropped_and_the_last_ends_the_session() {
    let mut its = Sessions::start(2);
    let session = its.open(2);
    (0..2).for_each(|partition| its.append(partition));
    let forget = |its: &Sessions, epoch, partition| {
        let topic = its.topic.as_str().into();
        let partitions = vec![partition];
        let forgotten = ForgottenTopic { topic, partitions, ..Default::default() };
        let request = its.request(session, epoch, vec![]);
        FetchRequest { forgotten_topics_data: vec![forgotten], ..request }
    };
    let request = forget(&its, 1, 0);
    assert_eq!(its.fetch(&request), (session, vec![(1, vec![(0, "a".to_owned())])]));
    let request = forget(&its, 2, 1);
    assert_eq!(its.fetch(&request), (0, vec![]));
    assert_eq!(its.error(BY_NAME, session, 3), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn wire_54_a_session_outlives_its_connection() {
    let mut its = Sessions::start(1);
    let session = its.open(1);
    for epoch in 1..4 {
        its.raw = Raw::connect(&its._subject.bootstrap());
        assert_eq!(its.next(session, epoch), []);
    }
}

/// The reference serves the first once more behind the fetch that opens the session, we don't.
#[test]
fn wire_54_whoever_was_served_comes_last_the_next_time() {
    let mut its = Sessions::start(2);
    for partition in 0..2 {
        append(&mut its.raw, &its.topic, partition, large_batch(1000));
    }
    let all = its.request(0, 0, vec![wanted(0, 0), wanted(1, 0)]);
    let (session, first) = its.fetch(&FetchRequest { max_bytes: 1, ..all });
    assert_eq!(first.iter().map(|(_, records)| records.len()).collect::<Vec<_>>(), [1, 0]);
    // Nothing is acknowledged, and yet the other partition has its turn.
    let mut turns = Vec::new();
    for epoch in 1..5 {
        let next = its.request(session, epoch, vec![]);
        let (_, found) = its.fetch(&FetchRequest { max_bytes: 1, ..next });
        turns.extend(found.iter().map(|one| one.0));
    }
    assert!(turns == [0, 1, 0, 1] || turns == [1, 0, 1, 0], "{turns:?}");
}

#[test]
fn wire_55_names_and_ids_do_not_mix_in_a_session() {
    let mut its = Sessions::start(1);
    let by_name = its.open(1);
    assert_eq!(its.error(BY_ID, by_name, 1), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    let topic_id = made(&mut its.raw, &its.topic).topic_id;
    let topic = FetchTopic { topic_id, partitions: vec![wanted(0, 0)], ..Default::default() };
    let opening = FetchRequest { topics: vec![topic], ..its.request(0, 0, vec![]) };
    let by_id = its.raw.call(BY_ID, &opening).session_id;
    assert_eq!(its.error(BY_NAME, by_id, 1), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
}
