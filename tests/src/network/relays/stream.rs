//! One connection: two streams, each of which has a way of its own.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Host, is_open, wait};
use crate::random::Random;

/// What is read at once, and what is written at once where there is little room.
const PIECE_BYTES: usize = 16 << 10;
const PACKET_BYTES: usize = 1_460;
/// Pieces of a stream that are on their way.
const WAITING_MAX: usize = 64;
/// Of a hello: up to the sender's node id, and where that stands (docs/peer.md).
const HEAD_BYTES: usize = 20;
const NODE_AT: usize = 16;

type Conditions = watch::Receiver<Vec<Host>>;

/// Whose stream it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Ends {
    fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// Waits until both can hear each other.
    pub(super) async fn wait_for_a_way(self, conditions: &Conditions) -> Option<()> {
        let Self { from, to } = self;
        let is_one = |hosts: &Vec<Host>| is_open(hosts, from, to) && is_open(hosts, to, from);
        conditions.clone().wait_for(is_one).await.ok().map(drop)
    }
}

/// The broker that has dialled, and what it has said so far.
pub(super) async fn sender_of(near: &mut TcpStream) -> Option<(usize, Option<Vec<u8>>)> {
    let mut head = vec![0; HEAD_BYTES];
    near.read_exact(&mut head).await.ok()?;
    let node = i32::from_be_bytes(head[NODE_AT..].try_into().ok()?);
    Some((usize::try_from(node).ok()?, Some(head)))
}

/// Carries what comes on either side to the other, until both have ended.
///
/// - `head`: what was read already on the near side, if anything was.
pub(super) async fn relay(
    near: TcpStream,
    far: TcpStream,
    head: Option<Vec<u8>>,
    ends: Ends,
    conditions: &Conditions,
) {
    for stream in [&near, &far] {
        // It has ended where that fails, as will be seen.
        drop(stream.set_nodelay(true));
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::join!(
        carry(near_in, far_out, head, ends, conditions.clone()),
        carry(far_in, near_out, None, ends.back(), conditions.clone())
    );
}

/// One way.
async fn carry(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    head: Option<Vec<u8>>,
    ends: Ends,
    conditions: Conditions,
) {
    let (sender, pieces) = channel(WAITING_MAX);
    let reading = read(from, head, sender, ends, conditions.clone());
    tokio::join!(reading, write(to, pieces, ends, conditions));
}

/// Reads until the end, and says of each piece when it arrives.
async fn read(
    mut from: OwnedReadHalf,
    mut head: Option<Vec<u8>>,
    pieces: Sender<(Instant, Vec<u8>)>,
    ends: Ends,
    conditions: Conditions,
) {
    let seed = from.peer_addr().map_or(0, |address| address.port());
    let (mut random, mut due) = (Random::new(seed.into()), Instant::now());
    loop {
        let piece = match head.take() {
            Some(head) => head,
            None => read_some(&mut from).await,
        };
        let wait = wait(&conditions.borrow(), ends.from, ends.to, &mut random);
        due = due.max(Instant::now() + wait);
        let is_end = piece.is_empty();
        if pieces.send((due, piece)).await.is_err() || is_end {
            return;
        }
    }
}

/// Nothing at the end, whatever it came from.
async fn read_some(from: &mut OwnedReadHalf) -> Vec<u8> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    match from.read_buf(&mut piece).await {
        Ok(_) => piece,
        Err(_) => Vec::new(),
    }
}

/// Writes what is due as long as there is a way, and waits where there is none.
async fn write(
    mut to: OwnedWriteHalf,
    mut pieces: Receiver<(Instant, Vec<u8>)>,
    ends: Ends,
    mut conditions: Conditions,
) {
    while let Some((due, piece)) = pieces.recv().await {
        // A timer would take up to a millisecond, and one more turn of the thread.
        if due > Instant::now() {
            sleep_until(due).await;
        }
        let is_open = |hosts: &Vec<Host>| is_open(hosts, ends.from, ends.to);
        // The end goes as the half is dropped.
        if conditions.wait_for(is_open).await.is_err() || piece.is_empty() {
            return;
        }
        let rate = conditions.borrow()[ends.from].rate.clone();
        let bytes_max = rate.as_ref().map_or(PIECE_BYTES, |_| PACKET_BYTES);
        for packet in piece.chunks(bytes_max) {
            if let Some(rate) = &rate {
                sleep_until(rate.let_go(packet.len())).await;
            }
            if to.write_all(packet).await.is_err() {
                return;
            }
        }
    }
}
