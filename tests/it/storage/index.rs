//! An index that is ahead of its log: the log is believed.

use std::fs;
use std::path::{Path, PathBuf};

use logboom_storage::{DirectoryOptions, LogOptions};
use logboom_tests::foreign::scratch;
use logboom_tests::load::{Span, held, key, open, sized_batch};

/// Bytes of an index file's header; its last four are the CRC of those before.
const HEADER_BYTES: usize = 32;
/// Bytes of an entry.
const ENTRY_BYTES: usize = 24;

/// A closed log whose batches have these many records of 1,000 bytes; its index file.
fn written(name: &str, records: &[u64]) -> (PathBuf, PathBuf) {
    let root = scratch(name);
    let directory = open(&root, DirectoryOptions::default()).unwrap();
    directory.create(key(0), 0).unwrap();
    let (mut log, _) = directory.open_log(key(0), LogOptions::default()).unwrap();
    for count in records {
        log.append(&[sized_batch(0, 1, log.end_offset(), *count, 1_000)]).unwrap();
    }
    log.close().unwrap();
    directory.close().unwrap();
    let index = root.join("partitions").join(key(0).to_string());
    let index = index.join("00000000000000000000-000000.index");
    assert!(index.exists());
    (root, index)
}

/// Every record of the log is served, whatever its index says.
fn check(root: &Path, end: i64, place: &str) {
    let directory = open(root, DirectoryOptions::default()).unwrap();
    let (log, findings) = directory.open_log(key(0), LogOptions::default()).unwrap();
    assert_eq!((log.end_offset(), findings), (end, vec![]), "{place}");
    // From each offset on, so that every entry is used.
    for offset in 0..end {
        let held = held(log.view(), 0, offset, end).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert!(held.refused.is_empty(), "{place}: {:?}", held.refused);
        assert_eq!(held.spans, [Span { life: 1, start: offset, end }], "{place}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

/// The index with the first `entries` entries, for a log of `log_bytes`, its checksums right.
fn forged(index: &[u8], log_bytes: [u8; 4], entries: usize) -> Vec<u8> {
    let mut forged = index[..HEADER_BYTES + entries * ENTRY_BYTES].to_vec();
    forged[8..12].copy_from_slice(&log_bytes);
    forged[24..28].copy_from_slice(&(entries as u32).to_be_bytes());
    let crc = crc32(&forged[..HEADER_BYTES - 4]);
    forged[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    forged
}

#[test]
fn the_index_of_a_longer_copy_of_the_log_is_not_believed() {
    let short: Vec<u64> = (0..40).map(|i| 1 + i % 5).collect();
    let long: Vec<u64> = (0..90).map(|i| 1 + i % 5).collect();
    let end = short.iter().sum::<u64>() as i64;
    let (root, index) = written("index-short", &short);
    let (longer, ahead) = written("index-long", &long);
    let (own, ahead) = (fs::read(&index).unwrap(), fs::read(ahead).unwrap());
    assert!(own.len() < ahead.len() && own[32..own.len()] == ahead[32..own.len()], "a longer copy");
    let log_bytes = *own[8..].first_chunk().unwrap();
    let entries = (ahead.len() - HEADER_BYTES) / ENTRY_BYTES;
    assert_eq!(forged(&own, log_bytes, (own.len() - HEADER_BYTES) / ENTRY_BYTES), own);
    let cases = [
        ("as it is", ahead.clone()),
        ("for the shorter log", forged(&ahead, log_bytes, entries)),
        ("with its own entries only", forged(&ahead, log_bytes, 1)),
    ];
    for (name, bytes) in cases {
        fs::write(&index, bytes).unwrap();
        check(&root, end, name);
    }
    fs::remove_dir_all(root).unwrap();
    fs::remove_dir_all(longer).unwrap();
}

#[test]
fn the_index_of_a_log_with_other_batches_of_the_same_length_is_not_believed() {
    // Batches of eight records and of five in turn, and the other way round; all have an entry.
    let (root, index) = written("index-own", &[8, 5].repeat(30));
    let (other, foreign) = written("index-foreign", &[5, 8].repeat(30));
    let (own, foreign) = (fs::read(&index).unwrap(), fs::read(foreign).unwrap());
    assert_eq!(own[..HEADER_BYTES], foreign[..HEADER_BYTES], "one header fits both");
    assert_ne!(own, foreign);
    fs::write(&index, foreign).unwrap();
    check(&root, 390, "another log's");
    fs::remove_dir_all(root).unwrap();
    fs::remove_dir_all(other).unwrap();
}
