//! Indexes that are late, wrong or another log's, and timestamps in logs that are damaged.

use std::path::PathBuf;

use super::reads::{close_file, large, large_of, partition, segment_of};
use super::*;
use crate::disk::Disk;
use crate::index::Index;
use crate::{SystemDisk, TimedOffset};

/// A batch of records with these timestamps.
fn timed(offset: i64, timestamps: &[i64], codec: Codec) -> StampedBatch {
    let mut builder = BatchBuilder::new(codec);
    for timestamp in timestamps {
        builder.append(*timestamp, None, Some(&[b'.'; 40]), &[]).unwrap();
    }
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    batch.stamp(&Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(0).unwrap(),
        log_append_time: None,
    })
}

#[test]
fn what_was_appended_while_the_file_was_closed_is_found_and_indexed() {
    let disk = SimDisk::new();
    let (directory, mut log) = large(&disk, 700, 100);
    let segment = segment_of(log.view(), 0);
    close_file(&directory, &segment);
    // The owner opens it anew and knows nothing of what stands before.
    log.append(&[batch(1400, 0, 2, 100)]).unwrap();
    assert!(flush(&directory, &mut log));
    assert_eq!(read_once(log.view(), 1400, ReadUntil::End).unwrap().len(), 1);
    log.append(&[batch(1402, 0, 2, 100)]).unwrap();
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 702);
    assert_eq!(log.view().latest_timestamp(&segment).unwrap(), 1_000 + 1403);
    assert!(flush(&directory, &mut log));
    close_file(&directory, &segment);
    log.append(&[batch(1404, 0, 2, 100)]).unwrap();
    log.close().unwrap();
    let index =
        disk.paths().into_iter().find(|path| path.extension().unwrap_or_default() == "index");
    assert_eq!(index, None, "one that isn't whole is not written");
}

#[test]
fn indexes_made_while_the_owner_appends_and_files_are_closed_are_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(Arc::new(SystemDisk), dir.path(), options(), BOOT, 3).unwrap();
    directory.create(KEY, 0).unwrap();
    let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() };
    let (mut log, _) = directory.open_log(KEY, options).unwrap();
    let view = Arc::clone(log.view());
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (view, finished) = (&view, &finished);
        scope.spawn(move || {
            let mut inflater = Inflater::default();
            while !finished.load(Ordering::SeqCst) {
                let end_offset = view.end_offset();
                for offset in [0, end_offset / 2, end_offset] {
                    read_once(view, offset, ReadUntil::End).unwrap();
                }
                view.find_timestamp(1_000 + end_offset / 2, &mut inflater).unwrap();
            }
        });
        for i in 0..3_000 {
            log.append(&[batch(i, 0, 1, 1_000)]).unwrap();
            // The third file stays open, so that at least its index is whole.
            if i % 100 == 0 && i < 1_500 {
                assert!(flush(&directory, &mut log));
                close_file(&directory, log.view().segments().last().unwrap());
            }
        }
        finished.store(true, Ordering::SeqCst);
    });
    assert_eq!(read_all(&view, 0, ReadUntil::End).unwrap().len(), 3_000);
    let mut indexes = 0;
    for segment in view.segments().iter() {
        let file = segment.open(&directory.shared, &KEY).unwrap();
        let log_bytes = segment.log_bytes();
        view.rebuild_index(segment, &file).unwrap();
        let made = file.index().to_bytes();
        let path = segment.index_name().path(&dir.path().join("partitions").join(KEY.to_string()));
        if let Ok(written) = std::fs::read(path) {
            assert!(Index::from_bytes(&written, log_bytes).is_some());
            assert_eq!(written, made);
            indexes += 1;
        }
    }
    assert!(indexes > 0);
}

#[test]
fn an_index_goes_on_behind_a_damaged_batch_and_does_not_know_its_timestamps() {
    let disk = SimDisk::new();
    let (directory, log) = large(&disk, 1000, 100);
    log.close().unwrap();
    directory.close().unwrap();
    for path in
        disk.paths().into_iter().filter(|path| path.extension().unwrap_or_default() == "index")
    {
        Disk::remove(&*disk, &path).unwrap();
    }
    let file = partition().join("00000000000000000000-000000.log");
    // In the middle of a record of the tenth batch or so.
    disk.flip(&file, 3_000, 1);
    let directory = open_directory(&disk, BOOT);
    let (log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    let view = log.view();
    let refused = |offset: &i64| read_once(view, *offset, ReadUntil::End).is_err();
    assert_eq!((0..2000).step_by(2).filter(refused).count(), 1);
    let segment = segment_of(view, 0);
    let opened = segment.open(&directory.shared, &KEY).unwrap();
    assert_eq!(opened.index().covers(), segment.log_bytes());
    assert_eq!(view.latest_timestamp(&segment).unwrap(), i64::MIN, "not too small");
    let mut inflater = Inflater::default();
    assert_eq!(view.find_timestamp(1_004, &mut inflater).unwrap().unwrap().offset, 4);
    let error = view.find_timestamp(2_000, &mut inflater).unwrap_err();
    assert!(matches!(&error, StorageError::Corrupt(c) if c.path == file), "{error}");
    log.close().unwrap();
    assert!(!disk.paths().contains(&file.with_extension("index")), "it isn't whole");
}

#[test]
fn the_latest_timestamp_counts_what_was_written_before_a_checkpoint() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[timed(0, &[9_000_000], Codec::None)]).unwrap();
    for i in 1..9 {
        log.append(&[timed(i, &[5], Codec::None)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    assert!(directory.state().group(&KEY, |group| group.unwrap().checkpoint.is_some()));
    let disk = disk.kill_image(disk.trace_len());
    let directory = open_directory(&disk, BOOT);
    let (mut log, _) = open_log(&directory);
    log.append(&[timed(log.end_offset(), &[6], Codec::None)]).unwrap();
    let segment = segment_of(log.view(), 0);
    assert_eq!(log.view().latest_timestamp(&segment).unwrap(), 9_000_000);
    for _ in 0..20 {
        log.append(&[timed(log.end_offset(), &[6], Codec::None)]).unwrap();
    }
    assert!(log.view().segments().len() > 1);
    assert!(flush(&directory, &mut log));
    let first = directory.state().group(&KEY, |group| group.unwrap().segments[0]);
    assert_eq!(first.sealed.unwrap().max_timestamp, 9_000_000);
}

/// Batches of three records, some compressed, whose timestamps go up and down.
fn timed_log(directory: &Directory) -> (Log, Vec<TimedOffset>) {
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    let mut records = Vec::new();
    for i in 0..12 {
        let codec = if i % 3 == 1 { Codec::Lz4 } else { Codec::None };
        let base = 100 * i;
        let timestamps = [base + 60, base + 20, base + 150];
        for (offset, timestamp) in (3 * i..).zip(timestamps) {
            records.push(TimedOffset { offset, timestamp, leader_epoch: 0 });
        }
        log.append(&[timed(3 * i, &timestamps, codec)]).unwrap();
    }
    assert!(flush(directory, &mut log));
    log.set_high_watermark(log.end_offset());
    (log, records)
}

#[test]
fn a_timestamp_is_found_from_the_log_start_on_in_compressed_batches_too() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, records) = timed_log(&directory);
    let mut inflater = Inflater::default();
    for start in [0, 1, 5, 17, 35, 36] {
        log.set_log_start(start).unwrap();
        for timestamp in (0..1400).step_by(10) {
            let is_first = |r: &&TimedOffset| r.offset >= start && r.timestamp >= timestamp;
            let expected = records.iter().find(is_first).copied();
            assert_eq!(log.view().find_timestamp(timestamp, &mut inflater).unwrap(), expected);
        }
    }
}

#[test]
fn a_timestamp_looked_for_in_a_log_with_a_flipped_byte_is_found_right_or_refused_with_the_place() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (log, records) = timed_log(&directory);
    let file = segment_of(log.view(), 0).path(&directory.shared, &KEY);
    log.close().unwrap();
    directory.close().unwrap();
    let bytes = disk.read_file(&file).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    let (mut inflater, mut refused) = (Inflater::default(), 0);
    for position in 64..=used {
        let disk = disk.kill_image(disk.trace_len());
        disk.flip(&file, position as u64, u8::try_from(position % 8).unwrap());
        let directory = open_directory(&disk, BOOT);
        let (log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
        for timestamp in [0, 155, 610, 1150, 1250, 1251] {
            let expected = records.iter().find(|r| r.timestamp >= timestamp).copied();
            match log.view().find_timestamp(timestamp, &mut inflater) {
                Ok(found) => assert_eq!(found, expected, "byte {position}"),
                Err(StorageError::Corrupt(corruption)) => {
                    assert_eq!(corruption.path, file, "byte {position}");
                    assert!(corruption.position <= position as u64);
                    refused += 1;
                }
                Err(error) => panic!("byte {position}: {error}"),
            }
        }
    }
    assert!(refused > used / 2, "{refused} of {used}");
}

#[test]
fn a_timestamp_is_looked_for_behind_what_is_fenced() {
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let disk = SimDisk::new();
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (_, records) = timed_log(&directory);
    let file = partition().join("00000000000000000000-000000.log");
    let bytes = disk.read_file(&file).unwrap();
    let first = RawBatches::new(&bytes[64..]).next().unwrap().unwrap().bytes().len();
    let disk = disk.kill_image(disk.trace_len());
    disk.overwrite(&file, 64 + first as u64, &[0; 90]);
    let directory = open_directory(&disk, BOOT);
    let (log, findings) = directory.open_log(KEY, LogOptions::default()).unwrap();
    let [Finding::Damaged { offset: 3, end_offset: 6, .. }] = findings[..] else {
        panic!("{findings:?}")
    };
    let served = |r: &&TimedOffset| !(3..6).contains(&r.offset);
    for timestamp in [0, 155, 610, 1251] {
        let expected = records.iter().filter(served).find(|r| r.timestamp >= timestamp).copied();
        let found = log.view().find_timestamp(timestamp, &mut Inflater::default()).unwrap();
        assert_eq!(found, expected);
    }
}

/// Stops a log cleanly; the index of its only segment, as it was written then.
fn stopped(disk: &Arc<SimDisk>, (directory, log): (Directory, Log)) -> (PathBuf, Vec<u8>) {
    log.close().unwrap();
    directory.close().unwrap();
    let path = partition().join("00000000000000000000-000000.index");
    let bytes = disk.read_file(&path).expect("written at the stop");
    (path, bytes)
}

#[test]
fn an_index_of_another_log_of_the_same_length_is_not_believed() {
    let (ours, other) = (SimDisk::new(), SimDisk::new());
    let (path, index) = stopped(&ours, large(&ours, 1000, 100));
    // As many bytes in half as many batches, each of one record.
    let bytes = 300 + 2 * batch(0, 0, 2, 100).size() - batch(0, 0, 1, 300).size();
    let (_, foreign) = stopped(&other, large_of(&other, 500, 1, bytes));
    assert_eq!(foreign[8..12], index[8..12], "of the same length");
    ours.overwrite(&path, 0, &foreign);
    ours.truncate(&path, foreign.len() as u64);
    let directory = open_directory(&ours, BOOT);
    let (log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for offset in (0..2000).step_by(2) {
        assert_eq!(base_of(&read_once(log.view(), offset, ReadUntil::End).unwrap()[0]), offset);
    }
}

#[test]
fn each_entry_is_compared_with_its_batch_when_it_is_used() {
    let disk = SimDisk::new();
    let (path, mut index) = stopped(&disk, large(&disk, 1000, 100));
    // Entries in the middle that lead between batches or to another one, with right checksums.
    let entries = (index.len() - 32) / 24;
    for (entry, shift) in [(entries / 3, 1u32), (entries / 2, 7)] {
        let at = 32 + entry * 24;
        let position = u32::from_be_bytes(*index[at + 4..].first_chunk().unwrap()) + shift;
        index[at + 4..at + 8].copy_from_slice(&position.to_be_bytes());
        let crc = crc32fast::hash(&index[at..at + 20]);
        index[at + 20..at + 24].copy_from_slice(&crc.to_be_bytes());
    }
    assert!(Index::from_bytes(&index, u32::MAX).is_some());
    disk.overwrite(&path, 0, &index);
    for step in [2, 700] {
        let directory = open_directory(&disk, BOOT);
        let (log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
        for offset in (0..2000).step_by(step) {
            assert_eq!(base_of(&read_once(log.view(), offset, ReadUntil::End).unwrap()[0]), offset);
        }
        let mut inflater = Inflater::default();
        for offset in (0..2000).step_by(step) {
            let found = log.view().find_timestamp(1_000 + offset, &mut inflater).unwrap();
            assert_eq!(found.unwrap().offset, offset);
        }
    }
}

#[test]
fn a_flipped_byte_at_the_start_of_an_indexed_batch_is_damage_at_its_place() {
    for byte in [0, 7, 8, 10, 11, 15, 16, 17, 20] {
        let disk = SimDisk::new();
        let (directory, log) = large(&disk, 1000, 100);
        let segment = segment_of(log.view(), 0);
        let file = segment.open(&directory.shared, &KEY).unwrap();
        let entry = file.index().floor_offset(1_000).unwrap();
        let path = segment.path(&directory.shared, &KEY);
        disk.flip(&path, u64::from(entry.position) + byte, 2);
        let offset = i64::from(entry.relative_offset);
        let error = read_once(log.view(), offset, ReadUntil::End).unwrap_err();
        let StorageError::Corrupt(corruption) = error else { panic!("{error}") };
        assert_eq!(
            (&corruption.path, corruption.position),
            (&path, entry.position.into()),
            "{byte}"
        );
        let Found::Batches(before) = log.view().read(offset - 2, 1, ReadUntil::End).unwrap() else {
            panic!("nothing is wrong with the one before")
        };
        assert_eq!(end_of(&before), offset);
    }
}

#[test]
fn an_epoch_that_the_log_start_has_left_behind_is_no_damage() {
    use crate::state::{EpochStart, StateRecord};
    let disk = SimDisk::new();
    let (directory, log) = large(&disk, 10, 100);
    let epoch = StateRecord::Epoch(EpochStart { epoch: 1, start_offset: 20 });
    directory.state().commit(&[(KEY, epoch)]).unwrap();
    log.close().unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for i in 10..15 {
        log.append(&[batch(i * 2, 1, 2, 100)]).unwrap();
    }
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(30);
    log.set_log_start(24).unwrap();
    assert_eq!(log.view().epochs().len(), 1, "the first epoch is forgotten");
    let segment = segment_of(log.view(), 24);
    assert_eq!(segment.base_offset, 0, "but not its batches");
    let file = segment.open(&directory.shared, &KEY).unwrap();
    log.view().rebuild_index(&segment, &file).unwrap();
    assert!(file.index().is_whole(segment.log_bytes()));
    assert_eq!(log.view().latest_timestamp(&segment).unwrap(), 1_029);
}
