//! The producers of a log over restarts, cuts, and a leader's state taken over.

use logboom_protocol::records::ProducerState;

use super::*;
use crate::Disk as _;
use crate::producers::{BatchFacts, Producers, Verdict};
use crate::sim::{Fault, Operation, Unflushed};
use crate::state::EpochStart;

/// A batch of two records of a producer at `offset`.
pub(super) fn produced(offset: i64, producer_id: i64, base_sequence: i32) -> StampedBatch {
    let producer = ProducerState { id: producer_id, epoch: 0, base_sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer);
    for i in 0..2 {
        builder.append(1_000 + offset + i, None, Some(&[7; 40]), &[]).unwrap();
    }
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    batch.stamp(&Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::ZERO,
        log_append_time: None,
    })
}

pub(super) fn new_log(disk: &Arc<SimDisk>) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (log, _) = open_log(&directory);
    (directory, log)
}

/// Appends `count` batches round robin for `producers` producers, each flushed and committed.
fn produce(directory: &Directory, log: &mut Log, producers: i64, count: i64) -> Vec<StampedBatch> {
    let from = log.end_offset() / 2;
    let batches = (from..from + count).map(|i| {
        let sequence = i32::try_from(i / producers * 2).unwrap();
        produced(i * 2, i % producers, sequence)
    });
    let batches: Vec<StampedBatch> = batches.collect();
    for batch in &batches {
        log.append(std::slice::from_ref(batch)).unwrap();
        assert!(flush(directory, log));
        log.set_high_watermark(log.end_offset());
    }
    batches
}

pub(super) fn is_duplicate(log: &Log, batch: &StampedBatch) -> bool {
    let verdict = log.producers().check(&BatchFacts::new(batch.header(), None));
    matches!(verdict, Ok(Verdict::Duplicate { .. }))
}

/// What a log remembers that holds `batches`, committed to `high_watermark`.
fn expected(batches: &[StampedBatch], end_offset: i64, high_watermark: i64) -> Producers {
    let mut producers = Producers::new(0, options().producers);
    for batch in batches.iter().filter(|batch| batch.end_offset() <= end_offset) {
        producers.record(&BatchFacts::new(batch.header(), None));
    }
    producers.commit(high_watermark);
    producers
}

#[test]
fn a_batch_that_was_flushed_is_a_duplicate_after_a_power_cut_at_any_call() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches = produce(&directory, &mut log, 3, 30);
    log.close().unwrap();
    directory.close().unwrap();
    let mut with_snapshot = 0;
    for at in (0..=disk.trace_len()).step_by(3) {
        for unflushed in [Unflushed::None, Unflushed::All, Unflushed::Seeded(at as u64)] {
            let image = disk.crash_image(at, &unflushed);
            let directory = open_directory(&image, OTHER_BOOT);
            if directory.state().group(&KEY, |group| group.is_none()) {
                continue;
            }
            with_snapshot += usize::from(
                directory.state().group(&KEY, |group| group.unwrap().producers.is_some()),
            );
            let (log, _) = open_log(&directory);
            let (end_offset, high_watermark) = (log.end_offset(), log.view().high_watermark());
            let expected = expected(&batches, end_offset, high_watermark);
            assert_eq!(*log.producers(), expected, "after {at} calls, {unflushed:?}");
        }
    }
    assert!(with_snapshot > 50, "{with_snapshot}");
}

#[test]
fn a_producer_whose_batches_a_log_start_has_passed_is_known_after_a_power_cut() {
    for (producers, in_file) in [(3, false), (200, true)] {
        let disk = SimDisk::new();
        let (directory, mut log) = new_log(&disk);
        // So little that no checkpoint has taken them along.
        let batches = produce(&directory, &mut log, producers, producers + 2);
        for offset in [3, log.view().high_watermark()] {
            log.set_log_start(offset).unwrap();
            let image = disk.crash_image(disk.trace_len(), &Unflushed::None);
            let directory = open_directory(&image, OTHER_BOOT);
            let named = directory.state().group(&KEY, |group| group.unwrap().producers.clone());
            let named = named.unwrap();
            assert!(named.offset >= offset);
            assert_eq!(named.bytes.is_none(), in_file && offset > 3);
            let (mut restarted, findings) = open_log(&directory);
            assert_eq!((findings, restarted.view().log_start_offset()), (vec![], offset));
            restarted.set_high_watermark(log.view().high_watermark());
            assert_eq!(restarted.producers(), log.producers(), "log start {offset}");
            assert!(batches[2..].iter().all(|batch| is_duplicate(&restarted, batch)));
        }
    }
}

#[test]
fn a_log_start_is_moved_on_a_full_disk_whatever_becomes_of_the_producers() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    produce(&directory, &mut log, 200, 200);
    let is_snapshot = |path: &Path| path.extension().is_some_and(|ending| ending == "producers");
    disk.set_fault(Fault::new(Operation::Reserve, 28).at(is_snapshot));
    log.set_log_start(390).unwrap();
    assert_eq!((disk.faults_struck(), log.view().log_start_offset()), (1, 390));
    assert_eq!(directory.failure(), None);
}

#[test]
fn a_start_after_a_clean_stop_reads_nothing_to_know_its_producers() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches = produce(&directory, &mut log, 4, 20);
    log.close().unwrap();
    directory.close().unwrap();
    let directory = open_directory(&disk, BOOT);
    let is_log = |path: &Path| path.starts_with("/data/partitions");
    for operation in [Operation::Open, Operation::Read, Operation::List] {
        disk.set_fault(Fault::new(operation, 5).at(is_log).always());
    }
    let (log, findings) = open_log(&directory);
    assert_eq!(findings, []);
    assert_eq!(*log.producers(), expected(&batches, 40, 40));
    assert!(batches[15..].iter().all(|batch| is_duplicate(&log, batch)));
}

#[test]
fn a_log_that_was_written_to_and_left_alone_is_known_to_its_end() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let known = |directory: &Directory| {
        directory.state().commit_round().unwrap();
        directory.state().group(&KEY, |group| {
            let group = group.unwrap();
            let saved = group.producers.as_ref().map(|snapshot| snapshot.offset);
            (group.checkpoint.map(|checkpoint| checkpoint.flushed_offset), saved)
        })
    };
    let checkpoint_bytes = options().checkpoint_bytes as usize;
    log.append(&[batch(0, 0, 4, checkpoint_bytes)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(4);
    let before_round = disk.trace_len();
    assert_eq!(known(&directory), (Some(4), Some(4)), "one flush was enough");

    // A kill before the state store's next round: the start reads, and the one behind it doesn't.
    let image = disk.kill_image(before_round);
    let directory = open_directory(&image, BOOT);
    let (mut log, findings) = open_log(&directory);
    assert_eq!((findings, log.end_offset()), (vec![], 4));
    log.set_high_watermark(4);
    assert_eq!(known(&directory), (Some(4), Some(4)), "after a start that read it");
}

#[test]
fn many_producers_lie_in_a_file_and_without_it_in_the_log() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches = produce(&directory, &mut log, 60, 180);
    log.close().unwrap();
    directory.close().unwrap();
    let snapshots = || {
        let paths = disk.list(&Path::new("/data/partitions").join(KEY.to_string())).unwrap();
        let is_one = |path: &PathBuf| path.extension().is_some_and(|e| e == "producers");
        paths.into_iter().filter(is_one).collect::<Vec<_>>()
    };
    assert_eq!(snapshots().len(), 1, "and none for each checkpoint");
    let all = expected(&batches, 360, 360);
    let directory = open_directory(&disk, BOOT);
    let (mut log, findings) = open_log(&directory);
    assert_eq!((findings, log.producers() == &all), (vec![], true));
    // A second life makes a second one; the first stays.
    let more = produce(&directory, &mut log, 60, 2);
    log.close().unwrap();
    directory.close().unwrap();
    let files = snapshots();
    assert_eq!(files.len(), 2);
    let newest = files.iter().max().unwrap();
    let batches = [&batches[..], &more[..]].concat();
    let all = expected(&batches, 364, 364);
    for (damaged, findings_count) in [(None, 0), (Some(1), 1), (Some(2), 2)] {
        let image = disk.kill_image(disk.trace_len());
        if damaged.is_some() {
            image.flip(newest, 60, 3);
        }
        if damaged == Some(2) {
            image.remove(files.iter().min().unwrap()).unwrap();
            // That is no snapshot at all.
            image.create(files.iter().min().unwrap()).unwrap();
        }
        let directory = open_directory(&image, BOOT);
        let (log, findings) = open_log(&directory);
        assert_eq!(findings.len(), findings_count, "{findings:?}");
        assert!(findings.iter().all(|f| f.to_string().contains(".producers")), "{findings:?}");
        assert_eq!(*log.producers(), all, "{damaged:?}");
    }
}

#[test]
fn a_snapshot_for_which_there_is_no_room_holds_nobody_up() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches = produce(&directory, &mut log, 60, 60);
    disk.set_capacity(disk.used());
    log.close().unwrap();
    directory.close().unwrap();
    disk.set_capacity(u64::MAX);
    let directory = open_directory(&disk, BOOT);
    assert_eq!(directory.failure(), None);
    let (log, findings) = open_log(&directory);
    assert_eq!(findings, []);
    assert_eq!(*log.producers(), expected(&batches, 120, 120));
}

#[test]
fn a_cut_takes_back_what_was_not_committed() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches = produce(&directory, &mut log, 1, 3);
    let uncommitted = produced(6, 0, 6);
    log.append(std::slice::from_ref(&uncommitted)).unwrap();
    assert!(is_duplicate(&log, &uncommitted));
    log.truncate_to(6, 0, 0, &[]).unwrap();
    assert!(!is_duplicate(&log, &uncommitted));
    assert!(is_duplicate(&log, &batches[2]));
    log.append(&[uncommitted]).unwrap();
    assert!(flush(&directory, &mut log));
}

#[test]
fn a_replica_begins_anew_at_its_leaders_start_with_its_leaders_producers() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    produce(&directory, &mut log, 1, 3);
    let mut leaders = Producers::new(1_000, options().producers);
    leaders.record(&BatchFacts::new(produced(1_000, 9, 0).header(), None));
    leaders.commit(1_002);
    let epochs = [EpochStart { epoch: 4, start_offset: 700 }];
    let before = disk.trace_len();
    log.reset_to(1_002, &epochs, leaders.clone(), &[]).unwrap();
    assert_eq!((log.view().log_start_offset(), log.end_offset(), log.epoch()), (1_002, 1_002, 4));
    assert!(read_all(log.view(), 1_002, ReadUntil::End).unwrap().is_empty());
    let reset = disk.trace_len();
    log.append(&[batch(1_002, 4, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    for at in before..=disk.trace_len() {
        let image = disk.crash_image(at, &Unflushed::Seeded(at as u64));
        let directory = open_directory(&image, OTHER_BOOT);
        let (log, findings) = open_log(&directory);
        assert_eq!(findings, [], "after {at} calls");
        // All of the old log or all of the new one.
        let is_new = log.view().log_start_offset() == 1_002;
        assert!(is_new || (log.end_offset(), log.epoch()) == (6, 0), "after {at} calls");
        assert!(is_new || at <= reset, "after {at} calls");
        assert!(!is_new || log.producers().entry(9).is_some(), "after {at} calls");
    }
}

/// What a leader knows of so many producers that they need a file; each wrote two records.
fn many(end_offset: i64) -> Producers {
    let mut producers = Producers::new(0, options().producers);
    for id in 0..end_offset / 2 {
        producers.record(&BatchFacts::new(produced(id * 2, id, 0).header(), None));
    }
    producers.commit(end_offset);
    producers
}

const EPOCHS: [EpochStart; 1] = [EpochStart { epoch: 0, start_offset: 0 }];

#[test]
fn an_empty_replica_takes_over_many_producers() {
    let disk = SimDisk::new();
    let (_directory, mut log) = new_log(&disk);
    log.reset_to(200, &EPOCHS, many(200), &[]).unwrap();
    let image = disk.crash_image(disk.trace_len(), &Unflushed::None);
    let directory = open_directory(&image, OTHER_BOOT);
    let (log, findings) = open_log(&directory);
    assert_eq!((log.end_offset(), findings), (200, vec![]));
    assert_eq!(*log.producers(), many(200));
}

#[test]
fn a_reset_that_fails_leaves_the_producers_and_takes_the_directory_out_of_service() {
    use crate::sim::{Fault, Operation};
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    produce(&directory, &mut log, 1, 3);
    let before = log.producers().clone();
    let is_snapshot = |path: &Path| path.extension().is_some_and(|it| it == "producers");
    disk.set_fault(Fault::new(Operation::Sync, 5).at(is_snapshot));
    log.reset_to(200, &EPOCHS, many(200), &[]).unwrap_err();
    assert_eq!((log.end_offset(), log.producers()), (6, &before));
    assert!(directory.failure().is_some());
}

#[test]
fn a_reset_without_room_for_its_producers_changes_nothing() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    produce(&directory, &mut log, 1, 3);
    let before = log.producers().clone();
    disk.set_capacity(disk.used());
    let error = log.reset_to(200, &EPOCHS, many(200), &[]).unwrap_err();
    assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
    assert_eq!((log.end_offset(), log.producers(), directory.failure()), (6, &before, None));
    disk.set_capacity(u64::MAX);
    log.reset_to(200, &EPOCHS, many(200), &[]).unwrap();
    assert_eq!(*log.producers(), many(200));
}

#[test]
fn producers_behind_a_damaged_batch_are_remembered_and_the_damage_is_named() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let batches: Vec<_> = (0..6).map(|id| produced(id * 2, id, 0)).collect();
    log.append(&batches).unwrap();
    // Another segment, so that nobody fences what is damaged in the first.
    log.append(&[batch(12, 0, 1, 1_900)]).unwrap();
    assert!(flush(&directory, &mut log));
    let image = disk.kill_image(disk.trace_len());
    let files = segment_files(&image);
    assert_eq!(files.len(), 2);
    image.flip(&files[0], 64 + batches[0].size() as u64 + 70, 1);
    let directory = open_directory(&image, BOOT);
    let (log, findings) = open_log(&directory);
    let known: Vec<i64> = (0..6).filter(|id| log.producers().entry(*id).is_some()).collect();
    assert_eq!(known, [0, 2, 3, 4, 5]);
    let [Finding::Damaged { offset: 2, end_offset: 4, .. }] = findings[..] else {
        panic!("{findings:?}")
    };
}
