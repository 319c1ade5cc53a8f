//! Who brokers are to each other, and what the transport asks and tells its owner.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use logboom_protocol::units::Uuid;
use logboom_raft::{Beat, Message};
use logboom_storage::state::GroupKey;

/// A broker, in one of its starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PeerId {
    /// The broker's id.
    pub(crate) node: i32,
    /// The id of its data directory.
    pub(crate) directory: Uuid,
    /// The start of its process; grows from start to start.
    pub(crate) run: u64,
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker {} ({}, run {})", self.node, self.directory, self.run)
    }
}

/// What a broker says of itself when it meets another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Who it is.
    pub(crate) id: PeerId,
    /// The cluster that it belongs to; a broker that founds one doesn't know yet.
    pub(crate) cluster: Option<Uuid>,
    /// The voters with which its metadata log began, if it has one.
    pub(crate) founding: Option<Arc<[FoundingVoter]>>,
    /// The nodes that its configuration names as those that decide, in order.
    pub(crate) named: Arc<[i32]>,
    /// Whether it decides where it is given a vote: its `process.roles` names controller.
    pub(crate) is_controller: bool,
}

/// One of those with whom a metadata log began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundingVoter {
    /// The broker's id.
    pub(crate) node: i32,
    /// The id of its data directory.
    pub(crate) directory: Uuid,
}

/// What a connection carries. Each is a connection of its own, so that none waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Beats of pairs.
    Beats,
    /// Messages of groups, with their records.
    Groups,
    /// Requests, and their answers the other way.
    Calls,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Beats => "beats",
            Self::Groups => "groups",
            Self::Calls => "calls",
        })
    }
}

/// What is known of a broker's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// A broker of the cluster, with this data directory. One with another directory is refused.
    Member(Uuid),
    /// A broker that is to be there, whatever its directory: the configuration names it, or this
    /// broker isn't in yet, and its log names it with another directory than is known to be
    /// committed.
    Expected,
    /// Nothing. It may only call ([`Kind::Calls`]), so that it can ask to be let in.
    Stranger,
}

/// What the owner knows of the brokers at this moment.
pub(crate) trait Roster: Send + Sync + 'static {
    /// What this broker says of itself.
    fn this(&self) -> Identity;

    /// What is known of a broker's id.
    fn membership(&self, node: i32) -> Membership;

    /// Where a broker may listen for others, in the order in which it is tried: hosts' names or
    /// addresses, and ports. Asked anew before each attempt.
    fn addresses(&self, node: i32) -> Vec<(String, u16)>;
}

/// A message of a group on its way between brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupMessage {
    /// The group.
    pub(crate) key: GroupKey,
    /// What its replica says.
    pub(crate) message: Message,
    /// The records of an append with data, whole batches; one slice where it was received.
    pub(crate) records: Vec<Bytes>,
}

/// Room that what was received takes until it is dropped: a connection that has used up its room
/// isn't read from. Whoever passes something on passes this on with it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Held {
    /// Of what no connection brought.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        let semaphore = Arc::new(tokio::sync::Semaphore::new(1));
        Self::new(semaphore.try_acquire_owned().expect("nobody has it"))
    }

    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Arc::new(permit) }
    }
}

/// The answer to a call, once it is there.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Bytes>>>;

/// Where what arrives goes. Called on the threads of shards: nothing here may wait.
///
/// Must always hold: what a connection brought is handed over in the order in which it came.
pub(crate) trait Inbox: Send + Sync + 'static {
    /// Beats, with their lanes, all of which are `shard`'s.
    fn beats(&self, shard: usize, from: PeerId, beats: Vec<(u8, Beat<GroupKey>)>, held: Held);

    /// Messages of groups, all of which are on lanes of `shard`. Sender and addressee are the
    /// brokers and directories of both ends of the connection; only the lives are to be checked.
    fn groups(&self, shard: usize, from: PeerId, messages: Vec<GroupMessage>, held: Held);

    /// A connection that this broker made stands: what is offered from now on may arrive.
    ///
    /// - `shard`: whose it is; of [`Kind::Calls`]: 0.
    fn connected(&self, shard: usize, kind: Kind, peer: &Identity);

    /// It has ended: whatever was offered and not answered may be lost. Not told of those that end
    /// because their link was dropped.
    fn disconnected(&self, shard: usize, kind: Kind, peer: PeerId);

    /// A request of another broker, a stranger maybe. It has to end by itself; where the connection
    /// ends before, it is dropped.
    fn call(&self, from: PeerId, request: Bytes) -> Answer;
}
