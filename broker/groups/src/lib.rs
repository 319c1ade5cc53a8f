//! Consumer groups as a pure state machine: the classic protocol, and committed offsets.
//!
//! ```text
//!   request, now ──▶ Coordinator ──▶ records + answer, or a ticket that is answered later
//!                        ▲                 │
//!                        │       a partition of __consumer_offsets, committed
//!                     replay               │
//!                        └─────────────────┴──▶ then the answers leave
//! ```
//!
//! A [`Coordinator`] has the groups of one partition of `__consumer_offsets`. [`record`] holds the
//! facts and their bytes, which are the reference's. Inside, a group has a file for each thing that
//! is asked of it: `join`, `sync`, `leave`, `commit`, `fetch`, …; `rebalance` is what they have in
//! common.
//!
//! The crate knows no file, no socket, no clock and no chance: time and random ids come as
//! arguments, so that the same inputs give the same records and answers everywhere.
//!
//! **Invariant:** what replaying the records gives is what was there when the last of them was
//! made, but for members that are joining and for requests that wait: members come back as they
//! were when their group was last stable.
//!
//! **Invariant:** an answer says nothing that the records made up to then don't; the host lets it
//! go when they are committed.
//!
//! Source: KIP-62, KIP-134 (initial delay), KIP-345 (static members), KIP-394 (member ids), KIP-211
//! (retention), and the group coordinator of Apache Kafka 4.1.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod answers;
mod commit;
mod coordinator;
mod delete;
mod describe;
mod effects;
mod expire;
mod fetch;
mod group;
mod join;
mod leave;
mod member;
mod offsets;
mod options;
mod protocols;
mod rebalance;
pub mod record;
mod replay;
mod static_member;
mod subscription;
mod sync;
mod timers;

#[cfg(test)]
mod tests;

pub use coordinator::Coordinator;
pub use describe::GroupFilter;
pub use effects::{Effects, Now, Reply, Ticket};
pub use join::{JoinRules, Joining};
pub use options::Options;
