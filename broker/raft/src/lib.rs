//! The consensus of a partition: Raft over a log of records, as a core without clock, file or
//! socket.
//!
//! ```text
//!   messages, reports of the disk ──▶ Group ──▶ Effects: stores, records to write, messages
//!                                       ▲           │
//!                                       └── stored, flushed, written ◀── host
//! ```
//!
//! A [`Group`] is one replica. Its log is the partition's: records are ranges of offsets, and the
//! few entries that are Raft's own ([`Control`]) stand between them without an offset. A
//! [`Position`] names a place in it. A [`Pair`] is two brokers with all groups that they share:
//! beats, silence, sleep.
//!
//! What the host does, in this order:
//!
//! 1. It calls one function for what happened.
//! 2. It hands [`Effects::stores`] to the state store, as one frame, and reports it with
//!    [`Group::stored`] when it is durable. A control entry's frame waits for the log to be flushed
//!    up to the entry.
//! 3. It appends what [`Effects::write`] says, and reports it with [`Group::written`]; a flush of
//!    the log with [`Group::flushed`].
//! 4. It sends [`Effects::messages`].
//! 5. At the end of a turn it calls [`Group::ship`] of the groups that it touched, and sends the
//!    records of the messages along.
//!
//! The same calls give the same effects, everywhere.
//!
//! **Invariant:** no message says that something is durable which isn't.
//!
//! **Invariant:** what was committed stays, in every log that is elected from then on.
//!
//! docs/raft.md explains the protocol, and where and why it differs from the paper.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod candidate;
mod effects;
mod follower;
mod frames;
mod group;
mod history;
mod leader;
mod membership;
mod message;
mod mutant;
mod pair;
mod position;
mod progress;
mod recovery;
mod trace;
mod voters;

pub use effects::{Effects, Store, Write};
pub use group::{Durable, Group, Options, Role};
pub use history::{Control, History};
pub use leader::Batches;
pub use message::{Append, AppendReply, Body, Content, Message, Outcome, Reset, Vote, VoteReply};
pub use pair::{Beat, Change, GroupKey, Named, News, Pair, Replicas, Timing};
pub use position::{Position, ReplicaId};
pub use progress::Standing;
pub use trace::{Event, What};
pub use voters::Voters;

#[cfg(test)]
mod tests;
