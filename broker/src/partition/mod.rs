//! Partitions: where requests, logs and Raft groups meet.
//!
//! ```text
//!   handlers ──── Partition (shared) ──── reads: LogView, no shard
//!       │              │
//!       │ Command      │ published: high watermark, epoch, settings
//!       ▼              ▲
//!   Shard (a thread) ─ Replica ─ Log ──▶ flush threads ──▶ Command::Flushed
//!                         └ Group: what is committed, and who leads
//! ```
//!
//! Only its shard appends to a partition, so there is no lock on the way of a produce request. In
//! each turn a shard takes what has arrived, appends it, and asks for one flush of each log that
//! has something new.
//!
//! **Invariant:** what a producer is told to be there is below the high watermark, and what is
//! below the high watermark is on stable storage, unless the topic asked for less
//! (`write.caching`).

mod answers;
mod caching;
mod catch_up;
mod command;
mod condition;
mod entries;
mod feed;
mod handle;
mod hands;
mod lanes;
mod later;
mod member;
mod office;
mod peering;
mod pursuit;
mod refused;
mod registry;
mod replica;
mod seat;
mod settings;
mod shard;
mod starts;
mod surroundings;
mod tasks;
mod throttled;
mod voter_sets;
mod waiters;

pub(crate) use catch_up::{CatchUp, Rates};
pub(crate) use command::{Command, Electorate, Opening, ShardHandle};
pub(crate) use condition::Condition;
pub(crate) use entries::{REPLICA_BYTES, get_replica, put_replica};
pub(crate) use handle::{Partition, Standing};
pub(crate) use hands::{Hands, LeaderNews};
pub(crate) use lanes::{Quorum, QuorumReplica, Troubles};
pub(crate) use member::Wish;
pub(crate) use peering::Joining;
pub(crate) use registry::Registry;
pub(crate) use replica::{
    Append, AppendError, Appended, ProducerDescription, RequestPermit, Until,
};
pub(crate) use seat::{Seat, Unnamed};
pub(crate) use settings::{TimestampType, TopicSettings};
pub(crate) use shard::Shard;
pub(crate) use surroundings::{Process, Surroundings, millis};
pub(crate) use throttled::{ReplicaList, Throttled};
pub(crate) use waiters::Watch;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
