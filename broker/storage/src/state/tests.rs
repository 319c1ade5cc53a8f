//! The state store on a simulated disk: steps are atomic, rounds are durable, damage is named.

mod full;
mod model;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::*;

use logboom_protocol::units::Uuid;

use super::frame::FRAME_HEADER_BYTES;
use super::*;
use crate::SystemDisk;
use crate::disk::Disk;

fn key(number: u8) -> GroupKey {
    GroupKey { topic_id: Uuid([number; 16]), partition: i32::from(number) }
}

fn open(dir: &Path) -> Result<StateStore, StateError> {
    open_with(dir, StateOptions { reserve_bytes: 1 << 20, checkpoint_bytes: 256 << 10 })
}

fn open_with(dir: &Path, options: StateOptions) -> Result<StateStore, StateError> {
    StateStore::open_or_begin(Arc::new(SystemDisk), dir, options, 77)
}

fn created(number: u8) -> (GroupKey, StateRecord) {
    (key(number), StateRecord::Created { life: 0, creation_offset: 5 })
}

fn state(store: &StateStore, number: u8) -> Option<GroupState> {
    store.group(&key(number), |group| group.cloned())
}

fn file(dir: &Path) -> PathBuf {
    let mut files = SystemDisk.list(dir).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn what_was_committed_is_there_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(store.left_open(), None);
    let mark = OpenMark { boot_id: [9; 16], mount_id: 4 };
    let segment = SegmentEntry { base_offset: 0, generation: 0, sealed: None };
    let entry = ControlEntry { sequence: 1, epoch: 3, offset: 0, payload: Bytes::from("voters") };
    let checkpoint = Checkpoint {
        flushed_offset: 40,
        segment_base_offset: 0,
        position: 4096,
        high_watermark: 39,
        closed: true,
    };
    let producers = ProducerSnapshot {
        offset: 30,
        bytes: Some(Bytes::from("producers")),
        segment_base_offset: 0,
        position: 64,
        position_offset: 0,
    };
    store
        .commit(&[
            (GroupKey::DIRECTORY, StateRecord::Opened(mark)),
            created(1),
            (key(1), StateRecord::Vote { epoch: 3, voted_for: 7 }),
            (key(1), StateRecord::Epoch(EpochStart { epoch: 3, start_offset: 0 })),
            (key(1), StateRecord::Control(entry)),
            (key(1), StateRecord::Segment(segment)),
            (key(1), StateRecord::Checkpoint(checkpoint)),
            (key(1), StateRecord::Flags { caching: true, lossy: false }),
            (key(1), StateRecord::Producers(producers.clone())),
        ])
        .unwrap();
    store.commit(&[created(2)]).unwrap();
    let before = state(&store, 1);
    drop(store);
    // Twice: once from frames, once from the checkpoint that the first start wrote.
    for _ in 0..2 {
        let store = open(dir.path()).unwrap();
        assert_eq!(store.left_open(), Some(mark));
        assert_eq!(state(&store, 1), before);
        assert_eq!(store.keys().len(), 2);
    }
    let store = open(dir.path()).unwrap();
    store.commit(&[(GroupKey::DIRECTORY, StateRecord::Closed)]).unwrap();
    assert_eq!(open(dir.path()).unwrap().left_open(), None);
}

#[test]
fn a_torn_last_frame_is_dropped_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.commit(&[created(1)]).unwrap();
    store.commit(&[created(2), created(3)]).unwrap();
    drop(store);
    let path = file(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let last = 21 + 12 + 21 + 12 + FRAME_HEADER_BYTES;
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    for place in end - last..end {
        let mut torn = whole.clone();
        torn[place] ^= 0x55;
        std::fs::write(&path, &torn).unwrap();
        let store = open(dir.path()).unwrap();
        let present: Vec<bool> = (1..4).map(|n| state(&store, n).is_some()).collect();
        assert_eq!(present, [true, false, false], "byte {place}");
        drop(store);
        std::fs::remove_file(file(dir.path())).unwrap();
    }
}

#[test]
fn a_flipped_byte_before_the_last_frame_stops_the_start_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.commit(&[created(1)]).unwrap();
    store.commit(&[created(2)]).unwrap();
    drop(store);
    let path = file(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let last = end - (21 + 12 + FRAME_HEADER_BYTES);
    for place in 0..last {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let error = open(dir.path()).unwrap_err();
        let StateError::Damaged { path: named, position, .. } = &error else {
            panic!("byte {place}: {error}");
        };
        assert_eq!(named, &path);
        assert!(*position <= place as u64, "byte {place}: {error}");
    }
}

#[test]
fn an_unfinished_checkpoint_is_removed_and_the_file_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.commit(&[created(1)]).unwrap();
    drop(store);
    std::fs::write(dir.path().join("state.new"), b"half").unwrap();
    let store = open(dir.path()).unwrap();
    assert!(state(&store, 1).is_some());
    file(dir.path());
}

#[test]
fn checkpoints_keep_the_file_small_and_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    store.commit(&[created(1)]).unwrap();
    for epoch in 1..=20_000 {
        store.submit(
            &[(key(1), StateRecord::Vote { epoch, voted_for: 2 })],
            Box::new(|result| assert!(result.is_ok())),
        );
        if epoch % 100 == 0 {
            store.commit_round().unwrap();
        }
    }
    let before = state(&store, 1);
    drop(store);
    let length = std::fs::metadata(file(dir.path())).unwrap().len();
    assert!(length < 2 << 20, "{length}");
    assert_eq!(state(&open(dir.path()).unwrap(), 1), before);
}

#[test]
fn completions_come_once_and_only_after_their_round() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    for number in 1..=3 {
        let calls = Arc::clone(&calls);
        let done = Box::new(move |result: Result<(), StateError>| {
            result.unwrap();
            calls.fetch_add(1, Ordering::SeqCst);
        });
        store.submit(&[created(number)], done);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nothing was flushed yet");
    assert!(state(&store, 3).is_some(), "but it holds in memory");
    assert!(store.commit_round().unwrap());
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert!(!store.commit_round().unwrap(), "nothing is left");
}

#[test]
fn records_change_a_group_as_they_say() {
    let epoch = |epoch, start_offset| StateRecord::Epoch(EpochStart { epoch, start_offset });
    let segment = |base_offset, generation| {
        StateRecord::Segment(SegmentEntry { base_offset, generation, sealed: None })
    };
    let sealed = |length| StateRecord::Sealed(Sealed { length, max_timestamp: 7 });
    let control = |sequence, offset| {
        let payload = Bytes::new();
        StateRecord::Control(ControlEntry { sequence, epoch: 1, offset, payload })
    };
    let mut group = GroupState::new(0, 0);
    let apply = |group: &mut GroupState, records: &[StateRecord]| {
        records.iter().for_each(|record| group.apply(record).unwrap());
    };
    apply(&mut group, &[epoch(1, 0), segment(0, 0), control(1, 0)]);
    apply(&mut group, &[sealed(900), segment(100, 0)]);
    apply(&mut group, &[epoch(2, 150), control(2, 150)]);
    assert_eq!(
        [group.epoch_at(0), group.epoch_at(149), group.epoch_at(150)],
        [Some(1), Some(1), Some(2)]
    );

    // A cut in the second segment: it is sealed where it survives, a new one begins at the cut.
    let cut = StateRecord::Cut { offset: 120, epoch: 1, control_sequence: 1 };
    apply(&mut group, &[cut, sealed(300), segment(120, 1)]);
    let bases: Vec<i64> = group.segments.iter().map(|s| s.base_offset).collect();
    assert_eq!(bases, [0, 100, 120]);
    assert_eq!((group.epoch_at(200), group.controls.len()), (Some(1), 1));

    // A second cut at the same place replaces the segment that holds nothing.
    apply(&mut group, &[sealed(64), segment(120, 2)]);
    assert_eq!(group.segments.len(), 3);
    assert_eq!(group.segments[2].generation, 2);

    let log_start = |offset, control_sequence| {
        StateRecord::LogStart(LogStart { offset, epoch: 1, control_sequence })
    };
    apply(&mut group, &[log_start(110, 1)]);
    assert_eq!(group.controls, [], "a marker goes with what stands behind it");
    let bases: Vec<i64> = group.segments.iter().map(|s| s.base_offset).collect();
    assert_eq!(bases, [100, 120], "a segment goes when it lies wholly below");
    assert_eq!(group.epochs[..], [EpochStart { epoch: 1, start_offset: 0 }]);

    for misfit in [epoch(1, 500), segment(100, 9), log_start(1, 1), log_start(200, 0)] {
        assert!(group.clone().apply(&misfit).is_err(), "{misfit:?}");
    }
    let mut again = GroupState::new(group.life, group.creation_offset);
    apply(&mut again, &group.records()[1..]);
    assert_eq!(again, group, "a snapshot makes the same state");
}

#[test]
fn a_cleaned_segment_stands_for_those_that_it_was_made_from() {
    let mut group = GroupState::new(0, 0);
    let sealed = Some(Sealed { length: 900, max_timestamp: 7 });
    for (base_offset, sealed) in [(0, sealed), (10, sealed), (20, sealed), (30, None)] {
        let segment = SegmentEntry { base_offset, generation: 1, sealed };
        group.apply(&StateRecord::Segment(segment)).unwrap();
    }
    let snapshot = ProducerSnapshot {
        offset: 25,
        bytes: Some(Bytes::new()),
        segment_base_offset: 10,
        position: 500,
        position_offset: 15,
    };
    group.apply(&StateRecord::Producers(snapshot)).unwrap();
    let cleaned = |base_offset, end_offset, generation| {
        let sealed = Sealed { length: 400, max_timestamp: 5 };
        StateRecord::Cleaned(CleanedSegments { base_offset, end_offset, generation, sealed })
    };
    let before = group.clone();
    for (base_offset, end_offset, generation) in
        [(0, 20, 1), (5, 20, 2), (0, 15, 2), (20, 20, 2), (20, 10, 2), (0, 40, 2), (30, 40, 2)]
    {
        assert!(group.apply(&cleaned(base_offset, end_offset, generation)).is_err());
        assert_eq!(group, before, "{base_offset}..{end_offset}, {generation}");
    }
    group.apply(&cleaned(0, 30, 2)).unwrap();
    group.apply(&StateRecord::CleanOffset { offset: 30 }).unwrap();
    let entries: Vec<_> = group.segments.iter().map(|it| (it.base_offset, it.generation)).collect();
    assert_eq!(entries, [(0, 2), (30, 1)]);
    let producers = group.producers.as_deref().unwrap();
    // Where it pointed to is no place of the new file.
    assert_eq!((producers.segment_base_offset, producers.position), (0, 64));
    assert_eq!((producers.offset, producers.position_offset), (25, 0));
    let mut again = GroupState::new(0, 0);
    group.records()[1..].iter().for_each(|record| again.apply(record).unwrap());
    assert_eq!(again, group, "a checkpoint has all of it");
    group.apply(&StateRecord::Cut { offset: 28, epoch: 0, control_sequence: 0 }).unwrap();
    assert_eq!(group.clean_offset, 28);
}

fn any_sealed() -> impl Strategy<Value = Sealed> {
    (0..u32::MAX, any::<i64>()).prop_map(|(length, max_timestamp)| Sealed { length, max_timestamp })
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from)
}

/// What compaction writes down.
fn any_cleaned() -> impl Strategy<Value = StateRecord> {
    let cleaned = (any::<i64>(), any::<i64>(), any::<u32>(), any_sealed());
    prop_oneof![
        any::<i64>().prop_map(|offset| StateRecord::CleanOffset { offset }),
        cleaned.prop_map(|(base_offset, end_offset, generation, sealed)| {
            StateRecord::Cleaned(CleanedSegments { base_offset, end_offset, generation, sealed })
        }),
    ]
}

fn any_record() -> impl Strategy<Value = StateRecord> {
    let payload = proptest::collection::vec(any::<u8>(), 0..50);
    prop_oneof![
        (any::<[u8; 16]>(), any::<u64>())
            .prop_map(|(boot_id, mount_id)| StateRecord::Opened(OpenMark { boot_id, mount_id })),
        any::<u64>().prop_map(StateRecord::Run),
        any::<[u8; 16]>().prop_map(|id| StateRecord::Cluster(Uuid(id))),
        Just(StateRecord::Closed),
        Just(StateRecord::Removed),
        Just(StateRecord::Forgotten),
        (any::<u32>(), any::<i64>())
            .prop_map(|(life, creation_offset)| StateRecord::Created { life, creation_offset }),
        (any::<i32>(), any::<i32>())
            .prop_map(|(epoch, voted_for)| StateRecord::Vote { epoch, voted_for }),
        (any::<i32>(), any::<i64>()).prop_map(|(epoch, start_offset)| StateRecord::Epoch(
            EpochStart { epoch, start_offset }
        )),
        (any::<u64>(), any::<i32>(), any::<i64>(), payload).prop_map(
            |(sequence, epoch, offset, payload)| StateRecord::Control(ControlEntry {
                sequence,
                epoch,
                offset,
                payload: payload.into()
            })
        ),
        (any::<i64>(), any::<i32>(), any::<u64>()).prop_map(|(offset, epoch, control_sequence)| {
            StateRecord::Cut { offset, epoch, control_sequence }
        }),
        any::<u64>().prop_map(|from| StateRecord::ControlsDropped { from }),
        (any::<i64>(), any::<u32>(), proptest::option::of(any_sealed())).prop_map(
            |(base_offset, generation, sealed)| StateRecord::Segment(SegmentEntry {
                base_offset,
                generation,
                sealed
            })
        ),
        any_sealed().prop_map(StateRecord::Sealed),
        (any::<i64>(), any::<i32>(), any::<u64>()).prop_map(|(offset, epoch, control_sequence)| {
            StateRecord::LogStart(LogStart { offset, epoch, control_sequence })
        }),
        (any::<i64>(), any::<i64>(), any::<u32>(), any::<i64>()).prop_map(
            |(flushed_offset, segment_base_offset, position, high_watermark)| {
                let closed = flushed_offset % 2 == 0;
                StateRecord::Checkpoint(Checkpoint {
                    flushed_offset,
                    segment_base_offset,
                    position,
                    high_watermark,
                    closed,
                })
            }
        ),
        any::<i64>().prop_map(|offset| StateRecord::Reset { offset }),
        any_cleaned(),
        (any::<i64>(), any::<u32>(), proptest::option::of(any_bytes())).prop_map(
            |(offset, position, bytes)| {
                let (segment_base_offset, position_offset) = (offset / 2, offset / 3);
                StateRecord::Producers(ProducerSnapshot {
                    offset,
                    bytes,
                    segment_base_offset,
                    position,
                    position_offset,
                })
            }
        ),
        (any::<bool>(), any::<bool>())
            .prop_map(|(caching, lossy)| StateRecord::Flags { caching, lossy }),
    ]
}

proptest! {
    #[test]
    fn every_record_reads_back_and_none_is_longer_than_its_bytes(
        record in any_record(),
        topic_id: [u8; 16],
        partition: i32,
    ) {
        let key = GroupKey { topic_id: Uuid(topic_id), partition };
        let mut bytes = Vec::new();
        record.encode(&key, &mut bytes);
        let mut rest = &bytes[..];
        prop_assert_eq!(StateRecord::decode(&mut rest), Ok((key, record)));
        prop_assert!(rest.is_empty());
        for cut in 0..bytes.len() {
            prop_assert!(StateRecord::decode(&mut &bytes[..cut]).is_err());
        }
    }
}
