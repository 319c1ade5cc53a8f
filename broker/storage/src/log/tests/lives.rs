//! Several lives of a directory, and what happens beside the owner of a log.

use super::reads::segment_of;
use super::*;
use crate::sim::{Fault, Operation, Unflushed};
use crate::state::StateError;
use crate::{Disk as _, LeftBy, OpenError};

/// A log with `batches` batches of two records, flushed to the last; not closed.
fn start(disk: &Arc<SimDisk>, batches: i64) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..batches {
        log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    (directory, log)
}

#[test]
fn a_life_that_stops_cleanly_without_opening_a_log_loses_nothing_of_it() {
    let disk = SimDisk::new();
    drop(start(&disk, 5));
    // The second life opens the directory alone, and stops as it should.
    open_directory(&disk, BOOT).close().unwrap();
    let directory = open_directory(&disk, BOOT);
    assert_eq!(directory.left_by(), LeftBy::CleanStop);
    let (log, findings) = open_log(&directory);
    assert_eq!((log.end_offset(), findings), (10, vec![]));
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 5);
}

#[test]
fn after_a_power_cut_who_counted_what_was_not_flushed_is_lossy_whichever_life_opens_its_log() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk, 2);
    let other = GroupKey { partition: 9, ..KEY };
    directory.create(other, 0).unwrap();
    let caching = StateRecord::Flags { caching: true, lossy: false };
    directory.state().commit(&[(KEY, caching)]).unwrap();
    let lossy = |directory: &Directory| {
        [KEY, other].map(|key| directory.state().group(&key, |group| group.unwrap().lossy))
    };
    let killed = disk.kill_image(disk.trace_len());
    assert_eq!(lossy(&open_directory(&killed, BOOT)), [false, false], "a kill takes nothing");
    drop((directory, log));
    let cut = killed.crash_image(killed.trace_len(), &Unflushed::None);
    // This life opens no log, and is killed.
    drop(open_directory(&cut, OTHER_BOOT));
    let directory = open_directory(&cut, OTHER_BOOT);
    assert_eq!(directory.left_by(), LeftBy::PowerCut);
    assert_eq!(lossy(&directory), [true, false]);
}

#[test]
fn what_a_failed_flush_has_lost_makes_who_counted_it_lossy() {
    for is_caching in [false, true] {
        let disk = SimDisk::new();
        let (directory, mut log) = start(&disk, 2);
        let flags = StateRecord::Flags { caching: is_caching, lossy: false };
        directory.state().commit(&[(KEY, flags)]).unwrap();
        log.append(&[batch(4, 0, 2, 100)]).unwrap();
        disk.set_fault(Fault::new(Operation::Sync, 5));
        assert!(log.flush(Box::new(|result| drop(result.unwrap_err()))).is_some());
        directory.run_flushes();
        let killed = disk.kill_image(disk.trace_len());
        let directory = open_directory(&killed, BOOT);
        let (log, _) = open_log(&directory);
        assert_eq!(log.end_offset(), 4);
        let is_lossy = directory.state().group(&KEY, |group| group.unwrap().lossy);
        assert_eq!(is_lossy, is_caching);
    }
}

#[test]
fn a_flush_under_way_is_not_overtaken() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 2);
    log.set_high_watermark(4);
    log.append(&[batch(4, 0, 2, 100)]).unwrap();
    let offset = log.flush(Box::new(|result| result.unwrap())).unwrap();
    let error = log.set_log_start(2).unwrap_err();
    assert!(matches!(error, StorageError::FlushUnderWay), "{error}");
    assert!(matches!(log.truncate_to(4, 0, 0, &[]), Err(StorageError::FlushUnderWay)));
    assert_eq!(log.flush(Box::new(|_| panic!("one at a time"))), None);
    assert_eq!(log.flushed_offset(), 4, "nothing is counted that the job still holds");
    directory.run_flushes();
    log.on_flushed(offset);
    log.set_log_start(2).unwrap();
    log.truncate_to(4, 0, 0, &[]).unwrap();
    assert_eq!((log.flushed_offset(), log.end_offset()), (4, 4));
}

#[test]
fn a_log_start_that_moves_with_a_flush_takes_no_file_that_the_manifest_still_names() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 5);
    log.set_high_watermark(10);
    let moving =
        log.move_log_start(log.start_at(10), Box::new(|moved| moved.unwrap())).unwrap().unwrap();
    // Rolled to before the log start is there: all others lie below it, and one is still the last.
    log.append(&[batch(10, 0, 2, 900)]).unwrap();
    assert_eq!(segment_of(log.view(), 10).base_offset, 10);
    assert_eq!(log.view().log_start_offset(), 0, "it isn't durable");
    directory.run_flushes();
    log.on_flushed(moving.flushes_to());
    log.on_log_start_moved(moving);
    assert_eq!((log.view().log_start_offset(), log.flushed_offset()), (10, 10));
    let killed = disk.kill_image(disk.trace_len());
    let (found, findings) = open_log(&open_directory(&killed, BOOT));
    assert_eq!((found.view().log_start_offset(), findings), (10, vec![]));
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(12);
    move_start(&directory, &mut log, 11);
    assert_eq!(segment_files(&disk).len(), 1);
}

#[test]
fn a_replaced_segment_outlives_the_flush_of_a_log_start_that_came_before_it() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 6);
    // Rolled to, and too little for a checkpoint.
    log.append(&[batch(12, 0, 2, 100)]).unwrap();
    assert_eq!(segment_of(log.view(), 12).base_offset, 12);
    assert!(flush(&directory, &mut log));
    let disk = disk.kill_image(disk.trace_len());
    let last = segment_files(&disk).pop().unwrap();
    let bytes = disk.read_file(&last).unwrap();
    disk.flip(&last, bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64, 0);
    // Nothing good is in the last segment, and another can't be made yet.
    disk.set_capacity(disk.used());
    let directory = open_directory(&disk, BOOT);
    let (mut log, findings) = open_log(&directory);
    assert!(matches!(findings[..], [Finding::TornTail { end_offset: 12, .. }]), "{findings:?}");
    disk.set_capacity(u64::MAX);
    log.set_high_watermark(12);
    let moving =
        log.move_log_start(log.start_at(12), Box::new(|moved| moved.unwrap())).unwrap().unwrap();
    log.append(&[batch(12, 0, 1, 50)]).unwrap();
    directory.run_flushes();
    log.on_flushed(moving.flushes_to());
    log.on_log_start_moved(moving);
    assert!(disk.read_file(&last).is_some(), "the manifest names it");
    let killed = disk.kill_image(disk.trace_len());
    let (found, findings) = open_log(&open_directory(&killed, BOOT));
    assert_eq!(found.view().log_start_offset(), 12);
    assert!(!findings.iter().any(|it| matches!(it, Finding::Gone { .. })), "{findings:?}");
    assert!(flush(&directory, &mut log));
    assert_eq!(disk.read_file(&last), None, "now another is named");
}

#[test]
fn a_log_whose_flush_failed_does_not_close_as_if_it_had_not() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 2);
    log.append(&[batch(4, 0, 2, 100)]).unwrap();
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    disk.set_fault(Fault::new(Operation::Sync, 5).at(is_log));
    assert!(!flush(&directory, &mut log));
    log.on_flush_failed();
    assert!(matches!(log.close(), Err(StorageError::OutOfService { .. })));
    let checkpoint = directory.state().group(&KEY, |group| group.unwrap().checkpoint);
    assert!(checkpoint.is_none_or(|checkpoint| checkpoint.flushed_offset <= 4), "{checkpoint:?}");
}

#[test]
fn a_state_store_that_failed_reports_nothing_durable_any_more() {
    let disk = SimDisk::new();
    let (directory, _log) = start(&disk, 1);
    let is_state = |path: &Path| path.starts_with("/data/state");
    disk.set_fault(Fault::new(Operation::Sync, 5).at(is_state));
    let vote = |epoch| [(KEY, StateRecord::Vote { epoch, voted_for: 1 })];
    let (sender, receiver) = std::sync::mpsc::channel();
    for epoch in 1..3 {
        let sender = sender.clone();
        let done = Box::new(move |result: Result<(), _>| sender.send(result.is_ok()).unwrap());
        directory.state().submit(&vote(epoch), done);
        assert!(directory.state().commit_round().is_err());
    }
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [false, false]);
}

#[test]
fn retention_keeps_what_it_knows_no_timestamp_of() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 5);
    log.set_high_watermark(10);
    log.close().unwrap();
    directory.close().unwrap();
    let directory = open_directory(&disk, BOOT);
    let (mut log, _) = open_log(&directory);
    log.set_high_watermark(10);
    // The records have timestamps of about a second; a minute later nothing is a week old.
    assert_eq!(log.retention_start(61_000).unwrap(), None);
    for i in 5..20 {
        log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(40);
    assert_eq!(log.retention_start(61_000).unwrap(), None);
    // A year later all of it is.
    let start = log.retention_start(365 * 24 * 3_600_000).unwrap();
    assert_eq!(start, Some(40));
    log.set_log_start(40).unwrap();
    let left = disk.list(&Path::new("/data/partitions").join(KEY.to_string())).unwrap();
    assert_eq!((log.view().log_start_offset(), log.end_offset(), left.len()), (40, 40, 1));
}

#[test]
fn a_batch_in_the_value_of_a_torn_batch_is_none_of_the_log() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 3);
    let forged = batch(9, 0, 1, 50).parts().concat();
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1_000, None, Some(&forged), &[]).unwrap();
    let carrier = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    let stamps = Stamps {
        base_offset: Offset::from_wire(6).unwrap(),
        leader_epoch: LeaderEpoch::ZERO,
        log_append_time: None,
    };
    log.append(&[carrier.stamp(&stamps)]).unwrap();
    let (directory_path, end) =
        (Path::new("/data/partitions").join(KEY.to_string()), log.end_offset());
    assert_eq!(end, 7);
    drop((directory, log));
    // The last byte of the carrier never reached the disk.
    let image = disk.kill_image(disk.trace_len());
    let path = image.list(&directory_path).unwrap().into_iter().max().unwrap();
    let bytes = image.read_file(&path).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    image.flip(&path, last as u64, 0);
    let directory = open_directory(&image, BOOT);
    let (log, findings) = open_log(&directory);
    assert_eq!(log.end_offset(), 6, "{findings:?}");
    assert!(matches!(findings[..], [Finding::TornTail { end_offset: 6, .. }]), "{findings:?}");
}

#[test]
fn readers_beside_an_append_see_only_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(crate::SystemDisk);
    let directory = Directory::open(disk, dir.path(), options(), BOOT, 3).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    let view = Arc::clone(log.view());
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for until in [ReadUntil::HighWatermark, ReadUntil::End] {
            let (view, finished) = (&view, &finished);
            scope.spawn(move || {
                let mut offset = 0;
                while !finished.load(Ordering::SeqCst) || offset < 4_000 {
                    // Near the end, where the owner writes.
                    let batches = read_once(view, offset, until).unwrap();
                    offset = batches.last().map_or(offset, end_of);
                }
            });
        }
        for i in 0..2_000 {
            log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
            log.set_high_watermark(log.end_offset());
        }
        finished.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_flipped_bit_in_the_header_of_the_last_segment_loses_no_file_and_no_offset() {
    let disk = SimDisk::new();
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    log.append(&[batch(0, 0, 8, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let image = disk.kill_image(disk.trace_len());
    let partition = Path::new("/data/partitions").join(KEY.to_string());
    let path = image.list(&partition).unwrap().remove(0);
    image.flip(&path, 20, 1);
    let directory = open_directory(&image, BOOT);
    let (log, findings) = open_log(&directory);
    let [Finding::Damaged { offset: 0, end_offset: 8, .. }] = findings[..] else {
        panic!("{findings:?}");
    };
    assert_eq!(log.end_offset(), 8, "no offset is given twice");
    let error = read_once(log.view(), 0, ReadUntil::End).unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    assert!(image.read_file(&path).is_some(), "the file is kept");
}

#[test]
fn a_cut_works_on_a_full_disk_and_outlives_a_crash() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 3);
    log.append(&[batch(6, 0, 2, 100)]).unwrap();
    disk.set_capacity(disk.used());
    log.truncate_to(4, 0, 0, &[]).unwrap();
    assert_eq!((log.end_offset(), log.flushed_offset()), (4, 4));
    let error = log.append(&[batch(4, 0, 2, 100)]).unwrap_err();
    assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
    let image = disk.crash_image(disk.trace_len(), &Unflushed::None);
    for (disk, opened) in [(disk, Some((directory, log))), (image, None)] {
        disk.set_capacity(u64::MAX);
        let (directory, mut log) = opened.unwrap_or_else(|| {
            let directory = open_directory(&disk, OTHER_BOOT);
            let (log, findings) = open_log(&directory);
            assert_eq!((log.end_offset(), findings), (4, vec![]));
            (directory, log)
        });
        log.append(&[batch(4, 0, 1, 30)]).unwrap();
        assert!(flush(&directory, &mut log));
        let read = read_all(log.view(), 0, ReadUntil::End).unwrap();
        assert_eq!(read.iter().map(base_of).collect::<Vec<_>>(), [0, 2, 4]);
    }
}

#[test]
fn a_cut_of_an_empty_log_makes_no_file() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    let before = disk.paths();
    log.truncate_to(0, 0, 0, &[]).unwrap();
    assert_eq!(disk.paths(), before);
}

#[test]
fn a_failed_vote_of_somebody_else_takes_the_directory_out_of_service() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 1);
    log.append(&[batch(2, 0, 2, 100)]).unwrap();
    disk.set_fault(Fault::new(Operation::Sync, 5).at(|path| path.starts_with("/data/state")));
    let vote = [(KEY, StateRecord::Vote { epoch: 1, voted_for: 1 })];
    directory.state().submit(&vote, Box::new(|result| assert!(result.is_err())));
    assert_eq!(directory.failure(), None);
    assert!(directory.state().commit_round().is_err());
    let failure = directory.failure().unwrap();
    assert!(failure.contains("/data/state/state-"), "{failure}");
    assert!(!flush(&directory, &mut log), "nothing is acknowledged any more");
    assert!(matches!(directory.create(OTHER, 0), Err(StorageError::OutOfService { .. })));
    let error = log.append(&[batch(4, 0, 1, 10)]).unwrap_err();
    assert!(matches!(error, StorageError::OutOfService { .. }), "{error}");
    assert_eq!(directory.failure(), Some(failure), "the first failure is the one that is named");
}

#[test]
fn a_failed_commit_names_the_state_file_as_what_failed() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 1);
    disk.set_fault(Fault::new(Operation::Sync, 5).at(|path| path.starts_with("/data/state")));
    let error = directory.create(OTHER, 0).unwrap_err();
    assert!(matches!(error, StorageError::OutOfService { .. }), "{error}");
    let failure = directory.failure().unwrap();
    assert!(failure.contains("/data/state/state-"), "{failure}");
    assert!(matches!(log.append(&[batch(2, 0, 1, 9)]), Err(StorageError::OutOfService { .. })));
}

#[test]
fn a_lazy_record_that_fails_takes_the_directory_out_of_service_though_nobody_waits_for_it() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 1);
    // Only a checkpoint goes with this flush, and nobody waits for that.
    log.append(&[batch(2, 0, 2, 700)]).unwrap();
    disk.set_fault(Fault::new(Operation::Sync, 5).at(|path| path.starts_with("/data/state")));
    assert!(flush(&directory, &mut log), "the files are durable");
    assert_eq!((disk.faults_struck(), directory.failure()), (0, None));
    assert!(directory.state().commit_round().is_err());
    assert!(directory.failure().unwrap().contains("/data/state/state-"));
    assert!(matches!(log.append(&[batch(4, 0, 1, 9)]), Err(StorageError::OutOfService { .. })));
}

const OTHER: GroupKey = GroupKey { topic_id: Uuid([8; 16]), partition: 0 };

fn try_open(disk: &Arc<SimDisk>) -> Result<Directory, OpenError> {
    let shared = Arc::clone(disk) as Arc<dyn crate::Disk>;
    Directory::open(shared, Path::new("/data"), options(), BOOT, 17)
}

#[test]
fn a_job_under_way_is_not_reported_durable_after_a_failure_elsewhere() {
    let disk = SimDisk::new();
    let (directory, mut log) = start(&disk, 1);
    directory.create(OTHER, 0).unwrap();
    let (mut other, _) = directory.open_log(OTHER, log_options()).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    // The first job waits for the state store's round when the second one fails.
    for (i, log) in [&mut log, &mut other].into_iter().enumerate() {
        log.append(&[batch(log.end_offset(), 0, 2, 900)]).unwrap();
        log.append(&[batch(log.end_offset(), 0, 2, 900)]).unwrap();
        let sender = sender.clone();
        log.flush(Box::new(move |result| sender.send((i, result.is_ok())).unwrap())).unwrap();
    }
    let other = |path: &Path| path.to_string_lossy().contains(&OTHER.to_string());
    disk.set_fault(Fault::new(Operation::Sync, 5).at(other));
    directory.run_flushes();
    assert_eq!(disk.faults_struck(), 1);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [(1, false), (0, false)]);
}

#[test]
fn a_directory_that_lost_its_state_file_is_not_taken_for_a_new_one() {
    let disk = SimDisk::new();
    drop(start(&disk, 2));
    let files = disk.list(Path::new("/data/state")).unwrap();
    files.iter().for_each(|path| disk.remove(path).unwrap());
    let before = disk.paths();
    let error = try_open(&disk).unwrap_err();
    assert!(matches!(error, OpenError::State(StateError::Missing { .. })), "{error}");
    assert!(error.to_string().contains("/data/state"), "{error}");
    assert_eq!(disk.paths(), before, "nothing is made, and no file of a log is removed");
}

#[test]
fn a_directory_that_lost_its_id_does_not_get_another_one() {
    let disk = SimDisk::new();
    drop(start(&disk, 2));
    disk.remove(Path::new("/data/directory")).unwrap();
    let error = try_open(&disk).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(!disk.paths().contains(&"/data/directory".into()));
}

#[test]
fn a_first_start_that_was_cut_short_anywhere_is_begun_again() {
    let disk = SimDisk::new();
    // The operator has made the place for it.
    disk.create_dir(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let directory = open_directory(&disk, BOOT);
    let id = directory.id();
    let calls = disk.trace_len();
    for at in 0..=calls {
        let seeded = (0..200).map(Unflushed::Seeded);
        for unflushed in [Unflushed::None, Unflushed::All].into_iter().chain(seeded) {
            let image = disk.crash_image(at, &unflushed);
            let opened = try_open(&image);
            let opened = opened.unwrap_or_else(|error| panic!("{at} {unflushed:?}: {error}"));
            if at == calls {
                assert_eq!((opened.id(), opened.left_by()), (id, LeftBy::Kill));
            }
        }
    }
}

#[test]
fn the_cluster_of_a_directory_is_known_after_a_power_cut() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    assert_eq!(directory.cluster(), None);
    directory.belong_to(Uuid([7; 16])).unwrap();
    let calls = disk.trace_len();
    // The second start finds it in the checkpoint that the first has made.
    let image = disk.crash_image(calls, &Unflushed::None);
    for _ in 0..2 {
        let directory = open_directory(&image, OTHER_BOOT);
        assert_eq!(directory.cluster(), Some(Uuid([7; 16])));
        directory.belong_to(Uuid([7; 16])).unwrap();
        directory.close().unwrap();
    }
}

#[test]
fn the_lock_lasts_as_long_as_a_log_or_a_reader() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk, 1);
    let view = Arc::clone(log.view());
    drop(directory);
    assert!(matches!(try_open(&disk), Err(OpenError::Locked { .. })), "its owner may append");
    drop(log);
    assert!(matches!(try_open(&disk), Err(OpenError::Locked { .. })), "it opens files");
    drop(view);
    try_open(&disk).unwrap();
}

#[test]
fn a_full_disk_does_not_keep_the_directory_from_opening() {
    let disk = SimDisk::new();
    let (directory, log) = start(&disk, 8);
    drop((directory, log));
    disk.set_capacity(disk.used());
    for _ in 0..3 {
        let directory = open_directory(&disk, BOOT);
        let (mut log, _) = open_log(&directory);
        let kept = log.view().log_start_offset();
        assert_eq!(log.end_offset(), 16);
        assert_eq!(
            read_all(log.view(), kept, ReadUntil::End).unwrap().last().map(end_of),
            Some(16)
        );
        log.set_high_watermark(16);
        log.set_log_start(kept + 2).unwrap();
    }
}
