//! What a flush costs, what comes beside it, how it fails, and what holds without one.

use std::sync::mpsc;

use super::*;
use crate::flush::NewFile;
use crate::sim::{Fault, Operation, Unflushed};
use crate::state::{EpochStart, StateRecord};

/// A log with one batch of two records, flushed; nothing waits for a round.
fn start(disk: &Arc<SimDisk>) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    while directory.state().commit_round().unwrap() {}
    (directory, log)
}

fn vote(epoch: i32, voted_for: i32) -> StateRecord {
    StateRecord::Vote { epoch, voted_for }
}

/// A completion that sends what it is told.
fn telling() -> (crate::FlushDone, mpsc::Receiver<Result<(), StorageError>>) {
    let (sender, receiver) = mpsc::channel();
    (Box::new(move |result| sender.send(result).unwrap()), receiver)
}

#[test]
fn a_flush_of_batches_alone_asks_nothing_of_the_state_store() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    let before = disk.syncs().len();
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    assert!(!directory.state().commit_round().unwrap(), "nothing is queued");
    assert_eq!(disk.syncs().len(), before + 1);
}

#[test]
fn a_vote_cast_while_an_epoch_begins_fits_behind_that_epochs_own() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    let (done, told) = telling();
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    log.begin_epoch(1, &[vote(1, 1)], done).unwrap();
    directory.state().submit(&[(KEY, vote(2, 3))], Box::new(|result| result.unwrap()));
    directory.run_flushes();
    told.try_recv().unwrap().unwrap();
    drop((directory, log));
    let image = disk.crash_image(disk.trace_len(), &Unflushed::None);
    open_directory(&image, BOOT).state().group(&KEY, |group| {
        let group = group.unwrap();
        assert_eq!((group.epoch, group.voted_for), (2, 3));
        assert_eq!(group.epochs.last(), Some(&EpochStart { epoch: 1, start_offset: 4 }));
    });
}

#[test]
fn a_record_that_no_longer_fits_when_its_job_runs_fails_the_job_and_the_directory() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    let (done, told) = telling();
    log.begin_epoch(1, &[], done).unwrap();
    // By somebody who isn't the log's owner.
    let later = StateRecord::Epoch(EpochStart { epoch: 2, start_offset: 2 });
    directory.state().submit(&[(KEY, later)], Box::new(|result| result.unwrap()));
    directory.run_flushes();
    let error = told.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, StorageError::OutOfService { .. }), "{error}");
    let failure = directory.failure().unwrap();
    assert!(failure.contains("an epoch begins before"), "{failure}");
}

#[test]
fn a_full_disk_is_no_failure_where_room_is_asked_for_and_one_everywhere_else() {
    let outcome = |operation| {
        let disk = SimDisk::new();
        let (_directory, _log) = start(&disk);
        let dir = crate::segment::partition_dir(Path::new("/data"), &KEY);
        let file = NewFile { path: dir.join("a.producers"), dir, bytes: vec![7; 100] };
        disk.set_fault(Fault::new(operation, 28));
        let made = file.make(&*disk);
        assert_eq!(disk.faults_struck(), 1, "{operation:?}");
        made
    };
    for operation in [Operation::Create, Operation::Reserve] {
        assert!(matches!(outcome(operation), Ok(false)), "{operation:?}");
    }
    for operation in [Operation::Write, Operation::Sync, Operation::SyncDir] {
        let made = outcome(operation);
        assert!(matches!(made, Err(StorageError::Io { .. })), "{operation:?}: {made:?}");
    }
}

#[test]
fn a_full_disk_at_the_flush_of_a_name_takes_the_directory_out_of_service() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    while log.unflushed.is_none() {
        log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
    }
    disk.set_fault(Fault::new(Operation::SyncDir, 28));
    let (done, told) = telling();
    log.flush(done).unwrap();
    directory.run_flushes();
    let error = told.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, StorageError::Io { doing: "flush", .. }), "{error}");
    assert!(directory.failure().is_some());
}

/// What a start after a kill finds of a log.
fn end_after_kill(disk: &SimDisk) -> i64 {
    let image = disk.kill_image(disk.trace_len());
    let directory = open_directory(&image, BOOT);
    open_log(&directory).0.end_offset()
}

#[test]
fn a_kill_loses_nothing_below_the_cached_offset() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    let mut under_way: Option<i64> = None;
    let mut beyond_flushed = 0;
    for i in 0..60 {
        log.append(&[batch(log.end_offset(), 0, 2, 100 + i)]).unwrap();
        match (i % 12, under_way) {
            (3, None) => under_way = log.flush(Box::new(|result| result.unwrap())),
            (9, Some(offset)) => {
                directory.run_flushes();
                assert!(end_after_kill(&disk) >= log.cached_offset());
                log.on_flushed(offset);
                under_way = None;
            }
            _ => {}
        }
        let (flushed, cached) = (log.flushed_offset(), log.cached_offset());
        assert!(flushed <= cached && cached <= log.end_offset());
        assert!(end_after_kill(&disk) >= cached, "batch {i}");
        beyond_flushed += i64::from(flushed < cached);
    }
    assert!(beyond_flushed > 20, "it is of use: {beyond_flushed}");
    assert!(log.view().segments().len() > 4, "the log rolled");
}

#[test]
fn a_segment_counts_as_cached_only_once_the_manifest_names_it() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk);
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    assert_eq!((log.flushed_offset(), log.cached_offset()), (2, 4), "in the page cache");
    while log.unflushed.is_none() {
        log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
    }
    let rolled = log.cached_offset();
    assert_eq!(rolled, log.active.as_ref().unwrap().segment.base_offset);
    assert!(rolled < log.end_offset());
    let flushed = log.flush(Box::new(|result| result.unwrap())).unwrap();
    assert_eq!(log.cached_offset(), rolled, "the flush is under way");
    directory.run_flushes();
    log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
    log.on_flushed(flushed);
    assert_eq!(log.cached_offset(), log.end_offset());
    assert_eq!(end_after_kill(&disk), log.end_offset());
}
