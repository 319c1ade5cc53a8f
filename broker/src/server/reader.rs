//! Frames from a socket, as their bytes arrive.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::io::ioctl_fionread;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, timeout};

use logboom_protocol::ApiKey;
use logboom_protocol::frame::{self, FrameError, Split};

use super::doors::{BytesPermit, Doors, Landed, WHOLE_BYTES_MAX};
use super::pace::{LOOK_EVERY, Pace};

/// Bytes by which a buffer grows at least. The system gives memory when it is written to, so no
/// frame takes any before its bytes are there.
const READ_BYTES: usize = 1 << 20;
/// How long nothing may arrive of a frame that has begun.
const STALLED_MAX: Duration = Duration::from_secs(30);
/// The most bytes of a request that brings no records.
const SMALL_REQUEST_BYTES_MAX: usize = 16 << 20;
/// Bytes of the length in front of a frame, and of the API's number behind it.
const PREFIX_BYTES: usize = 4;
const API_BYTES: usize = 2;
/// Bytes that say how much room a frame takes.
const HEAD_BYTES: usize = PREFIX_BYTES + API_BYTES;

thread_local! {
    /// Where the first bytes of a frame land: connections that say nothing hold no buffer.
    static LANDING: RefCell<[u8; WHOLE_BYTES_MAX]> = const { RefCell::new([0; WHOLE_BYTES_MAX]) };
}

/// Why no frame comes any more.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The peer has closed the connection, between two frames.
    Closed,
    /// The socket failed, or ended within a frame.
    Io(io::Error),
    /// A length that is none, or too large.
    Frame(FrameError),
    /// A frame arrives too slowly, or not at all.
    Stalled,
}

/// A request as it came, with the room that its bytes take.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    pub(super) permit: BytesPermit,
}

/// The reading side of a connection.
#[derive(Debug)]
pub(super) struct FrameReader {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    doors: Arc<Doors>,
    /// Room for the frame that is arriving.
    arriving: Option<Arriving>,
    /// Counts bytes of `buffer` that have no room.
    landed: Option<Landed>,
    /// Whether the frame before was too large to land: the next one likely is.
    expects_large: bool,
}

/// A frame whose length is known, and that has its room.
#[derive(Debug)]
struct Arriving {
    permit: BytesPermit,
    pace: Pace,
}

impl FrameReader {
    pub(super) fn new(socket: OwnedReadHalf, doors: Arc<Doors>) -> Self {
        let (buffer, arriving, landed) = (BytesMut::new(), None, None);
        Self { socket, buffer, doors, arriving, landed, expects_large: false }
    }

    /// Whether a frame has begun to arrive.
    pub(super) fn is_within_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame. Cancel-safe: what has arrived stays.
    pub(super) async fn next(&mut self) -> Result<Frame, ReadError> {
        loop {
            let length = if self.buffer.is_empty() && self.expects_large {
                self.peek_length().await?
            } else {
                self.length(&self.buffer)?
            };
            let Some(length) = length else {
                self.read_first().await?;
                continue;
            };
            if self.arriving.is_none() {
                let permit = self.make_room(length).await?;
                self.arriving = Some(Arriving { permit, pace: Pace::new(Instant::now()) });
            }
            let limit = self.limit(&self.buffer);
            let split = frame::split(&mut self.buffer, limit).map_err(ReadError::Frame)?;
            if let Split::Frame(bytes) = split
                && let Some(Arriving { permit, .. }) = self.arriving.take()
            {
                self.expects_large = length > WHOLE_BYTES_MAX;
                self.doors.metrics.received_bytes.add(length);
                if self.buffer.is_empty() {
                    // It would hold the frame's memory.
                    self.buffer = BytesMut::new();
                }
                self.count_landed(!self.buffer.is_empty());
                return Ok(Frame { bytes, permit });
            }
            self.read_more(length).await?;
        }
    }

    /// Waits for room for the frame that comes next. Cancel-safe.
    async fn make_room(&mut self, length: usize) -> Result<BytesPermit, ReadError> {
        let mut there = self.buffer.len();
        if there < length && length <= WHOLE_BYTES_MAX {
            let waiting = ioctl_fionread(self.socket.as_ref());
            there += usize::try_from(waiting.map_err(io::Error::from).map_err(ReadError::Io)?)
                .unwrap_or(usize::MAX);
        }
        let permit = match self.doors.try_make_room(length, there >= length) {
            Some(permit) => permit,
            None => {
                self.count_landed(self.buffer.len() > HEAD_BYTES);
                self.doors.make_room(length, there >= length).await
            }
        };
        self.count_landed(self.buffer.len() > length);
        Ok(permit)
    }

    /// Takes notice of whether the buffer has bytes without room, while something is waited for.
    fn count_landed(&mut self, has_landed: bool) {
        if !has_landed {
            self.landed = None;
        } else if self.landed.is_none() {
            self.landed = Some(self.doors.land());
        }
    }

    /// Bytes of the frame that begins with `head`, its prefix included, once that and the API are
    /// there.
    ///
    /// # Errors
    /// [`ReadError::Frame`] for one that is none or too great, before anything is done for it.
    fn length(&self, head: &[u8]) -> Result<Option<usize>, ReadError> {
        let limit = self.limit(head);
        let Some(prefix) = head.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        match usize::try_from(i32::from_be_bytes(*prefix)) {
            Ok(length) if length <= limit => {
                let known = head.len() >= PREFIX_BYTES + API_BYTES.min(length);
                Ok(known.then_some(length + PREFIX_BYTES))
            }
            // It says what is wrong.
            _ => match frame::split(&mut BytesMut::from(&prefix[..]), limit) {
                Err(error) => Err(ReadError::Frame(error)),
                Ok(_) => Ok(None),
            },
        }
    }

    /// The same of the frame that comes next, of which nothing is taken from the socket: it goes
    /// straight to where it stays. `None` for one that is better read at once, as it is small or as
    /// its first bytes don't tell.
    async fn peek_length(&mut self) -> Result<Option<usize>, ReadError> {
        let mut head = [0; HEAD_BYTES];
        match self.socket.peek(&mut head).await {
            Ok(0) => Err(ReadError::Closed),
            Ok(count) => {
                let length = self.length(&head[..count])?;
                Ok(length.filter(|length| *length > WHOLE_BYTES_MAX))
            }
            Err(error) => Err(ReadError::Io(error)),
        }
    }

    /// Waits for the first bytes of a frame, without a buffer for them.
    async fn read_first(&mut self) -> Result<(), ReadError> {
        let within = self.is_within_frame();
        let readable = self.socket.readable();
        let readable = if within {
            timeout(STALLED_MAX, readable).await.map_err(|_| ReadError::Stalled)?
        } else {
            readable.await
        };
        readable.map_err(ReadError::Io)?;
        let missing = HEAD_BYTES.saturating_sub(self.buffer.len());
        let most = if self.doors.may_land() { WHOLE_BYTES_MAX } else { missing };
        let read = LANDING.with_borrow_mut(|landing| {
            let count = self.socket.try_read(&mut landing[..most])?;
            self.buffer.extend_from_slice(&landing[..count]);
            io::Result::Ok(count)
        });
        match read {
            Ok(0) if !within => Err(ReadError::Closed),
            Ok(0) => Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(ReadError::Io(error)),
        }
    }

    /// Takes what arrives of a frame that has its room, up to `length` bytes of it.
    async fn read_more(&mut self, length: usize) -> Result<(), ReadError> {
        let missing = length.saturating_sub(self.buffer.len());
        self.buffer.reserve(missing.min(READ_BYTES.max(self.buffer.len())));
        let mut socket = (&mut self.socket).take(missing as u64);
        match timeout(LOOK_EVERY, socket.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => return Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(Err(error)) => return Err(ReadError::Io(error)),
            Ok(Ok(_)) | Err(_) => {}
        }
        let Some(arriving) = &mut self.arriving else { return Ok(()) };
        let now = Instant::now();
        arriving.pace.note(self.buffer.len(), now);
        if arriving.is_stalled(now) { Err(ReadError::Stalled) } else { Ok(()) }
    }

    /// The most bytes of the frame that begins with `head`: its API is known after six of them.
    fn limit(&self, head: &[u8]) -> usize {
        let limit = self.doors.request_bytes_max();
        let api = head.get(PREFIX_BYTES..HEAD_BYTES);
        let api = api.and_then(|bytes| bytes.first_chunk().copied()).map(i16::from_be_bytes);
        let is_small = api.is_some_and(|api| ApiKey::from_wire(api) != Some(ApiKey::Produce));
        if is_small { limit.min(SMALL_REQUEST_BYTES_MAX) } else { limit }
    }
}

impl Arriving {
    /// Whether the frame is to be given up.
    fn is_stalled(&self, now: Instant) -> bool {
        let Self { permit, pace } = self;
        pace.rests(now) > STALLED_MAX || (permit.keeps_others_out() && pace.is_slow(now))
    }
}

#[cfg(test)]
mod tests;
