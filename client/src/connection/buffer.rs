//! What a connection reads into.
//!
//! Small answers share a buffer. A large one has its own, because it may be kept for long: with
//! nothing behind it, so that it holds little more memory than it has bytes. When nobody has it any
//! more that is read into again, which spares the system to clear other memory; until a small
//! answer shows that no large ones come.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use logboom_protocol::frame::{self, FrameError, Split};

/// Bytes for which there is room at least before a read.
const READ_BYTES_MIN: usize = 4 << 10;
/// Bytes for which room is made at once, whatever a length promises.
const READ_BYTES_MAX: usize = 1 << 20;
/// Answers from this size on are large.
const LARGE_BYTES: usize = 64 << 10;
/// Large answers that are looked at before other memory is taken: one that is handed out, and one
/// that waits.
const GIVEN_MAX: usize = 2;

/// A buffer for the answers of a connection.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: BytesMut,
    /// The large answers that were split off last, the oldest first.
    given: VecDeque<Bytes>,
}

impl ReadBuffer {
    /// Splits off the next answer, without its length.
    ///
    /// - `limit`: the most bytes of one.
    ///
    /// # Errors
    /// As [`frame::split`].
    pub(super) fn split(&mut self, limit: usize) -> Result<Split, FrameError> {
        let split = frame::split(&mut self.bytes, limit)?;
        match &split {
            Split::Frame(frame) if frame.len() >= LARGE_BYTES => {
                if self.given.len() == GIVEN_MAX {
                    self.given.pop_front();
                }
                self.given.push_back(frame.clone());
            }
            Split::Frame(_) => self.given.clear(),
            Split::Incomplete { .. } => {}
        }
        Ok(split)
    }

    /// Where to read, with room for what is missing of an answer. The length of a large one is
    /// believed as far as it has come: to four times that.
    pub(super) fn room(&mut self, missing: usize) -> &mut BytesMut {
        let present = self.bytes.len();
        let whole = present + missing;
        if whole <= READ_BYTES_MIN {
            self.bytes.reserve(READ_BYTES_MIN);
        } else if self.bytes.capacity() - present < missing.min(READ_BYTES_MIN) {
            let mut larger = self.free(whole).unwrap_or_else(|| {
                let believed = READ_BYTES_MAX.max(present.saturating_mul(3));
                BytesMut::with_capacity(present + missing.min(believed))
            });
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        &mut self.bytes
    }

    /// The memory of an answer that nobody has any more, if so many bytes fit into it, and fill
    /// half of it.
    fn free(&mut self, bytes: usize) -> Option<BytesMut> {
        let fits = |given: &Bytes| (bytes / 2..=bytes.saturating_mul(2)).contains(&given.len());
        let at = self.given.iter().position(|given| given.is_unique() && fits(given))?;
        let mut free = self.given.remove(at)?.try_into_mut().ok()?;
        free.clear();
        // It may have been cut from a larger one.
        if !free.try_reclaim(bytes) || free.capacity() > bytes.saturating_mul(2) {
            return None;
        }
        // Nothing is read behind it.
        drop(free.split_off(bytes));
        Some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of so many bytes, its length included, that comes by so many at once.
    fn read(buffer: &mut ReadBuffer, whole: usize, at_once: usize) -> Bytes {
        let length = u32::try_from(whole - 4).unwrap().to_be_bytes();
        let mut came = 0;
        loop {
            let missing = match buffer.split(usize::MAX).unwrap() {
                Split::Frame(frame) => return frame,
                Split::Incomplete { missing } => missing,
            };
            let room = buffer.room(missing);
            let (present, free) = (room.len(), room.capacity() - room.len());
            assert!(free >= READ_BYTES_MIN.min(missing), "{whole}: {free} at {present}");
            let end = (came + free.min(at_once)).min(whole);
            while came < end {
                room.extend_from_slice(&[length.get(came).copied().unwrap_or(7)]);
                came += 1;
            }
        }
    }

    #[test]
    fn an_answer_holds_no_more_memory_than_it_has_bytes() {
        for whole in [LARGE_BYTES + 4, 1 << 20, (1 << 20) + 5_000, 3_000_003] {
            for at_once in [1_400, usize::MAX] {
                let mut buffer = ReadBuffer::default();
                let frame = read(&mut buffer, whole, at_once);
                buffer.given.clear();
                drop(buffer);
                let memory = frame.try_into_mut().unwrap().capacity();
                assert!(memory <= whole, "{memory} of {whole}");
            }
        }
    }

    #[test]
    fn a_length_is_believed_as_far_as_it_has_come() {
        let mut buffer = ReadBuffer::default();
        buffer.room(4).extend_from_slice(&u32::MAX.to_be_bytes()[1..]);
        let room = buffer.room(500 << 20);
        assert!(room.capacity() <= READ_BYTES_MAX + READ_BYTES_MIN, "{}", room.capacity());
        room.resize(room.capacity(), 0);
        let (present, room) = (room.len(), buffer.room(499 << 20));
        assert!(room.capacity() <= 4 * present, "{} of {present}", room.capacity());
    }

    #[test]
    fn memory_that_nobody_has_any_more_is_read_into_again() {
        let mut buffer = ReadBuffer::default();
        let next = |buffer: &mut ReadBuffer| read(buffer, 200_000, 10_000);
        let (first, second) = (next(&mut buffer), next(&mut buffer));
        let (place, part) = (first.as_ptr() as usize, second.slice(9..99));
        drop((first, second));
        let third = next(&mut buffer);
        let is_place = |frame: &Bytes| (frame.as_ptr() as usize).abs_diff(place) < 64;
        assert!(is_place(&third), "the first one's");
        assert!(!is_place(&next(&mut buffer)), "somebody has it, as a part of the second");
        assert!(part.iter().all(|byte| *byte == 7), "what is kept is as it was");
        drop(third);
        let smaller = read(&mut buffer, 120_000, 10_000);
        assert!(is_place(&smaller) && buffer.bytes.capacity() == 0, "nothing is read behind it");
        drop(smaller);
        drop(part);
        next(&mut buffer);
        assert!(!buffer.given.is_empty());
        read(&mut buffer, 100, 100);
        assert!(buffer.given.is_empty(), "small ones come: nothing is held any more");
    }
}
