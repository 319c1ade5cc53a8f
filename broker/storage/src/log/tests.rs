//! The log on a simulated disk: against a plain list of batches, through crashes, and damaged.

mod append;
mod clean;
mod damage;
mod flushes;
mod indexes;
mod lives;
mod model;
mod power;
mod producers;
mod reads;
mod real;
mod repair;
mod replicas;
mod times;
mod together;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use logboom_protocol::records::{
    BatchBuilder, Codec, Inflater, ProducedBatch, RawBatches, StampedBatch, Stamps,
};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};

use crate::sim::SimDisk;
use crate::state::{GroupKey, OpenMark, StateOptions, StateRecord};
use crate::{
    Directory, DirectoryOptions, Finding, Found, Log, LogOptions, LogView, ReadUntil, StorageError,
};

pub(super) const KEY: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 3 };
pub(super) const BOOT: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 5 };
pub(super) const OTHER_BOOT: OpenMark = OpenMark { boot_id: [2; 16], mount_id: 5 };

/// How much of something is tried; `cargo xtask soak storage` makes it large.
pub(super) fn size(name: &str, small: u32) -> u32 {
    let set = std::env::var(name).ok();
    set.map_or(small, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

/// Small sizes, so that few records fill many files.
pub(super) fn options() -> DirectoryOptions {
    DirectoryOptions {
        state: StateOptions { reserve_bytes: 64 << 10, checkpoint_bytes: 16 << 10 },
        files_max: 4,
        index_interval_bytes: 300,
        reserve_bytes_min: 512,
        reserve_bytes_max: 2048,
        checkpoint_bytes: 700,
        ..DirectoryOptions::default()
    }
}

pub(super) fn log_options() -> LogOptions {
    LogOptions { segment_bytes: 2000, ..LogOptions::default() }
}

pub(super) fn open_directory(disk: &Arc<SimDisk>, mark: OpenMark) -> Directory {
    let disk: Arc<SimDisk> = Arc::clone(disk);
    Directory::open(disk, Path::new("/data"), options(), mark, 0x1234_5678_9abc_def0).unwrap()
}

pub(super) fn open_log(directory: &Directory) -> (Log, Vec<Finding>) {
    directory.open_log(KEY, log_options()).unwrap()
}

/// A batch of `count` records of `bytes` each, at `offset`.
pub(super) fn batch(offset: i64, epoch: i32, count: usize, bytes: usize) -> StampedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    for i in 0..count {
        // Contents that no other offset has, so that a record in the wrong place shows.
        let offset = offset + i64::try_from(i).unwrap();
        let mut value = vec![b'.'; bytes];
        value.extend(offset.to_be_bytes());
        builder.append(1_000 + offset, None, Some(&value), &[]).unwrap();
    }
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    batch.stamp(&Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(epoch).unwrap(),
        log_append_time: None,
    })
}

/// Flushes what was appended, on this thread; whether it worked.
pub(super) fn flush(directory: &Directory, log: &mut Log) -> bool {
    let flushed = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&flushed);
    let Some(offset) = log.flush(Box::new(move |r| done.store(r.is_ok(), Ordering::SeqCst))) else {
        return true;
    };
    directory.run_flushes();
    let worked = flushed.load(Ordering::SeqCst);
    if worked {
        log.on_flushed(offset);
    }
    worked
}

/// Moves the log start with a flush, on this thread.
pub(super) fn move_start(directory: &Directory, log: &mut Log, offset: i64) {
    if let Some(moving) =
        log.move_log_start(log.start_at(offset), Box::new(|moved| moved.unwrap())).unwrap()
    {
        directory.run_flushes();
        log.on_flushed(moving.flushes_to());
        log.on_log_start_moved(moving);
    }
}

/// What one read from `offset` on gives, batch by batch.
pub(super) fn read_once(
    view: &Arc<LogView>,
    offset: i64,
    until: ReadUntil,
) -> Result<Vec<Bytes>, StorageError> {
    let bytes = match view.read(offset, 700, until)? {
        Found::Nothing => return Ok(Vec::new()),
        Found::Batches(bytes) => bytes,
        Found::Cold(cold) => cold.run()?,
    };
    let mut length = 0;
    let mut batches = Vec::new();
    for batch in RawBatches::new(&bytes) {
        let batch = batch.expect("reads give whole batches");
        batch.check().expect("nothing wrong is served");
        length += batch.bytes().len();
        batches.push(bytes.slice_ref(batch.bytes()));
    }
    assert_eq!(length, bytes.len(), "reads give whole batches");
    Ok(batches)
}

/// Everything from `from` on, batch by batch.
pub(super) fn read_all(
    view: &Arc<LogView>,
    from: i64,
    until: ReadUntil,
) -> Result<Vec<Bytes>, StorageError> {
    let mut all: Vec<Bytes> = Vec::new();
    loop {
        let batches = read_once(view, all.last().map_or(from, end_of), until)?;
        if batches.is_empty() {
            return Ok(all);
        }
        all.extend(batches);
    }
}

/// The files of the segments that a disk holds, oldest first.
pub(super) fn segment_files(disk: &SimDisk) -> Vec<PathBuf> {
    let mut files = disk.paths();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    files.sort();
    files
}

/// The end offset of a batch.
pub(super) fn end_of(batch: &Bytes) -> i64 {
    let header = *RawBatches::new(batch).next().unwrap().unwrap().header();
    header.base_offset + i64::from(header.last_offset_delta) + 1
}

/// The base offset of a batch.
pub(super) fn base_of(batch: &Bytes) -> i64 {
    RawBatches::new(batch).next().unwrap().unwrap().header().base_offset
}

/// Groups of which nothing is said but that they begin.
fn bare(keys: &[GroupKey]) -> Vec<(GroupKey, &'static [StateRecord])> {
    keys.iter().map(|key| (*key, &[][..])).collect()
}

#[test]
fn an_empty_log_has_no_file_and_a_first_batch_makes_one() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, findings) = open_log(&directory);
    assert_eq!((log.end_offset(), findings), (0, vec![]));
    let partition = |path: &PathBuf| path.starts_with("/data/partitions");
    assert!(!disk.paths().iter().any(partition));
    log.append(&[batch(0, 0, 3, 10)]).unwrap();
    assert_eq!((log.end_offset(), log.flushed_offset()), (3, 0));
    assert!(flush(&directory, &mut log));
    assert_eq!(log.flushed_offset(), 3);
    assert_eq!(disk.paths().iter().filter(|path| partition(path)).count(), 1);
}

#[test]
fn consumers_read_below_the_high_watermark_and_replicas_to_the_end() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    let batches: Vec<StampedBatch> = (0..10).map(|i| batch(i * 2, 0, 2, 50)).collect();
    log.append(&batches).unwrap();
    log.set_high_watermark(6);
    let consumer = read_all(log.view(), 0, ReadUntil::HighWatermark).unwrap();
    assert_eq!(consumer.last().map(end_of), Some(6));
    let replica = read_all(log.view(), 3, ReadUntil::End).unwrap();
    assert_eq!(replica.first().map(base_of), Some(2), "the batch that holds the offset");
    assert_eq!(replica.last().map(end_of), Some(20));
    for (batch, read) in batches[1..].iter().zip(&replica) {
        assert_eq!(batch.parts().concat(), read[..], "the bytes are those that were appended");
    }
    for (offset, until) in
        [(7, ReadUntil::HighWatermark), (-1, ReadUntil::End), (21, ReadUntil::End)]
    {
        let error = log.view().read(offset, 100, until).unwrap_err();
        assert!(matches!(error, StorageError::OutOfRange { .. }), "{error}");
    }
    assert!(matches!(log.view().read(6, 1, ReadUntil::HighWatermark), Ok(Found::Nothing)));
}

#[test]
fn a_batch_larger_than_asked_for_comes_whole() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 1, 5000), batch(1, 0, 1, 10)]).unwrap();
    let Found::Batches(bytes) = log.view().read(0, 1, ReadUntil::End).unwrap() else { panic!() };
    assert_eq!(RawBatches::new(&bytes).count(), 1);
    assert!(bytes.len() > 5000);
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().len(), 2);
}

#[test]
fn a_timestamp_is_found_at_its_record_and_not_at_its_batch() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..30 {
        log.append(&[batch(i * 3, 0, 3, 60)]).unwrap();
    }
    let mut inflater = Inflater::default();
    // Records have the timestamp 1,000 + offset.
    for wanted in [0, 1_000, 1_001, 1_044, 1_089] {
        let found = log.view().find_timestamp(wanted, &mut inflater).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp), ((wanted - 1_000).max(0), wanted.max(1_000)));
    }
    assert_eq!(log.view().find_timestamp(1_090, &mut inflater).unwrap(), None);
}

#[test]
fn a_full_disk_refuses_the_append_and_heals() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 2, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    disk.set_capacity(disk.used());
    let mut offset = 2;
    let error = loop {
        match log.append(&[batch(offset, 0, 1, 100)]) {
            Ok(()) => offset += 1,
            Err(error) => break error,
        }
        assert!(offset < 100, "the disk is full");
    };
    assert!(matches!(error, StorageError::NoSpace { .. }), "{error}");
    assert!(flush(&directory, &mut log), "what was taken before is durable");
    assert_eq!(log.flushed_offset(), offset);
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap().last().map(end_of), Some(offset));
    disk.set_capacity(u64::MAX);
    log.append(&[batch(offset, 0, 1, 100)]).unwrap();
    assert!(flush(&directory, &mut log));
    assert_eq!((log.flushed_offset(), directory.failure()), (offset + 1, None));
}
