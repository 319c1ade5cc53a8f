//! The bytes of a snapshot: golden ones, damaged ones, hostile ones.

use proptest::prelude::*;

use super::*;

/// Two producers, one with an open transaction; one aborted transaction.
fn sample() -> Producers {
    let mut producers = empty();
    append(&mut producers, of(1, transactional(batch(0, 2))));
    append(&mut producers, of(1, marker(Outcome::Abort, 5)));
    append(&mut producers, of(2, in_epoch(1, transactional(batch(i32::MAX, 2)))));
    commit_all(&mut producers);
    append(&mut producers, of(2, in_epoch(1, batch(1, 1))));
    producers
}

fn load(bytes: &[u8]) -> Result<Producers, SnapshotError> {
    Producers::load(bytes, &KEY, OPTIONS)
}

/// Puts bytes in place of others and a right checksum at the end.
fn forged(bytes: &[u8], start: usize, field: &[u8]) -> Vec<u8> {
    let mut bytes = bytes[..bytes.len() - 4].to_vec();
    bytes[start..start + field.len()].copy_from_slice(field);
    sealed(bytes)
}

fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&content);
    content.extend(crc.to_be_bytes());
    content
}

#[test]
fn snapshot_bytes_are_those_of_the_table() {
    let expected = [
        &b"LBPROD\0\0\x00\x01\0\0"[..],
        &3_i32.to_be_bytes(),
        &[7; 16],
        &5_i64.to_be_bytes(),
        &2_u32.to_be_bytes(),
        &1_u32.to_be_bytes(),
        // Producer 1.
        &1_i64.to_be_bytes(),
        &0_i16.to_be_bytes(),
        &5_i32.to_be_bytes(),
        &2_i64.to_be_bytes(),
        &1_000_i64.to_be_bytes(),
        &(-1_i64).to_be_bytes(),
        &[1],
        &1_i32.to_be_bytes(),
        &1_i32.to_be_bytes(),
        &1_i64.to_be_bytes(),
        &1_000_i64.to_be_bytes(),
        // Producer 2.
        &2_i64.to_be_bytes(),
        &1_i16.to_be_bytes(),
        &(-1_i32).to_be_bytes(),
        &4_i64.to_be_bytes(),
        &1_000_i64.to_be_bytes(),
        &3_i64.to_be_bytes(),
        &[1],
        &0_i32.to_be_bytes(),
        &1_i32.to_be_bytes(),
        &4_i64.to_be_bytes(),
        &1_000_i64.to_be_bytes(),
        // The aborted transaction of producer 1.
        &1_i64.to_be_bytes(),
        &0_i64.to_be_bytes(),
        &2_i64.to_be_bytes(),
        &3_i64.to_be_bytes(),
    ];
    let expected = sealed(expected.concat());
    let bytes = sample().snapshot(&KEY);
    assert_eq!(bytes, expected);
    assert_eq!(bytes.capacity(), bytes.len(), "its size is known before it is written");
    let mut loaded = load(&bytes).unwrap();
    assert_eq!(loaded.snapshot(&KEY), bytes);
    let overlay = BatchFacts { base_offset: 5, ..of(2, in_epoch(1, batch(1, 1))) };
    loaded.record(&overlay);
    assert_eq!(loaded, sample());
}

#[test]
fn a_snapshot_without_producers_is_its_head() {
    let producers = Producers::new(77, OPTIONS);
    let bytes = producers.snapshot(&KEY);
    assert_eq!(bytes.len(), 52);
    let loaded = load(&bytes).unwrap();
    assert_eq!(loaded, producers);
    assert!(loaded.is_empty());
}

#[test]
fn a_lowered_limit_holds_from_loading_on() {
    let bytes = sample().snapshot(&KEY);
    let mut producers = empty();
    for id in 0..5 {
        append(&mut producers, of(id, batch(0, 1)));
    }
    commit_all(&mut producers);
    let options = ProducersOptions { producers_max: NonZeroU32::new(2).unwrap() };
    let loaded = Producers::load(&producers.snapshot(&KEY), &KEY, options).unwrap();
    loaded.check_invariants();
    assert_eq!((loaded.producer_count(), loaded.entry(4).is_some()), (2, true));
    assert!(load(&bytes).is_ok());
}

#[test]
fn damage_is_named() {
    let bytes = sample().snapshot(&KEY);
    let foreign = GroupKey { partition: 4, ..KEY };
    assert_eq!(
        Producers::load(&bytes, &foreign, OPTIONS),
        Err(SnapshotError::Foreign { found: KEY })
    );
    let mut other = bytes.clone();
    other[0] = b'X';
    assert_eq!(load(&other), Err(SnapshotError::Magic { found: *b"XBPROD\0\0" }));
    let mut flipped = bytes.clone();
    flipped[20] ^= 1;
    assert!(matches!(load(&flipped), Err(SnapshotError::Checksum { .. })));
    let newer = forged(&bytes, 9, &[2]);
    assert_eq!(load(&newer), Err(SnapshotError::Version { found: 2 }));
    let short = |field, present| Err(SnapshotError::Short { field, present });
    assert_eq!(load(&[]), short("checksum", 0));
    assert_eq!(load(&bytes[..7]), short("magic", 7));
    assert_eq!(load(&sealed(bytes[..39].to_vec())), short("offset", 43));
    assert_eq!(load(&sealed(bytes[..87].to_vec())), short("batch's last sequence", 91));
    let long = [&bytes[..bytes.len() - 4], &[0; 3]].concat();
    assert_eq!(load(&sealed(long)), Err(SnapshotError::Trailing { bytes: 3 }));
    let text = load(&newer).unwrap_err().to_string();
    assert_eq!(
        text,
        "producer snapshot: version 2; this build reads 1, use the build that wrote it"
    );
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let bytes = sample().snapshot(&KEY);
    for cut in 0..bytes.len() {
        assert!(load(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(load(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn values_that_no_log_gives_are_named() {
    let bytes = sample().snapshot(&KEY);
    let first = 48;
    let second = first + 39 + 24;
    let aborted = second + 39 + 24;
    let cases: [(usize, &[u8], &str, i64); 17] = [
        (10, &[0, 1], "zeros", 1),
        (32, &(-1_i64).to_be_bytes(), "offset", -1),
        (first, &(-5_i64).to_be_bytes(), "producer id", -5),
        (second, &1_i64.to_be_bytes(), "producer id", 1),
        (first + 14, &5_i64.to_be_bytes(), "producer's last offset", 5),
        (first + 30, &3_i64.to_be_bytes(), "transaction's first offset", 3),
        (first + 30, &(-2_i64).to_be_bytes(), "transaction's first offset", -2),
        (first + 38, &[6], "number of batches", 6),
        (first + 39, &(-1_i32).to_be_bytes(), "batch's last sequence", -1),
        (first + 43, &(-1_i32).to_be_bytes(), "batch's offset delta", -1),
        (first + 43, &2_i32.to_be_bytes(), "batch's offset delta", 2),
        (first + 47, &3_i64.to_be_bytes(), "batch's last offset", 3),
        (aborted, &(-1_i64).to_be_bytes(), "aborted producer id", -1),
        (aborted + 8, &5_i64.to_be_bytes(), "aborted first offset", 5),
        (aborted + 16, &0_i64.to_be_bytes(), "aborted last offset", 0),
        (aborted + 16, &5_i64.to_be_bytes(), "aborted last offset", 5),
        (aborted + 24, &4_i64.to_be_bytes(), "aborted last stable offset", 4),
    ];
    for (start, value, name, value_found) in cases {
        let Err(SnapshotError::Field { field, end, found }) = load(&forged(&bytes, start, value))
        else {
            panic!("{name} at {start} was taken");
        };
        assert_eq!((field, found), (name, value_found));
        assert!(end >= start + value.len(), "{name} ends at {end}");
    }
    let shared = forged(&bytes, first + 14, &4_i64.to_be_bytes());
    let shared = forged(&shared, first + 30, &3_i64.to_be_bytes());
    let found = load(&shared).unwrap_err().to_string();
    assert!(found.contains("first offset shared with another producer 3"), "{found}");
}

#[test]
fn numbers_of_parts_that_are_not_there_allocate_nothing() {
    let bytes = sample().snapshot(&KEY);
    for start in [40, 44] {
        let hostile = forged(&bytes, start, &u32::MAX.to_be_bytes());
        assert!(load(&hostile).is_err());
    }
}

proptest! {
    #[test]
    fn hostile_bytes_give_a_sound_state_or_an_error(
        start in 10_usize..250,
        field in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let bytes = sample().snapshot(&KEY);
        let start = start.min(bytes.len() - 4 - field.len());
        if let Ok(loaded) = load(&forged(&bytes, start, &field)) {
            loaded.check_invariants();
            prop_assert_eq!(loaded.snapshot(&KEY), forged(&bytes, start, &field));
        }
    }
}
