//! What waits: bounds, what is dropped, and that frames are made of all of it.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use logboom_raft::ReplicaId;

use super::*;
use crate::peer::FRAME_BYTES_MIN;
use crate::peer::beats::read_beats;
use crate::peer::codec::read_messages;
use crate::peer::frame::{Accepts, Frame, Split, split};
use crate::peer::roster::{GroupMessage, Kind};
use crate::peer::samples::{ENDS, data, empty_beat, group_message};

/// The frames of what was taken.
fn frames(kind: Kind, rope: &Rope) -> Vec<Frame> {
    let mut bytes = BytesMut::new();
    rope.iter().for_each(|slice| bytes.extend_from_slice(slice));
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        match split(&mut bytes, &Accepts::of(kind, FRAME_BYTES_MIN)) {
            Ok(Split::Frame(frame)) => frames.push(frame),
            other => panic!("{other:?}"),
        }
    }
    frames
}

fn open(bytes_max: usize) -> GroupBox {
    let mut outbox = GroupBox::new(bytes_max);
    outbox.open(ENDS, FRAME_BYTES_MIN);
    outbox
}

fn put(outbox: &mut GroupBox, number: u128, records: &[Bytes]) -> Result<(), NotTaken> {
    let (key, message) = data(number, 5);
    outbox.put(&key, &message, records)
}

proptest! {
    #[test]
    fn what_was_put_is_taken_in_its_order(messages in vec(group_message(), 0..40)) {
        let mut outbox = open(usize::MAX);
        for GroupMessage { key, message, records } in &messages {
            prop_assert_eq!(outbox.put(key, message, records), Ok(()));
        }
        let frames = frames(Kind::Groups, &outbox.take());
        let taken = frames.iter().flat_map(|frame| read_messages(frame, ENDS).unwrap());
        prop_assert_eq!(taken.collect::<Vec<_>>(), messages);
        prop_assert!(outbox.take().is_empty());
        prop_assert_eq!(outbox.bytes, 0);
    }
}

#[test]
fn records_are_not_copied() {
    let mut outbox = open(usize::MAX);
    let records = [Bytes::from(vec![1; 100]), Bytes::new(), Bytes::from(vec![2; 50])];
    put(&mut outbox, 1, &records).unwrap();
    let rope = outbox.take();
    let places: Vec<_> = rope.iter().skip(1).map(|slice| slice.as_ptr()).collect();
    assert_eq!(places, [records[0].as_ptr(), records[2].as_ptr()]);
}

#[test]
fn what_finds_no_room_is_not_taken() {
    let mut outbox = open(100_000);
    let records = [Bytes::from(vec![1; 30_000])];
    let taken = (0..10).take_while(|number| put(&mut outbox, *number, &records).is_ok()).count();
    assert_eq!(taken, 3);
    assert!(outbox.bytes <= 100_000 && outbox.room() < 30_000);
    assert_eq!(put(&mut outbox, 11, &records), Err(NotTaken::NoRoom));

    // What is being written still counts, until the next is taken.
    let written = outbox.take();
    assert_eq!(put(&mut outbox, 12, &records), Err(NotTaken::NoRoom));
    assert_eq!(frames(Kind::Groups, &written).len(), 1);
    assert!(outbox.take().is_empty());
    assert_eq!(put(&mut outbox, 13, &records), Ok(()));
}

#[test]
fn one_message_is_taken_whatever_its_size_where_nothing_waits() {
    let mut outbox = open(1_000);
    let records = [Bytes::from(vec![1; 30_000])];
    assert_eq!(put(&mut outbox, 1, &records), Ok(()));
    assert_eq!(put(&mut outbox, 2, &[]), Err(NotTaken::NoRoom));
}

#[test]
fn the_other_side_says_how_large_a_frame_may_be() {
    let mut outbox = GroupBox::new(usize::MAX);
    outbox.open(ENDS, 5_000);
    let largest = 5_000 - AROUND_BYTES - codec::size_max(&data(1, 5).1).unwrap();
    for (bytes, expected) in [(largest, Ok(())), (largest + 1, Err(NotTaken::TooLarge))] {
        assert_eq!(put(&mut outbox, 1, &[Bytes::from(vec![1; bytes])]), expected);
    }
    assert_eq!(put(&mut outbox, 1, &[Bytes::from(vec![1; largest])]), Ok(()));
    let frames = frames(Kind::Groups, &outbox.take());
    assert_eq!(frames.len(), 2, "each is a frame of its own");
}

#[test]
fn the_largest_frame_holds_one_message_with_one_batch() {
    let mut outbox = open(1_000);
    let records = [Bytes::from(vec![1; FRAME_BYTES_MIN - 1_000])];
    assert_eq!(put(&mut outbox, 1, &records), Ok(()));
    assert_eq!(frames(Kind::Groups, &outbox.take()).len(), 1);
}

#[test]
fn many_messages_are_several_frames() {
    let mut outbox = open(usize::MAX);
    let records = [Bytes::from(vec![1; GATHERED_BYTES / 4])];
    (0..8).for_each(|number| put(&mut outbox, number, &records).unwrap());
    let counts = frames(Kind::Groups, &outbox.take());
    let counts = counts.iter().map(|frame| read_messages(frame, ENDS).unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [3, 3, 2]);
}

#[test]
fn a_message_goes_to_its_own_addressee_or_nowhere() {
    let mut outbox = open(usize::MAX);
    let (key, message) = data(1, 5);
    let other = ReplicaId { directory: [9; 16], ..message.to };
    for wrong in [
        Message { to: other, ..message.clone() },
        Message { to: ReplicaId { broker: 9, ..message.to }, ..message.clone() },
        Message { from: ReplicaId { directory: [9; 16], ..message.from }, ..message.clone() },
    ] {
        assert_eq!(outbox.put(&key, &wrong, &[]), Err(NotTaken::OtherEnds));
    }
    let later = Message { to: ReplicaId { life: 9, ..message.to }, ..message };
    assert_eq!(outbox.put(&key, &later, &[]), Ok(()));
}

#[test]
fn nothing_that_waited_for_one_connection_waits_for_the_next() {
    let mut outbox = open(100_000);
    put(&mut outbox, 1, &[Bytes::from(vec![1; 90_000])]).unwrap();
    outbox.close();
    assert_eq!((outbox.room(), put(&mut outbox, 2, &[])), (0, Err(NotTaken::NoRoom)));
    outbox.open(ENDS, FRAME_BYTES_MIN);
    assert_eq!(outbox.room(), 100_000);
    assert!(outbox.take().is_empty());

    let mut beats = BeatBox::default();
    assert_eq!(beats.put(3, empty_beat(1)), Err(NotTaken::NoRoom));
    beats.open(ENDS, FRAME_BYTES_MIN);
    beats.put(3, empty_beat(2)).unwrap();
    beats.close();
    beats.open(ENDS, FRAME_BYTES_MIN);
    assert!(beats.take().is_empty());
}

#[test]
fn a_newer_beat_takes_the_place_of_one_that_waits() {
    let mut beats = BeatBox::default();
    beats.open(ENDS, FRAME_BYTES_MIN);
    for (lane, sequence) in [(3, 1), (5, 1), (3, 2), (3, 3)] {
        beats.put(lane, empty_beat(sequence)).unwrap();
    }
    let frames = frames(Kind::Beats, &beats.take());
    let taken: Vec<_> = frames.iter().map(|frame| read_beats(frame).unwrap()).collect();
    assert_eq!(taken, [vec![(3, empty_beat(3)), (5, empty_beat(1))]]);
}

#[test]
fn beats_that_do_not_fit_into_one_frame_are_several() {
    let key = |partition| GroupKey { topic_id: logboom_protocol::units::Uuid([9; 16]), partition };
    let lane = crate::peer::lane_of(&key(0));
    let large = |lane: u8, first: i32, count: i32| {
        let keys = (0..count).map(|at| key(first + at * 16));
        (lane, Beat { left: keys.collect(), ..empty_beat(1) })
    };
    let half = i32::try_from(BEATS_BYTES_MAX / 20 / 2).unwrap();
    let mut beats = BeatBox::default();
    beats.open(ENDS, FRAME_BYTES_MIN);
    let whole = [large(lane, 0, half), large((lane + 1) % 16, 1, half)];
    for (lane, beat) in &whole {
        beats.put(*lane, beat.clone()).unwrap();
    }
    let (of, beat) = large((lane + 2) % 16, 2, 2 * half);
    assert_eq!(beats.put(of, beat), Err(NotTaken::TooLarge));
    let frames = frames(Kind::Beats, &beats.take());
    let taken = frames.iter().map(|frame| read_beats(frame).unwrap().remove(0));
    assert_eq!(taken.collect::<Vec<_>>(), whole);
}
