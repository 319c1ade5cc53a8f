//! Frames between brokers: their bytes, and how they are taken from what arrives.
//!
//! ```text
//!   length │ kind │ head length │ head │ CRC-32 of all before │ records
//! ```
//!
//! The head is what is encoded; records stand behind it as they are, so that they are neither
//! copied nor checked again: batches have a CRC of their own. `docs/peer.md` has the table.
//!
//! Must always hold: nothing is allocated because a length says so; what is wrong with a frame is
//! said as soon as its first nine bytes are there, the CRC and the head's contents apart.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

use logboom_protocol::FieldError;
use logboom_protocol::wire::Writer;

use super::roster::Kind;

/// Bytes of the length in front of a frame; it counts what is behind it.
const PREFIX_BYTES: usize = 4;
/// Bytes up to the head.
const FIRST_BYTES: usize = PREFIX_BYTES + 1 + 4;
const CRC_BYTES: usize = 4;
/// Bytes of a frame beside its head and its records.
pub(super) const AROUND_BYTES: usize = FIRST_BYTES + CRC_BYTES;

/// The most bytes of beats: they may name a quarter of a million groups.
pub(super) const BEATS_BYTES_MAX: usize = 16 << 20;
/// The most bytes of messages in a frame, without their records.
pub(super) const MESSAGES_BYTES_MAX: usize = 2 << 20;
/// The most bytes of a request or of an answer, with its number and what it is.
const CALL_HEAD_BYTES_MAX: usize = super::CALL_BYTES_MAX + 8 + 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Beats,
    Groups,
    Call,
    Answer,
}

impl FrameKind {
    const fn to_wire(self) -> u8 {
        match self {
            Self::Beats => 1,
            Self::Groups => 2,
            Self::Call => 3,
            Self::Answer => 4,
        }
    }
}

/// What the receiving end of a connection takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepts {
    kind: FrameKind,
    head_bytes_max: usize,
    /// Of a whole frame.
    bytes_max: usize,
}

impl Accepts {
    /// What the one who was dialled takes.
    ///
    /// - `frame_bytes_max`: of those with records, all in all.
    pub(super) fn of(kind: Kind, frame_bytes_max: usize) -> Self {
        match kind {
            Kind::Beats => Self::heads(FrameKind::Beats, BEATS_BYTES_MAX),
            Kind::Calls => Self::heads(FrameKind::Call, CALL_HEAD_BYTES_MAX),
            Kind::Groups => Self {
                kind: FrameKind::Groups,
                head_bytes_max: MESSAGES_BYTES_MAX,
                bytes_max: frame_bytes_max.max(AROUND_BYTES),
            },
        }
    }

    /// What the dialler of a connection for calls takes.
    pub(super) fn answers() -> Self {
        Self::heads(FrameKind::Answer, CALL_HEAD_BYTES_MAX)
    }

    /// Frames without records.
    fn heads(kind: FrameKind, head_bytes_max: usize) -> Self {
        Self { kind, head_bytes_max, bytes_max: head_bytes_max + AROUND_BYTES }
    }

    /// The most bytes of a frame, all in all.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn takes_records(&self) -> bool {
        self.kind == FrameKind::Groups
    }
}

/// A frame that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its CRC was right.
    pub(super) head: Bytes,
    /// As they came.
    pub(super) records: Bytes,
}

/// What is wrong with what arrived. The connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strange {
    /// A length that no such frame has.
    Length { bytes: usize, limit: usize },
    /// A kind that doesn't belong here.
    Kind(u8),
    /// The head's length doesn't fit the frame's.
    Head { bytes: usize, limit: usize },
    /// The CRC isn't that of what is there.
    Crc,
    /// A field of the head.
    Field(FieldError),
    /// A number that stands for nothing.
    Code { what: &'static str, code: u8 },
    /// A number out of its range.
    Range { what: &'static str },
    /// Records that are fewer or more than the messages say.
    Records { said: usize, there: usize },
    /// Bytes on a connection on which none are to come.
    Unasked,
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes, limit } => write!(f, "a frame of {bytes} bytes, at most {limit}"),
            Self::Kind(kind) => write!(f, "a frame of kind {kind} on this connection"),
            Self::Head { bytes, limit } => write!(f, "a head of {bytes} bytes, at most {limit}"),
            Self::Crc => f.write_str("a frame with a wrong CRC"),
            Self::Field(error) => error.fmt(f),
            Self::Code { what, code } => write!(f, "{what}: {code} stands for nothing"),
            Self::Range { what } => write!(f, "{what} is out of range"),
            Self::Records { said, there } => {
                write!(f, "{there} bytes of records, {said} bytes announced")
            }
            Self::Unasked => f.write_str("bytes on a connection that only takes them"),
        }
    }
}

impl std::error::Error for Strange {}

impl From<FieldError> for Strange {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

/// A frame that is being made: its head is written to [`Self::head`].
#[derive(Debug)]
pub(super) struct FrameBuilder {
    kind: FrameKind,
    pub(super) head: Writer,
}

impl FrameBuilder {
    pub(super) fn new(kind: FrameKind, head_bytes: usize) -> Self {
        let mut out = BytesMut::with_capacity(AROUND_BYTES + head_bytes);
        out.resize(FIRST_BYTES, 0);
        Self { kind, head: Writer::new(out) }
    }

    /// Bytes of the head so far.
    pub(super) fn head_bytes(&self) -> usize {
        self.head.len() - FIRST_BYTES
    }

    /// The frame up to its records, of which so many bytes are to follow.
    pub(super) fn finish(self, records_bytes: usize) -> Bytes {
        let head_bytes = self.head_bytes();
        let mut out = self.head.into_inner();
        let behind = out.len() + CRC_BYTES - PREFIX_BYTES + records_bytes;
        let fits = "frames are below their limits, which four bytes hold";
        let [length, head_length] =
            [behind, head_bytes].map(|bytes| u32::try_from(bytes).expect(fits).to_be_bytes());
        out[..PREFIX_BYTES].copy_from_slice(&length);
        out[PREFIX_BYTES] = self.kind.to_wire();
        out[PREFIX_BYTES + 1..FIRST_BYTES].copy_from_slice(&head_length);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out.freeze()
    }
}

/// What the front of a buffer holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A whole frame, which was taken from the buffer.
    Frame(Frame),
    /// The beginning of one, of which so many bytes are missing at least.
    Missing(usize),
}

/// Takes the first frame from `buffer`, if it is whole.
///
/// # Errors
/// What is wrong with it.
pub(super) fn split(buffer: &mut BytesMut, accepts: &Accepts) -> Result<Split, Strange> {
    let Some(lengths) = Lengths::read(buffer, accepts)? else {
        return Ok(Split::Missing(FIRST_BYTES.saturating_sub(buffer.len()).max(1)));
    };
    let Lengths { head, all } = lengths;
    if buffer.len() < all {
        return Ok(Split::Missing(all - buffer.len()));
    }
    let mut frame = buffer.split_to(all).freeze();
    let before = frame.split_to(FIRST_BYTES + head);
    if frame.get_u32() != crc32fast::hash(&before) {
        return Err(Strange::Crc);
    }
    Ok(Split::Frame(Frame { head: before.slice(FIRST_BYTES..), records: frame }))
}

/// What the first bytes of a frame say.
#[derive(Debug)]
struct Lengths {
    head: usize,
    all: usize,
}

impl Lengths {
    /// `None` where there are too few bytes.
    fn read(bytes: &[u8], accepts: &Accepts) -> Result<Option<Self>, Strange> {
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let behind = widened(*prefix);
        let limit = accepts.bytes_max - PREFIX_BYTES;
        if !(AROUND_BYTES - PREFIX_BYTES..=limit).contains(&behind) {
            return Err(Strange::Length { bytes: behind, limit });
        }
        let Some((kind, rest)) = rest.split_first() else { return Ok(None) };
        if *kind != accepts.kind.to_wire() {
            return Err(Strange::Kind(*kind));
        }
        let Some(head) = rest.first_chunk() else { return Ok(None) };
        let (head, room) = (widened(*head), behind + PREFIX_BYTES - AROUND_BYTES);
        let (bytes, limit) = (head, room.min(accepts.head_bytes_max));
        if head > limit {
            return Err(Strange::Head { bytes, limit });
        }
        let there = room - head;
        if there > 0 && !accepts.takes_records() {
            return Err(Strange::Records { said: 0, there });
        }
        Ok(Some(Self { head, all: behind + PREFIX_BYTES }))
    }
}

fn widened(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: Kind = Kind::Groups;

    fn frame(kind: FrameKind, head: &[u8], records: &[u8]) -> BytesMut {
        let mut builder = FrameBuilder::new(kind, head.len());
        builder.head.raw(head);
        assert_eq!(builder.head_bytes(), head.len());
        let mut bytes = BytesMut::from(&builder.finish(records.len())[..]);
        bytes.extend_from_slice(records);
        bytes
    }

    #[test]
    fn frames_leave_the_buffer_in_order() {
        let accepts = Accepts::of(GROUPS, 1_000);
        let mut buffer = frame(FrameKind::Groups, b"head", b"records");
        buffer.extend_from_slice(&frame(FrameKind::Groups, b"", b""));
        buffer.extend_from_slice(&[0]);
        for (head, records) in [(&b"head"[..], &b"records"[..]), (b"", b"")] {
            let Ok(Split::Frame(frame)) = split(&mut buffer, &accepts) else { panic!() };
            assert_eq!((&frame.head[..], &frame.records[..]), (head, records));
        }
        assert_eq!(split(&mut buffer, &accepts), Ok(Split::Missing(8)));
    }

    #[test]
    fn every_cut_of_a_frame_is_incomplete() {
        let whole = frame(FrameKind::Groups, b"abc", b"de");
        let accepts = Accepts::of(GROUPS, 1_000);
        for cut in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..cut]);
            let Ok(Split::Missing(missing)) = split(&mut part, &accepts) else { panic!("{cut}") };
            assert!((1..=whole.len() - cut).contains(&missing), "{cut}: {missing}");
            assert_eq!(part.len(), cut, "it stays");
        }
    }

    #[test]
    fn every_byte_but_those_of_records_is_guarded() {
        let whole = frame(FrameKind::Groups, b"abc", b"de");
        let accepts = Accepts::of(GROUPS, 1_000);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let found = split(&mut flipped, &accepts);
                let is_frame = matches!(found, Ok(Split::Frame(_)));
                assert_eq!(is_frame, at >= whole.len() - 2, "byte {at}, bit {bit}: {found:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_before_the_frame_is_there() {
        let limit = BEATS_BYTES_MAX + AROUND_BYTES - PREFIX_BYTES;
        let [beats, groups] = [Kind::Beats, GROUPS].map(|kind| Accepts::of(kind, 100 << 20));
        let huge = u32::MAX as usize;
        for (bytes, accepts, strange) in [
            (&[0xff; 4][..], beats, Strange::Length { bytes: huge, limit }),
            (&[0, 0, 0, 8], beats, Strange::Length { bytes: 8, limit }),
            (&[0, 0, 0, 9, 2], beats, Strange::Kind(2)),
            (&[0, 0, 0, 9, 9], groups, Strange::Kind(9)),
            (&[0, 0, 0, 9, 1, 0, 0, 0, 1], beats, Strange::Head { bytes: 1, limit: 0 }),
            (&[0, 0, 0, 10, 1, 0, 0, 0, 0], beats, Strange::Records { said: 0, there: 1 }),
            (
                &[5, 0, 0, 0, 2, 4, 0, 0, 0],
                groups,
                Strange::Head { bytes: 64 << 20, limit: MESSAGES_BYTES_MAX },
            ),
        ] {
            let mut buffer = BytesMut::from(bytes);
            let capacity = buffer.capacity();
            assert_eq!(split(&mut buffer, &accepts), Err(strange));
            assert_eq!(buffer.capacity(), capacity, "nothing is allocated");
        }
    }

    #[test]
    fn the_largest_frame_is_taken_and_none_that_is_larger() {
        let accepts = Accepts::of(GROUPS, 100);
        let fits = |records: usize| {
            let mut buffer = frame(FrameKind::Groups, b"abc", &vec![7; records]);
            split(&mut buffer, &accepts).is_ok()
        };
        assert!(fits(100 - AROUND_BYTES - 3) && !fits(100 - AROUND_BYTES - 2));
    }
}
