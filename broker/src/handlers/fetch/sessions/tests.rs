//! Fetch sessions: epochs, what is left out, what is forgotten, and the bound on them.

use super::*;

/// When the tests begin, milliseconds.
const BEGUN_MS: i64 = 1_000_000;
/// A moment when a session is no longer safe.
const LATER_MS: i64 = BEGUN_MS + SAFE_MS + 1;

fn wanted(partitions: i32, name: &str) -> Vec<Wanted> {
    let topic = Arc::new(TopicName::Name(name.into()));
    let wanted = |partition| Wanted {
        topic: Arc::clone(&topic),
        partition,
        offset: 0,
        bytes_max: 1,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    (0..partitions).map(wanted).collect()
}

fn answered(wanted: Vec<Wanted>) -> Vec<(Wanted, Answer)> {
    wanted.into_iter().map(|wanted| (wanted, Answer::refused(ErrorCode::NONE))).collect()
}

fn open(sessions: &Sessions, partitions: i32, slots_max: usize, now_ms: i64) -> i32 {
    sessions.open(false, &answered(wanted(partitions, "topic")), slots_max, now_ms)
}

fn asked(session_id: i32, epoch: i32) -> Asked {
    Asked { session_id, epoch, by_id: false, wanted: Vec::new(), forgotten: Vec::new() }
}

#[test]
fn a_session_in_use_keeps_its_slot() {
    let sessions = Sessions::default();
    let first = open(&sessions, 1, 1, BEGUN_MS);
    assert_ne!(first, NO_SESSION);
    assert_eq!(open(&sessions, 100, 1, BEGUN_MS + SAFE_MS), NO_SESSION);
    assert!(sessions.begin(asked(first, 1), BEGUN_MS).is_ok());
}

#[test]
fn a_session_that_is_not_used_any_more_gives_way() {
    let sessions = Sessions::default();
    let first = open(&sessions, 100, 1, BEGUN_MS);
    assert_ne!(open(&sessions, 1, 1, LATER_MS), NO_SESSION);
    let gone = sessions.begin(asked(first, 1), LATER_MS);
    assert_eq!(gone.err(), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
}

#[test]
fn a_settled_session_gives_way_to_a_larger_one() {
    let sessions = Sessions::default();
    let first = open(&sessions, 2, 1, BEGUN_MS);
    assert!(sessions.begin(asked(first, 1), LATER_MS).is_ok());
    assert_eq!(open(&sessions, 2, 1, LATER_MS), NO_SESSION);
    assert_ne!(open(&sessions, 3, 1, LATER_MS), NO_SESSION);
}

#[test]
fn sessions_are_bounded_by_their_memory() {
    let sessions = Sessions::default();
    let name = "x".repeat(1 << 20);
    let open = |count| sessions.open(false, &answered(wanted(count, &name)), 1000, BEGUN_MS);
    assert_ne!(open(20), NO_SESSION);
    assert_eq!(open(12), NO_SESSION);
    let session_id = open(11);
    assert_ne!(session_id, NO_SESSION);
    // Nor does one grow beyond it.
    let more = Asked { wanted: wanted(12, &name), ..asked(session_id, 1) };
    let grown = sessions.begin(more, BEGUN_MS);
    assert_eq!(grown.err(), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_ne!(open(11), NO_SESSION, "what it took is free again");
}

#[test]
fn wire_54_the_epoch_wraps_to_1() {
    assert_eq!(next_epoch(0), 1);
    assert_eq!(next_epoch(i32::MAX - 1), i32::MAX);
    assert_eq!(next_epoch(i32::MAX), 1);
}

#[test]
fn a_fetch_that_was_overtaken_tells_nothing() {
    let sessions = Sessions::default();
    let session_id = open(&sessions, 1, 1, BEGUN_MS);
    let within = |epoch| match sessions.begin(asked(session_id, epoch), BEGUN_MS) {
        Ok(Fetch::Incremental { within, .. }) => within,
        other => panic!("{other:?}"),
    };
    let (slow, quick) = (within(1), within(2));
    let overtaken = slow.end(&mut answered(wanted(1, "topic")));
    assert_eq!(overtaken, Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    assert_eq!(quick.end(&mut answered(wanted(1, "topic"))), Ok(()));
}
