//! Compaction: what stays, what goes, and what nobody notices.

mod crashes;
mod random;

use std::collections::BTreeMap;

use logboom_protocol::records::{CheckedBatch, ProducerState};

use super::*;
use crate::log::{CleanError, CleanStats, Cleaning, CleaningRequest, CompactionOptions, Pace};
use crate::producers::{BatchFacts, Verdict};
use crate::{Report, verify};

/// Never waits and never stops.
pub(super) struct Unpaced;

impl Pace for Unpaced {
    fn moved(&mut self, _: usize) -> bool {
        true
    }
}

pub(super) const COMPACTION: CompactionOptions = CompactionOptions {
    segment_bytes: 2000,
    min_dirty_ratio: 0.0,
    min_lag_ms: 0,
    max_lag_ms: i64::MAX,
    delete_retention_ms: 1000,
};

/// A key and a value.
pub(super) type Pair = (u8, Option<Vec<u8>>);

/// A batch of keys and values, whose timestamps are 1,000 and their offsets.
pub(super) fn pairs(
    offset: i64,
    epoch: i32,
    codec: Codec,
    producer: Option<ProducerState>,
    pairs: &[Pair],
) -> StampedBatch {
    let mut builder = BatchBuilder::new(codec);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    for (i, (key, value)) in pairs.iter().enumerate() {
        let timestamp = 1_000 + offset + i64::try_from(i).unwrap();
        builder.append(timestamp, Some(&[*key]), value.as_deref(), &[]).unwrap();
    }
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    batch.stamp(&Stamps {
        base_offset: Offset::from_wire(offset).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(epoch).unwrap(),
        log_append_time: None,
    })
}

/// Appends one batch at the end.
fn append(log: &mut Log, records: &[Pair]) {
    log.append(&[pairs(log.end_offset(), log.epoch(), Codec::None, None, records)]).unwrap();
}

/// A value of 90 bytes.
fn value(byte: u8) -> Option<Vec<u8>> {
    Some(vec![byte; 90])
}

pub(super) fn request(
    log: &Log,
    now_ms: i64,
    options: CompactionOptions,
    map_bytes: usize,
) -> CleaningRequest {
    let cleanable = log.view().cleanable(i64::MAX, now_ms, &options).unwrap();
    let last_batches = log.last_batches();
    CleaningRequest {
        cleanable,
        options,
        last_batches,
        compacted_by_all: i64::MAX,
        now_ms,
        map_bytes,
        seed: 5,
    }
}

/// Compacts a log once, on this thread.
pub(super) fn clean_with(log: &mut Log, now_ms: i64, map_bytes: usize) -> CleanStats {
    let request = request(log, now_ms, COMPACTION, map_bytes);
    clean_as(log, request)
}

fn clean_as(log: &mut Log, request: CleaningRequest) -> CleanStats {
    let Some(mut cleaning) = Cleaning::begin(log.view(), request, &mut Unpaced).unwrap() else {
        return CleanStats::default();
    };
    while let Some(cleaned) = cleaning.next(&mut Unpaced).unwrap() {
        assert!(log.swap(cleaned).unwrap(), "nothing happened meanwhile");
    }
    cleaning.stats()
}

pub(super) fn clean(log: &mut Log, now_ms: i64) -> CleanStats {
    clean_with(log, now_ms, 1 << 20)
}

/// A record as it was read: offset, timestamp, key, value.
pub(super) type Read = (i64, i64, u8, Option<Vec<u8>>);

pub(super) fn records_of(batches: &[Bytes]) -> Vec<Read> {
    let mut all = Vec::new();
    for batch in batches {
        let batch = CheckedBatch::check(batch.clone()).unwrap();
        for record in &batch.records(&mut Inflater::default()).unwrap() {
            let record = record.unwrap();
            let value = record.value.map(<[u8]>::to_vec);
            all.push((record.offset, record.timestamp, record.key.unwrap()[0], value));
        }
    }
    all
}

/// All that a consumer reads.
pub(super) fn consumed(log: &Log) -> Vec<Read> {
    let start = log.view().log_start_offset();
    records_of(&read_all(log.view(), start, ReadUntil::HighWatermark).unwrap())
}

/// The last value of each key.
pub(super) fn last_values(records: &[Read]) -> BTreeMap<u8, Vec<u8>> {
    let mut values = BTreeMap::new();
    for (_, _, key, value) in records {
        match value {
            Some(value) => values.insert(*key, value.clone()),
            None => values.remove(key),
        };
    }
    values
}

/// Every batch of a log continues the one before, up to the end.
pub(super) fn check_continuous(log: &Log) {
    let batches = read_all(log.view(), log.view().log_start_offset(), ReadUntil::End).unwrap();
    for pair in batches.windows(2) {
        assert_eq!(end_of(&pair[0]), base_of(&pair[1]));
    }
    assert_eq!(batches.last().map_or(log.view().log_start_offset(), end_of), log.end_offset());
}

/// A log of its own disk.
struct World {
    disk: Arc<SimDisk>,
    directory: Directory,
    log: Log,
}

impl World {
    fn new() -> Self {
        let disk = SimDisk::new();
        let directory = open_directory(&disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (log, _) = open_log(&directory);
        Self { disk, directory, log }
    }

    /// Rounds of one batch each, with the keys 0 to 3 of which 3 has no value.
    fn filled(rounds: u8) -> Self {
        let mut world = Self::new();
        for round in 0..rounds {
            append(&mut world.log, &[(0, value(round)), (1, value(round))]);
            append(&mut world.log, &[(2, value(round)), (3, None)]);
        }
        world.commit();
        world
    }

    fn commit(&mut self) {
        assert!(flush(&self.directory, &mut self.log));
        self.log.set_high_watermark(self.log.end_offset());
    }

    /// Kills the process and starts it again.
    fn killed(self) -> Self {
        let high_watermark = self.log.view().high_watermark();
        let disk = self.disk.kill_image(self.disk.trace_len());
        drop((self.log, self.directory));
        let directory = open_directory(&disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert_eq!(findings, []);
        log.set_high_watermark(high_watermark);
        Self { disk, directory, log }
    }
}

#[test]
fn the_last_record_of_each_key_stays_with_its_offset() {
    let mut world = World::filled(40);
    let before = consumed(&world.log);
    let files = segment_files(&world.disk).len();
    let stats = clean(&mut world.log, 5_000);
    assert_eq!(stats.keys, 4);
    let after = consumed(&world.log);
    assert_eq!(last_values(&after), last_values(&before));
    assert!(after.iter().all(|record| before.contains(record)), "with offset and timestamp");
    assert_eq!(usize::try_from(stats.removed_records).unwrap(), before.len() - after.len());
    let clean_offset = world.directory.state().group(&KEY, |group| group.unwrap().clean_offset);
    let mut keys: Vec<u8> = after.iter().filter(|it| it.0 < clean_offset).map(|it| it.2).collect();
    keys.sort_unstable();
    assert_eq!(keys, [0, 1, 2, 3], "one of each");
    assert!(segment_files(&world.disk).len() < files / 2, "small segments become one");
    check_continuous(&world.log);
    let world = world.killed();
    assert_eq!(consumed(&world.log), after);
    check_continuous(&world.log);
    assert_eq!(
        clean_offset,
        world.log.view().cleanable(0, 0, &COMPACTION).unwrap().first_dirty_offset
    );
}

#[test]
fn what_is_clean_is_not_cleaned_again() {
    let mut world = World::filled(40);
    clean(&mut world.log, 5_000);
    let calls = world.disk.trace_len();
    assert_eq!(clean(&mut world.log, 5_000), CleanStats::default());
    assert_eq!(world.disk.trace_len(), calls, "nothing is written");
}

#[test]
fn nothing_behind_the_high_watermark_nor_the_last_segment_is_touched() {
    let mut world = World::filled(20);
    let committed = world.log.end_offset();
    for round in 0..20 {
        append(&mut world.log, &[(0, value(round)), (2, value(round))]);
    }
    assert!(flush(&world.directory, &mut world.log));
    let before = read_all(world.log.view(), committed, ReadUntil::End).unwrap();
    clean(&mut world.log, 5_000);
    assert_eq!(read_all(world.log.view(), committed, ReadUntil::End).unwrap(), before);
    let plan = world.log.view().cleanable(30, 5_000, &COMPACTION).unwrap();
    assert!(plan.end_offset <= committed && plan.end_offset == plan.first_dirty_offset);
}

#[test]
fn a_tombstone_stays_until_its_horizon_and_is_gone_behind_it() {
    let mut world = World::filled(1);
    for round in 0..40 {
        append(&mut world.log, &[(0, value(round)), (1, value(round))]);
    }
    world.commit();
    let tombstones = |log: &Log| consumed(log).iter().filter(|it| it.3.is_none()).count();
    clean(&mut world.log, 5_000);
    assert_eq!(tombstones(&world.log), 1);
    let dirty = |world: &mut World, now_ms| {
        for round in 0..20 {
            append(&mut world.log, &[(0, value(round))]);
        }
        world.commit();
        clean(&mut world.log, now_ms);
        tombstones(&world.log)
    };
    // The first cleaning set the horizon, and later ones leave it.
    assert_eq!(dirty(&mut world, 5_999), 1);
    world = world.killed();
    assert_eq!(dirty(&mut world, 6_000), 0);
    check_continuous(&world.log);
}

#[test]
fn a_tombstone_stays_until_all_replicas_are_compacted_beyond_it() {
    let mut world = World::filled(1);
    let tombstone = consumed(&world.log).iter().find(|it| it.3.is_none()).unwrap().0;
    let mut now_ms = 0;
    let mut is_there = |compacted_by_all| {
        now_ms += 5_000;
        for round in 0..20 {
            append(&mut world.log, &[(0, value(round)), (1, value(round))]);
        }
        world.commit();
        let request = request(&world.log, now_ms, COMPACTION, 1 << 20);
        clean_as(&mut world.log, CleaningRequest { compacted_by_all, ..request });
        consumed(&world.log).iter().any(|it| it.0 == tombstone)
    };
    // The first sets the horizon, which the second is behind.
    for compacted_by_all in [0, tombstone - 1, tombstone] {
        assert!(is_there(compacted_by_all), "{compacted_by_all}");
    }
    assert!(!is_there(tombstone + 1));
}

#[test]
fn records_are_read_across_what_is_gone() {
    let mut world = World::filled(40);
    clean(&mut world.log, 5_000);
    let after = consumed(&world.log);
    for from in 0..world.log.end_offset() {
        let wanted = after.iter().find(|record| record.0 >= from).unwrap();
        let batches = read_once(world.log.view(), from, ReadUntil::HighWatermark).unwrap();
        let first = records_of(&batches[..1]);
        assert!(first.contains(wanted), "from {from}: {first:?}");
        let mut inflater = Inflater::default();
        let found = world.log.view().find_timestamp(1_000 + from, &mut inflater).unwrap().unwrap();
        assert_eq!((found.offset, found.timestamp), (wanted.0, wanted.1));
    }
}

#[test]
fn a_consumer_gets_to_the_end_where_all_records_are_gone() {
    let mut world = World::new();
    for _ in 0..30 {
        append(&mut world.log, &[(7, None), (8, None)]);
    }
    append(&mut world.log, &[(7, value(1)), (8, value(1))]);
    world.commit();
    clean(&mut world.log, 5_000);
    // What is left of the first segments is nothing but a batch without records.
    let sealed = world.log.view().cleanable(i64::MAX, 0, &COMPACTION).unwrap().first_dirty_offset;
    let mut world = world.killed();
    world.log.truncate_to(world.log.end_offset(), 0, 0, &[]).unwrap();
    let first = read_once(world.log.view(), 0, ReadUntil::HighWatermark).unwrap();
    assert!(records_of(&first[..1]).iter().all(|it| it.0 >= sealed - 2), "passed over");
    let mut offset = 0;
    while offset < world.log.view().high_watermark() {
        let batches = read_once(world.log.view(), offset, ReadUntil::HighWatermark).unwrap();
        let next = batches.last().map(end_of).expect("no consumer is stuck");
        assert!(next > offset);
        offset = next;
    }
}

#[test]
fn a_map_that_is_too_small_takes_several_rounds() {
    let mut world = World::new();
    for round in 0..60 {
        append(&mut world.log, &[(round, value(round)), (round / 2, value(round))]);
    }
    world.commit();
    let before = last_values(&consumed(&world.log));
    let mut rounds = 0;
    loop {
        // Eight keys.
        let stats = clean_with(&mut world.log, 5_000, 240);
        assert_eq!(last_values(&consumed(&world.log)), before);
        check_continuous(&world.log);
        rounds += 1;
        if !stats.map_full {
            break;
        }
        assert!(stats.keys == 8 && rounds < 60);
    }
    assert!(rounds > 4);
}

fn producer(id: i64, base_sequence: i32) -> Option<ProducerState> {
    Some(ProducerState { id, epoch: 0, base_sequence, transactional: false })
}

#[test]
fn the_last_batch_of_a_producer_outlives_its_records() {
    let mut world = World::new();
    let codec = Codec::Lz4;
    for sequence in 0..4 {
        let records = [(1, value(1)), (2, value(2))];
        let end = world.log.end_offset();
        world.log.append(&[pairs(end, 0, codec, producer(9, sequence * 2), &records)]).unwrap();
    }
    for round in 0..40 {
        append(&mut world.log, &[(1, value(round)), (2, value(round))]);
    }
    world.commit();
    clean(&mut world.log, 5_000);
    let all = read_all(world.log.view(), 0, ReadUntil::End).unwrap();
    let with_producer =
        |batch: &&Bytes| RawBatches::new(batch).next().unwrap().unwrap().header().producer_id == 9;
    let kept: Vec<i64> = all.iter().filter(with_producer).map(base_of).collect();
    assert_eq!(kept, [6], "the last one, without records");
    // Without a snapshot all is read from the log.
    let key = (
        KEY,
        StateRecord::Producers(crate::state::ProducerSnapshot {
            offset: 0,
            bytes: Some(Bytes::new()),
            segment_base_offset: 0,
            position: 64,
            position_offset: 0,
        }),
    );
    world.directory.state().commit(&[key]).unwrap();
    let world = world.killed();
    let check = |sequence| {
        let batch = pairs(0, 0, codec, producer(9, sequence), &[(1, None), (2, None)]);
        world.log.producers().check(&BatchFacts::new(batch.header(), None))
    };
    assert!(matches!(check(6), Ok(Verdict::Duplicate { base_offset: 6, .. })), "{:?}", check(6));
    assert!(matches!(check(8), Ok(Verdict::New)), "{:?}", check(8));
    assert!(check(10).is_err());
}

#[test]
fn what_changes_meanwhile_makes_the_swap_refuse() {
    type Change = fn(&mut World);
    let changes: [Change; 2] = [
        |world| world.log.set_log_start(40).unwrap(),
        |world| {
            clean(&mut world.log, 5_000);
        },
    ];
    for change in changes {
        let mut world = World::filled(40);
        let request = request(&world.log, 5_000, COMPACTION, 1 << 20);
        let mut cleaning =
            Cleaning::begin(world.log.view(), request, &mut Unpaced).unwrap().unwrap();
        let cleaned = cleaning.next(&mut Unpaced).unwrap().unwrap();
        change(&mut world);
        let after = consumed(&world.log);
        let files = segment_files(&world.disk);
        assert!(!world.log.swap(cleaned).unwrap());
        assert!(segment_files(&world.disk).len() <= files.len());
        assert_eq!(consumed(&world.log), after);
        check_continuous(&world.log);
        assert_eq!(consumed(&world.killed().log), after);
    }
}

#[test]
fn a_log_that_is_deleted_meanwhile_leaves_no_file() {
    let world = World::filled(40);
    let request = request(&world.log, 5_000, COMPACTION, 1 << 20);
    let mut cleaning = Cleaning::begin(world.log.view(), request, &mut Unpaced).unwrap().unwrap();
    let cleaned = cleaning.next(&mut Unpaced).unwrap().unwrap();
    world.log.delete(true).unwrap();
    world.directory.create(KEY, 1).unwrap();
    let (mut log, _) = open_log(&world.directory);
    append(&mut log, &[(1, value(1))]);
    drop(cleaned);
    assert!(matches!(
        cleaning.next(&mut Unpaced),
        Err(CleanError::Storage(StorageError::Deleted { .. })) | Ok(None)
    ));
    assert_eq!(segment_files(&world.disk).len(), 1);
    assert_eq!(records_of(&read_all(log.view(), 0, ReadUntil::End).unwrap()).len(), 1);
}

#[test]
fn a_reader_keeps_what_it_began_to_read() {
    let mut world = World::filled(40).killed();
    let before = consumed(&world.log);
    read_once(world.log.view(), 0, ReadUntil::HighWatermark).unwrap();
    let Found::Batches(held) = world.log.view().read(0, 400, ReadUntil::HighWatermark).unwrap()
    else {
        panic!("it was just read")
    };
    let copy = held.to_vec();
    let world_end = world.log.end_offset();
    world.disk.set_cached(false);
    let Found::Cold(cold) = world.log.view().read(2, 1, ReadUntil::HighWatermark).unwrap() else {
        panic!("nothing is in memory")
    };
    world.disk.set_cached(true);
    clean(&mut world.log, 5_000);
    assert_eq!(held[..], copy[..]);
    let read = records_of(&[cold.run().unwrap()].map(|bytes| {
        let first = RawBatches::new(&bytes).next().unwrap().unwrap();
        bytes.slice_ref(first.bytes())
    }));
    assert!(read[0].0 >= 2 && before.contains(&read[0]), "the record, or the next one there is");
    assert_eq!(world.log.end_offset(), world_end);
}

/// Stops after so many bytes.
struct Stops(usize);

impl Pace for Stops {
    fn moved(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_sub(bytes);
        self.0 > 0
    }
}

#[test]
fn a_cleaning_that_is_stopped_leaves_the_log_as_it_was() {
    let mut world = World::filled(40);
    let before = consumed(&world.log);
    let files = segment_files(&world.disk);
    for bytes in (0..18_000).step_by(500) {
        let request = request(&world.log, 5_000, COMPACTION, 1 << 20);
        let mut pace = Stops(bytes);
        let stopped = match Cleaning::begin(world.log.view(), request, &mut pace) {
            Ok(cleaning) => cleaning.unwrap().next(&mut pace).map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(stopped, Err(CleanError::Stopped) | Ok(())), "{stopped:?}");
        assert_eq!(segment_files(&world.disk), files);
    }
    world.log.append(&[]).unwrap();
    assert_eq!(consumed(&world.log), before);
}

#[test]
fn a_full_disk_only_ends_the_cleaning() {
    let mut world = World::filled(40);
    let before = consumed(&world.log);
    let files = segment_files(&world.disk);
    world.disk.set_capacity(world.disk.used());
    let request = request(&world.log, 5_000, COMPACTION, 1 << 20);
    let mut cleaning = Cleaning::begin(world.log.view(), request, &mut Unpaced).unwrap().unwrap();
    let error = cleaning.next(&mut Unpaced).unwrap_err();
    assert!(matches!(error, CleanError::Storage(StorageError::NoSpace { .. })), "{error}");
    assert_eq!(segment_files(&world.disk), files);
    world.disk.set_capacity(u64::MAX);
    assert_eq!(consumed(&world.log), before);
    clean(&mut world.log, 5_000);
    assert_eq!(last_values(&consumed(&world.log)), last_values(&before));
}

#[test]
fn damage_ends_the_cleaning_and_stays_where_it_was() {
    let world = World::filled(40);
    let path = segment_files(&world.disk)[1].clone();
    world.disk.flip(&path, 200, 1);
    let request = request(&world.log, 5_000, COMPACTION, 1 << 20);
    let error = Cleaning::begin(world.log.view(), request, &mut Unpaced).unwrap_err();
    let CleanError::Storage(StorageError::Corrupt(corruption)) = error else { panic!("{error}") };
    assert_eq!(corruption.path, path);
}

#[test]
fn every_flipped_byte_of_a_cleaned_segment_is_found() {
    let mut world = World::filled(40);
    clean(&mut world.log, 5_000);
    let before = consumed(&world.log);
    let path = segment_files(&world.disk)[0].clone();
    let segments = world.directory.state().group(&KEY, |group| group.unwrap().segments.clone());
    assert!(segments[0].generation > 0, "it was cleaned");
    let length = segments[0].sealed.unwrap().length;
    for position in 0..length {
        let image = world.disk.kill_image(world.disk.trace_len());
        image.flip(&path, u64::from(position), u8::try_from(position % 8).unwrap());
        let directory = open_directory(&image, BOOT);
        let (mut log, _) = open_log(&directory);
        log.set_high_watermark(world.log.view().high_watermark());
        let mut offset = 0;
        while offset < log.view().high_watermark() {
            match read_once(log.view(), offset, ReadUntil::HighWatermark) {
                Ok(batches) => {
                    let read = records_of(&batches);
                    assert!(read.iter().all(|it| before.contains(it)), "byte {position}");
                    offset = batches.last().map(end_of).unwrap();
                }
                Err(StorageError::Corrupt(_)) => offset += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let mut damaged = 0;
        verify(&*image, Path::new("/data"), |report: Report| {
            damaged += usize::from(report.is_damage());
        })
        .unwrap();
        assert_eq!(damaged, 1, "byte {position}");
    }
}
