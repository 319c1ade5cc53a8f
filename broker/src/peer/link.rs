//! What a shard has of another broker: a connection for beats, and one for groups.
//!
//! A link lives on its shard's thread. What is offered waits in memory until the connection's task
//! has its turn, so that all that a shard says in one turn leaves in one write.
//!
//! Must always hold: beats and groups share nothing that either could wait for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use logboom_raft::{Beat, Message};
use logboom_storage::state::GroupKey;

use super::Peers;
use super::dial::{Connection, Dialler};
use super::outbox::{BeatBox, GroupBox, NotTaken, Outbox};
use super::roster::{Kind, PeerId};
use super::socket::{self, Ended};
use crate::server::Sparingly;

/// Messages that no connection takes are told now and then.
static TOO_LARGE: Sparingly = Sparingly::new();

/// The way from a shard to another broker. Its connections end with it.
#[derive(Debug)]
pub(crate) struct Link {
    node: i32,
    beats: Rc<Outgoing<BeatBox>>,
    groups: Rc<Outgoing<GroupBox>>,
    tasks: [JoinHandle<()>; 2],
}

/// One connection's side that is offered something.
#[derive(Debug)]
struct Outgoing<B> {
    outbox: RefCell<B>,
    /// Told when something waits.
    filled: Notify,
    /// Who is at the other end.
    peer: Cell<Option<PeerId>>,
}

impl Link {
    /// Begins to dial; within a `LocalSet`.
    pub(super) fn new(peers: &Arc<Peers>, shard: usize, node: i32) -> Self {
        let beats = Outgoing::new(BeatBox::default());
        let groups = Outgoing::new(GroupBox::new(peers.limits.queued_bytes));
        let dialler = |kind| Dialler::new(Arc::clone(peers), node, kind, shard);
        let tasks = [
            tokio::task::spawn_local(run(dialler(Kind::Beats), Rc::clone(&beats), shard)),
            tokio::task::spawn_local(run(dialler(Kind::Groups), Rc::clone(&groups), shard)),
        ];
        Self { node, beats, groups, tasks }
    }

    /// Sends a beat of a lane; one of this lane that still waits is dropped for it. False where
    /// there is no connection: beats are never kept for the next.
    pub(crate) fn beat(&self, lane: u8, beat: Beat<GroupKey>) -> bool {
        let taken = self.beats.outbox.borrow_mut().put(lane, beat);
        self.beats.offered(self.node, taken)
    }

    /// Sends a message of a group, with its records if it is an append with data. False where it is
    /// dropped: there is no connection or no room, or the broker at the other end has another
    /// directory than the addressee.
    pub(crate) fn offer(&self, key: &GroupKey, message: &Message, records: &[Bytes]) -> bool {
        let taken = self.groups.outbox.borrow_mut().put(key, message, records);
        self.groups.offered(self.node, taken)
    }

    /// Bytes for which [`Self::offer`] has room; a message that is larger is taken where nothing
    /// waits. 0 without a connection.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.groups.outbox.borrow().room()
    }

    /// Bytes of messages that wait or are being written; `None` without a connection.
    pub(crate) fn waiting(&self) -> Option<usize> {
        self.groups.outbox.borrow().waiting()
    }

    /// Who is at the other end of one of the two connections; `None` of [`Kind::Calls`].
    #[cfg(test)]
    pub(crate) fn peer(&self, kind: Kind) -> Option<PeerId> {
        match kind {
            Kind::Beats => self.beats.peer.get(),
            Kind::Groups => self.groups.peer.get(),
            Kind::Calls => None,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl<B: Outbox> Outgoing<B> {
    fn new(outbox: B) -> Rc<Self> {
        let (outbox, filled, peer) = (RefCell::new(outbox), Notify::new(), Cell::new(None));
        Rc::new(Self { outbox, filled, peer })
    }

    /// Has the connection's task look, if something was taken.
    fn offered(&self, node: i32, taken: Result<(), NotTaken>) -> bool {
        match taken {
            Ok(()) => self.filled.notify_one(),
            Err(NotTaken::TooLarge) => {
                if let Some(passed_over) = TOO_LARGE.allow() {
                    let what = "what is larger than the other broker takes is not sent";
                    tracing::error!(broker = node, passed_over, "{what}");
                }
            }
            Err(NotTaken::NoRoom | NotTaken::OtherEnds) => {}
        }
        taken.is_ok()
    }

    fn open(&self, connection: &Connection) {
        let Connection { ends, frame_bytes_max, peer, .. } = connection;
        self.outbox.borrow_mut().open(*ends, *frame_bytes_max);
        self.peer.set(Some(peer.id));
    }

    fn close(&self) {
        self.outbox.borrow_mut().close();
        self.peer.set(None);
    }

    /// Writes what is offered until the connection ends.
    async fn write(&self, stream: &TcpStream) -> Ended {
        loop {
            let rope = self.outbox.borrow_mut().take();
            if rope.is_empty() {
                tokio::select! {
                    () = self.filled.notified() => {}
                    reason = socket::closed(stream) => return reason,
                }
            } else if let Err(reason) = socket::write(stream, rope).await {
                return reason;
            }
        }
    }
}

/// Has a connection whenever that is possible.
async fn run<B: Outbox>(mut dialler: Dialler, outgoing: Rc<Outgoing<B>>, shard: usize) {
    let inbox = Arc::clone(&dialler.peers().inbox);
    let kind = dialler.kind();
    loop {
        let connection = dialler.connect().await;
        inbox.connected(shard, kind, &connection.peer);
        outgoing.open(&connection);
        let reason = outgoing.write(&connection.stream).await;
        outgoing.close();
        inbox.disconnected(shard, kind, connection.peer.id);
        dialler.ended(&reason);
    }
}
