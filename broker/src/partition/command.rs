//! What a shard is asked to do, and where.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use logboom_protocol::CompactString;
use logboom_raft::{Beat, ReplicaId, Voters};
use logboom_storage::state::GroupKey;
use logboom_storage::{Cleaned, LastBatches, StorageError};

use super::condition::Condition;
use super::hands::Named;
use super::lanes::{Quorum, Troubles};
use super::member::Wish;
use super::peering::Joining;
use super::replica::{Append, ProducerDescription};
use super::seat::Unnamed;
use super::settings::TopicSettings;
use crate::peer::{GroupMessage, Held, PeerId};

/// What a shard is asked to do.
pub(crate) enum Command {
    /// Appends batches, in order.
    Append(Vec<Append>),
    /// The state store knows that records of this partition may count before they are flushed.
    CachingRecorded(GroupKey),
    /// A flush of this partition is over.
    Flushed(Named, Result<(), StorageError>),
    /// The state store has learned what a group asked for, up to a frame.
    Stored(Named, u64),
    /// Something that a follower lacks was read, from an offset on.
    Read { key: Named, number: u64, from: i64, result: Result<Bytes, StorageError> },
    /// Another broker beats, for lanes of this shard.
    Beats(PeerId, Vec<(u8, Beat<GroupKey>)>, Held),
    /// Replicas of another broker speak to those here.
    Messages(Vec<GroupMessage>, Held),
    /// A connection to another broker stands: what was on its way over one before may be lost.
    Connected(i32),
    /// The connection to another broker has ended.
    Lost(i32),
    /// There are other brokers from now on.
    Join(Joining),
    /// These brokers may be called; for the first shard.
    Call(Vec<i32>),
    /// Brokers may have been removed: there are no connections to them any more.
    Part,
    /// Says what the voters of a group are to be.
    Wish(GroupKey, Wish),
    /// Says who is to have a group's log without a vote.
    Observe(GroupKey, Arc<[ReplicaId]>),
    /// Hands leaderships over to others; answers when there are none left, or it takes too long.
    HandOver(oneshot::Sender<()>),
    /// A group is to be led by others, until the broker starts again.
    Resign(GroupKey),
    /// Who votes in a group, as its replica here knows it.
    Electorate(GroupKey, oneshot::Sender<Electorate>),
    /// The other brokers that answer this one, of those that share a group.
    There(GroupKey, oneshot::Sender<Vec<i32>>),
    /// What is wrong around the shard; all other brokers are named as unheard.
    Troubles(oneshot::Sender<Troubles>),
    /// Whether a replica may answer as the leader now; `None` if it isn't here.
    Lease(GroupKey, oneshot::Sender<Option<bool>>),
    /// What the leader of a group knows of its replicas; `None` where that isn't here.
    Quorum(GroupKey, oneshot::Sender<Option<Quorum>>),
    /// Opens the logs of partitions that were created here; answers when they are served.
    Open(Vec<Opening>, oneshot::Sender<Result<(), StorageError>>),
    /// A topic's configuration has changed.
    Configure(GroupKey, Arc<TopicSettings>),
    /// Moves a log start; answers with the new one.
    DeleteRecords(GroupKey, i64, oneshot::Sender<Result<i64, StorageError>>),
    /// Removes replicas with all that they hold: their topics are gone for good.
    Delete(Vec<GroupKey>, oneshot::Sender<()>),
    /// Removes those that the metadata don't name any more, unless their groups may need them after
    /// all: they may have heard from a leader since that was decided.
    Leave(Vec<(GroupKey, Unnamed)>, oneshot::Sender<()>),
    /// What is known of a partition's producers; `None` if it isn't here.
    Producers(GroupKey, oneshot::Sender<Option<Vec<ProducerDescription>>>),
    /// What compaction has to keep of a partition's producers.
    LastBatches(GroupKey, oneshot::Sender<LastBatches>),
    /// Puts a file that compaction, or a repair, has made in its place; answers whether that was
    /// possible.
    Swap(GroupKey, Cleaned, oneshot::Sender<Result<bool, StorageError>>),
    /// A part of a log was found to be damaged, or to be good again.
    Damage(GroupKey),
    /// How a replica stands.
    Condition(GroupKey, oneshot::Sender<Condition>),
    /// An operator has given up all other voters than these; answers whether the replica leads.
    Recover {
        key: GroupKey,
        left: Vec<ReplicaId>,
        /// The greatest that any of them knows.
        epoch: i32,
        reply: oneshot::Sender<bool>,
    },
    /// Begins another segment where the last one holds an offset, so that it can be looked into.
    Seal(GroupKey, i64),
    /// Drops what retention lets go at this time, in milliseconds since the Unix epoch.
    Retain { now_ms: i64 },
    /// Forgets producers that by this time wrote nothing for so many milliseconds.
    ExpireProducers { now_ms: i64, expiration_ms: i64 },
    /// Flushes and closes every log; the shard ends.
    Close(oneshot::Sender<()>),
}

/// Who votes in a group.
#[derive(Debug, Clone)]
pub(crate) struct Electorate {
    /// The voters in force.
    pub(crate) voters: Arc<Voters>,
    /// Whether they are known to be committed, and don't change.
    pub(crate) is_settled: bool,
    /// Whether the replica here leads, and has committed in its epoch.
    pub(crate) leads: bool,
}

/// A partition to open.
pub(crate) struct Opening {
    pub(crate) key: GroupKey,
    pub(crate) topic: CompactString,
    pub(crate) settings: Arc<TopicSettings>,
    /// Whether it was just created, and has led nothing yet.
    pub(crate) is_new: bool,
    /// What its voters are to be, where it isn't alone.
    pub(crate) wish: Option<Wish>,
}

/// Where a shard takes its commands.
///
/// It is not bounded by itself: what commands hold was let in at the doors of connections, and what
/// groups append is bounded by their host.
#[derive(Debug, Clone)]
pub(crate) struct ShardHandle {
    commands: mpsc::UnboundedSender<Command>,
}

impl ShardHandle {
    /// A handle, and where its shard finds what is sent.
    pub(crate) fn channel() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands }, receiver)
    }

    /// Hands a command over. A shard that has ended drops it, and with it whatever is to answer.
    pub(crate) fn send(&self, command: Command) {
        drop(self.commands.send(command));
    }
}
