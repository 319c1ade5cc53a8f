//! The real disk, with threads: what the simulated one can't show.

use std::sync::mpsc;

use super::*;
use crate::{Disk as _, LeftBy, StorageError, SystemDisk};

fn open_real(root: &Path, mark: OpenMark) -> Directory {
    Directory::open(Arc::new(SystemDisk), root, options(), mark, 3).unwrap()
}

fn options() -> DirectoryOptions {
    let state = StateOptions { reserve_bytes: 1 << 20, checkpoint_bytes: 256 << 10 };
    DirectoryOptions { state, ..DirectoryOptions::default() }
}

#[test]
fn flushes_on_threads_report_back_and_hot_reads_lend_the_map() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open_real(dir.path(), BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| directory.serve_flushes());
        scope.spawn(|| directory.serve_flushes());
        scope.spawn(|| directory.serve_state().unwrap());
        let (sender, receiver) = mpsc::channel();
        for i in 0..50 {
            log.append(&[batch(i * 2, 0, 2, 3000)]).unwrap();
            let sender = sender.clone();
            let done = Box::new(move |result: Result<(), StorageError>| {
                result.unwrap();
                sender.send(()).unwrap();
            });
            let flushed_offset = log.flush(done).unwrap();
            receiver.recv().unwrap();
            log.on_flushed(flushed_offset);
            log.set_high_watermark(flushed_offset);
        }
        directory.stop_flushes();
    });
    assert_eq!(log.flushed_offset(), 100);
    let found = log.view().read(0, 1 << 20, ReadUntil::HighWatermark).unwrap();
    let Found::Batches(bytes) = found else { panic!("what was just written is hot: {found:?}") };
    assert_eq!(RawBatches::new(&bytes).count(), 50);
    log.close().unwrap();
    directory.close().unwrap();

    let directory = open_real(dir.path(), BOOT);
    assert_eq!(directory.left_by(), LeftBy::CleanStop);
    let (log, findings) = directory.open_log(KEY, LogOptions::default()).unwrap();
    assert_eq!((log.end_offset(), findings), (100, vec![]));
    // Nobody has looked at the checksums yet, so the first read is not from the map.
    let Found::Cold(cold) = log.view().read(0, 1 << 20, ReadUntil::End).unwrap() else { panic!() };
    assert_eq!(cold.run().unwrap(), bytes);
    let again = log.view().read(0, 1 << 20, ReadUntil::End).unwrap();
    assert!(matches!(again, Found::Batches(again) if again == bytes));
}

#[test]
fn a_kill_and_another_boot_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (mark, left_by) in [
        (BOOT, LeftBy::CleanStop),
        (BOOT, LeftBy::Kill),
        (OTHER_BOOT, LeftBy::PowerCut),
        (OTHER_BOOT, LeftBy::Kill),
    ] {
        // Dropped without being closed, as a killed process leaves it.
        assert_eq!(open_real(dir.path(), mark).left_by(), left_by);
    }
}

#[test]
fn what_is_read_outlives_the_deletion_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open_real(dir.path(), BOOT);
    directory.create(KEY, 0).unwrap();
    let segment_bytes = crate::SEGMENT_BYTES_MIN;
    let (mut log, _) =
        directory.open_log(KEY, LogOptions { segment_bytes, ..LogOptions::default() }).unwrap();
    for i in 0..3 {
        log.append(&[batch(i, 0, 1, 600_000)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(3);
    let Found::Batches(held) = log.view().read(0, 1, ReadUntil::End).unwrap() else { panic!() };
    log.set_log_start(2).unwrap();
    let files = SystemDisk.list(&dir.path().join("partitions").join(KEY.to_string())).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(held, Bytes::from(batch(0, 0, 1, 600_000).parts().concat()));
}

#[test]
fn an_idle_partition_takes_little_memory() {
    // With its segment, an open and idle log; the budget is 1 KiB, the manifest's share included.
    let segment = size_of::<crate::log::Segment>();
    let bytes = size_of::<Log>() + size_of::<LogView>() + segment + 3 * 16 + 64;
    assert!(bytes <= 1024 - 160, "{bytes}");
}
