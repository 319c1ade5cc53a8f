//! The consensus of a partition: Raft over a log of records, as a core without clock, file or
//! socket.
//!
//! *(The essay is in docs/raft.md.)*

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod candidate;
mod effects;
mod follower;
mod group;
mod history;
mod leader;
mod membership;
mod message;
mod mutant;
mod pair;
mod position;
mod progress;
mod trace;
mod voters;

pub use effects::{Effects, Store, Write};
pub use group::{Durable, Group, Options, Role};
pub use history::{Control, History};
pub use leader::Batches;
pub use message::{Append, AppendReply, Body, Content, Message, Outcome, Reset, Vote, VoteReply};
pub use pair::{Beat, Change, GroupKey, Named, News, Pair, Timing};
pub use position::{Position, ReplicaId};
pub use progress::Standing;
pub use trace::{Event, What};
pub use voters::Voters;

#[cfg(test)]
mod tests;
