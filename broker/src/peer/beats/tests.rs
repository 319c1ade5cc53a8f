//! Beats to bytes and back, and bytes that are none.

use allocation_counter::measure;
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use logboom_raft::Position;

use super::*;
use crate::peer::frame::BEATS_BYTES_MAX;
use crate::peer::samples::{beat, empty_beat};

/// Lists have the memory that their numbers of elements take, the beats' own doubles.
const MEMORY_PER_BYTE: u64 = 8;
const MEMORY_FLOOR: u64 = 8192;

fn frame<'a>(beats: impl IntoIterator<Item = &'a (u8, Beat<GroupKey>)>) -> Frame {
    let mut out = Writer::new(BytesMut::new());
    beats.into_iter().for_each(|(lane, beat)| write_beat(&mut out, *lane, beat));
    Frame { head: out.into_inner().freeze(), records: bytes::Bytes::new() }
}

/// Reads, and checks what that takes.
fn read(frame: &Frame) -> Result<Vec<(u8, Beat<GroupKey>)>, Strange> {
    let mut read = Ok(Vec::new());
    let taken = measure(|| read = read_beats(frame)).bytes_max;
    let limit = frame.head.len() as u64 * MEMORY_PER_BYTE + MEMORY_FLOOR;
    assert!(taken <= limit, "{taken} bytes for {}", frame.head.len());
    read
}

proptest! {
    #[test]
    fn beats_read_as_written(beats in vec(beat(), 0..=LANES)) {
        let frame = frame(&beats);
        prop_assert!(frame.head.len() <= beats.iter().map(|(_, beat)| size_max(beat)).sum());
        prop_assert_eq!(read(&frame), Ok(beats));
    }

    #[test]
    fn any_bytes_give_beats_or_say_what_is_wrong(
        beats in vec(beat(), 0..3),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in vec(any::<u8>(), 0..64),
        cut: prop::sample::Index,
    ) {
        let mut head = BytesMut::from(&[&frame(&beats).head[..], &noise].concat()[..]);
        for (at, byte) in flips {
            if !head.is_empty() {
                let at = at.index(head.len());
                head[at] = byte;
            }
        }
        head.truncate(cut.index(head.len() + 1));
        drop(read(&Frame { head: head.freeze(), records: bytes::Bytes::new() }));
    }
}

#[test]
fn a_beat_may_name_many_groups() {
    let key = |partition: i32| GroupKey { topic_id: Uuid([9; 16]), partition: partition * 16 };
    let lane = lane_of(&key(0));
    let named = |partition: i32| Named {
        key: key(partition),
        leader_life: 1,
        follower_life: 2,
        epoch: 3,
        commit: Position { epoch: 3, offset: i64::from(partition), control: 1 },
        log_start: 0,
    };
    let mut beat = empty_beat(1);
    beat.named = (0..100_000).map(named).collect();
    assert!(size_max(&beat) < BEATS_BYTES_MAX);
    let beats = [(lane, beat)];
    assert_eq!(read(&frame(&beats)).as_deref(), Ok(&beats[..]));
}

#[test]
fn a_group_of_another_lane_is_strange() {
    let key = GroupKey { topic_id: Uuid([9; 16]), partition: 3 };
    let lane = lane_of(&key);
    for of in 0..16 {
        let beat = Beat { left: vec![key], ..empty_beat(1) };
        let is_right = read(&frame(&[(of, beat)])).is_ok();
        assert_eq!(is_right, of == lane);
    }
}

#[test]
fn a_frame_has_a_beat_a_lane_at_most() {
    let beats = |count: usize| vec![(0, empty_beat(1)); count];
    assert!(read(&frame(&beats(LANES))).is_ok());
    let range = Strange::Range { what: "the number of beats" };
    assert_eq!(read(&frame(&beats(LANES + 1))), Err(range));
    let range = Strange::Range { what: "a lane" };
    assert_eq!(read(&frame(&[(16, empty_beat(1))])), Err(range));
}
