//! Appending: all or none, room that is just enough, epochs that begin behind what is durable.

use super::*;
use crate::Disk as _;
use crate::state::StateRecord;

fn new_log(disk: &Arc<SimDisk>) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (log, _) = open_log(&directory);
    (directory, log)
}

fn files(disk: &Arc<SimDisk>) -> Vec<String> {
    let paths = disk.list(&Path::new("/data/partitions").join(KEY.to_string())).unwrap();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = paths.iter().map(name).collect();
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    names
}

#[test]
fn batches_for_which_there_is_no_room_are_refused_all_together() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 1, 1000)]).unwrap();
    // For two more segments but not for three.
    disk.set_capacity(disk.used() + 5_000);
    let many: Vec<StampedBatch> = (1..5).map(|i| batch(i, 0, 1, 1900)).collect();
    let error = log.append(&many).unwrap_err();
    assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
    assert_eq!((log.end_offset(), log.view().segments().len()), (1, 1));
    assert_eq!(files(&disk).len(), 1, "what was made for them is gone");
    log.append(&many[..2]).unwrap();
    assert!(flush(&directory, &mut log));
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 3);
}

#[test]
fn the_last_bytes_of_a_disk_are_used() {
    let disk = SimDisk::new();
    let (_directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 1, 300)]).unwrap();
    let second = batch(1, 0, 1, 200);
    // 512 bytes are reserved; a step of 512 more has no room, the batch itself has.
    disk.set_capacity(disk.used() + second.size() as u64);
    log.append(&[second]).unwrap();
    assert_eq!(log.end_offset(), 2);
}

#[test]
fn no_two_segments_of_a_log_ever_have_one_name() {
    let disk = SimDisk::new();
    let (_directory, mut log) = new_log(&disk);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..3 {
        let before = files_or_none(&disk);
        for _ in 0..3 {
            log.append(&[batch(log.end_offset(), 0, 1, 1900)]).unwrap();
        }
        seen.extend(files(&disk).into_iter().filter(|name| !before.contains(name)));
        // The offsets from 1 on come again, with other records.
        log.truncate_to(1, 0, 0, &[]).unwrap();
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "{seen:?}");
}

fn files_or_none(disk: &Arc<SimDisk>) -> Vec<String> {
    let dir = Path::new("/data/partitions").join(KEY.to_string());
    if disk.list(&dir).is_ok() { files(disk) } else { Vec::new() }
}

#[test]
fn an_epoch_begins_behind_what_is_durable_and_before_anything_of_it_is_written() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    let vote = StateRecord::Vote { epoch: 3, voted_for: 1 };
    let begun = log.begin_epoch(3, &[vote], Box::new(|result| result.unwrap())).unwrap();
    assert_eq!((begun, log.epoch()), (2, 3));
    let error = log.append(&[batch(2, 3, 1, 50)]).unwrap_err();
    assert!(matches!(error, StorageError::FlushUnderWay), "{error}");
    let error = log.begin_epoch(4, &[], Box::new(|_| ())).unwrap_err();
    assert!(matches!(error, StorageError::FlushUnderWay), "{error}");
    directory.run_flushes();
    log.on_flushed(begun);
    assert_eq!(log.flushed_offset(), 2);
    log.append(&[batch(2, 3, 1, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let image = disk.crash_image(disk.trace_len(), &crate::sim::Unflushed::None);
    let directory = open_directory(&image, OTHER_BOOT);
    let voted = directory.state().group(&KEY, |group| group.map(|g| (g.epoch, g.voted_for)));
    assert_eq!(voted, Some((3, 1)));
    let (log, findings) = open_log(&directory);
    assert_eq!((log.end_offset(), log.epoch(), findings), (3, 3, vec![]));
    assert_eq!((log.view().epoch_at(1), log.view().epoch_at(2)), (Some(0), Some(3)));
}

#[test]
fn a_cut_and_what_begins_at_it_are_one_step() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 2, 50), batch(2, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let flushed = disk.trace_len();
    let start = crate::state::EpochStart { epoch: 5, start_offset: 2 };
    log.truncate_to(2, 0, 0, &[StateRecord::Epoch(start)]).unwrap();
    assert_eq!((log.end_offset(), log.epoch()), (2, 5));
    for at in flushed..=disk.trace_len() {
        let image = disk.crash_image(at, &crate::sim::Unflushed::All);
        let (log, _) = open_log(&open_directory(&image, OTHER_BOOT));
        let found = (log.end_offset(), log.epoch());
        assert!(found == (4, 0) || found == (2, 5), "after {at} calls: {found:?}");
    }
}

#[test]
fn a_tail_that_a_start_finds_counts_when_it_is_flushed() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    let image = disk.kill_image(disk.trace_len());
    let directory = open_directory(&image, BOOT);
    let (log, _) = open_log(&directory);
    assert_eq!((log.end_offset(), log.flushed_offset()), (4, 4));
    drop((log, directory));
    let image = image.crash_image(image.trace_len(), &crate::sim::Unflushed::None);
    let (log, _) = open_log(&open_directory(&image, OTHER_BOOT));
    assert_eq!(log.end_offset(), 4);
}

#[test]
fn what_a_failed_flush_may_have_lost_is_not_counted_after_a_kill() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    disk.set_fault(crate::sim::Fault::new(crate::sim::Operation::Sync, 5).at(is_log));
    assert!(!flush(&directory, &mut log));
    // The page cache still shows the batch as if it had been written, and a flush says nothing.
    let image = disk.kill_image(disk.trace_len());
    let directory = open_directory(&image, BOOT);
    let (log, _) = open_log(&directory);
    assert_eq!((log.end_offset(), log.flushed_offset()), (2, 2));
}

#[test]
fn less_than_was_proven_makes_the_replica_lossy_and_gives_no_offset_twice() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    for i in 0..6 {
        log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    let image = disk.kill_image(disk.trace_len());
    let path = Path::new("/data/partitions").join(KEY.to_string()).join(&files(&disk)[0]);
    image.truncate(&path, 300);
    let directory = open_directory(&image, BOOT);
    let (log, findings) = open_log(&directory);
    assert!(matches!(findings[..], [Finding::Damaged { end_offset: 12, .. }]), "{findings:?}");
    assert_eq!(log.end_offset(), 12);
    let is_lossy = |directory: &Directory| {
        directory.state().group(&KEY, |group| group.is_some_and(|group| group.lossy))
    };
    assert!(is_lossy(&directory));
    drop((log, directory));
    let image = image.crash_image(image.trace_len(), &crate::sim::Unflushed::None);
    assert!(is_lossy(&open_directory(&image, OTHER_BOOT)), "and that is durable");
}

#[test]
fn a_torn_tail_on_a_full_disk_is_read_and_appended_to_when_there_is_room() {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.append(&[batch(2, 0, 2, 50)]).unwrap();
    let disk = disk.kill_image(disk.trace_len());
    let path = Path::new("/data/partitions").join(KEY.to_string()).join(&files(&disk)[0]);
    let bytes = disk.read_file(&path).unwrap();
    disk.flip(&path, bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64, 0);
    disk.set_capacity(disk.used());
    for _ in 0..2 {
        let directory = open_directory(&disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert!(matches!(findings[..], [Finding::TornTail { end_offset: 2, .. }]), "{findings:?}");
        assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 1);
        let error = log.append(&[batch(2, 0, 1, 50)]).unwrap_err();
        assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
        log.close().unwrap();
        directory.close().unwrap();
    }
    let directory = open_directory(&disk, BOOT);
    let (mut log, _) = open_log(&directory);
    disk.set_capacity(u64::MAX);
    log.append(&[batch(2, 0, 1, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let image = disk.crash_image(disk.trace_len(), &crate::sim::Unflushed::None);
    let directory = open_directory(&image, OTHER_BOOT);
    let (log, findings) = open_log(&directory);
    assert_eq!((log.end_offset(), findings), (3, vec![]));
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 2);
}

#[test]
fn an_append_that_rolls_behind_a_start_reads_no_log() {
    use crate::sim::{Fault, Operation};
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    for _ in 0..12 {
        log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    while directory.state().commit_round().unwrap() {}
    let image = disk.kill_image(disk.trace_len());
    let directory = open_directory(&image, BOOT);
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(log.end_offset(), 0, 1, 10)]).unwrap();
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    image.set_fault(Fault::new(Operation::Read, 5).at(is_log).always());
    let before = segment_files(&image).len();
    for _ in 0..20 {
        log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
    }
    assert!(segment_files(&image).len() > before);
    assert_eq!(image.faults_struck(), 0);
}
