//! Reading from other brokers: frames as their bytes arrive, and where they go.
//!
//! Must always hold: memory grows by the bytes that arrive, up to one frame and what was handed
//! over and is not done with ([`Held`]); beyond that a connection isn't read from.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Peers;
use super::beats::read_beats;
use super::codec::{Ends, read_messages};
use super::frame::{Accepts, Frame, Split, split};
use super::lanes::{lane_of, shard_of};
use super::roster::{GroupMessage, Held, Kind, PeerId};
use super::socket::Ended;

/// Bytes that are read at once. A frame that isn't larger shares its buffer with others.
const READ_BYTES: usize = 64 << 10;
/// With less room than that a buffer isn't read into any more.
const SPARE_BYTES: usize = 4 << 10;
/// Bytes by which the buffer of a large frame grows at least. The system gives memory when it is
/// written to.
const GROWTH_BYTES: usize = 1 << 20;
/// How long nothing may arrive of a frame that has begun.
const STALLED_MAX: Duration = Duration::from_secs(30);
/// Bytes for which one permit stands.
const UNIT_BYTES: usize = 4 << 10;
/// Memory of a message beside its bytes, about.
const MESSAGE_BYTES: usize = size_of::<GroupMessage>();

/// Takes frames from a connection.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    accepts: Accepts,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(stream: R, accepts: Accepts) -> Self {
        Self { stream, buffer: BytesMut::new(), accepts }
    }

    /// The next frame. Cancel-safe: what has arrived stays.
    pub(super) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            match split(&mut self.buffer, &self.accepts)? {
                Split::Frame(frame) => {
                    if self.buffer.is_empty() && frame.records.len() > READ_BYTES {
                        // It would hold the frame's memory.
                        self.buffer = BytesMut::new();
                    }
                    return Ok(frame);
                }
                Split::Missing(missing) => self.read(missing).await?,
            }
        }
    }

    /// Takes what arrives of a frame of which so much is missing, and what follows a small one.
    async fn read(&mut self, missing: usize) -> Result<(), Ended> {
        let there = self.buffer.len();
        let most = self.make_room(missing);
        let mut stream = (&mut self.stream).take(most as u64);
        let read = stream.read_buf(&mut self.buffer);
        let read = match there {
            0 => read.await,
            _ => timeout(STALLED_MAX, read).await.map_err(|_| Ended::Stalled)?,
        };
        match read? {
            0 => Err(Ended::Closed),
            _ => Ok(()),
        }
    }

    /// Has room in the buffer, and says how many bytes may come into it. Small frames share one, so
    /// that those which are held don't hold much more than they are; a large one has its own.
    fn make_room(&mut self, missing: usize) -> usize {
        let there = self.buffer.len();
        let spare = self.buffer.capacity() - there;
        if there + missing > READ_BYTES {
            self.buffer.reserve(missing.min(GROWTH_BYTES.max(there)));
            return missing;
        }
        if spare < missing.max(SPARE_BYTES) {
            self.buffer.reserve(READ_BYTES - there);
        }
        READ_BYTES - there
    }
}

/// Room for what a connection has handed over.
#[derive(Debug)]
pub(super) struct Room {
    units: Arc<Semaphore>,
    most: u32,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        let most = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))), most }
    }

    /// Waits for room for so many bytes, or for all there is.
    pub(super) async fn take(&self, bytes: usize) -> Held {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, self.most);
        let permit = Arc::clone(&self.units).acquire_many_owned(units).await;
        Held::new(permit.expect("nobody closes it"))
    }
}

/// What comes over a connection on which the other side alone speaks.
pub(super) struct Receiver {
    pub(super) peers: Arc<Peers>,
    pub(super) from: PeerId,
    pub(super) ends: Ends,
    pub(super) kind: Kind,
}

impl Receiver {
    /// Hands over what arrives until the connection ends.
    pub(super) async fn run(self, stream: TcpStream) -> Ended {
        match self.receive(stream).await {
            Err(reason) => reason,
            Ok(never) => match never {},
        }
    }

    async fn receive(self, stream: TcpStream) -> Result<std::convert::Infallible, Ended> {
        let accepts = Accepts::of(self.kind, self.peers.limits.frame_bytes);
        let room = Room::new(accepts.bytes_max());
        let mut reader = FrameReader::new(stream, accepts);
        loop {
            let frame = reader.next().await?;
            match self.kind {
                Kind::Beats => self.on_beats(&frame, &room).await?,
                Kind::Groups => self.on_groups(&frame, &room).await?,
                Kind::Calls => return Err(Ended::Closed),
            }
        }
    }

    async fn on_beats(&self, frame: &Frame, room: &Room) -> Result<(), Ended> {
        let beats = read_beats(frame)?;
        let held = room.take(frame.head.len()).await;
        let shards = self.peers.shards();
        for (shard, beats) in by_shard(beats, shards, |(lane, _)| shard_of(*lane, shards)) {
            self.peers.inbox.beats(shard, self.from, beats, held.clone());
        }
        Ok(())
    }

    async fn on_groups(&self, frame: &Frame, room: &Room) -> Result<(), Ended> {
        let messages = read_messages(frame, self.ends)?;
        let bytes = frame.records.len() + frame.head.len() + messages.len() * MESSAGE_BYTES;
        let held = room.take(bytes).await;
        let shards = self.peers.shards();
        let shard = |message: &GroupMessage| shard_of(lane_of(&message.key), shards);
        for (shard, messages) in by_shard(messages, shards, shard) {
            self.peers.inbox.groups(shard, self.from, messages, held.clone());
        }
        Ok(())
    }
}

/// Divides what came among the shards, each with its own in their order. Mostly all is one's.
fn by_shard<T>(all: Vec<T>, shards: usize, shard: impl Fn(&T) -> usize) -> Vec<(usize, Vec<T>)> {
    let Some(first) = all.first().map(&shard) else { return Vec::new() };
    if all.iter().all(|one| shard(one) == first) {
        return vec![(first, all)];
    }
    let mut parts: Vec<_> = (0..shards).map(|shard| (shard, Vec::new())).collect();
    for one in all {
        parts[shard(&one)].1.push(one);
    }
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests;
