//! What carries words between brokers: connections, frames, and who is at the other end.
//!
//! ```text
//!   shard i of n                                          shard j of m
//!   Link ─ beats ─▶ one frame that waits ──── Beats ────▶ Receiver ─┐
//!        ─ offer ─▶ queue, bounded ────────── Groups ───▶ Receiver ─┴─▶ Inbox, by lane
//!   Caller ───────▶ queue, bounded ────────── Calls ────▶ Receiver ───▶ Inbox::call ─┐
//!              ◀──────────────────────────────────────────────────── answer ─────────┘
//! ```
//!
//! Each broker dials every other one, so a connection has one direction; only calls are answered
//! on theirs. A shard has two to each peer, for beats and for groups, so that data never stands in
//! a beat's way; a pair of brokers has one for calls in each direction. Consensus bears loss: what
//! finds no connection or no room is dropped here, and whoever offered it is told.
//!
//! The module knows frames and not what they mean: no group, no pair, no clock of theirs. Its owner
//! says who the brokers are ([`Roster`]) and takes what arrives ([`Inbox`]).
//!
//! Must always hold: whatever a peer sends costs a bounded amount of memory and ends its own
//! connection at worst; a message goes to the broker and the data directory that it names or
//! nowhere; nothing that waited for one connection is sent over the next.
//!
//! | file | knows |
//! | --- | --- |
//! | `lanes` | which groups live together |
//! | `roster` | who brokers are; what the owner is asked and told |
//! | `hello` | the first words, and who is refused |
//! | `frame`, `codec`, `beats` | bytes |
//! | `outbox` | what waits |
//! | `dial`, `link` | connections that this broker makes |
//! | `accept`, `receive` | connections that others make |
//! | `calls` | requests and their answers |

mod accept;
mod beats;
mod calls;
mod codec;
mod dial;
mod frame;
mod hello;
mod lanes;
mod link;
mod outbox;
mod receive;
mod roster;
#[cfg(test)]
mod samples;
mod socket;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, watch};

use accept::Incoming;
use calls::Routes;
use dial::Dialling;

pub(crate) use accept::Landing;
#[cfg(test)]
pub(crate) use calls::CallError;
pub(crate) use calls::{CallLink, Caller, Calls};
#[cfg(test)]
pub(crate) use hello::check;
pub(crate) use hello::listed;
pub(crate) use lanes::{LANES, lane_of, shard_of};
pub(crate) use link::Link;
pub(crate) use roster::{
    Answer, FoundingVoter, GroupMessage, Held, Identity, Inbox, Kind, Membership, PeerId, Roster,
};

/// The most bytes of a call, and of its answer.
pub(crate) const CALL_BYTES_MAX: usize = 16 << 20;
/// What [`Limits::frame_bytes`] is at least.
pub(crate) const FRAME_BYTES_MIN: usize = 64 << 20;

/// How much waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most bytes of a frame, which is at least one message with one batch: more than the
    /// largest batch that any topic takes. Raised to [`FRAME_BYTES_MIN`].
    pub(crate) frame_bytes: usize,
    /// The most bytes of messages that a link holds for its peer, of which a greater one is taken
    /// where there are no others.
    pub(crate) queued_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes: FRAME_BYTES_MIN, queued_bytes: 32 << 20 }
    }
}

/// A broker among the others.
pub(crate) struct Peers {
    roster: Arc<dyn Roster>,
    inbox: Arc<dyn Inbox>,
    limits: Limits,
    /// Of each shard: where it is handed connections.
    landings: Vec<mpsc::UnboundedSender<Incoming>>,
    dialling: Dialling,
    routes: Arc<Routes>,
    /// Places for connections of brokers that aren't known.
    strangers: Arc<Semaphore>,
}

impl Peers {
    /// A broker with so many shards, and where each of them finds its connections.
    pub(crate) fn new(
        roster: Arc<dyn Roster>,
        inbox: Arc<dyn Inbox>,
        shards: usize,
        limits: Limits,
    ) -> (Arc<Self>, Vec<Landing>) {
        assert!(shards > 0, "a broker has a shard");
        let (landings, found) = (0..shards)
            .map(|_| mpsc::unbounded_channel())
            .map(|(sender, receiver)| (sender, Landing(receiver)))
            .unzip();
        let limits = Limits { frame_bytes: limits.frame_bytes.max(FRAME_BYTES_MIN), ..limits };
        let peers = Self {
            roster,
            inbox,
            limits,
            landings,
            dialling: Dialling::new(),
            routes: Arc::default(),
            strangers: Arc::new(Semaphore::new(accept::STRANGERS_MAX)),
        };
        (Arc::new(peers), found)
    }

    /// The link from a shard of this broker to another broker; within the shard's `LocalSet`.
    pub(crate) fn link(self: &Arc<Self>, shard: usize, node: i32) -> Link {
        Link::new(self, shard, node)
    }

    /// The connection for calls to another broker, whose events are told as the first shard's;
    /// within a `LocalSet`, best that shard's.
    pub(crate) fn call_link(self: &Arc<Self>, node: i32) -> CallLink {
        CallLink::new(self, node)
    }

    /// Whether a broker is none of the cluster: who isn't known may only call.
    pub(crate) fn is_stranger(&self, node: i32) -> bool {
        self.roster.membership(node) == Membership::Stranger
    }

    /// Calls other brokers.
    pub(crate) fn caller(&self) -> Caller {
        Caller { routes: Arc::clone(&self.routes) }
    }

    /// Accepts connections of other brokers until the broker stops.
    ///
    /// - `listener`: doesn't block.
    ///
    /// # Errors
    /// What the system says of the listener; at once.
    pub(crate) async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accept::accept(self, listener, stopping).await;
        Ok(())
    }

    /// Serves the connections of other brokers on one shard until the broker stops; within its
    /// `LocalSet`.
    pub(crate) async fn serve(self: Arc<Self>, landing: Landing, stopping: watch::Receiver<bool>) {
        accept::serve_shard(self, landing, stopping).await;
    }

    fn shards(&self) -> usize {
        self.landings.len()
    }
}

#[cfg(test)]
mod tests;
