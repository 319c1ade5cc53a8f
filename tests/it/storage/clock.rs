//! A clock that goes back: time enters as batch timestamps, and as the time of retention.

use std::path::Path;

use logboom_protocol::records::{
    BatchBuilder, Codec, Inflater, ProducedBatch, StampedBatch, Stamps,
};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_storage::{Directory, DirectoryOptions, Log, LogOptions};
use logboom_tests::foreign::scratch;
use logboom_tests::load::{key, open};

const HOUR_MS: i64 = 3_600_000;
/// Some day in 2026.
const NOW_MS: i64 = 1_795_000_000_000;

fn stamped(offset: i64, timestamp: i64) -> StampedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(timestamp, None, Some(b"when?"), &[]).unwrap();
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    let base_offset = Offset::from_wire(offset).unwrap();
    batch.stamp(&Stamps { base_offset, leader_epoch: LeaderEpoch::ZERO, log_append_time: None })
}

/// Segments and retention of an hour each.
fn opened(root: &Path) -> (Directory, Log) {
    let options = DirectoryOptions::default();
    let directory = open(root, options).unwrap();
    if directory.state().group(&key(0), |group| group.is_none()) {
        directory.create(key(0), 0).unwrap();
    }
    let hour = LogOptions { segment_ms: HOUR_MS, retention_ms: HOUR_MS, ..LogOptions::default() };
    let (log, findings) = directory.open_log(key(0), hour).unwrap();
    assert_eq!(findings, []);
    (directory, log)
}

fn append(directory: &Directory, log: &mut Log, timestamp: i64) {
    log.append(&[stamped(log.end_offset(), timestamp)]).unwrap();
    let end = log.flush(Box::new(|result| result.unwrap())).unwrap();
    directory.run_flushes();
    log.on_flushed(end);
    log.set_high_watermark(end);
}

fn segments(root: &Path) -> usize {
    let files = std::fs::read_dir(root.join("partitions").join(key(0).to_string())).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".log")).count()
}

#[test]
fn timestamps_that_fall_begin_no_segments() {
    let root = scratch("clock-back");
    let (directory, mut log) = opened(&root);
    for day in 0..60 {
        append(&directory, &mut log, NOW_MS - day * 24 * HOUR_MS);
    }
    assert_eq!(segments(&root), 1, "the clock only went back");
    append(&directory, &mut log, NOW_MS + 2 * HOUR_MS);
    assert_eq!(segments(&root), 2, "an hour after the first batch");
    for i in 0..60 {
        let jump = if i % 2 == 0 { 0 } else { i64::MAX };
        append(&directory, &mut log, jump);
    }
    assert!(segments(&root) <= 4, "to and fro: {}", segments(&root));
    assert_eq!(log.end_offset(), 121);
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn retention_with_a_clock_that_went_back_deletes_nothing() {
    let root = scratch("clock-retention");
    let (directory, mut log) = opened(&root);
    for hours in [0, 2, 4] {
        append(&directory, &mut log, NOW_MS + hours * HOUR_MS);
    }
    assert_eq!(segments(&root), 3);
    for now_ms in [NOW_MS + HOUR_MS, NOW_MS, NOW_MS - 1000 * HOUR_MS, 0, -1, i64::MIN] {
        assert_eq!(log.retention_start(now_ms).unwrap(), None, "{now_ms}");
    }
    assert_eq!(log.retention_start(NOW_MS + HOUR_MS + 1).unwrap(), Some(1), "just expired");
    log.set_log_start(1).unwrap();
    for now_ms in [NOW_MS - HOUR_MS, i64::MIN] {
        assert_eq!(log.retention_start(now_ms).unwrap(), None, "{now_ms}");
    }
    assert_eq!((segments(&root), log.view().log_start_offset()), (2, 1));
    // A start with a clock that is behind keeps all, too, and goes on.
    drop((log, directory));
    let (directory, mut log) = opened(&root);
    log.set_high_watermark(log.end_offset());
    assert_eq!(log.retention_start(0).unwrap(), None);
    append(&directory, &mut log, 0);
    assert_eq!((segments(&root), log.end_offset()), (2, 4));
    assert_eq!(log.retention_start(i64::MAX).unwrap(), Some(4), "in the end all of it");
    log.set_log_start(4).unwrap();
    append(&directory, &mut log, NOW_MS);
    assert_eq!((log.view().log_start_offset(), log.end_offset()), (4, 5));
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_segment_keeps_its_age_over_a_start_after_a_kill_or_a_stop() {
    let root = scratch("clock-start");
    let (directory, mut log) = opened(&root);
    append(&directory, &mut log, NOW_MS);
    drop((log, directory));
    let (directory, mut log) = opened(&root);
    log.set_high_watermark(log.end_offset());
    append(&directory, &mut log, NOW_MS + HOUR_MS);
    assert_eq!(segments(&root), 1, "an hour old, and no more");
    log.close().unwrap();
    directory.close().unwrap();
    let (directory, mut log) = opened(&root);
    log.set_high_watermark(log.end_offset());
    append(&directory, &mut log, NOW_MS + HOUR_MS + 1);
    assert_eq!(segments(&root), 2, "an hour after its first batch");
    // Retention counts from the last batch of the first segment, over another start too.
    drop((log, directory));
    let (_directory, mut log) = opened(&root);
    log.set_high_watermark(log.end_offset());
    assert_eq!(log.retention_start(NOW_MS + 2 * HOUR_MS).unwrap(), None);
    assert_eq!(log.retention_start(NOW_MS + 2 * HOUR_MS + 1).unwrap(), Some(2));
    std::fs::remove_dir_all(root).unwrap();
}
