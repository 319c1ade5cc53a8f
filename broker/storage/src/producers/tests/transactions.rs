//! Open and aborted transactions, as the log tells of them.

use super::*;

fn aborted(producers: &Producers, range: std::ops::Range<i64>) -> Vec<AbortedTransaction> {
    producers.aborted_transactions(range.start, range.end).copied().collect()
}

fn aborted_transaction(producer_id: i64, offsets: [i64; 3]) -> AbortedTransaction {
    let [first_offset, last_offset, last_stable_offset] = offsets;
    AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset }
}

/// Three transactions that overlap.
///
/// ```text
///   offset    0 1 2 3 4 5 6 7 8
///   producer  1 2 1 3 A C A     of: A aborts 2, C commits 3, A aborts 1
/// ```
fn overlapping() -> Producers {
    let mut producers = empty();
    append(&mut producers, of(1, transactional(batch(0, 1))));
    append(&mut producers, of(2, transactional(batch(0, 1))));
    append(&mut producers, of(1, transactional(batch(1, 1))));
    append(&mut producers, of(3, transactional(batch(0, 1))));
    append(&mut producers, of(2, marker(Outcome::Abort, 1)));
    append(&mut producers, of(3, marker(Outcome::Commit, 1)));
    append(&mut producers, of(1, marker(Outcome::Abort, 1)));
    producers
}

#[test]
fn the_last_stable_offset_waits_for_the_marker_to_be_committed() {
    let mut producers = overlapping();
    let mut seen = Vec::new();
    for high_watermark in 0..=7 {
        producers.commit(high_watermark);
        producers.check_invariants();
        seen.push(producers.last_stable_offset(0, high_watermark));
    }
    assert_eq!(seen, [0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(producers.open_transaction_count(), 0);
}

#[test]
fn the_last_stable_offset_is_the_first_of_the_oldest_open_transaction() {
    let mut producers = empty();
    append(&mut producers, batch(0, 2));
    append(&mut producers, of(1, transactional(batch(0, 2))));
    append(&mut producers, of(2, transactional(batch(0, 2))));
    append(&mut producers, of(1, marker(Outcome::Commit, 1)));
    producers.commit(3);
    assert_eq!(producers.last_stable_offset(0, 2), 2, "nothing is open before the high watermark");
    producers.commit(6);
    assert_eq!(producers.last_stable_offset(0, 6), 2);
    producers.commit(7);
    assert_eq!(producers.last_stable_offset(0, 7), 4);
    assert_eq!(producers.last_stable_offset(5, 7), 5, "never below the log start");
    assert_eq!(reload(&producers).last_stable_offset(0, 7), 4);
}

#[test]
fn aborted_transactions_are_listed_as_the_reference_indexes_them() {
    let mut producers = overlapping();
    producers.commit(6);
    let of_2 = aborted_transaction(2, [1, 4, 0]);
    assert_eq!(aborted(&producers, 0..6), [of_2]);
    producers.commit(7);
    let of_1 = aborted_transaction(1, [0, 6, 7]);
    assert_eq!(aborted(&producers, 0..7), [of_2, of_1]);
    assert_eq!(reload(&producers), producers);
}

#[test]
fn a_fetch_is_told_of_those_within_its_range() {
    let mut producers = empty();
    for id in 1..=3 {
        append(&mut producers, of(id, transactional(batch(0, 4))));
        append(&mut producers, of(id, marker(Outcome::Abort, 1)));
    }
    commit_all(&mut producers);
    let mut later = empty();
    append(&mut later, of(9, batch(0, 5)));
    append(&mut later, of(1, transactional(batch(0, 1))));
    append(&mut later, of(1, marker(Outcome::Abort, 1)));
    commit_all(&mut later);
    assert_eq!(aborted(&later, 0..5), [], "it begins where the range ends");
    assert_eq!(aborted(&later, 0..6).len(), 1);
    for (range, expected) in [
        (0..15, vec![1, 2, 3]),
        (0..5, vec![1]),
        (0..6, vec![1, 2]),
        (4..5, vec![1]),
        (5..10, vec![2]),
        (9..11, vec![2, 3]),
        (15..20, vec![]),
    ] {
        let found: Vec<_> = aborted(&producers, range.clone());
        let ids: Vec<_> = found.iter().map(|aborted| aborted.producer_id).collect();
        assert_eq!(ids, expected, "{range:?}");
    }
}

#[test]
fn a_log_start_that_moves_drops_what_is_wholly_below_it() {
    let mut producers = overlapping();
    commit_all(&mut producers);
    producers.advance_log_start(4);
    assert_eq!(aborted(&producers, 0..7).len(), 2, "a marker at the log start is kept");
    producers.advance_log_start(5);
    assert_eq!(aborted(&producers, 0..7), [aborted_transaction(1, [0, 6, 7])]);
    assert_eq!(producers.producer_count(), 3);
    producers.advance_log_start(7);
    assert_eq!(aborted(&producers, 0..7), []);
}

#[test]
fn a_truncated_marker_opens_the_transaction_again() {
    let mut producers = empty();
    append(&mut producers, transactional(batch(0, 2)));
    append(&mut producers, marker(Outcome::Abort, 1));
    assert_eq!(producers.entry(PRODUCER).unwrap().current_txn_first_offset(), None);
    producers.truncate(2);
    assert_eq!(producers.entry(PRODUCER).unwrap().current_txn_first_offset(), Some(0));
    append(&mut producers, marker(Outcome::Commit, 1));
    commit_all(&mut producers);
    assert_eq!(aborted(&producers, 0..9), []);
}

#[test]
fn a_marker_without_records_aborts_nothing() {
    let mut producers = empty();
    append(&mut producers, batch(0, 1));
    append(&mut producers, marker(Outcome::Abort, 1));
    append(&mut producers, of(9, marker(Outcome::Abort, 1)));
    commit_all(&mut producers);
    assert_eq!(aborted(&producers, 0..9), []);
    assert_eq!(producers.last_stable_offset(0, 3), 3);
}

#[test]
fn a_marker_whose_epoch_is_unreadable_ends_the_transaction() {
    let mut producers = empty();
    append(&mut producers, marker(Outcome::Commit, 6));
    append(&mut producers, transactional(batch(0, 1)));
    let kind = BatchKind::Marker { outcome: Outcome::Abort, coordinator_epoch: None };
    append(&mut producers, BatchFacts { kind, ..batch(-1, 1) });
    let entry = producers.entry(PRODUCER).unwrap();
    assert_eq!((entry.current_txn_first_offset(), entry.coordinator_epoch()), (None, 6));
}

#[test]
fn other_control_batches_move_the_end_only() {
    let mut producers = empty();
    append(&mut producers, transactional(batch(0, 1)));
    let before = producers.entry(PRODUCER).cloned();
    append(&mut producers, BatchFacts { kind: BatchKind::OtherControl, ..batch(-1, 1) });
    assert_eq!((producers.entry(PRODUCER).cloned(), producers.end_offset()), (before, 2));
}
