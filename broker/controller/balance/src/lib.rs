//! Where replicas belong, as pure functions of a snapshot.
//!
//! ```text
//!   brokers, racks, weights, capacities ─┐
//!   partitions, replicas, measured loads ┴▶ Snapshot ─┬─▶ plan ──▶ moves, each with its reason
//!                                                     │              │
//!                                 what is under way ──┼──────────────┴─▶ next: what may go now
//!                                                     │              └─▶ status: told to operators
//!                                                     ├─▶ place: brokers of a new topic
//!                                                     ├─▶ capacity: how much room, for how long
//!                                                     └─▶ bound: what no plan can do better
//! ```
//!
//! Racks and capacities are hard rules. Among what they leave, the worst weighted utilisation is to
//! be as low as it can, then the others' alike, with as few bytes copied as possible; and nothing
//! moves for what lies within a band. `docs/balancing.md` explains the cost.
//!
//! All is integer arithmetic, and the same snapshot gives the same answer everywhere. It knows
//! no file, no socket, no clock and no chance but a seed that is handed in; nor what a topic's
//! configuration is, or how a replica gets from one broker to another.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod after;
mod aims;
mod bound;
mod capacity;
mod demand;
mod levels;
mod next;
mod options;
mod place;
mod plan;
mod racks;
mod resource;
pub mod sim;
pub mod snapshot;
mod state;
pub mod status;
#[cfg(test)]
mod tests;
mod text;

pub use after::after;
pub use bound::{Bound, bound};
pub use capacity::{BrokerCapacity, Capacity, Headroom, Outlook, capacity, one_more};
pub use next::{Beside, Limits, Other, Progress, Rates, Stage, Wait, next, next_beside, seconds};
pub use options::{Options, Rules};
pub use place::{Host, Memory, NewTopic, PlaceError, Strategy, hosts, place};
pub use plan::{
    Alternative, ManualError, ManualMove, Move, MoveKind, Obstacle, Plan, Refusal, Rule,
    TurnedDown, Unmet, Worst, plan, plan_manual,
};
pub use resource::{Amounts, PerResource, Resource};
pub use snapshot::Snapshot;
pub use status::Status;
pub use text::ParseError;
