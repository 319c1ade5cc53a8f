//! Damage: right or refused, and named with its place.

use super::*;
use crate::state::{Checkpoint, StateRecord};
use crate::{Beginning, Damage, OpenError};

/// A closed or a killed log of a few segments, its batches, and its disk.
fn written(clean: bool) -> (Arc<SimDisk>, Vec<Bytes>) {
    written_with(clean, options(), log_options())
}

fn written_with(
    clean: bool,
    options: DirectoryOptions,
    log_options: LogOptions,
) -> (Arc<SimDisk>, Vec<Bytes>) {
    let disk = SimDisk::new();
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, log_options).unwrap();
    let mut batches = Vec::new();
    for i in 0..12 {
        let new = batch(log.end_offset(), 0, 1 + i % 3, 60 + i * 11);
        batches.push(Bytes::from(new.parts().concat()));
        log.append(&[new]).unwrap();
        assert!(flush(&directory, &mut log));
        log.set_high_watermark(log.end_offset());
    }
    if clean {
        log.close().unwrap();
        directory.close().unwrap();
    }
    let image = disk.kill_image(disk.trace_len());
    (image, batches)
}

fn try_open(disk: &Arc<SimDisk>) -> Result<Directory, OpenError> {
    let disk: Arc<SimDisk> = Arc::clone(disk);
    Directory::open(disk, Path::new("/data"), options(), BOOT, 5)
}

/// Reads everything that is served; it must be what was written. The offsets that are refused.
fn refused(log: &Log, written: &[Bytes]) -> Vec<i64> {
    let mut refused = Vec::new();
    for batch in written {
        let (offset, end) = (base_of(batch), end_of(batch));
        if offset >= log.end_offset() {
            refused.push(offset);
            continue;
        }
        match read_once(log.view(), offset, ReadUntil::End) {
            Ok(read) => assert_eq!(read.first(), Some(batch), "something wrong was served"),
            Err(StorageError::Corrupt(corruption)) => {
                assert!(corruption.path.starts_with("/data/partitions"), "{corruption}");
                refused.push(offset);
            }
            Err(error) => panic!("{offset}..{end}: {error}"),
        }
    }
    refused
}

/// Flips each byte of every file in turn; what is served is right, what isn't is named, and no
/// offset is given twice.
fn flip_each_byte(clean: bool) -> (usize, usize) {
    let (whole, batches) = written(clean);
    let end = end_of(batches.last().unwrap());
    let (mut stopped, mut flipped) = (0, 0);
    for path in whole.paths() {
        let bytes = whole.read_file(&path).unwrap();
        // Of the state store's reserve a piece is enough.
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 40);
        for position in 0..bytes.len().min(used) {
            let disk = whole.kill_image(whole.trace_len());
            disk.flip(&path, position as u64, u8::try_from(position % 8).unwrap());
            flipped += 1;
            let place = format!("{} byte {position}", path.display());
            let directory = match try_open(&disk) {
                Ok(directory) => directory,
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("/data/"), "{place}: {text}");
                    stopped += 1;
                    continue;
                }
            };
            if directory.state().group(&KEY, |group| group.is_none()) {
                // Only the last frame of the state store can be lost so, and it wasn't the first.
                panic!("{place}: the group is gone");
            }
            let (log, findings) = open_log(&directory);
            let refused = refused(&log, &batches);
            // The undecidable case: the last batch behind the last checkpoint.
            let cut = log.end_offset() < end;
            if cut {
                let dropped = directory.state().dropped().is_some();
                assert!(dropped || !findings.is_empty(), "{place}: cut and not reported");
                assert!(dropped || log.end_offset() >= base_of(batches.last().unwrap()), "{place}");
            }
            // At the most a segment, where its header is what was hit.
            assert!(refused.len() <= 7, "{place}: {refused:?}, {findings:?}");
        }
    }
    (flipped, stopped)
}

#[test]
fn every_flipped_byte_after_a_kill_is_served_right_or_refused_and_named() {
    let (flipped, stopped) = flip_each_byte(false);
    assert!(flipped > 3000 && stopped > 100, "{flipped} flipped, {stopped} stopped the start");
}

#[test]
fn every_flipped_byte_after_a_clean_stop_is_served_right_or_refused_and_named() {
    let (flipped, stopped) = flip_each_byte(true);
    assert!(flipped > 3000 && stopped > 100, "{flipped} flipped, {stopped} stopped the start");
}

#[test]
fn a_length_that_leads_astray_is_named_where_it_stands() {
    // The index doesn't know where the others begin.
    let options = DirectoryOptions { index_interval_bytes: 1 << 20, ..options() };
    let (disk, batches) = written_with(true, options, log_options());
    let (file, at) = (segment_files(&disk)[0].clone(), 64 + batches[0].len() as u64);
    disk.flip(&file, at + 11, 3);
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    let (log, _) = open_log(&directory);
    let mut positions = Vec::new();
    for batch in &batches[..4] {
        if let Err(StorageError::Corrupt(corruption)) =
            read_once(log.view(), base_of(batch), ReadUntil::End)
        {
            assert_eq!(corruption.path, file);
            positions.push(corruption.position);
        }
    }
    assert!(positions.len() > 1, "it leads to the next as well: {positions:?}");
    assert!(positions.iter().all(|position| *position == at), "{positions:?}");
}

#[test]
fn a_segment_that_is_missing_or_short_or_another_partitions_is_refused_and_the_others_served() {
    for damage in 0..3 {
        let (disk, batches) = written(true);
        let first = Path::new("/data/partitions").join(KEY.to_string());
        let first = first.join("00000000000000000000-000000.log");
        match damage {
            0 => crate::Disk::remove(&*disk, &first).unwrap(),
            1 => disk.truncate(&first, 100),
            _ => disk.overwrite(&first, 16, &[9; 16]),
        }
        let directory = try_open(&disk).unwrap();
        let (log, _) = open_log(&directory);
        let refused = refused(&log, &batches);
        assert!(!refused.is_empty() && refused.len() < batches.len(), "{damage}: {refused:?}");
        let error = read_once(log.view(), 0, ReadUntil::End).unwrap_err();
        let StorageError::Corrupt(corruption) = error else { panic!("{error}") };
        assert_eq!(corruption.path, first);
        let expected = match damage {
            0 => matches!(corruption.what, Damage::Missing),
            1 => matches!(corruption.what, Damage::Short { present: 100, .. }),
            _ => matches!(corruption.what, Damage::Header("wrong checksum")),
        };
        assert!(expected, "{corruption}");
    }
}

#[test]
fn a_hole_in_the_tail_is_fenced_and_no_offset_is_given_twice() {
    // Without a checkpoint nothing proves what was flushed.
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let (disk, batches) = written_with(false, options, LogOptions::default());
    let dir = Path::new("/data/partitions").join(KEY.to_string());
    let last = disk.paths().into_iter().filter(|path| path.starts_with(&dir)).max().unwrap();
    let bytes = disk.read_file(&last).unwrap();
    // The second batch of the last segment is gone; the one behind it is good.
    let first = RawBatches::new(&bytes[64..]).next().unwrap().unwrap().bytes().len();
    disk.overwrite(&last, 64 + first as u64, &[0; 90]);
    let directory = try_open(&disk).unwrap();
    let (log, findings) = open_log(&directory);
    let [Finding::Damaged { corruption, offset, end_offset }] = &findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!((&corruption.path, corruption.position), (&last, 64 + first as u64));
    assert!(offset < end_offset);
    assert_eq!(log.end_offset(), end_of(batches.last().unwrap()));
    assert_eq!(refused(&log, &batches), [*offset], "only what is damaged is refused");
}

#[test]
fn what_lies_behind_a_hole_is_served_in_later_lives_too() {
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let (disk, mut batches) = written_with(false, options, LogOptions::default());
    let dir = Path::new("/data/partitions").join(KEY.to_string());
    let last = disk.paths().into_iter().filter(|path| path.starts_with(&dir)).max().unwrap();
    let bytes = disk.read_file(&last).unwrap();
    let first = RawBatches::new(&bytes[64..]).next().unwrap().unwrap().bytes().len();
    disk.overwrite(&last, 64 + first as u64, &[0; 90]);
    let mut refused_at = None;
    for life in 0..3 {
        let directory = try_open(&disk).unwrap();
        let (mut log, findings) = directory.open_log(KEY, LogOptions::default()).unwrap();
        // Later lives meet it where they read what the producers wrote.
        assert_eq!(findings.len(), 1, "life {life}: {findings:?}");
        let refused = refused(&log, &batches);
        assert_eq!((refused.len(), *refused_at.get_or_insert(refused[0])), (1, refused[0]));
        let new = batch(log.end_offset(), 0, 1, 800);
        batches.push(Bytes::from(new.parts().concat()));
        log.append(&[new]).unwrap();
        assert!(flush(&directory, &mut log));
        log.close().unwrap();
        directory.close().unwrap();
        for index in disk.paths().iter().filter(|path| path.extension() == Some("index".as_ref())) {
            crate::Disk::remove(&*disk, index).unwrap();
        }
    }
}

#[test]
fn a_failed_flush_takes_the_directory_out_of_service() {
    use crate::sim::{Fault, Operation};
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 1, 10)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.append(&[batch(1, 0, 1, 10)]).unwrap();
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    disk.set_fault(Fault::new(Operation::Sync, 5).at(is_log));
    assert!(!flush(&directory, &mut log), "EIO");
    assert!(directory.failure().unwrap().contains("flush /data/partitions"));
    let error = log.append(&[batch(2, 0, 1, 10)]).unwrap_err();
    assert!(matches!(error, StorageError::OutOfService { .. }), "{error}");
    assert_eq!(log.flushed_offset(), 1, "nothing more is acknowledged");
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 2, "reads go on");
}

#[test]
fn a_directory_whose_name_was_not_flushed_is_made_anew() {
    use crate::sim::{Fault, Operation, Unflushed};
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 1, 10)]).unwrap();
    disk.set_fault(Fault::new(Operation::SyncDir, 5).at(|path| path.ends_with("partitions")));
    assert!(!flush(&directory, &mut log), "EIO");
    let killed = disk.kill_image(disk.trace_len());
    let directory = open_directory(&killed, BOOT);
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 1, 10)]).unwrap();
    assert!(flush(&directory, &mut log));
    let cut = killed.crash_image(killed.trace_len(), &Unflushed::None);
    let (log, findings) = open_log(&open_directory(&cut, OTHER_BOOT));
    assert_eq!((log.end_offset(), findings.len()), (1, 0));
}

#[test]
fn a_second_process_is_refused_by_name() {
    let disk = SimDisk::new();
    let _first = open_directory(&disk, BOOT);
    let error = try_open(&disk).unwrap_err();
    assert_eq!(error.to_string(), "/data/lock is locked: another process has the directory open");
}

#[test]
fn the_verifier_names_what_a_reader_is_refused_and_changes_nothing() {
    let (whole, batches) = written(true);
    let reports = |disk: &SimDisk| {
        let mut reports = Vec::new();
        crate::verify(disk, Path::new("/data"), |report| reports.push(report)).unwrap();
        reports
    };
    let found = reports(&whole);
    let [crate::Report::Whole { end_offset, segments, .. }] = found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(end_offset, end_of(batches.last().unwrap()));
    assert!(segments > 1);
    let paths = whole.paths();
    let logs = paths.iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
    for path in logs {
        let used = whole.read_file(path).unwrap().iter().rposition(|&byte| byte != 0).unwrap();
        for position in (0..used).step_by(7) {
            let disk = whole.kill_image(whole.trace_len());
            disk.flip(path, position as u64, 3);
            let calls = disk.trace_len();
            let found = reports(&disk);
            let named = found.iter().any(|report| match report {
                crate::Report::Damaged { corruption, .. }
                | crate::Report::TornTail { corruption, .. } => &corruption.path == path,
                _ => false,
            });
            assert!(named, "{} byte {position}: {found:?}", path.display());
            assert_eq!(disk.trace_len(), calls, "nothing was written");
        }
    }
}

#[test]
fn a_named_file_that_is_missing_is_loss_even_where_nothing_in_it_was_proven() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let image = disk.kill_image(disk.trace_len());
    let missing = segment_files(&image).remove(0);
    crate::Disk::remove(&*image, &missing).unwrap();
    let directory = open_directory(&image, BOOT);
    let (_, findings) = open_log(&directory);
    assert_eq!(findings, [Finding::Gone { path: missing, offset: 0, end_offset: 0 }]);
    assert!(directory.state().group(&KEY, |group| group.unwrap().lossy));
}

#[test]
fn damage_to_the_active_segments_header_or_file_after_a_clean_stop_does_not_end_appends() {
    for is_missing in [false, true] {
        let disk = SimDisk::new();
        let directory = open_directory(&disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (mut log, _) = open_log(&directory);
        log.append(&[batch(0, 0, 2, 50)]).unwrap();
        log.close().unwrap();
        directory.close().unwrap();
        let file = segment_files(&disk).remove(0);
        if is_missing {
            crate::Disk::remove(&*disk, &file).unwrap();
        } else {
            disk.flip(&file, 20, 1);
        }
        for life in 1..4 {
            let directory = open_directory(&disk, BOOT);
            let (mut log, findings) = open_log(&directory);
            assert_eq!((log.end_offset(), findings.len()), (life * 2, 1), "{findings:?}");
            log.append(&[batch(life * 2, 0, 2, 50)]).unwrap();
            assert!(flush(&directory, &mut log));
            let error = read_once(log.view(), 0, ReadUntil::End).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
            assert_eq!(
                read_all(log.view(), 2, ReadUntil::End).unwrap().last().map(end_of),
                Some(life * 2 + 2)
            );
            let lossy = directory.state().group(&KEY, |group| group.unwrap().lossy);
            assert_eq!(lossy, is_missing);
            log.close().unwrap();
            directory.close().unwrap();
        }
    }
}

/// A log of five batches, of which the third, of the offsets 4 and 5, was damaged before a start
/// that reads all of it; committed up to `high_watermark`.
fn damaged_in_the_middle(high_watermark: i64) -> (Directory, Log) {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..5 {
        log.append(&[batch(i * 2, 0, 2, 100)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    let image = disk.kill_image(disk.trace_len());
    let size = batch(0, 0, 2, 100).size() as u64;
    image.flip(&segment_files(&image)[0], 64 + 2 * size + 100, 1);
    let directory = open_directory(&image, BOOT);
    let checkpoint = StateRecord::Checkpoint(Checkpoint {
        flushed_offset: 0,
        segment_base_offset: 0,
        position: 64,
        high_watermark,
        closed: false,
    });
    directory.state().commit(&[(KEY, checkpoint)]).unwrap();
    let (log, findings) = open_log(&directory);
    let [Finding::Damaged { offset: 4, end_offset: 6, .. }] = findings[..] else {
        panic!("{findings:?}")
    };
    (directory, log)
}

#[test]
fn what_is_good_before_a_hole_is_served_where_the_high_watermark_lies_at_it_or_in_it() {
    for high_watermark in [4, 5] {
        let (_directory, log) = damaged_in_the_middle(high_watermark);
        assert_eq!(log.view().high_watermark(), high_watermark);
        let read = read_once(log.view(), 0, ReadUntil::HighWatermark).unwrap();
        assert_eq!(read.last().map(end_of), Some(4));
    }
}

#[test]
fn damage_does_not_end_retention_by_time() {
    let (directory, mut log) = damaged_in_the_middle(0);
    for _ in 0..60 {
        log.append(&[batch(log.end_offset(), 0, 2, 100)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(log.end_offset());
    let ten_years_ms = 3650 * 24 * 3_600_000;
    assert_eq!(log.retention_start(ten_years_ms).unwrap(), Some(log.end_offset()));
}

#[test]
fn a_log_can_be_cut_where_a_hole_begins_and_not_within_it() {
    let (directory, mut log) = damaged_in_the_middle(0);
    let error = log.truncate_to(5, 0, 0, &[]).unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    log.truncate_to(4, 0, 0, &[]).unwrap();
    log.append(&[batch(4, 0, 2, 100)]).unwrap();
    assert!(flush(&directory, &mut log));
    let read = read_all(log.view(), 0, ReadUntil::End).unwrap();
    assert_eq!(read.last().map(end_of), Some(6));
}

/// What became of six batches of a replica among others, of which three are proven to have been
/// flushed, after one of them was damaged.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    end_offset: i64,
    damage: Option<std::ops::Range<i64>>,
    is_lossy: bool,
}

fn replica_options() -> DirectoryOptions {
    DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() }
}

fn replica_on(disk: &Arc<SimDisk>, mark: OpenMark) -> (Outcome, Vec<Finding>) {
    let own: Arc<SimDisk> = Arc::clone(disk);
    let directory = Directory::open(own, Path::new("/data"), replica_options(), mark, 5).unwrap();
    let (log, findings) = directory.open_replica(KEY, LogOptions::default()).unwrap();
    let is_lossy = directory.state().group(&KEY, |group| group.unwrap().lossy);
    let (end_offset, damage) = (log.end_offset(), log.view().damage());
    (Outcome { end_offset, damage, is_lossy }, findings)
}

/// A kill's disk, and where each batch begins in the only file.
fn replica_written() -> (Arc<SimDisk>, Vec<u64>) {
    let disk = SimDisk::new();
    let own: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(own, Path::new("/data"), replica_options(), BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_replica(KEY, LogOptions::default()).unwrap();
    let (mut starts, mut position) = (Vec::new(), 64);
    for offset in 0..6 {
        if offset == 3 {
            let begins = Beginning { log: &mut log, epoch: 1, records: Vec::new() };
            directory.begin_epochs(&mut [begins]).unwrap();
        }
        let new = batch(offset, i32::from(offset >= 3), 1, 1500);
        starts.push(position);
        position += new.parts().concat().len() as u64;
        log.append(&[new]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    (disk.kill_image(disk.trace_len()), starts)
}

#[test]
fn a_replica_among_others_ends_before_damage_behind_what_is_proven() {
    let (whole, starts) = replica_written();
    let path = segment_files(&whole)[0].clone();
    let all = Outcome { end_offset: 6, damage: None, is_lossy: false };
    assert_eq!(replica_on(&whole.kill_image(whole.trace_len()), BOOT), (all, Vec::new()));
    let spoil = |disk: &SimDisk, at: u64, is_unwritten: bool| match is_unwritten {
        true => disk.overwrite(&path, (at / 512 + 2) * 512, &[0; 512]),
        false => disk.flip(&path, at + 700, 1),
    };
    for is_unwritten in [false, true] {
        for mark in [BOOT, OTHER_BOOT] {
            for (spoiled, start) in starts.iter().enumerate() {
                let place = format!("{is_unwritten} {mark:?} {spoiled}");
                let disk = whole.kill_image(whole.trace_len());
                spoil(&disk, *start, is_unwritten);
                let offset = i64::try_from(spoiled).unwrap();
                let is_cut_short = spoiled == 5 || mark == OTHER_BOOT;
                let expected = match offset {
                    0..3 => {
                        Outcome { end_offset: 6, damage: Some(offset..offset + 1), is_lossy: false }
                    }
                    _ => Outcome {
                        end_offset: offset,
                        damage: None,
                        is_lossy: !(is_unwritten && is_cut_short),
                    },
                };
                let (found, findings) = replica_on(&disk, mark);
                assert_eq!((&found, findings.len()), (&expected, 1), "{place}");
                // It stays so.
                let disk = disk.kill_image(disk.trace_len());
                let (again, findings) = replica_on(&disk, mark);
                assert_eq!((again, findings.len()), (expected, usize::from(offset < 3)), "{place}");
            }
        }
    }
}

#[test]
fn a_replica_among_others_without_the_header_of_its_file_has_nothing_that_is_not_proven() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_replica(KEY, LogOptions::default()).unwrap();
    log.append(&[batch(0, 0, 1, 10)]).unwrap();
    assert!(flush(&directory, &mut log));
    let disk = disk.kill_image(disk.trace_len());
    disk.flip(&segment_files(&disk)[0], 20, 1);
    let (found, findings) = replica_on(&disk, OTHER_BOOT);
    assert!(matches!(findings[..], [Finding::TornTail { end_offset: 0, .. }]), "{findings:?}");
    assert_eq!(found, Outcome { end_offset: 0, damage: None, is_lossy: true });
}

#[test]
fn a_hole_of_a_replica_among_others_ends_at_what_is_proven() {
    let (whole, starts) = replica_written();
    let path = segment_files(&whole)[0].clone();
    // Batches 2 and 3, of which 2 is proven to have been flushed; 4 and 5 are whole behind them.
    let disk = whole.kill_image(whole.trace_len());
    for spoiled in [2, 3] {
        disk.flip(&path, starts[spoiled] + 700, 1);
    }
    let expected = Outcome { end_offset: 3, damage: Some(2..3), is_lossy: true };
    assert_eq!(replica_on(&disk, BOOT).0, expected);
    // What was in the hole isn't given to others later on.
    let disk = disk.kill_image(disk.trace_len());
    let (again, _) = replica_on(&disk, BOOT);
    assert_eq!((again.end_offset, again.is_lossy), (3, true));
    // The header of the file: all that is proven is there, and nothing else.
    let disk = whole.kill_image(whole.trace_len());
    disk.flip(&path, 20, 1);
    let expected = Outcome { end_offset: 3, damage: Some(0..3), is_lossy: true };
    assert_eq!(replica_on(&disk, BOOT).0, expected);
    let disk = disk.kill_image(disk.trace_len());
    let (again, _) = replica_on(&disk, BOOT);
    assert_eq!((again.end_offset, again.is_lossy), (3, true));
}
