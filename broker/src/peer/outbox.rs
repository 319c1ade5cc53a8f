//! What waits to be written to a connection: beats, of which only the newest count, and messages of
//! groups, of which none is kept that finds no room.
//!
//! Must always hold: what waits, and what is being written, has a bound in bytes; an outbox of a
//! connection that has ended is empty, so nothing that is out of date is ever sent.

use std::collections::VecDeque;

use bytes::Bytes;

use logboom_raft::{Append, Beat, Body, Content, Message};
use logboom_storage::state::GroupKey;

use super::beats;
use super::codec::{self, Ends};
use super::frame::{AROUND_BYTES, BEATS_BYTES_MAX, FrameBuilder, FrameKind, MESSAGES_BYTES_MAX};
use super::lanes::LANES;

/// Messages are gathered in a frame until it has so many bytes.
const GATHERED_BYTES: usize = 1 << 20;
const _: () = assert!(GATHERED_BYTES <= MESSAGES_BYTES_MAX);
/// Bytes with which a head's buffer begins.
const HEAD_BYTES: usize = 512;

/// Bytes on their way to a socket, in order.
pub(super) type Rope = VecDeque<Bytes>;

/// What waits for a connection.
pub(super) trait Outbox {
    /// The other side has said what it takes; nothing waits yet.
    fn open(&mut self, ends: Ends, frame_bytes_max: usize);

    /// The connection has ended: nothing waits any more, and nothing is taken.
    fn close(&mut self);

    /// Everything that waits, as frames; what was taken before is written.
    fn take(&mut self) -> Rope;
}

/// The beats that wait: of each lane the newest.
#[derive(Debug, Default)]
pub(super) struct BeatBox {
    is_open: bool,
    waiting: Vec<(u8, Beat<GroupKey>)>,
}

impl BeatBox {
    /// Takes a beat, in the place of the one of its lane that still waits.
    ///
    /// # Errors
    /// [`NotTaken`], and nothing has changed.
    pub(super) fn put(&mut self, lane: u8, beat: Beat<GroupKey>) -> Result<(), NotTaken> {
        debug_assert!(usize::from(lane) < LANES, "lane {lane}");
        if !self.is_open {
            return Err(NotTaken::NoRoom);
        }
        if beats::size_max(&beat) > BEATS_BYTES_MAX {
            return Err(NotTaken::TooLarge);
        }
        match self.waiting.iter_mut().find(|(of, _)| *of == lane) {
            Some((_, waiting)) => *waiting = beat,
            None => self.waiting.push((lane, beat)),
        }
        Ok(())
    }
}

impl Outbox for BeatBox {
    fn open(&mut self, _ends: Ends, _frame_bytes_max: usize) {
        self.is_open = true;
    }

    fn close(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self) -> Rope {
        let mut rope = Rope::new();
        let mut frame: Option<FrameBuilder> = None;
        for (lane, beat) in self.waiting.drain(..) {
            let size_max = beats::size_max(&beat);
            let is_full =
                |frame: &mut FrameBuilder| frame.head_bytes() + size_max > BEATS_BYTES_MAX;
            rope.extend(frame.take_if(is_full).map(|full| full.finish(0)));
            let frame =
                frame.get_or_insert_with(|| FrameBuilder::new(FrameKind::Beats, HEAD_BYTES));
            beats::write_beat(&mut frame.head, lane, &beat);
        }
        rope.extend(frame.map(|last| last.finish(0)));
        rope
    }
}

/// Why something isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// There is no connection, or no room. It may be offered again.
    NoRoom,
    /// It isn't for the broker and the directory at the other end, or not from those at this one.
    OtherEnds,
    /// The other side would never take it.
    TooLarge,
}

/// The messages of groups that wait.
#[derive(Debug)]
pub(super) struct GroupBox {
    /// The most bytes that wait and are being written; one message is taken whatever its size where
    /// there are none.
    bytes_max: usize,
    open: Option<Open>,
    frames: VecDeque<Gathered>,
    /// Of `frames`, and of what was taken last.
    bytes: usize,
    taken_bytes: usize,
}

#[derive(Debug)]
struct Open {
    ends: Ends,
    frame_bytes_max: usize,
}

/// Messages of one frame.
#[derive(Debug)]
struct Gathered {
    builder: FrameBuilder,
    records: Vec<Bytes>,
    records_bytes: usize,
}

impl GroupBox {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (open, frames) = (None, VecDeque::new());
        Self { bytes_max, open, frames, bytes: 0, taken_bytes: 0 }
    }

    /// Bytes for which there is room now.
    pub(super) fn room(&self) -> usize {
        let is_open = self.open.is_some();
        if is_open { self.bytes_max.saturating_sub(self.bytes) } else { 0 }
    }

    /// Bytes that wait and are being written, if there is a connection.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.open.as_ref().map(|_| self.bytes)
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`NotTaken`], and nothing has changed.
    pub(super) fn put(
        &mut self,
        key: &GroupKey,
        message: &Message,
        records: &[Bytes],
    ) -> Result<(), NotTaken> {
        debug_assert!(records.is_empty() || takes_records(message), "{message:?}");
        let open = self.open.as_ref().ok_or(NotTaken::NoRoom)?;
        if !open.ends.are_of(message) {
            return Err(NotTaken::OtherEnds);
        }
        let records_bytes: usize = records.iter().map(Bytes::len).sum();
        let length = u32::try_from(records_bytes).map_err(|_| NotTaken::TooLarge)?;
        let head_max = codec::size_max(message).ok_or(NotTaken::TooLarge)?;
        let more_max = head_max + records_bytes;
        if AROUND_BYTES + more_max > open.frame_bytes_max {
            return Err(NotTaken::TooLarge);
        }
        if self.bytes > 0 && AROUND_BYTES + more_max > self.room() {
            return Err(NotTaken::NoRoom);
        }
        let (frame_bytes_max, version) = (open.frame_bytes_max, open.ends.version);
        let frame = self.frame_for(more_max, frame_bytes_max);
        let before = frame.bytes();
        codec::write_message(&mut frame.builder.head, version, key, message, length);
        frame.records.extend(records.iter().filter(|slice| !slice.is_empty()).cloned());
        frame.records_bytes += records_bytes;
        let more = frame.bytes() - before;
        self.bytes += more;
        Ok(())
    }

    /// The frame that is gathered, if it has room for so many bytes, or else another.
    fn frame_for(&mut self, more_max: usize, frame_bytes_max: usize) -> &mut Gathered {
        let limit = GATHERED_BYTES.min(frame_bytes_max);
        let has_room = |last: &Gathered| last.bytes() + more_max <= limit;
        if !self.frames.back().is_some_and(has_room) {
            self.bytes += AROUND_BYTES;
            self.frames.push_back(Gathered::new());
        }
        self.frames.back_mut().expect("one is there, or was pushed")
    }
}

impl Outbox for GroupBox {
    fn open(&mut self, ends: Ends, frame_bytes_max: usize) {
        self.open = Some(Open { ends, frame_bytes_max });
    }

    fn close(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    fn take(&mut self) -> Rope {
        self.bytes -= self.taken_bytes;
        self.taken_bytes = self.bytes;
        let mut rope = Rope::new();
        for Gathered { builder, records, records_bytes } in self.frames.drain(..) {
            rope.push_back(builder.finish(records_bytes));
            rope.extend(records);
        }
        rope
    }
}

impl Gathered {
    fn new() -> Self {
        let builder = FrameBuilder::new(FrameKind::Groups, HEAD_BYTES);
        Self { builder, records: Vec::new(), records_bytes: 0 }
    }

    /// Bytes of the frame so far.
    fn bytes(&self) -> usize {
        AROUND_BYTES + self.builder.head_bytes() + self.records_bytes
    }
}

/// Whether it is one of those with which records go.
fn takes_records(message: &Message) -> bool {
    let has_data = |append: &Append| matches!(append.content, Content::Data { .. });
    match &message.body {
        Body::Append(append) => has_data(append),
        // The producers that the leader knows.
        Body::Reset(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
