//! Clients at work: producers, a thread each, and consumers, a task each, and what they share.
//!
//! ```text
//!   Pace ─▶ sender ─▶ Producer ─▶ cluster ─▶ Consumer ─▶ reader ─▶ Tally
//!             │ Delivery                                             │
//!             └─▶ lane, one a partition ─▶ Tally ─────────▶ Timeline ┘
//! ```
//!
//! Senders are threads because a runtime's timers go by milliseconds, and a record is to be sent
//! when it is due. Acknowledgements of a partition come in order, so one task a partition hears
//! each of them when it comes.
//!
//! Must always hold: all queues are bounded; who waits for something ends when the load does.

mod consuming;
mod extent;
mod fill;
mod producing;
mod shared;

pub(crate) use consuming::{Consuming, ReadKind};
pub(crate) use extent::Extent;
pub(crate) use fill::fill;
pub(crate) use producing::{Producing, SenderSettings, locked};
pub(crate) use shared::{Phase, Shared};

use shared::Mark;
