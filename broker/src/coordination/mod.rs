//! The host of consumer groups: the coordinators of the partitions of `__consumer_offsets`.
//!
//! ```text
//!   handler ─ ask(group, closure) ─▶ host of the shard that owns the group's partition
//!                                        │ Coordinator: records, answers, tickets
//!                                        ▼ at the end of the turn: one append a partition
//!                    shard: log, flush ──┴──▶ committed ─▶ the answers of the turn leave
//! ```
//!
//! A shard's thread runs one host, beside the partitions themselves. A host takes what has come in
//! a turn, so commits that arrive together are one batch; it doesn't wait for a flush before the
//! next turn. A partition is read from its log's start before it is asked anything; whoever asks
//! meanwhile is told to come again. A host has one timer, for whatever its groups wait for.
//!
//! **Invariant:** an answer leaves when every record made before it is committed; where one can't
//! be, all that is held is refused, and the coordinator is made anew from the log.

mod batches;
mod handle;
mod host;
mod hosted;
mod lag;
mod load;
mod topic;

#[cfg(test)]
mod tests;

pub(crate) use handle::{Coordination, CoordinationError, Inbox};
pub(crate) use host::Host;
pub(crate) use lag::{GroupLag, lags};
pub(crate) use topic::{OFFSETS_TOPIC, ensure_topic, partition_of};
