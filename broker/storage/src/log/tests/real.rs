//! The real disk, with threads: what the simulated one can't show.

use std::sync::mpsc;

use super::*;
use crate::state::EpochStart;
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
fn a_power_cut_lasts_until_all_logs_were_opened() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [0, 1, 2].map(|partition| GroupKey { partition, ..KEY });
    let start = |mark| open_real(dir.path(), mark);
    let opened = |mark, keys: &[GroupKey]| {
        let directory = start(mark);
        for key in keys {
            drop(directory.open_log(*key, LogOptions::default()).unwrap());
        }
        directory
    };
    let directory = start(BOOT);
    keys.iter().for_each(|key| directory.create(*key, 0).unwrap());
    drop(directory);
    let directory = opened(OTHER_BOOT, &keys[..2]);
    assert_eq!(directory.left_by(), LeftBy::PowerCut);
    drop(directory);
    let directory = start(OTHER_BOOT);
    assert_eq!(directory.left_by(), LeftBy::PowerCut, "one log wasn't opened before the kill");
    directory.close().unwrap();
    let directory = opened(OTHER_BOOT, &keys[1..]);
    assert_eq!(directory.left_by(), LeftBy::PowerCut, "none was opened before the stop");
    // The first is opened no more: it is gone.
    directory.remove(&keys[..1], true, 0).unwrap();
    drop(directory);
    let directory = start(OTHER_BOOT);
    assert_eq!(directory.left_by(), LeftBy::Kill);
    directory.close().unwrap();
    assert_eq!(start(OTHER_BOOT).left_by(), LeftBy::CleanStop);
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

/// A batch whose content says at which offset, and in which epoch, it was appended.
fn is_right(batch: &Bytes) -> bool {
    let (base, header) =
        (base_of(batch), *RawBatches::new(batch).next().unwrap().unwrap().header());
    *batch == self::batch(base, header.leader_epoch, 2, 300).parts().concat()
}

/// Reads wherever the log may be, until it is told to end; returns how many batches it saw.
fn read_anywhere(view: &Arc<LogView>, until: ReadUntil, finished: &AtomicBool) -> usize {
    let (mut offset, mut seen) = (0, 0);
    while !finished.load(Ordering::SeqCst) || seen == 0 {
        match read_once(view, offset, until) {
            Ok(batches) => {
                assert!(batches.iter().all(is_right), "{offset}, {until:?}");
                seen += batches.len();
                // To and fro: what is hot, what is cold, and what is being cut.
                offset = match batches.last().map(end_of) {
                    Some(end) => end,
                    None => view.log_start_offset(),
                };
            }
            Err(StorageError::OutOfRange { .. }) => offset = view.log_start_offset(),
            Err(error) => panic!("{offset}, {until:?}: {error}"),
        }
    }
    seen
}

#[test]
fn readers_beside_an_owner_that_rolls_cuts_and_deletes_see_right_batches_or_out_of_range() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open_real(dir.path(), BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, log_options()).unwrap();
    let view = Arc::clone(log.view());
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [ReadUntil::HighWatermark, ReadUntil::End, ReadUntil::End].map(|until| {
            let (view, finished) = (&view, &finished);
            scope.spawn(move || read_anywhere(view, until, finished))
        });
        for round in 0..150 {
            let committed = log.end_offset();
            for _ in 0..1 + round % 7 {
                let (end, epoch) = (log.end_offset(), log.epoch());
                log.append(&[batch(end, epoch, 2, 300)]).unwrap();
            }
            assert!(flush(&directory, &mut log));
            match round % 5 {
                0 => {
                    // Behind the high watermark, and on in another epoch over the same offsets.
                    let epoch = EpochStart { epoch: log.epoch() + 1, start_offset: committed };
                    let behind = [StateRecord::Epoch(epoch)];
                    log.truncate_to(committed, log.epoch(), 0, &behind).unwrap();
                }
                1 => {
                    log.set_high_watermark(log.end_offset());
                    log.set_log_start((log.end_offset() - 20).max(0)).unwrap();
                }
                _ => log.set_high_watermark(log.end_offset()),
            }
        }
        finished.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    assert_eq!(directory.failure(), None);
}

#[test]
fn logs_are_opened_on_several_threads_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (0..64).map(|partition| GroupKey { partition, ..KEY }).collect();
    let directory = open_real(dir.path(), BOOT);
    directory.create_all(&bare(&keys), 0).unwrap();
    for key in &keys {
        let (mut log, _) = directory.open_log(*key, log_options()).unwrap();
        for i in 0..i64::from(key.partition % 9) {
            log.append(&[batch(i, 0, 1, 700)]).unwrap();
        }
        assert!(flush(&directory, &mut log));
    }
    drop(directory);
    let directory = open_real(dir.path(), BOOT);
    std::thread::scope(|scope| {
        for keys in keys.chunks(16) {
            let directory = &directory;
            scope.spawn(move || {
                for key in keys {
                    let (log, findings) = directory.open_log(*key, log_options()).unwrap();
                    assert_eq!(findings, []);
                    assert_eq!(log.end_offset(), i64::from(key.partition % 9));
                    read_all(log.view(), 0, ReadUntil::End).unwrap();
                }
            });
        }
    });
}

#[test]
fn an_idle_partition_takes_little_memory() {
    // With its segment, an open and idle log; the budget is 1 KiB, the manifest's share included.
    let segment = size_of::<crate::log::Segment>();
    let bytes = size_of::<Log>() + size_of::<LogView>() + segment + 3 * 16 + 64;
    assert!(bytes <= 1024 - 160, "{bytes}");
}
