//! Frames as their bytes arrive, and the memory that they take.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::FutureExt as _;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::ReadBuf;

use super::*;
use crate::peer::FRAME_BYTES_MIN;
use crate::peer::frame::{FrameBuilder, FrameKind, Strange};

/// Gives its pieces one by one, and then nothing more.
struct Pieces(VecDeque<Bytes>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.0.pop_front() else { return Poll::Pending };
        let rest = piece.split_off(piece.len().min(buffer.remaining()));
        buffer.put_slice(&piece);
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

fn reader(pieces: impl IntoIterator<Item = Bytes>) -> FrameReader<Pieces> {
    let accepts = Accepts::of(Kind::Groups, FRAME_BYTES_MIN);
    FrameReader::new(Pieces(pieces.into_iter().collect()), accepts)
}

fn next(reader: &mut FrameReader<Pieces>) -> Option<Result<Frame, Ended>> {
    // Timeouts need a runtime, though none of them is waited for.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { reader.next().now_or_never() })
}

/// A frame with so many bytes of records.
fn frame(records: usize) -> Bytes {
    let builder = FrameBuilder::new(FrameKind::Groups, 0);
    [&builder.finish(records)[..], &vec![7; records]].concat().into()
}

proptest! {
    #[test]
    fn frames_arrive_whole_however_they_are_cut(
        sizes in vec(prop_oneof![0..100usize, 60_000..70_000usize, 0..3_000_000usize], 0..6),
        cuts in vec(1..100_000usize, 1..20),
    ) {
        let mut bytes: Bytes = sizes.iter().flat_map(|size| frame(*size)).collect();
        let mut pieces = Vec::new();
        let mut cuts = cuts.iter().cycle();
        while !bytes.is_empty() {
            let cut = *cuts.next().unwrap();
            pieces.push(bytes.split_to(cut.min(bytes.len())));
        }
        let mut reader = reader(pieces);
        for size in sizes {
            let Some(Ok(frame)) = next(&mut reader) else { panic!() };
            prop_assert_eq!(frame.records.len(), size);
            prop_assert!(frame.records.iter().all(|byte| *byte == 7));
        }
        prop_assert!(next(&mut reader).is_none());
    }
}

#[test]
fn what_is_held_of_small_frames_holds_little_more() {
    const COUNT: usize = 1_000;
    let bytes = frame(1_000);
    let mut reader = reader(vec![bytes.clone(); COUNT]);
    let mut frames = Vec::with_capacity(COUNT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let taken = measure(|| {
        runtime.block_on(async {
            for _ in 0..COUNT {
                frames.push(reader.next().await.unwrap());
            }
        });
    });
    let all = i64::try_from(bytes.len() * COUNT).unwrap();
    assert!(taken.bytes_current < all * 2, "{} bytes for {all}", taken.bytes_current);
}

#[test]
fn a_large_frame_takes_memory_as_it_arrives_and_none_when_it_is_gone() {
    let mut whole = frame(32 << 20);
    let begins = whole.split_to(1_000);
    let mut reader = reader([begins]);
    let taken = measure(|| assert!(next(&mut reader).is_none()));
    assert!(taken.bytes_max < 3 << 20, "{} bytes for a thousand", taken.bytes_max);

    reader.stream.0.push_back(whole);
    let taken = measure(|| drop(next(&mut reader).unwrap().unwrap()));
    assert!(taken.bytes_current < 0, "what has arrived is given back as well");
}

#[test]
fn what_is_strange_is_known_before_it_is_there() {
    for (bytes, strange) in [
        (&[0, 0, 0, 9, 7][..], Strange::Kind(7)),
        (&[0, 0, 0, 8], Strange::Length { bytes: 8, limit: FRAME_BYTES_MIN - 4 }),
    ] {
        match next(&mut reader([Bytes::copy_from_slice(bytes)])) {
            Some(Err(Ended::Strange(found))) => assert_eq!(found, strange),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn room_is_given_back_when_the_last_who_holds_it_lets_go() {
    let room = Room::new(10 * UNIT_BYTES);
    let take = |bytes| room.take(bytes).now_or_never();
    let first = take(6 * UNIT_BYTES).unwrap();
    let passed_on = first.clone();
    let second = take(1).unwrap();
    assert!(take(4 * UNIT_BYTES).is_none());
    drop(first);
    assert!(take(4 * UNIT_BYTES).is_none(), "somebody still has it");
    drop(passed_on);
    assert!(take(4 * UNIT_BYTES).is_some());
    assert!(take(1 << 40).is_none());
    drop(second);
    assert!(take(1 << 40).is_some(), "all there is, for what is larger");
}

#[test]
fn what_came_is_divided_in_its_order() {
    let shard = |number: &i32| usize::try_from(number % 3).unwrap();
    assert_eq!(by_shard(vec![3, 0, 9], 3, shard), [(0, vec![3, 0, 9])]);
    assert_eq!(by_shard(vec![5, 3, 2, 0], 3, shard), [(0, vec![3, 0]), (2, vec![5, 2])]);
    assert_eq!(by_shard(Vec::new(), 3, shard), []);
}
