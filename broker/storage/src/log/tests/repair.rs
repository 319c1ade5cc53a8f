//! Damage in sealed segments: found by a scrub, and made good from another replica, through every
//! flipped byte and over power cuts.

use super::clean::{self, COMPACTION, Unpaced, pairs};
use super::producers::{is_duplicate, new_log, produced};
use super::*;
use crate::producers::{BatchFacts, Verdict};
use crate::sim::{Fault, Operation, Unflushed};
use crate::{Damage, OtherReplicas, RepairError, Report, Scrubbed};

/// A replica of the same log that is whole, and how its answers are spoiled, if they are.
struct Healthy<'a> {
    view: &'a Arc<LogView>,
    spoil: Option<fn(Vec<u8>) -> Vec<u8>>,
    asked: Vec<(i64, i64)>,
    refused: Vec<String>,
}

impl<'a> Healthy<'a> {
    fn new(log: &'a Log) -> Self {
        Self { view: log.view(), spoil: None, asked: Vec::new(), refused: Vec::new() }
    }
}

impl OtherReplicas for Healthy<'_> {
    fn fetch(&mut self, offset: i64, until: i64, compacted_to: i64) -> Option<Bytes> {
        if !self.refused.is_empty() || self.view.compacted_to() < compacted_to {
            return None;
        }
        self.asked.push((offset, until));
        let batches = read_once(self.view, offset, ReadUntil::End).unwrap();
        let below = batches.into_iter().take_while(|batch| base_of(batch) < until);
        let bytes = below.collect::<Vec<_>>().concat();
        Some(self.spoil.map_or(bytes.clone(), |spoil| spoil(bytes)).into())
    }

    fn refuse(&mut self, why: &Damage) {
        self.refused.push(why.to_string());
    }
}

/// Nobody else.
struct Nobody;

impl OtherReplicas for Nobody {
    fn fetch(&mut self, _: i64, _: i64, _: i64) -> Option<Bytes> {
        None
    }

    fn refuse(&mut self, _: &Damage) {
        unreachable!("nobody has answered");
    }
}

/// A closed log of several segments on its disk.
fn written() -> Arc<SimDisk> {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..16 {
        log.append(&[batch(log.end_offset(), 0, 1 + i % 3, 60 + i * 11)]).unwrap();
        assert!(flush(&directory, &mut log));
        log.set_high_watermark(log.end_offset());
    }
    log.close().unwrap();
    directory.close().unwrap();
    disk
}

/// The log of a disk, all of it committed.
fn opened(disk: &Arc<SimDisk>) -> (Directory, Log) {
    let directory = open_directory(disk, BOOT);
    let (mut log, _) = open_log(&directory);
    log.set_high_watermark(log.end_offset());
    (directory, log)
}

fn copy_of(disk: &Arc<SimDisk>) -> Arc<SimDisk> {
    disk.kill_image(disk.trace_len())
}

/// Looks through all that can be looked through.
fn scrub(log: &Log) -> Vec<Scrubbed> {
    let (mut offset, mut all) = (0, Vec::new());
    while let Some(scrubbed) = log.view().scrub(offset, &mut Unpaced).unwrap() {
        offset = scrubbed.end_offset;
        all.push(scrubbed);
    }
    all
}

/// Repairs one segment; whether there was one.
fn repair(log: &mut Log, others: &mut dyn OtherReplicas) -> Result<bool, RepairError> {
    let Some(made) = log.view().repair(others, &mut Unpaced)? else { return Ok(false) };
    assert!(log.swap(made).unwrap(), "nothing happened meanwhile");
    Ok(true)
}

fn is_whole(disk: &SimDisk) -> Result<(), String> {
    let mut reports = Vec::new();
    crate::verify(disk, Path::new("/data"), |report| reports.push(report)).unwrap();
    match reports[..] {
        [Report::Whole { .. }] => Ok(()),
        _ => Err(format!("{reports:?}")),
    }
}

#[test]
fn every_flipped_byte_of_a_sealed_segment_is_found_and_made_good() {
    let whole = written();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let all = read_all(healthy.view(), 0, ReadUntil::End).unwrap();
    let files = segment_files(&whole);
    let mut flipped = 0;
    for path in &files[..files.len() - 1] {
        let bytes = whole.read_file(path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        for position in 0..=used {
            let disk = copy_of(&whole);
            disk.flip(path, position as u64, u8::try_from(position % 8).unwrap());
            let place = format!("{} byte {position}", path.display());
            let (directory, mut log) = opened(&disk);
            let found: Vec<_> = scrub(&log).into_iter().filter_map(|it| it.damage).collect();
            assert!(found.len() == 1 && found[0].0.path == *path, "{place}: {found:?}");
            assert_eq!(log.view().damage(), Some(found[0].1.clone()), "{place}");
            assert_eq!(directory.take_suspects().len(), 1, "{place}");
            let mut others = Healthy::new(&healthy);
            assert!(repair(&mut log, &mut others).unwrap(), "{place}");
            assert_eq!(log.view().damage(), None, "{place}");
            assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap(), all, "{place}");
            is_whole(&disk).unwrap_or_else(|what| panic!("{place}: {what}"));
            if position >= 64 {
                let (from, until) = (found[0].1.start, found[0].1.end);
                let is_missing = |it: &(i64, i64)| it.0 >= from && it.1 == until;
                assert!(others.asked.iter().all(is_missing), "{place}: no more");
            }
            flipped += 1;
        }
    }
    assert!(flipped > 1000, "{flipped}");
}

#[test]
fn files_that_are_gone_cut_short_or_unreadable_are_made_good() {
    let whole = written();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let all = read_all(healthy.view(), 0, ReadUntil::End).unwrap();
    let second = segment_files(&whole)[1].clone();
    for damage in 0..3 {
        let disk = copy_of(&whole);
        let path = second.clone();
        match damage {
            0 => crate::Disk::remove(&*disk, &path).unwrap(),
            1 => disk.truncate(&path, 300),
            _ => {}
        }
        let (_directory, mut log) = opened(&disk);
        if damage == 2 {
            // The header is read, and of the batches nothing.
            let is_it = move |read: &Path| read == path;
            disk.set_fault(Fault::new(Operation::Read, 5).at(is_it).after(1).always());
        }
        let found: Vec<_> = scrub(&log).into_iter().filter_map(|it| it.damage).collect();
        assert_eq!(found.len(), 1, "{damage}: {found:?}");
        let what = &found[0].0.what;
        let is_named = match damage {
            0 => *what == Damage::Missing,
            1 => matches!(what, Damage::Short { present: 300, .. }),
            _ => matches!(what, Damage::Unreadable(_)),
        };
        assert!(is_named, "{what:?}");
        assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
        disk.clear_faults();
        assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap(), all);
        is_whole(&disk).unwrap();
    }
}

#[test]
fn what_is_damaged_in_the_tail_is_sealed_at_the_start_and_made_good() {
    let whole = written();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let all = read_all(healthy.view(), 0, ReadUntil::End).unwrap();
    // After a kill without a checkpoint the last segment is read, and found to be damaged.
    let disk = SimDisk::new();
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let open = |disk: &Arc<SimDisk>| {
        let disk: Arc<SimDisk> = Arc::clone(disk);
        Directory::open(disk, Path::new("/data"), options, BOOT, 3).unwrap()
    };
    let directory = open(&disk);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for i in 0..16 {
        log.append(&[batch(log.end_offset(), 0, 1 + i % 3, 60 + i * 11)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    let disk = copy_of(&disk);
    let last = segment_files(&disk).pop().unwrap();
    disk.flip(&last, 64 + 150, 2);
    let directory = open(&disk);
    let (mut log, findings) = directory.open_log(KEY, LogOptions::default()).unwrap();
    let [Finding::Damaged { offset, end_offset, .. }] = findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!(log.view().damage(), Some(offset..end_offset));
    assert_eq!(directory.take_suspects(), [(KEY, offset)]);
    let mut others = Healthy::new(&healthy);
    assert!(!repair(&mut log, &mut others).unwrap(), "it isn't known to be committed");
    assert_eq!(others.asked, []);
    log.set_high_watermark(log.end_offset());
    assert!(repair(&mut log, &mut others).unwrap());
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap(), all);
    let state = directory.state();
    assert!(!state.group(&KEY, |group| group.unwrap().lossy), "a part that is known is missing");
}

#[test]
fn what_a_reader_meets_in_the_last_segment_is_sealed_off_and_made_good() {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    log.append(&[batch(0, 0, 1, 300), batch(1, 0, 1, 300)]).unwrap();
    assert!(flush(&directory, &mut log));
    // So that a start needn't read it for its producers.
    log.set_high_watermark(2);
    log.close().unwrap();
    directory.close().unwrap();
    let (_healthy_directory, healthy) = opened(&copy_of(&disk));
    disk.flip(&segment_files(&disk)[0], 64 + 200, 1);
    let (directory, mut log) = opened(&disk);
    let error = read_all(log.view(), 0, ReadUntil::End).unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    assert_eq!(directory.take_suspects(), [(KEY, 0)]);
    assert_eq!(scrub(&log), [], "it is written to");
    log.seal_at(0).unwrap();
    log.seal_at(2).unwrap();
    assert_eq!(segment_files(&disk).len(), 2, "the new one holds nothing");
    let found = scrub(&log);
    assert_eq!(found[0].damage.as_ref().unwrap().1, 0..1);
    assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
    let all = read_all(healthy.view(), 0, ReadUntil::End).unwrap();
    assert_eq!(read_all(log.view(), 0, ReadUntil::End).unwrap(), all);
    log.append(&[batch(2, 0, 1, 300)]).unwrap();
    assert!(flush(&directory, &mut log));
}

#[test]
fn a_last_batch_that_was_written_whole_and_is_broken_makes_the_replica_lossy() {
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let disk = SimDisk::new();
    let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
    let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 4).unwrap();
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    for offset in 0..3 {
        log.append(&[batch(offset, 0, 1, 1500)]).unwrap();
        assert!(flush(&directory, &mut log));
    }
    let path = segment_files(&disk).pop().unwrap();
    let used = disk.read_file(&path).unwrap().iter().rposition(|&byte| byte != 0).unwrap() as u64;
    let third = 64 + (used - 64) / 3 * 2 + 40;
    // A byte of its header, one in its middle; a sector that wasn't written, its end.
    for (at, bytes, is_lossy) in [
        (third, &[0xff][..], true),
        (third + 700, &[0xff], true),
        ((third / 512 + 2) * 512, &[0; 512], false),
        (used / 512 * 512, &[0; 600], false),
    ] {
        let disk = copy_of(&disk);
        disk.overwrite(&path, at, bytes);
        let dyn_disk: Arc<SimDisk> = Arc::clone(&disk);
        let directory = Directory::open(dyn_disk, Path::new("/data"), options, BOOT, 5).unwrap();
        let (log, findings) = directory.open_log(KEY, LogOptions::default()).unwrap();
        assert!(matches!(findings[..], [Finding::TornTail { .. }]), "{at}: {findings:?}");
        assert_eq!(log.end_offset(), 2, "{at}");
        assert_eq!(directory.state().group(&KEY, |group| group.unwrap().lossy), is_lossy, "{at}");
    }
}

#[test]
fn answers_that_are_not_what_was_asked_for_change_nothing() {
    let whole = written();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let spoils: [fn(Vec<u8>) -> Vec<u8>; 6] = [
        |_| Vec::new(),
        |_| vec![7; 500],
        |bytes| bytes[..bytes.len() - 1].to_vec(),
        |mut bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            bytes
        },
        // Another offset, another epoch: what the checksum doesn't cover.
        |mut bytes| {
            bytes[7] ^= 1;
            bytes
        },
        |mut bytes| {
            bytes[15] ^= 1;
            bytes
        },
    ];
    for (i, spoil) in spoils.into_iter().enumerate() {
        let disk = copy_of(&whole);
        let path = segment_files(&disk)[1].clone();
        disk.flip(&path, 64 + 100, 1);
        let (_directory, mut log) = opened(&disk);
        assert_eq!(scrub(&log).iter().filter(|it| it.damage.is_some()).count(), 1);
        let (files, damage) = (segment_files(&disk), log.view().damage());
        let mut others = Healthy { spoil: Some(spoil), ..Healthy::new(&healthy) };
        let error = repair(&mut log, &mut others).unwrap_err();
        assert!(matches!(error, RepairError::Nobody(_)), "{i}: {error}");
        assert_eq!((others.refused.len(), segment_files(&disk)), (1, files), "{i}");
        assert_eq!(log.view().damage(), damage, "{i}: it is tried again");
        let error = repair(&mut log, &mut Nobody).unwrap_err();
        assert!(matches!(error, RepairError::Nobody(_)), "{i}: {error}");
        assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap(), "{i}");
        is_whole(&disk).unwrap();
    }
}

#[test]
fn damage_around_the_log_start_is_made_good_though_others_have_deleted_what_is_below() {
    let whole = written();
    let (_healthy_directory, mut healthy) = opened(&copy_of(&whole));
    let disk = copy_of(&whole);
    let path = segment_files(&disk)[1].clone();
    let (_directory, log) = opened(&disk);
    let damaged = log.view().settled()[1].clone();
    let (base, end) = (damaged.base_offset, damaged.end_offset());
    drop((log, _directory));
    // All of its file, so that it is one hole.
    disk.flip(&path, 20, 1);
    for start in base + 1..end {
        healthy.set_log_start(start).unwrap();
        let disk = copy_of(&disk);
        let (_directory, mut log) = opened(&disk);
        log.set_log_start(start).unwrap();
        let found = scrub(&log).into_iter().filter_map(|it| it.damage).map(|(_, range)| range);
        assert!(found.eq(std::iter::once(base..end)), "{start}");
        let mut others = Healthy::new(&healthy);
        assert!(repair(&mut log, &mut others).unwrap(), "{start}");
        assert!(others.asked.iter().all(|(offset, _)| *offset >= start), "{:?}", others.asked);
        assert_eq!(log.view().damage(), None, "{start}");
        let read = |log: &Log| read_all(log.view(), start, ReadUntil::End).unwrap();
        assert_eq!(read(&log), read(&healthy), "{start}");
        log.close().unwrap();
        is_whole(&disk).unwrap();
    }
}

#[test]
fn what_is_damaged_below_the_log_start_alone_is_asked_of_nobody() {
    let disk = written();
    let (directory, log) = opened(&disk);
    let segment = log.view().settled()[1].clone();
    let Some((second, _, _)) = log.view().batch_at(&segment, segment.end_offset() - 1).unwrap()
    else {
        panic!()
    };
    let last = read_once(log.view(), segment.end_offset() - 1, ReadUntil::End).unwrap();
    let start = base_of(&last[0]);
    drop((log, directory));
    disk.flip(&segment_files(&disk)[1], 64 + 70, 1);
    assert!(second > 64 + 70);
    let (_directory, mut log) = opened(&disk);
    log.set_log_start(start).unwrap();
    assert_eq!(scrub(&log).iter().filter(|it| it.damage.is_some()).count(), 1);
    assert!(repair(&mut log, &mut Nobody).unwrap());
    assert_eq!(read_all(log.view(), start, ReadUntil::End).unwrap()[0], last[0]);
    log.close().unwrap();
    is_whole(&disk).unwrap();
}

/// A log of a few keys, written over and over.
fn keyed(compacts: bool) -> Arc<SimDisk> {
    let disk = SimDisk::new();
    let directory = open_directory(&disk, BOOT);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = open_log(&directory);
    for i in 0..60_u8 {
        let value = Some(vec![i; 90]);
        let of = [(i % 5, value)];
        log.append(&[pairs(log.end_offset(), 0, Codec::None, None, &of)]).unwrap();
        assert!(flush(&directory, &mut log));
        log.set_high_watermark(log.end_offset());
    }
    if compacts {
        assert!(clean::clean(&mut log, 5_000).removed_records > 20);
    }
    log.close().unwrap();
    directory.close().unwrap();
    disk
}

#[test]
fn of_a_replica_that_was_compacted_the_gaps_are_taken_and_of_one_that_was_not_nothing() {
    let (compacted, plain) = (keyed(true), keyed(false));
    let disk = copy_of(&plain);
    let path = segment_files(&disk)[0].clone();
    disk.flip(&path, 64 + 400, 1);
    let (_directory, mut log) = opened(&disk);
    let damaged = scrub(&log).into_iter().find_map(|it| it.damage).unwrap().1;
    let (_other, healthy) = opened(&compacted);
    assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
    clean::check_continuous(&log);
    is_whole(&disk).unwrap();
    let batch = &read_once(log.view(), damaged.start, ReadUntil::End).unwrap()[0];
    let header = *RawBatches::new(batch).next().unwrap().unwrap().header();
    assert_eq!((header.base_offset, header.record_count), (damaged.start, 0));
    assert_eq!(i64::from(header.last_offset_delta), damaged.end - damaged.start - 1);
    // The other way round records would come back that are gone.
    let disk = copy_of(&compacted);
    let path = segment_files(&disk)[0].clone();
    disk.flip(&path, 64 + 30, 1);
    let (_directory, mut log) = opened(&disk);
    assert!(scrub(&log).iter().any(|it| it.damage.is_some()));
    let (_other, healthy) = opened(&plain);
    let error = repair(&mut log, &mut Healthy::new(&healthy)).unwrap_err();
    assert!(matches!(error, RepairError::Nobody(_)), "{error}");
    assert!(log.view().cleanable(i64::MAX, 9_000, &COMPACTION).unwrap().dirty_bytes == 0);
    let (_other, healthy) = opened(&copy_of(&compacted));
    assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
    clean::check_continuous(&log);
}

#[test]
fn a_producer_whose_last_batch_was_damaged_is_known_again_behind_the_repair() {
    let state = |base_sequence| logboom_protocol::records::ProducerState {
        id: 9,
        epoch: 0,
        base_sequence,
        transactional: false,
    };
    let numbered = |offset: i64, sequence| {
        pairs(offset, 0, Codec::None, Some(state(sequence)), &[(1, Some(vec![3; 90]))])
    };
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..options() };
    let open = |disk: &Arc<SimDisk>| {
        let disk: Arc<SimDisk> = Arc::clone(disk);
        Directory::open(disk, Path::new("/data"), options, BOOT, 3).unwrap()
    };
    let disk = SimDisk::new();
    let directory = open(&disk);
    directory.create(KEY, 0).unwrap();
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    log.append(&[batch(0, 0, 1, 50), numbered(1, 0), batch(2, 0, 1, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    let (_healthy_directory, disk) = (open(&copy_of(&disk)), copy_of(&disk));
    let (healthy, _) = _healthy_directory.open_log(KEY, LogOptions::default()).unwrap();
    let path = segment_files(&disk).pop().unwrap();
    let first = read_once(healthy.view(), 0, ReadUntil::End).unwrap()[0].len();
    disk.flip(&path, 64 + first as u64 + 70, 1);
    let directory = open(&disk);
    let (mut log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
    assert!(log.producers().entry(9).is_none());
    log.append(&[batch(3, 0, 1, 50)]).unwrap();
    assert!(flush(&directory, &mut log));
    log.set_high_watermark(4);
    assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
    let again = BatchFacts::new(numbered(4, 0).header(), None);
    let verdict = log.producers().check(&again).unwrap();
    assert!(matches!(verdict, Verdict::Duplicate { base_offset: 1, .. }), "{verdict:?}");
    log.append(&[numbered(4, 1)]).unwrap();
}

/// A log as a kill leaves it, without a snapshot of its producers: two batches of new producers
/// have a segment, then a batch of nobody has one, and so on. Returns those of producers.
fn killed() -> (Arc<SimDisk>, Vec<StampedBatch>) {
    let disk = SimDisk::new();
    let (directory, mut log) = new_log(&disk);
    let mut all = Vec::new();
    for id in [0, 2, 4] {
        let end = log.end_offset();
        let two = [produced(end, id, 0), produced(end + 2, id + 1, 0)];
        log.append(&two).unwrap();
        log.append(&[batch(end + 4, 0, 1, 1_900)]).unwrap();
        assert!(flush(&directory, &mut log));
        all.extend(two);
    }
    assert_eq!(segment_files(&disk).len(), 6);
    (disk.kill_image(disk.trace_len()), all)
}

#[test]
fn producers_in_a_segment_that_a_start_cannot_read_are_known_again_behind_the_repair() {
    let (whole, produced) = killed();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let path = segment_files(&whole)[2].clone();
    for damage in 0..3 {
        let disk = copy_of(&whole);
        match damage {
            0 => crate::Disk::remove(&*disk, &path).unwrap(),
            1 => disk.truncate(&path, 100),
            _ => disk.flip(&path, 20, 1),
        }
        let directory = open_directory(&disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        let [Finding::Damaged { offset: 5, end_offset: 9, .. }] = findings[..] else {
            panic!("{damage}: {findings:?}")
        };
        assert_eq!(log.view().damage(), Some(5..9), "whoever has damage doesn't campaign");
        let known: Vec<bool> = produced.iter().map(|batch| is_duplicate(&log, batch)).collect();
        assert_eq!(known, [true, true, false, false, true, true]);
        log.set_high_watermark(log.end_offset());
        // What was before the log start is kept, and doesn't hide what is missing behind it.
        log.set_log_start(5).unwrap();
        assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
        assert!(produced.iter().all(|batch| is_duplicate(&log, batch)), "{damage}");
        drop((log, directory));
        let (_directory, log) = opened(&copy_of(&disk));
        assert!(produced.iter().all(|batch| is_duplicate(&log, batch)), "{damage}");
    }
}

#[test]
fn what_a_start_could_not_read_for_a_moment_is_served_again_and_its_producers_are_known() {
    let (disk, produced) = killed();
    let path = segment_files(&disk)[2].clone();
    disk.set_fault(Fault::new(Operation::Read, 5).at(move |read: &Path| read == path).always());
    let (_directory, mut log) = opened(&disk);
    assert_eq!(log.view().damage(), Some(5..9));
    disk.clear_faults();
    log.view().look_again(&mut Unpaced).unwrap();
    assert_eq!(log.view().damage(), None);
    log.remember_anew();
    assert!(produced.iter().all(|batch| is_duplicate(&log, batch)));
}

#[test]
fn a_power_cut_in_a_repair_leaves_the_damage_or_what_is_good() {
    let whole = written();
    let (_directory, healthy) = opened(&copy_of(&whole));
    let all = read_all(healthy.view(), 0, ReadUntil::End).unwrap();
    let run = |ignored: Option<usize>| {
        let disk = copy_of(&whole);
        let path = segment_files(&disk)[1].clone();
        disk.flip(&path, 64 + 100, 1);
        ignored.into_iter().for_each(|count| disk.without_sync(count));
        let (directory, mut log) = opened(&disk);
        scrub(&log);
        let begun = disk.trace_len();
        assert!(repair(&mut log, &mut Healthy::new(&healthy)).unwrap());
        disk.mark(1);
        // Whoever reads on later finds it as it is.
        drop((log, directory));
        (disk, begun)
    };
    let check = |disk: &Arc<SimDisk>, at: usize, unflushed: &Unflushed| -> Result<(), String> {
        let image = disk.crash_image(at, unflushed);
        let is_repaired = !disk.marks_before(at).is_empty();
        let opened = std::panic::catch_unwind(|| {
            let directory = open_directory(&image, OTHER_BOOT);
            let (mut log, findings) = open_log(&directory);
            assert_eq!(findings, []);
            log.set_high_watermark(log.end_offset());
            (directory, log)
        });
        let Ok((_directory, mut log)) = opened else { return Err("not opened".to_owned()) };
        if log.end_offset() != end_of(all.last().unwrap()) {
            return Err(format!("ends at {}", log.end_offset()));
        }
        let found = scrub(&log).into_iter().filter(|it| it.damage.is_some()).count();
        if is_repaired && found > 0 {
            return Err("it is damaged again".to_owned());
        }
        while repair(&mut log, &mut Healthy::new(&healthy)).map_err(|it| it.to_string())? {}
        let is_all = read_all(log.view(), 0, ReadUntil::End).is_ok_and(|read| read == all);
        if is_all { Ok(()) } else { Err("something is missing".to_owned()) }
    };
    let (disk, begun) = run(None);
    let cuts = |disk: &Arc<SimDisk>| {
        let seeds = u64::from(size("LOGBOOM_POWER_SUBSETS", 3));
        let all = (begun..=disk.trace_len()).flat_map(|at| {
            let random = (0..seeds).map(move |seed| Unflushed::Seeded(seed * 7919 + at as u64));
            [Unflushed::None, Unflushed::All].into_iter().chain(random).map(move |it| (at, it))
        });
        all.collect::<Vec<_>>()
    };
    for (at, unflushed) in cuts(&disk) {
        let checked = check(&disk, at, &unflushed);
        assert_eq!(checked, Ok(()), "{at}, {unflushed:?}\n{}", disk.trace().join("\n"));
    }
    // The file, its name, the frame: each is needed.
    let syncs: Vec<_> = disk.syncs().into_iter().map(|sync| sync.count).rev().take(3).collect();
    for count in syncs {
        let (disk, _) = run(Some(count));
        let fails = cuts(&disk).iter().any(|(at, it)| check(&disk, *at, it).is_err());
        assert!(fails, "flush {count} is not needed");
    }
}
