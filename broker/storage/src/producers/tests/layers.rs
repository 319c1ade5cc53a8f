//! What is committed, what is not, and what is forgotten.

use super::*;

fn limited(producers_max: u32) -> Producers {
    Producers::new(0, ProducersOptions { producers_max: NonZeroU32::new(producers_max).unwrap() })
}

fn known(producers: &Producers, ids: std::ops::Range<i64>) -> Vec<i64> {
    ids.filter(|&id| producers.entry(id).is_some()).collect()
}

#[test]
fn a_partition_without_producers_takes_almost_nothing() {
    assert!(size_of::<Producers>() <= 64, "{}", size_of::<Producers>());
    let mut producers = empty();
    append(&mut producers, of(-1, batch(-1, 5)));
    assert!(producers.layers.is_none(), "nothing is allocated");
    produce(&mut producers, batch(0, 1));
    assert!(producers.layers.is_some());
    producers.truncate(5);
    assert!(producers.layers.is_none(), "what was allocated is given back");
    produce(&mut producers, batch(0, 1));
    commit_all(&mut producers);
    producers.expire(i64::MAX, 1);
    assert!(producers.layers.is_none());
}

#[test]
fn an_overlay_gives_its_room_back() {
    let mut producers = empty();
    for i in 0..1_000 {
        produce(&mut producers, batch(i, 1));
    }
    commit_all(&mut producers);
    let room = producers.layers.as_ref().unwrap().overlay.capacity();
    assert!(room <= OVERLAY_KEPT_BATCHES, "{room}");
}

#[test]
fn a_follower_records_what_a_leader_would_refuse() {
    let mut producers = empty();
    append(&mut producers, in_epoch(5, batch(0, 1)));
    append(&mut producers, in_epoch(5, batch(9, 1)));
    assert_eq!(producers.entry(PRODUCER).unwrap().last_sequence(), Some(9));
    append(&mut producers, in_epoch(4, batch(3, 1)));
    let entry = producers.entry(PRODUCER).unwrap();
    assert_eq!((entry.epoch(), entry.last_sequence(), entry.next_sequence()), (4, Some(3), 4));
}

#[test]
fn what_is_known_is_not_applied_again() {
    let mut producers = empty();
    let log: Vec<_> = (0..8).map(|i| append(&mut producers, batch(i, 2))).collect();
    producers.commit(9);
    let before = producers.clone();
    log.iter().for_each(|facts| producers.record(facts));
    producers.commit(4);
    assert_eq!(producers, before);
}

#[test]
fn truncation_takes_back_the_overlay_beyond_the_cut() {
    let mut producers = empty();
    let kept = produce(&mut producers, batch(0, 2));
    let before = producers.clone();
    let cut = produce(&mut producers, batch(2, 2));
    produce(&mut producers, in_epoch(1, batch(0, 1)));
    producers.truncate(2);
    assert_eq!(producers, before);
    assert_eq!(producers.check(&kept), duplicate_of(&kept, false));
    produce(&mut producers, cut);
}

#[test]
fn truncation_brings_batches_back_that_newer_ones_had_pushed_out() {
    let mut producers = empty();
    let log: Vec<_> = (0..10).map(|i| produce(&mut producers, batch(i, 1))).collect();
    producers.commit(2);
    producers.truncate(5);
    producers.check_invariants();
    for original in &log[..5] {
        assert_eq!(producers.check(original), duplicate_of(original, original.base_offset < 2));
    }
    produce(&mut producers, batch(5, 1));
}

#[test]
fn a_batch_that_the_cut_divides_is_forgotten_whole() {
    let mut producers = empty();
    produce(&mut producers, batch(0, 2));
    produce(&mut producers, batch(2, 4));
    producers.truncate(4);
    assert_eq!(producers.end_offset(), 2);
    produce(&mut producers, batch(2, 4));
}

#[test]
fn a_batch_that_the_high_watermark_divides_is_not_committed() {
    let mut producers = empty();
    produce(&mut producers, batch(0, 2));
    produce(&mut producers, batch(2, 4));
    producers.commit(4);
    assert_eq!(producers.committed_offset(), 2);
    producers.check_invariants();
}

#[test]
fn a_reset_follower_keeps_the_state_of_its_leader() {
    let mut leader = empty();
    let log: Vec<_> = (0..10).map(|i| produce(&mut leader, batch(i, 1))).collect();
    commit_all(&mut leader);
    let mut follower = reload(&leader);
    log[4..7].iter().for_each(|facts| follower.record(facts));
    follower.commit(6);
    follower.truncate(5);
    assert_eq!(follower, leader);
    log[5..].iter().for_each(|facts| follower.record(facts));
    assert_eq!(follower, leader);
    produce(&mut follower, batch(10, 1));
}

#[test]
fn a_gap_of_a_cleaned_log_is_taken() {
    let mut producers = empty();
    append(&mut producers, batch(0, 2));
    producers.record(&BatchFacts { base_offset: 50, ..batch(30, 2) });
    assert_eq!(
        (producers.end_offset(), producers.entry(PRODUCER).unwrap().last_offset()),
        (52, 51)
    );
    producers.commit(52);
    producers.check_invariants();
}

#[test]
fn expiry_takes_the_idle_ones_only() {
    let mut producers = empty();
    append(&mut producers, of(1, at_ms(1_000, batch(0, 1))));
    append(&mut producers, of(2, at_ms(1_001, batch(0, 1))));
    append(&mut producers, of(3, at_ms(0, transactional(batch(0, 1)))));
    append(&mut producers, of(4, at_ms(0, batch(0, 1))));
    commit_all(&mut producers);
    append(&mut producers, of(4, at_ms(0, batch(1, 1))));
    append(&mut producers, of(5, at_ms(0, batch(0, 1))));
    assert_eq!(producers.expire(1_999, 1_000), 0, "nobody is idle for long enough");
    assert_eq!(producers.expire(2_000, 1_000), 1);
    producers.check_invariants();
    assert_eq!(known(&producers, 0..9), [2, 3, 4, 5]);
    commit_all(&mut producers);
    assert_eq!(producers.expire(i64::MAX, 1_000), 3, "an open transaction keeps its producer");
    assert_eq!(known(&producers, 0..9), [3]);
}

#[test]
fn a_marker_counts_as_activity() {
    let mut producers = empty();
    append(&mut producers, at_ms(0, transactional(batch(0, 1))));
    append(&mut producers, at_ms(500, marker(Outcome::Commit, 1)));
    commit_all(&mut producers);
    assert_eq!(producers.expire(1_000, 501), 0);
    assert_eq!(producers.expire(1_000, 500), 1);
}

#[test]
fn at_the_limit_nobody_is_forgotten_and_beyond_it_the_oldest() {
    let mut producers = limited(3);
    for id in [5, 1, 3] {
        append(&mut producers, of(id, batch(0, 1)));
    }
    append(&mut producers, of(5, batch(1, 1)));
    commit_all(&mut producers);
    assert_eq!(known(&producers, 0..9), [1, 3, 5]);
    append(&mut producers, of(7, batch(0, 1)));
    assert_eq!(known(&producers, 0..9), [1, 3, 5, 7], "what is not committed doesn't count");
    commit_all(&mut producers);
    assert_eq!(known(&producers, 0..9), [3, 5, 7]);
}

#[test]
fn beyond_a_great_limit_a_sixteenth_goes_at_once() {
    let mut producers = limited(32);
    for id in 0..33 {
        append(&mut producers, of(id, batch(0, 1)));
    }
    commit_all(&mut producers);
    assert_eq!(known(&producers, 0..40), Vec::from_iter(3..33));
    assert_eq!(producers.producer_count(), 30);
}

#[test]
fn the_limit_spares_open_transactions() {
    let mut producers = limited(2);
    for id in 0..4 {
        append(&mut producers, of(id, transactional(batch(0, 1))));
    }
    for id in 4..8 {
        append(&mut producers, of(id, batch(0, 1)));
    }
    commit_all(&mut producers);
    assert_eq!(known(&producers, 0..9), [0, 1, 2, 3, 6, 7]);
    append(&mut producers, of(0, marker(Outcome::Commit, 1)));
    commit_all(&mut producers);
    assert_eq!(known(&producers, 0..9), [0, 1, 2, 3, 7], "the marker was its last record");
}

#[test]
fn the_limit_holds_whatever_the_steps_of_the_high_watermark() {
    let (mut slow, mut fast) = (limited(2), limited(2));
    for (sequence, id) in [(0, 1), (0, 2), (0, 3), (1, 1), (0, 4), (2, 1), (1, 2)] {
        append(&mut slow, of(id, batch(sequence, 1)));
        append(&mut fast, of(id, batch(sequence, 1)));
        commit_all(&mut fast);
    }
    for high_watermark in 0..=slow.end_offset() {
        slow.commit(high_watermark);
        slow.check_invariants();
    }
    assert_eq!(slow, fast);
}
