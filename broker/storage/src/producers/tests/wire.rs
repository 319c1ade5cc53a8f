//! What a leader answers: the statements of the wire.

use super::*;

fn out_of_order(epochs: (i16, i16), expected: i32, found: i32) -> Result<Verdict, ProducerError> {
    let (producer_epoch, current_epoch) = epochs;
    Err(ProducerError::OutOfOrderSequence {
        producer_id: PRODUCER,
        producer_epoch,
        current_epoch,
        expected,
        found,
    })
}

fn replaced(producer_epoch: i16, current_epoch: i16) -> Result<Verdict, ProducerError> {
    Err(ProducerError::InvalidEpoch { producer_id: PRODUCER, producer_epoch, current_epoch })
}

#[test]
fn wire_39_any_of_the_last_five_batches_is_a_duplicate() {
    let mut producers = empty();
    let mut batches = Vec::new();
    for i in 0..7 {
        batches.push(produce(&mut producers, at_ms(1_000 + i64::from(i), batch(i * 3, 3))));
    }
    for (from_end, original) in batches.iter().rev().enumerate() {
        let retry = BatchFacts { base_offset: 0, max_timestamp: 9, ..*original };
        let expected = if from_end < BATCHES_PER_PRODUCER {
            duplicate_of(original, false)
        } else {
            out_of_order((0, 0), 21, original.base_sequence)
        };
        assert_eq!(producers.check(&retry), expected, "{from_end} from the end");
    }
    let end_offset = producers.end_offset();
    assert_eq!(end_offset, 21, "a duplicate appends nothing");
}

#[test]
fn wire_39_a_duplicate_waits_until_its_original_is_committed() {
    let mut producers = empty();
    let first = produce(&mut producers, batch(0, 2));
    let second = produce(&mut producers, batch(2, 2));
    assert_eq!(producers.check(&first), duplicate_of(&first, false));
    producers.commit(2);
    assert_eq!(producers.check(&first), duplicate_of(&first, true));
    assert_eq!(producers.check(&second), duplicate_of(&second, false));
    producers.commit(4);
    assert_eq!(producers.check(&second), duplicate_of(&second, true));
}

#[test]
fn wire_39_five_batches_are_known_across_both_layers() {
    let mut producers = empty();
    let batches: Vec<_> = (0..5).map(|i| produce(&mut producers, batch(i, 1))).collect();
    producers.commit(3);
    for original in &batches {
        assert_eq!(producers.check(original), duplicate_of(original, original.base_offset < 3));
    }
}

#[test]
fn wire_39_only_the_whole_range_is_a_duplicate() {
    let mut producers = empty();
    produce(&mut producers, batch(0, 4));
    for (base_sequence, records) in [(0, 3), (1, 3), (0, 5), (3, 1)] {
        let retry = batch(base_sequence, records);
        assert_eq!(producers.check(&retry), out_of_order((0, 0), 4, base_sequence));
    }
}

#[test]
fn wire_40_a_gap_is_refused_and_the_right_sequence_still_succeeds() {
    let mut producers = empty();
    produce(&mut producers, batch(0, 3));
    assert_eq!(producers.check(&batch(4, 1)), out_of_order((0, 0), 3, 4));
    assert_eq!(
        producers.check(&batch(4, 1)).unwrap_err().error_code(),
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    produce(&mut producers, batch(3, 1));
    produce(&mut producers, batch(4, 1));
}

#[test]
fn wire_41_an_older_epoch_is_refused_whatever_its_sequence() {
    let mut producers = empty();
    produce(&mut producers, in_epoch(2, batch(0, 1)));
    for base_sequence in [0, 1, 5] {
        let zombie = in_epoch(1, batch(base_sequence, 1));
        assert_eq!(producers.check(&zombie), replaced(1, 2));
    }
    let code = producers.check(&batch(0, 1)).unwrap_err().error_code();
    assert_eq!(code, ErrorCode::INVALID_PRODUCER_EPOCH);
}

#[test]
fn wire_41_a_newer_epoch_starts_at_0() {
    let mut producers = empty();
    let old = produce(&mut producers, batch(0, 2));
    for base_sequence in [1, 2, i32::MAX] {
        let newer = in_epoch(1, batch(base_sequence, 1));
        assert_eq!(producers.check(&newer), out_of_order((1, 0), 0, base_sequence));
    }
    let new = produce(&mut producers, in_epoch(5, batch(0, 2)));
    assert_eq!(producers.check(&new), duplicate_of(&new, false));
    assert_eq!(producers.check(&old), replaced(0, 5), "its batches are forgotten");
}

#[test]
fn wire_42_sequences_wrap_to_0() {
    for (base_sequence, records, next) in
        [(i32::MAX, 1, 0), (i32::MAX - 1, 2, 0), (i32::MAX, 2, 1), (i32::MAX - 2, 10, 7)]
    {
        let mut producers = empty();
        let spanning = produce(&mut producers, batch(base_sequence, records));
        assert_eq!(producers.check(&spanning), duplicate_of(&spanning, false));
        assert_eq!(producers.check(&batch(next + 1, 1)), out_of_order((0, 0), next, next + 1));
        let after = produce(&mut producers, batch(next, 1));
        for original in [spanning, after] {
            assert_eq!(producers.check(&original), duplicate_of(&original, false));
        }
        commit_all(&mut producers);
        for original in [spanning, after] {
            assert_eq!(reload(&producers).check(&original), duplicate_of(&original, true));
        }
    }
}

#[test]
fn wire_43_an_unknown_producer_begins_anywhere() {
    for base_sequence in [0, 1, 77, i32::MAX] {
        let mut producers = empty();
        produce(&mut producers, in_epoch(4, batch(base_sequence, 1)));
    }
    let mut producers = empty();
    produce(&mut producers, batch(0, 1));
    commit_all(&mut producers);
    assert_eq!(producers.expire(1_000, 0), 1);
    produce(&mut producers, batch(900, 1));
}

#[test]
fn wire_43_a_log_start_that_moves_forgets_no_producer() {
    let mut producers = empty();
    produce(&mut producers, batch(0, 3));
    commit_all(&mut producers);
    producers.advance_log_start(3);
    assert_eq!(producers.check(&batch(9, 1)), out_of_order((0, 0), 3, 9));
}

#[test]
fn wire_44_state_survives_a_restart() {
    let mut producers = empty();
    let batches: Vec<_> = (0..6).map(|i| produce(&mut producers, batch(i * 2, 2))).collect();
    commit_all(&mut producers);
    let restarted = reload(&producers);
    assert_eq!(restarted, producers);
    for original in &batches[1..] {
        assert_eq!(restarted.check(original), duplicate_of(original, true));
    }
}

#[test]
fn wire_44_state_survives_a_change_of_the_leader() {
    let (mut leader, mut follower) = (empty(), empty());
    let batches: Vec<_> = (0..3).map(|i| produce(&mut leader, batch(i, 1))).collect();
    batches.iter().for_each(|facts| follower.record(facts));
    follower.commit(1);
    assert_eq!(follower.check(&batches[0]), duplicate_of(&batches[0], true));
    assert_eq!(follower.check(&batches[2]), duplicate_of(&batches[2], false));
    produce(&mut follower, batch(3, 1));
}

#[test]
fn a_batch_without_producer_is_always_new() {
    let mut producers = empty();
    for _ in 0..3 {
        produce(&mut producers, of(-1, in_epoch(-1, batch(-1, 5))));
    }
    assert_eq!((producers.end_offset(), producers.is_empty()), (15, true));
}

#[test]
fn a_batch_without_sequence_is_judged_by_its_epoch_only() {
    let mut producers = empty();
    produce(&mut producers, in_epoch(1, batch(0, 3)));
    produce(&mut producers, in_epoch(1, batch(-1, 2)));
    assert_eq!(producers.check(&batch(-1, 2)), replaced(0, 1));
    produce(&mut producers, in_epoch(1, batch(3, 1)));
}

#[test]
fn after_a_marker_with_a_newer_epoch_sequences_begin_at_0() {
    let mut producers = empty();
    let first = produce(&mut producers, transactional(batch(0, 3)));
    append(&mut producers, in_epoch(1, marker(Outcome::Commit, 1)));
    assert_eq!(producers.check(&first), replaced(0, 1));
    let next = transactional(in_epoch(1, batch(3, 1)));
    assert_eq!(producers.check(&next), out_of_order((1, 1), 0, 3));
    produce(&mut producers, transactional(in_epoch(1, batch(0, 1))));
}

#[test]
fn after_a_marker_in_the_same_epoch_sequences_go_on() {
    let mut producers = empty();
    let first = produce(&mut producers, transactional(batch(0, 3)));
    append(&mut producers, marker(Outcome::Commit, 1));
    assert_eq!(producers.check(&first), duplicate_of(&first, false));
    produce(&mut producers, transactional(batch(3, 1)));
}

#[test]
fn a_marker_alone_makes_a_producer_known() {
    let mut producers = empty();
    append(&mut producers, in_epoch(3, marker(Outcome::Abort, 8)));
    assert_eq!(producers.check(&in_epoch(3, batch(5, 1))), out_of_order((3, 3), 0, 5));
    assert_eq!(producers.check(&in_epoch(2, batch(0, 1))), replaced(2, 3));
    assert_eq!(producers.entry(PRODUCER).map(ProducerEntry::coordinator_epoch), Some(8));
}

#[test]
fn plain_batches_are_refused_while_a_transaction_is_open() {
    let mut producers = empty();
    let first = produce(&mut producers, transactional(batch(0, 3)));
    let open = ProducerError::TransactionOpen { producer_id: PRODUCER, first_offset: 0 };
    assert_eq!(producers.check(&batch(3, 1)), Err(open));
    assert_eq!(producers.check(&batch(4, 1)), out_of_order((0, 0), 3, 4), "the sequence first");
    assert_eq!(producers.check(&batch(0, 3)), duplicate_of(&first, false), "duplicates first");
    append(&mut producers, marker(Outcome::Commit, 1));
    produce(&mut producers, batch(3, 1));
}
